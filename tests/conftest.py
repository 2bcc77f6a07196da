"""Fixtures of several test files."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import signal
from collections.abc import Iterator
from typing import Any, cast

import aioresponses.core
import hypothesis
import pytest

from marketingblocks_async.calls import token
from marketingblocks_async.limits.registry import LimiterRegistry
from tests.support.mocked import Mocked, MockedResponse

# Imports and collecting make no garbage to speak of, and looking for it takes a second of each process.
gc.disable()

# A busy machine must not fail a test.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run two processes a core: a fourth of their time is waiting, and each more has to import and collect it all."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import a share of the modules first, in each process another: all read then what each of them has compiled.

    In a fresh clone all processes would compile all modules, which takes longer than to import them.
    """
    number, count = os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("PYTEST_XDIST_WORKER_COUNT")
    if number is None or count is None:
        return
    root = session.config.rootpath
    asked = [(session.config.invocation_params.dir / arg.partition("::")[0]).resolve() for arg in session.config.args]
    modules = [path for path in (root / "tests").rglob("test_*.py") if any(map(path.is_relative_to, asked))]
    modules.sort(key=lambda path: (path.stat().st_size, path))
    for path in modules[int(number.removeprefix("gw")) :: int(count)]:
        # Collecting tells of what cannot be imported here, such as a module whose extra is not installed.
        with contextlib.suppress(ImportError, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the slow tests: the first process waits for most of them, while the others use the cores."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking at all tests and modules again and again: half a second each time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _signals_reach_children() -> None:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    # Shells have Ctrl-C ignored in what they start in the background, nohup has hang-ups, and children inherit that.
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        # Windows has no hang-ups.
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(autouse=True, scope="session")
def _no_state_of_the_user(  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # Runs look at what agents have sent.
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture
def mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mocked]:
    """Answers to a client of the documented address, without a socket."""
    monkeypatch.setattr(aioresponses.core, "ClientResponse", MockedResponse)
    with cast("Any", aioresponses.aioresponses)() as mock:
        yield Mocked(mock)


@pytest.fixture
def own_limiters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limiters that no other test has used: they are shared by token and address, and ports come back."""
    monkeypatch.setattr(token, "REGISTRY", LimiterRegistry())


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for tests that are not coroutines, since Hypothesis calls them many times."""
    with asyncio.Runner() as runner:
        yield runner
