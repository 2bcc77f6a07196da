"""Docstrings of the models, read for the OpenAPI document: the text, and what it says of each field."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns):$", re.MULTILINE)
_FIELD = re.compile(r"^ {4}(\w+): ", re.MULTILINE)
_ROLE = re.compile(r":\w+:`~?([^`]+)`")


@dataclass(frozen=True, slots=True)
class Description:
    """What a docstring says.

    Attributes:
        text: all before the first section, as Markdown.
        fields: one text a field, as Markdown.

    """

    text: str
    fields: dict[str, str]


def described(kind: type[object]) -> Description:
    """Return what the docstring of a class says; nothing if it has none of its own."""
    parts = _SECTION.split(inspect.cleandoc(kind.__doc__ or ""))
    fields: dict[str, str] = {}
    for name, section in zip(parts[1::2], parts[2::2], strict=True):
        if name in ("Args", "Attributes"):
            _, *pairs = _FIELD.split(section)
            fields |= {field: _markdown(text) for field, text in zip(pairs[::2], pairs[1::2], strict=True)}
    paragraphs = parts[0].strip().split("\n\n")
    return Description("\n\n".join(_markdown(paragraph) for paragraph in paragraphs), fields)


def _markdown(text: str) -> str:
    return _ROLE.sub(r"`\1`", " ".join(text.split())).replace("``", "`")
