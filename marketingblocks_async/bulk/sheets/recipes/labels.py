"""Tell hash tags from labels in a column that is only called "Tags".

Notion, ClickUp, Asana and Sprout call their own labels so: "urgent", "Q3". They are not for the public.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, cast

from marketingblocks_async.bulk.sheets.captions import stands_for_nothing
from marketingblocks_async.bulk.sheets.cells import BLANKS, UnusableCell, cell_at
from marketingblocks_async.bulk.sheets.columns import ALIASES, normal_name, without_bracket, without_signs
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.flat import text_of

from .known_columns import Sources
from .recipe import Recipe

_OF_PROGRAMS = frozenset(map(normal_name, (
    # Notion.
    "Created time", "Last edited time", "Last edited by", "Created by",
    # ClickUp.
    "Task ID", "Task Custom ID", "Task Name", "Task Type", "List Name", "Space Name", "Folder Name", "Folder Name/Path",
    "Date Created Text", "Due Date Text", "Start Date Text", "Assignees", "Time Estimated", "Time Spent",
    # Asana.
    "Created At", "Completed At", "Last Modified", "Section/Column", "Assignee Email", "Parent task", "Blocked By",
    "Blocking (Dependencies)", "Blocked By (Dependencies)",
    # Sprout.
    "time_24hr", "message_text", "Sent by", "Linked Content", "Post ID",
)))  # fmt: skip
"""Columns of the exports of programs with labels."""

_ENOUGH = 2
_OWN_FIELDS = 3
_LONGEST = 10_000

_HASH_TAGS = re.compile(r"[#\uff03][^\s#,;|\uff03]+(?:[\s,;|]*[#\uff03][^\s#,;|\uff03]+)*[\s,;|]*")


def may_hold_labels(name: str) -> bool:
    """Tell whether a column of this name may hold hash tags or labels."""
    return normal_name(without_signs(without_bracket(name)[0])) == "tags"


def are_hash_tags(cell: object) -> bool:
    """Tell whether a cell has hash tags and nothing else."""
    if isinstance(cell, list | tuple):
        return all(map(are_hash_tags, cast("Sequence[object]", cell)))
    return isinstance(cell, str) and _HASH_TAGS.fullmatch(cell.strip(BLANKS)[:_LONGEST]) is not None


class Labels:
    """Looks at a column that may hold hash tags or labels.

    Attributes:
        place: the column; ``None`` if there is none, or if it is clear that it holds hash tags.

    Args:
        sources: the columns.
        recipe: how they are read.

    """

    def __init__(self, sources: Sources, recipe: Recipe) -> None:
        self._words = recipe.words
        place = sources.single.get("hash_tags")
        self._name = "" if place is None else visible(sources.names[place].strip(BLANKS))
        names = {normal_name(name) for name in sources.names}
        self._is_of_program = len(names & _OF_PROGRAMS) >= _ENOUGH
        # In a file with the fields' own names, "tags" is another name of hash_tags.
        is_own = len(names & set(map(normal_name, ALIASES))) >= _OWN_FIELDS
        is_named = place is not None and any(place in sources.header.places(name) for name in recipe.columns)
        self.place: int | None = place if may_hold_labels(self._name) and not is_named and not is_own else None

    def of(self, cells: Sequence[object]) -> UnusableCell | Literal["left out"] | None:
        """Return what to do about labels in the column of a row; ``None`` if there are hash tags, or nothing."""
        cell = cell_at(cells, self.place)
        if cell is None or are_hash_tags(cell):
            return None
        if self._is_of_program or (isinstance(cell, str) and stands_for_nothing(cell)):
            return "left out"
        use, leave_out = self._words.map(self._name, "hash_tags"), self._words.ignore(self._name)
        message = (
            f'"{self._name}" may hold hash tags, which are published, or labels, which are not; if they are hash tags, '
            f"say {use}; otherwise leave them out: {leave_out}"
        )
        return UnusableCell(readable(cell), message, text_of(cell))
