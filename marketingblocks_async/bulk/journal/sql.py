"""Statements of SQL files: a journal's ``schema.sql`` has the tables, its ``queries.sql`` the statements by name."""

from __future__ import annotations

import re
from importlib.resources import files


def read_schema(package: str) -> str:
    """Return the ``schema.sql`` of a package."""
    return (files(package) / "schema.sql").read_text(encoding="utf-8")


def read_queries(package: str) -> dict[str, str]:
    """Return the statements of the ``queries.sql`` of a package by their names (``-- name: …``)."""
    return {
        name: statement.strip()
        for name, statement in re.findall(
            r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)",
            (files(package) / "queries.sql").read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
    }


SCHEMA: str = read_schema("marketingblocks_async.bulk.journal")

QUERIES: dict[str, str] = read_queries("marketingblocks_async.bulk.journal")
"""Name of a statement → its text."""
