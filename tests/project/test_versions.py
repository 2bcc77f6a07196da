"""The page about versions names every extra and every alias."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import marketingblocks_async

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "versions.md").read_text(encoding="utf-8")
ALIAS = re.compile(r"\b(\w+)(?:: TypeAlias)? = \w+\n+ *\"\"\"The former name of")


def test_it_names_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = PAGE.partition("| extra | adds |")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == project["optional-dependencies"].keys()


def test_it_names_every_alias() -> None:
    package = ROOT / "marketingblocks_async"
    aliases = {name for path in package.rglob("*.py") for name in ALIAS.findall(path.read_text(encoding="utf-8"))}
    assert aliases >= {"RateLimitedError", "ServerError", "HttpAnswer", "SourceFacts"}
    table = PAGE.partition("| former name | now |")[2].partition("\n\n")[0]
    for name in aliases:
        assert f"{name}`" in table, name


def test_the_aliases_are_the_new_names() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", PAGE, re.MULTILINE)
    assert len(rows) >= 3
    for former, now in rows:
        assert getattr(marketingblocks_async, former) is getattr(marketingblocks_async, now)
