"""How errors name the options: as the command line writes them, or as Python does."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Names what a user can change.

    Attributes:
        command_line: whether the reader of the errors uses the command line.

    """

    command_line: bool = False

    def set(self, field: str, value: str) -> str:
        """Return how to give a field the same value in every row."""
        return f"--set {field}={value}" if self.command_line else f'Recipe(fixed={{"{field}": "{value}"}})'

    def default(self, field: str, value: str) -> str:
        """Return how to give a field a value where its cell is empty."""
        return f"--default {field}={value}" if self.command_line else f'Recipe(defaults={{"{field}": "{value}"}})'

    def map(self, column: str, field: str) -> str:
        """Return how to say which field a column holds."""
        return f'--map "{column}={field}"' if self.command_line else f'columns={{"{column}": "{field}"}}'

    def ignore(self, column: str) -> str:
        """Return how to leave a column out."""
        return f'--map "{column}="' if self.command_line else f'columns={{"{column}": None}}'

    def where(self, column: str, condition: str) -> str:
        """Return how to choose rows; the condition begins with ``=`` or ``!=``."""
        # The first "=" ends the name, and "Ready!=" is "is not".
        condition = column.replace("=", "*") + ("*" if column.endswith("!") else "") + condition
        return f'--where "{condition}"' if self.command_line else f"Recipe().with_options(where=['{condition}'])"

    def channel(self, given: str) -> str:
        """Return how to say which channels posts go to."""
        shown = f'"{given}"' if " " in given or "=" in given else given
        return f"--channel {shown}" if self.command_line else f'Recipe().with_options(channels=["{given}"])'

    def date_format(self, form: str) -> str:
        """Return how to say the form of the dates."""
        shown = f"'{form}'" if " " in form else form
        return f"--date-format {shown}" if self.command_line else f'Recipe(date_formats=("{form}",))'

    def header(self, row: int) -> str:
        """Return how to say which row is the header, 0 for none."""
        if self.command_line:
            return f"--header-row {row}" if row else "--no-header"
        return f"Recipe(header={row})"

    def hidden(self, what: str) -> str:
        """Return how to say what to do about hidden rows: ``skip`` or ``send`` them."""
        if self.command_line:
            return {"skip": "--skip-hidden", "send": "--include-hidden"}[what]
        return f'hidden="{what}"'

    def option(self, name: str, value: str | None = None) -> str:
        """Return how to give an option that both have under one name."""
        if self.command_line:
            return f"--{name.replace('_', '-')}" + ("" if value is None else f" {shlex.quote(value)}")
        return f"{name}=True" if value is None else f'{name}="{value}"'


PYTHON = Words()
COMMAND_LINE = Words(command_line=True)
