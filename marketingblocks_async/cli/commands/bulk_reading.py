"""Options of the commands that read a file of posts."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketingblocks_async.cli.command import TakesOptions, takes_options
from marketingblocks_async.cli.fields import pairs

if TYPE_CHECKING:
    from marketingblocks_async.bulk import ReadOptions, Recipe

_PANEL = "How the file is read"
STANDARD_INPUT = "-"


def _option(*names: str, **how: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **how)


class Format(StrEnum):
    """Kinds of files."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    JSON = "json"
    XLSX = "xlsx"


File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="CSV, TSV, JSON Lines, JSON or XLSX file; - for the standard input, with --format.",
        allow_dash=True,
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The options of reading a file, one a field."""

    recipe: Annotated[
        str | None,
        _option(
            metavar="NAME|FILE",
            help="How the file of another program becomes posts: a name from 'bulk recipe list', or a .toml file.",
        ),
    ] = None  # fmt: skip
    columns: Annotated[
        list[str] | None,
        _option(
            "--map", metavar="COLUMN=FIELD",
            help="Which field a column is; COLUMN= leaves it out. May be repeated.",
        ),
    ] = None  # fmt: skip
    fixed: Annotated[
        list[str] | None,
        _option(
            "--set", metavar="FIELD=VALUE",
            help="The same value in every row, for example publish_mode=scheduled. May be repeated.",
        ),
    ] = None  # fmt: skip
    defaults: Annotated[
        list[str] | None,
        _option(
            "--default", metavar="FIELD=VALUE",
            help="The value where the cell is empty, for example time_zone=Europe/Berlin. May be repeated.",
        ),
    ] = None  # fmt: skip
    channels: Annotated[
        list[str] | None,
        _option(
            "--channel", metavar="[NAME=]PLATFORM:ID",
            help="Where the posts go, or what a name in the file stands for. May be repeated: a row for several "
            "channels becomes several posts.",
        ),
    ] = None  # fmt: skip
    date_formats: Annotated[
        list[str] | None,
        _option(
            "--date-format", metavar="FORM",
            help="How dates are written, for example DD/MM/YYYY or 'MM/DD/YYYY hh:mm a'; by default found from the "
            "whole column.",
        ),
    ] = None  # fmt: skip
    where: Annotated[
        list[str] | None,
        _option(
            metavar="COLUMN=VALUE",
            help="Take only rows that say so, for example Approved=yes; != for the others. May be repeated.",
        ),
    ] = None  # fmt: skip
    no_header: Annotated[
        bool,
        _option("--no-header", help="The file has no header; its columns are called A, B, C, ..."),
    ] = False
    header_row: Annotated[
        int | None,
        _option(min=1, help="Row of the header among those that are not blank."),
    ] = None
    sheet: Annotated[str | None, _option(help="Worksheet; the first one that is shown by default.")] = None
    skip_hidden: Annotated[
        bool,
        _option("--skip-hidden", help="Leave rows out that the workbook does not show."),
    ] = False
    include_hidden: Annotated[
        bool,
        _option("--include-hidden", help="Send rows that the workbook does not show."),
    ] = False
    list_separator: Annotated[str, _option(metavar="TEXT", help="What separates lists inside a cell.")] = "|"
    encoding: Annotated[str | None, _option(help="Encoding of a text file; detected by default.")] = None
    delimiter: Annotated[
        str | None,
        _option(metavar="SIGN", help="Character between the columns; detected by default."),
    ] = None
    format: Annotated[Format | None, _option(help="Kind of file; by default the ending of its name says it.")] = None

    def options(self) -> ReadOptions:
        """Return what the library takes.

        Raises:
            ConfigurationError: an option cannot be meant.
            ValueError: two options contradict each other, or a pair has no ``=``.

        """
        if self.skip_hidden and self.include_hidden:
            msg = "--skip-hidden and --include-hidden contradict each other; give one of them"
            raise ValueError(msg)
        if self.no_header and self.header_row:
            msg = "--no-header and --header-row contradict each other; give one of them"
            raise ValueError(msg)
        return {
            "recipe": self.known_recipe(),
            "columns": self.mapping() or None,
            "encoding": self.encoding,
            "sheet": self.sheet,
            "list_separator": self.list_separator,
            "format": self.format.value if self.format else None,
            "hidden": "skip" if self.skip_hidden else "send" if self.include_hidden else "refuse",
        }

    def known_recipe(self) -> Recipe:
        """Return the recipe with what the options add to it."""
        from marketingblocks_async.bulk import Recipe, load_recipe
        from marketingblocks_async.bulk.sheets.words import COMMAND_LINE

        base = load_recipe(self.recipe) if self.recipe is not None else Recipe()
        return base.with_options(
            fixed=pairs(self.fixed or (), "--set", "FIELD=VALUE"),
            defaults=pairs(self.defaults or (), "--default", "FIELD=VALUE"),
            channels=self.channels or (),
            date_formats=self.date_formats or (),
            where=self.where or (),
            header=0 if self.no_header else self.header_row,
            delimiter=_sign(self.delimiter),
            words=COMMAND_LINE,
        )

    def mapping(self) -> dict[str, str | None]:
        """Return which field each column is, ``None`` for those that are left out."""
        given = pairs(self.columns or (), "--map", "COLUMN=FIELD", at_last=True)
        return {name.strip(): field.strip() or None for name, field in given.items()}


def _sign(given: str | None) -> str | None:
    return {"\\t": "\t", "tab": "\t"}.get(given, given) if given is not None else None


takes_reading: TakesOptions = takes_options(Reading, "reading")


@contextmanager
def opened(file: Path, how: ReadOptions) -> Generator[tuple[Path, ReadOptions]]:
    """Give the file to read; the standard input is kept in a temporary file, since it may be read twice.

    Raises:
        ValueError: the standard input was given without its format.

    """
    if str(file) != STANDARD_INPUT:
        yield file, how
        return
    if how.get("format") is None:
        msg = "say what comes in: --format csv, tsv, jsonl, json or xlsx"
        raise ValueError(msg)
    with tempfile.NamedTemporaryFile(prefix="marketingblocks-") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
        kept.flush()
        yield Path(kept.name), {**how, "name": "standard input"}
