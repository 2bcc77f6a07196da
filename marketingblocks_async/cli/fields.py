"""From options, JSON texts and files to the fields of a request."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer

FromJson = Annotated[
    str | None,
    typer.Option(
        "--from-json", metavar="FILE", help="Take fields from a JSON object in this file (- for the standard input); "
        "other options come on top.",
    ),
]  # fmt: skip


def request_fields(from_json: str | None, options: Mapping[str, object]) -> dict[str, Any]:
    """Return the fields of a request: the options, and those of a file that holds a JSON object.

    The file may be ``-``, the standard input. ``None`` and empty lists are options that were not given.
    """
    fields: dict[str, Any] = {}
    if from_json is not None:
        found = read_json(f"@{from_json}" if from_json != "-" else "-")
        if not isinstance(found, dict):
            msg = f"{from_json} must hold a JSON object: the fields of the request"
            raise ValueError(msg)
        fields |= cast("dict[str, Any]", found)
    fields |= {name: value for name, value in options.items() if value is not None and value != []}
    return fields


def read_json(text: str, option: str = "--from-json") -> Any:
    """Return the JSON value that an option gives: a text, ``@FILE``, or ``-`` for the standard input."""
    from marketingblocks_async.bulk.sheets.json_text import load_json

    where = option
    try:
        if text == "-":
            where = "the standard input"
            text = sys.stdin.read()
        elif text.startswith("@"):
            where = text[1:]
            text = Path(where).read_text(encoding="utf-8-sig")
        # A name that is there twice would lose one of its values without a word.
        return load_json(text)
    except UnicodeDecodeError:
        msg = f"{where}: this is not JSON: it is not text in UTF-8"
    except ValueError as exc:
        msg = f"{where}: {exc}"
    raise ValueError(msg)


def pairs(given: Iterable[str], option: str, form: str = "NAME=VALUE", *, at_last: bool = False) -> dict[str, str]:
    """Return the pairs of a repeated option ``NAME=VALUE``; no name may be given twice.

    Args:
        given: the values of the option.
        option: its name.
        form: what errors say to write.
        at_last: the name may have ``=`` in it, and the value has none.

    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.rpartition("=") if at_last else each.partition("=")
        if not equals or not name.strip():
            msg = f"{option} {each!r}: write {form}"
            raise ValueError(msg)
        if name in found:
            msg = f"{option} gives {name!r} twice"
            raise ValueError(msg)
        found[name] = value
    return found
