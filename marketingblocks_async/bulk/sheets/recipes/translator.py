"""Which translation the rows of a file get, and what has to be read twice before they are translated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from marketingblocks_async.bulk.plan import SourceInfo
from marketingblocks_async.bulk.sheets.cells import BLANKS, CellError, UnusableCell, cell_at
from marketingblocks_async.bulk.sheets.columns import ColumnRules, Header, numbered, usual_target
from marketingblocks_async.bulk.sheets.dates import DateColumn, needs_decision, read_clock
from marketingblocks_async.bulk.sheets.display import visible
from marketingblocks_async.bulk.sheets.layout import HeaderProblem, Layout, RawRow, Unreadable, header_error
from marketingblocks_async.errors import ConfigurationError

from .accounts import Seen
from .known_columns import Columns
from .moments import Moments
from .recipe import DATE, Recipe, load_recipe, recipe_names
from .translation import Translation

_STANDARD = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?!.*[ap]\.?m\.?$)", re.IGNORECASE | re.DOTALL)
"""A date as the API writes it, or nearly so; the rest of the package says what is wrong with those."""

_CLEAR_HOUR = re.compile(r"[0-9-]{10}(?:[Tt].*| (?:00|1[3-9]|2[0-3]):[0-9]{2})")
"""A date as the API writes it whose time lacks neither AM nor PM."""

_KEPT = 256
"""Headers whose translations are kept; objects may have any number of them."""


class RecipeRules(ColumnRules):
    """Rules of a file whose rows are translated by a recipe; the ``required`` columns have to be there."""

    is_translated = True

    def __init__(self, recipe: Recipe, required: Iterable[str] = ()) -> None:
        super().__init__(None, words=recipe.words)
        self.given: tuple[str, ...] = tuple(required)
        self._required = [name for name in self.given if "*" not in name]
        _check_header(recipe, self.given)
        self.recipe = recipe
        self.header: int = recipe.header
        self.columns: Columns = Columns(recipe)
        named = [_column_of_letter(name) for name in recipe.columns] if not recipe.header else []
        self.width: int = max(named, default=0)
        when = [name for name, target in recipe.columns.items() if target in (DATE, "schedule_time")]
        self._when = next((_column_of_letter(name) - 1 for name in when if not recipe.header), -1)

    def count_known(self, names: Iterable[str]) -> int:
        """Return how many of ``names`` are known."""
        return self.columns.count_known(names)

    def is_header(self, cells: Sequence[object]) -> bool:
        """Tell whether the first row of a file without a header is one: it has names of columns, and no data.

        A word alone in place of the date is no proof of that: it may be "TBD" or "tomorrow".
        """
        when = cell_at(cells, self._when)
        filled = [cell for cell in cells if isinstance(cell, str) and cell.strip(BLANKS)]
        names = [cell for cell in filled if usual_target(cell)[0] is not None]
        has_data = any(read_clock(cell) or "://" in cell or cell.strip(BLANKS).isdecimal() for cell in filled)
        is_word = isinstance(when, str) and not any(sign.isdigit() for sign in when)
        return is_word and not has_data and (when in names or len(names) * 2 > len(filled))

    def missing_from(self, names: Iterable[str]) -> list[str]:
        """Return the columns that the caller names and no header has; those of a recipe need not be there."""
        header = Header(numbered(list(names)))
        return [name for name in self._required if not header.places(name)]


def _check_header(recipe: Recipe, given: Iterable[str]) -> None:
    """Refuse to read a file without a header by a recipe of the package that goes by the names of the columns.

    Raises:
        ConfigurationError: the recipe does so, and the caller does not say which column is which.

    """
    if recipe.header or recipe.name not in recipe_names():
        return
    shipped = load_recipe(recipe.name)
    own = {*given, *recipe.columns} - shipped.columns.keys()
    if shipped.header and not any(map(_column_of_letter, own)):
        words = recipe.words
        msg = (
            f"{words.header(0)}: the recipe {recipe.name} takes the columns by their names, and without a header they "
            f"have none; leave that out if the file has a header, otherwise say what each column holds, for example "
            f"{words.map('A', 'schedule_time')} {words.map('B', 'caption_text')}"
        )
        raise ConfigurationError(msg)


def _column_of_letter(name: str) -> int:
    """Return which column (from 1) a letter names, 0 if it is none."""
    letters = name.strip(BLANKS).upper()
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        return 0
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


class _PlainDates:
    """Reads the dates of a file without a recipe, where they are not written as the API writes them."""

    def __init__(self, layout: Layout, dates: DateColumn) -> None:
        self._index = layout.index_of.get("schedule_time", -1)
        self._name = layout.names[self._index].strip(BLANKS) if self._index >= 0 else ""
        self._dates = dates
        self.problems: Sequence[HeaderProblem] = ()

    def selects(self, raw: RawRow) -> bool:
        """Tell whether a row is taken: all are."""
        del raw
        return True

    def look(self, raw: RawRow) -> None:
        """Take a row's date into account."""
        if (text := self._text(raw)) is not None:
            self._dates.look(text, raw.line)

    def is_undecided_by(self, raw: RawRow) -> bool:
        """Tell whether the row has a date that is clear only from the rest of its column."""
        text = self._text(raw)
        return text is not None and needs_decision(text)

    def parts(self, raw: RawRow) -> Iterator[RawRow]:
        """Yield the row, with its date as the rest of the package knows it."""
        text = self._text(raw)
        if text is None:
            yield raw
            return
        is_standard = _STANDARD.match(text) is not None
        # Reading a date costs as much as the rest of the row.
        is_clear = is_standard and (self._dates.has_24_hours or _CLEAR_HOUR.fullmatch(text) is not None)
        if not is_clear and self._dates.knows(text):
            cells = list(raw.cells)
            try:
                moment = self._dates.read(text, raw.line, self._name)
                cells[self._index] = text if is_standard else moment
            except CellError as exc:
                cells[self._index] = UnusableCell(visible(text), str(exc), text)
            raw = replace(raw, cells=cells)
        yield raw

    def _text(self, raw: RawRow) -> str | None:
        cell = cell_at(raw.cells, self._index)
        return cell.strip(BLANKS) if isinstance(cell, str) else None


