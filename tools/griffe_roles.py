"""For the documentation site: what is reStructuredText in the docstrings as Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?([\w ]+)`")
_LITERAL = re.compile(r"(?:(?<=\w|\))::| ::|^::)$", re.MULTILINE)


class Roles(griffe.Extension):
    """Turns roles (a name in backticks after ``:meth:``) into code, and ends of paragraphs before code into colons."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of an object."""
        del kwargs
        if obj.docstring is not None:
            text = _ROLE.sub(r"`\1`", obj.docstring.value)
            obj.docstring.value = _LITERAL.sub(lambda found: ":" if found[0] == "::" else "", text)
