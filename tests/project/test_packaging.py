"""What a user gets: the metadata, the public names, the types, and what an import brings in."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata, requires
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_origin

import pytest

import marketingblocks_async
from marketingblocks_async import bulk

BASE_LIBRARIES = {"aiohttp", "aiolimiter", "pydantic", "tenacity"}

BINDING_NAMES = {
    "MarketingBlocks", "CreatePost", "RateLimit", "RetryPolicy",
    "MarketingBlocksError", "ConfigurationError", "APIError", "BadRequestError", "AuthenticationError",
    "PermissionDeniedError", "NotFoundError", "RateLimitedError", "ServerError", "NotSentError",
    "OutcomeUnknownError", "InvalidResponseError", "RateLimitError", "InternalServerError", "APIConnectionError",
    "APITimeoutError", "ConflictError", "UnprocessableEntityError",
}  # fmt: skip


def test_the_base_install_has_the_four_libraries_and_nothing_else() -> None:
    base = [requirement for requirement in requires("marketingblocks-async") or [] if "extra ==" not in requirement]
    assert {re.split(r"[<>=!~ ;\[]", requirement)[0] for requirement in base} == BASE_LIBRARIES


def test_only_aiohttp_has_an_upper_bound() -> None:
    """What the transport rests on is tested for one major version; the others may be as new as they like."""
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    dependencies: list[str] = pyproject["project"]["dependencies"]
    assert [requirement for requirement in dependencies if "<" in requirement] == ["aiohttp>=3.14.4,<4"]


def test_the_metadata_is_complete() -> None:
    found = metadata("marketingblocks-async")
    assert found["Version"] == marketingblocks_async.__version__
    assert found["License-Expression"] == "MIT"
    assert found["Requires-Python"] == ">=3.11"


def test_the_types_are_shipped() -> None:
    assert files("marketingblocks_async").joinpath("py.typed").is_file()


def test_everything_public_is_importable_and_documented() -> None:
    names = set(marketingblocks_async.__all__)
    assert names >= BINDING_NAMES
    for name in names - {"__version__", "ENDPOINTS", "Send"}:
        found = getattr(marketingblocks_async, name)
        # The texts of an enumeration, which is documented.
        assert get_origin(found) is Literal or inspect.getdoc(found), name
    public = {name for name in vars(marketingblocks_async) if not name.startswith("_")} - {"TYPE_CHECKING"}
    modules = {name for name in public if inspect.ismodule(getattr(marketingblocks_async, name))}
    assert public - modules <= names


def test_an_import_brings_in_no_extras_and_no_server() -> None:
    code = (
        "import sys, marketingblocks_async\n"
        "unwanted = {'marketingblocks_async.sandbox', 'typer', 'rich', 'redis', 'taskiq', 'opentelemetry', 'uvloop'}\n"
        "print(*unwanted & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert done.stdout.strip() == ""


def test_reading_files_and_journals_does_not_load_the_http_client() -> None:
    code = "import sys; from marketingblocks_async import bulk; print('aiohttp' in sys.modules, bulk.BulkRun.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    assert done.stdout.split() == ["False", "BulkRun"]


def test_all_public_names_of_bulk_runs_are_there() -> None:
    assert set(dir(bulk)) == set(bulk.__all__)
    assert all(hasattr(bulk, name) for name in bulk.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'BulkRuns'"):
        getattr(bulk, "BulkRuns")  # noqa: B009 - the type checkers know that there is none


def test_an_import_makes_no_event_loop_and_no_warning() -> None:
    code = "import marketingblocks_async as m; m.MarketingBlocks('token'); m.MarketingBlocks('token').with_token('b')"
    subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code], check=True)  # noqa: S603 - our own words


def test_docstrings_are_markdown() -> None:
    folder = Path(marketingblocks_async.__file__).parent
    markup = re.compile(r":(?:class|meth|attr|func|mod|data|exc|obj):`|^ *::$|\w::$", re.MULTILINE)
    sources = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.py")}
    assert [(path.name, found[0]) for path, text in sources.items() for found in markup.finditer(text)] == []


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("redis", "redis", "redis"),
        ("distributed", "redis", "distributed"),
        ("distributed.broker", "taskiq", "distributed"),
        ("otel", "opentelemetry", "otel"),
    ],
)
def test_a_module_without_its_libraries_names_the_extra(module: str, library: str, extra: str) -> None:
    code = f"import sys; sys.modules['{library}'] = None; import marketingblocks_async.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    assert done.stderr.splitlines()[-1].endswith(f"pip install 'marketingblocks-async[{extra}]'")
