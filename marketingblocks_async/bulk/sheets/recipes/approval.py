"""Find rows that are not meant to be sent: drafts, ideas, and rows that are not approved or were sent already.

Another program's columns of that kind hold no field of a post, so they would be left out, and with them the reason why
a row is not to be sent. Such a row is refused, unless the options choose rows by the column or leave it out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from marketingblocks_async.bulk.sheets.approval_words import (
    Says,
    approval_hint,
    approval_in,
    decides,
    is_approving,
    is_early,
    is_for_notes,
    is_former_text,
    is_live,
    is_status,
    is_stopping,
    may_be_status_of_other,
    names_persons,
)
from marketingblocks_async.bulk.sheets.cells import BLANKS, UnusableCell, cell_at
from marketingblocks_async.bulk.sheets.columns import is_note, normal_name
from marketingblocks_async.bulk.sheets.dates import is_to_come
from marketingblocks_async.bulk.sheets.display import readable, visible
from marketingblocks_async.bulk.sheets.layout import Unreadable
from marketingblocks_async.bulk.sheets.spellings import truth

from .known_columns import Sources
from .recipe import Recipe, load_recipe, recipe_names

_NOTHING = frozenset({"-", "--", "\u2013", "\u2014", "n/a", "n.a.", "na"})
"""What people write into a cell that they leave empty; "TBD" and "none" say more of an approval."""

_LONGEST_WORDS = 80
"""Characters of a cell that is compared as it is."""

_LONGEST_STATE = 40
"""Characters of a cell that may be a word for the state of a post."""

_INITIALS = re.compile(r"[A-WYZ]|[a-wyz]|[A-Z]{2}")
"""Words for yes and no that can be persons; a single X is a tick."""

_MOST_WORDS = 20
"""Words of one column that are remembered."""


@dataclass(slots=True)
class _Column:
    """A column that may say which rows are to be sent, and what its cells say so far.

    Attributes:
        name: of the column.
        says: how it says so, if it does.
        hint: what tells that it does: ``name`` alone, or the cells of a column with a ``likely`` name or ``any`` name.
            In one of ``notes``, one cell that stops a row is enough.
        filled: cells that are not blank.
        fitting: those of them with a word for the state of a post, or with yes and no in a column of approvals.
        states: such words, until there are two.
        truths: whether they say yes, and no.
        is_plain: whether one of the words for yes and no is no initials of a person, unlike "J" and "NE".
        decides: whether one of these words is said of posts only.
        approving: what the column says of rows that are to be sent.
        stopping: what it says of rows that are refused by one word.
        has_texts: whether it has dates or texts that say nothing of whether a row is to be sent.
        left_out: what the options say of rows that they leave out, ``None`` if they do not.
        last: the last cell: to read one takes long, and most rows say the same.

    """

    name: str
    says: Says
    hint: Literal["name", "likely", "notes", "any"]
    left_out: tuple[str, ...] | None = None
    filled: int = 0
    fitting: int = 0
    states: set[str] = field(default_factory=set[str])
    truths: set[bool] = field(default_factory=set[bool])
    is_plain: bool = False
    decides: bool = False
    approving: dict[str, str] = field(default_factory=dict[str, str])
    stopping: dict[str, str] = field(default_factory=dict[str, str])
    has_texts: bool = False
    last: tuple[object, bool] = (None, False)

    def look(self, cell: object) -> None:
        """Take a cell into account."""
        if cell is None:
            return
        self.filled += 1
        if isinstance(cell, str) and cell == self.last[0]:
            self.fitting += self.last[1]
            return
        fits = self.hint != "name" and self._fits(cell)
        self.fitting += fits
        self.last = cell, fits
        if self._stops(cell) and len(self.stopping) < _MOST_WORDS:
            self.stopping.setdefault(_text(cell).casefold(), _text(cell))
        if fits and (said := truth(cell)) is not None:
            self.truths.add(said)
            self.is_plain = self.is_plain or not _INITIALS.fullmatch(_text(cell).strip(BLANKS))
        if fits:
            self.decides = self.decides or decides(_text(cell))
            if len(self.states) < 2:
                self.states.add(_text(cell).casefold())
        if self.says in ("draft", "sent"):
            said = _is_nothing(cell) or (self.says == "sent" and _is_early(cell))
            self.has_texts = self.has_texts or self._is_no_yes(cell)
        else:
            said = _is_approved(cell)
        if said and len(self.approving) < _MOST_WORDS:
            word = "yes" if truth(cell) else _text(cell)
            self.approving.setdefault(word.casefold(), word)

    def _fits(self, cell: object) -> bool:
        if self.says == "approved" and truth(cell) is not None:
            return True
        return isinstance(cell, str) and len(cell) <= _LONGEST_STATE and is_status(cell)

    def is_meant(self) -> bool:
        """Tell whether the column says which rows are to be sent, as far as its cells show."""
        if self.hint == "name":
            return True
        if self.says == "status" and self.hint == "likely":
            is_of_post = self.decides or not may_be_status_of_other(self.name)
            return self.fitting * 2 > self.filled and not all(map(is_live, self.states)) and is_of_post
        says_both = self.says == "approved" and self.hint == "likely" and self.truths == {True, False}
        if says_both and (self.is_plain or not names_persons(self.name)):
            return True
        # An approval of its own name, such as "Approved by", has names more often.
        return self.fitting >= self.filled * 0.8 > 0 and (
            self.hint == "likely" or (len(self.states) > 1 and self.decides)
        )

    def may_ask(self, cell: object) -> bool:
        """Tell whether the other cells say more about this one."""
        if isinstance(cell, UnusableCell):
            return True
        if self.left_out is not None:
            return self._stops(cell)
        if self.hint == "name":
            return self.may_refuse(cell)
        # Most columns are of another kind, and have no such word.
        return (self.says == "approved" if cell is None else self._fits(cell)) and self.may_refuse(cell)

    def may_refuse(self, cell: object) -> bool:
        """Tell whether a cell refuses its row if the column is meant."""
        if cell is None:
            return self.says == "approved"
        if self.says != "approved" and _is_nothing(cell):
            return False
        if self.says in ("status", "approved"):
            return not _is_approved(cell)
        if truth(cell) is False or self._is_no_yes(cell):
            return False
        return self.says != "sent" or not _is_early(cell)

    def _stops(self, cell: object) -> bool:
        """Tell whether a cell alone says that its row is not to be sent."""
        if self.says in ("draft", "sent"):
            return cell is not None and self.may_refuse(cell)
        return isinstance(cell, str) and len(cell) <= _LONGEST_STATE and is_stopping(cell)

    def _is_no_yes(self, cell: object) -> bool:
        """Tell whether a cell holds a date or a text that does not say that its row was sent, or is a draft."""
        if self.says == "sent":
            # A past date says when the row was sent.
            return is_to_come(cell)
        return is_former_text(self.name, getattr(cell, "value", cell))

    def refuses(self, cell: object) -> bool:
        """Tell whether a cell refuses its row. A column that says yes in no row is not in use."""
        if isinstance(cell, UnusableCell):
            return self.is_meant()
        is_enough = self._stops(cell) and (self.hint != "any" or self.is_meant())
        if self.left_out is not None:
            # To leave some rows out does not choose those that another word stops.
            return is_enough
        if self.hint != "name":
            if not self.states:
                return False
            if is_enough:
                return True
        return self.may_refuse(cell) and (cell is not None or bool(self.approving)) and self.is_meant()


class Approval:
    """Tells which rows are not meant to be sent, by the columns that hold no field.

    Args:
        sources: the columns.
        recipe: how they are read.
        given: columns that the caller names.

    Attributes:
        is_complete: whether every row was taken into account.

    """

    def __init__(self, sources: Sources, recipe: Recipe, given: Collection[str] = ()) -> None:
        self.is_complete: bool = False
        self._words = recipe.words
        shipped = load_recipe(recipe.name) if recipe.name in recipe_names() else Recipe()
        header = sources.header
        conditions = [
            (place, each) for each in recipe.where if each not in shipped.where for place in header.places(each.column)
        ]
        chosen = {place for place, each in conditions if each.wanted}
        without = {place: each.values for place, each in conditions}
        # A recipe of the package leaves such columns out for all its users; anyone else means what they say.
        left_out = {
            place
            for name, target in recipe.columns.items()
            if target is None and (name in given or name not in shipped.columns)
            for place in header.places(name)
        }
        self._columns: dict[int, _Column] = {}
        for index, name in enumerate(sources.names):
            is_said = index in chosen or index in left_out
            if normal_name(name) and not is_said and not is_note(name) and sources.target_of(index) is None:
                self._columns[index] = _column(name, without.get(index), has_name=recipe.header != 0)

    def start_again(self) -> None:
        """Forget all rows, before every row is taken into account."""
        self._columns = {
            index: _Column(each.name, each.says, each.hint, each.left_out) for index, each in self._columns.items()
        }
        self.is_complete = True

    def look(self, cells: Sequence[object]) -> None:
        """Take a row into account."""
        for index, column in self._columns.items():
            column.look(cell_at(cells, index))

    def asks(self, cells: Sequence[object]) -> bool:
        """Tell whether the other rows say more about this one."""
        return any(column.may_ask(cell_at(cells, index)) for index, column in self._columns.items())

    def doubt(self, cells: Sequence[object]) -> Unreadable | None:
        """Return what to do about a row that may not be meant to be sent."""
        if not self.is_complete:
            self.look(cells)
        for index, each in self._columns.items():
            cell = cell_at(cells, index)
            if not each.refuses(cell):
                continue
            column, words = visible(each.name), list(map(visible, each.approving.values()))
            if each.says in ("draft", "sent"):
                words = ["", "no", *words]
            wanted = f"={'|'.join(words) or 'VALUE'}"
            if each.left_out is not None or each.has_texts or not each.is_meant():
                # One note among others.
                stopping = dict.fromkeys([*(each.left_out or ()), *each.stopping.values()])
                wanted = f"!={'|'.join(map(visible, stopping))}"
            if isinstance(cell, UnusableCell):
                message = f'the column "{column}" cannot be used here: {cell.message}'
                message += f"; to send all rows, leave the column out: {self._words.ignore(column)}"
                return Unreadable(message, column, readable(cell))
            says = f'says "{readable(cell)}"' if cell is not None else "is empty here, and not in other rows"
            message = (
                f'the column "{column}" {says}, so the row may not be meant to be sent; choose the rows to send with '
                f"{self._words.where(column, wanted)}, or leave the column out to send all rows: "
                f"{self._words.ignore(column)}"
            )
            return Unreadable(message, column, readable(cell))
        return None


def _column(name: str, left_out: tuple[str, ...] | None, *, has_name: bool) -> _Column:
    if (says := approval_in(name)) is not None:
        return _Column(name, says, "name", left_out)
    if (hint := approval_hint(name)) is not None:
        return _Column(name, hint, "likely", left_out)
    return _Column(name, "status", "any" if has_name and not is_for_notes(name) else "notes", left_out)


def _is_nothing(cell: object) -> bool:
    return isinstance(cell, str) and cell.strip().casefold() in _NOTHING


def _is_early(cell: object) -> bool:
    return not isinstance(cell, UnusableCell) and is_early(_text(cell))


def _is_approved(cell: object) -> bool:
    if isinstance(cell, UnusableCell):
        # "Approved" that is struck through says the opposite.
        return False
    text = cell if isinstance(cell, str) and len(cell) <= _LONGEST_WORDS else _text(cell)
    return truth(cell) is True or is_approving(text)


def _text(cell: object) -> str:
    return readable(getattr(cell, "value", cell))
