"""The journal's SQL: ``schema.sql`` has the tables, ``queries.sql`` the statements by name."""

from __future__ import annotations

import re
from importlib.resources import files

_FOLDER = files("marketingblocks_async.bulk.journal")

SCHEMA: str = (_FOLDER / "schema.sql").read_text(encoding="utf-8")

QUERIES: dict[str, str] = {
    name: statement.strip()
    for name, statement in re.findall(
        r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)",
        (_FOLDER / "queries.sql").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
}
"""Name of a statement → its text."""