class Translator:
    """Turns the rows of one source into the rows that are read: chosen, with their dates decided, one for each channel.

    Args:
        rules: how the source is read.
        info: takes what was decided and left out.
        again: reads the source another time, to look through a column before it is decided; ``None`` if it can be
            read once only.

    """

    def __init__(
        self, rules: ColumnRules, info: SourceInfo, again: Callable[[], Iterator[RawRow]] | None = None
    ) -> None:
        self.rules = rules
        self.info = info
        self._recipe = rules.recipe if isinstance(rules, RecipeRules) else None
        info.recipe = self._recipe.name if self._recipe else ""
        self._dates = DateColumn(self._recipe.date_formats if self._recipe else (), rules.words)
        self._again = self._again_for_doubts = again
        self._accounts: Seen = {}
        self._known: dict[tuple[str, ...], Translation | _PlainDates] = {}
        self._last: tuple[Layout, Translation | _PlainDates] | None = None

    def rows(self, raw: RawRow) -> Iterator[RawRow]:
        """Yield what a row of the source becomes; a header that does not fit the recipe is a ``SourceError``."""
        translation = self._of(raw)
        if not translation.selects(raw):
            self.info.filtered_rows += 1
            return
        if raw.is_hidden:
            self.info.hidden_rows += 1
            if self.rules.hidden == "skip":
                return
            if self.rules.hidden == "refuse":
                raw = replace(raw, unreadable=Unreadable(self._hidden_message()))
        if self._again is not None and _moments(translation).is_undecided_by(raw):
            self._decide(self._again)
        if isinstance(translation, Translation) and raw.unreadable is None and raw.post is None:
            again, approval, accounts = self._again_for_doubts, translation.approval, translation.accounts
            if again is not None and (approval.asks(raw.cells) or accounts.asks(raw.cells)):
                self._look_for_doubts(again)
            raw = replace(raw, unreadable=translation.doubt(raw.cells))
        yield from translation.parts(raw)

    def finish(self) -> None:
        """Note what was decided, after the last row."""
        self.info.dates = self._dates.describe()

    def _decide(self, again: Callable[[], Iterator[RawRow]]) -> None:
        """Look through the whole column."""
        self._again = None
        for raw in again():
            translation = self._of(raw)
            if translation.selects(raw) and not (raw.is_hidden and self.rules.hidden == "skip"):
                _moments(translation).look(raw)

    def _look_for_doubts(self, again: Callable[[], Iterator[RawRow]]) -> None:
        """Look through the columns that say which rows are to be sent, and those that say whose they are."""
        self._again_for_doubts = None
        for known in self._known.values():
            if isinstance(known, Translation):
                known.approval.start_again()
        for raw in again():
            translation = self._of(raw)
            is_taken = translation.selects(raw) and not (raw.is_hidden and self.rules.hidden == "skip")
            if isinstance(translation, Translation) and is_taken:
                translation.approval.look(raw.cells)
                translation.accounts.look(raw.cells)

    def _of(self, raw: RawRow) -> Translation | _PlainDates:
        layout, last = raw.layout, self._last
        if last is not None and last[0] is layout:
            return last[1]
        found = self._known.get(layout.names)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[layout.names] = self._made(layout)
        self._last = layout, found
        return found

    def _made(self, layout: Layout) -> Translation | _PlainDates:
        if self._recipe is None:
            return _PlainDates(layout, self._dates)
        made = Translation(layout.names, self._recipe, self.rules, self.info, self._dates, seen=self._accounts)
        if self.info.kind in ("csv", "xlsx"):
            # The rows have one header, so what is wrong with it is wrong with all of them.
            self.info.columns = made.fields
            if made.problems:
                problems = [(problem.column, problem.message) for problem in made.problems]
                raise header_error(problems, self.info, None)
        return made

    def _hidden_message(self) -> str:
        words = self.rules.words
        return (
            "the spreadsheet does not show this row (it is hidden, or a filter leaves it out); "
            f"say {words.hidden('skip')} to leave such rows out, or {words.hidden('send')} to send them"
        )


def _moments(translation: Translation | _PlainDates) -> Moments | _PlainDates:
    return translation.moments if isinstance(translation, Translation) else translation
