"""One row as its source has it, before anything is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marketingblocks_async.models import CreatePost

from .columns import Layout
from .display import readable


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a row cannot be taken apart at all.

    Attributes:
        message: what to change.
        column: the column that it is about, empty if it is the whole row.
        value: what an error shows of the row.

    """

    message: str
    column: str = ""
    value: str = ""


@dataclass(slots=True)
class RawRow:
    """One row of a source.

    Attributes:
        number: which data row it is, from 1; the header and blank rows do not count.
        cells: what its cells hold, in the order of the columns; there may be fewer of them than columns.
        layout: how they are read.
        file: the file as it was given, empty if the rows come from elsewhere.
        line: line of the text file (of the row's beginning) or row of the sheet, from 1; ``None`` if there is none.
        unreadable: why there are no cells, ``None`` if there are.
        post: the ready-made post, if the source has those.

    """

    number: int
    cells: Sequence[object]
    layout: Layout
    file: str = ""
    line: int | None = None
    unreadable: Unreadable | None = None
    post: CreatePost | None = None

    def as_read(self) -> dict[str, str]:
        """Return name of the column → what its cell holds, for people: shortened, and without empty cells."""
        return {self.layout.name_of(index): text for index, cell in enumerate(self.cells) if (text := readable(cell))}
