"""Read the values of a post's fields from the cells of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .cells import CellError, ExactText, cell_at, check_characters, is_blank
from .columns import KEY
from .display import readable
from .layout import RawRow, Step, column_letter


class CellProblem(NamedTuple):
    """A cell that cannot be used: its field (empty if it fills none), its index, and what to change.

    ``None`` is the index of a cell that the row does not have.
    """

    target: str
    cell: int | None
    message: str


class Reading(NamedTuple):
    """The fields of a row, as the request object takes them, and the text of the key column.

    Fields whose cells are empty are left out; the key is ``None`` if there is none.
    """

    values: dict[str, Any]
    key: str | None


def read_cells(raw: RawRow, problems: list[CellProblem] | None = None) -> Reading:
    """Return the fields of a row.

    Args:
        raw: a row that is not ``unreadable``.
        problems: receives the cells that cannot be used, and reading goes on; ``None`` to stop at the first.

    Raises:
        CellError: a cell cannot be used, and ``problems`` is ``None``.

    """
    if raw.post is not None:
        return Reading({field: value for field, value in raw.post if value is not None}, None)
    layout, cells = raw.layout, cells_of(raw)
    if layout.unnamed or len(cells) > len(layout.names):
        _check_nameless(raw, problems)
    if layout.to_check is not None and not is_blank(cells[layout.to_check]):
        error = CellError(f"{readable(cells[layout.to_check])}; when that is done, empty this cell")
        _note(problems, error, "", layout.to_check)
    values = _read_steps(cells, layout.steps, "", problems)
    if "media_urls" not in values:
        # The API requires the field. Whether the list may be empty is not documented, so an empty one is sent.
        values["media_urls"] = []
    if layout.extra_steps and (extra := _read_steps(cells, layout.extra_steps, "post_extra.", problems)):
        _refuse_both("post_extra", layout.extra_steps[0].cell, raw, values, problems)
        values["post_extra"] = extra
    if layout.thread_steps and (tweets := _read_tweets(raw, cells, problems)):
        _refuse_both("twitter_threads", layout.thread_steps[0][1][0].cell, raw, values, problems)
        values["twitter_threads"] = tweets
    if layout.key is None:
        return Reading(values, None)
    try:
        key = layout.key.read(cells[layout.key.cell])
        check_characters(key)
    except CellError as exc:
        _note(problems, exc, KEY, layout.key.cell)
        key = None
    return Reading(values, key)


def cells_of(raw: RawRow) -> Sequence[object]:
    """Return the cells of a row, as many as there are columns, without the quotes of a file of failures."""
    layout, cells = raw.layout, raw.cells
    if (missing := len(layout.names) - len(cells)) > 0:
        cells = [*cells, *[None] * missing]
    if layout.quoted is None or not isinstance(names := cells[layout.quoted], str):
        return cells
    cells = list(cells)
    for name in names.split(","):
        index = layout.index_of.get(name.strip())
        text = None if index is None else cells[index]
        if index is not None and isinstance(text, str) and len(text) > 1 and text[0] == text[-1] == '"':
            cells[index] = ExactText(text[1:-1])
    return cells


def _refuse_both(
    whole: str, part: int, raw: RawRow, values: dict[str, Any], problems: list[CellProblem] | None
) -> None:
    if whole in values:
        index = raw.layout.index_of[whole]
        names = f'"{raw.layout.name_of(index)}" and "{raw.layout.name_of(part)}"'
        _note(problems, CellError(f"the columns {names} both hold {whole}; fill in only one of them"), whole, index)


def _note(problems: list[CellProblem] | None, error: CellError, target: str, index: int) -> None:
    if problems is None:
        raise error
    problems.append(CellProblem(target, index, str(error)))


def _read_steps(
    cells: Sequence[object], steps: Sequence[Step], prefix: str, problems: list[CellProblem] | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, part, read in steps:
        try:
            value = read(cells[index])
        except CellError as exc:
            _note(problems, exc, prefix + part, index)
        else:
            if value is not None:
                found[part] = value
    return found


def _read_tweets(raw: RawRow, cells: Sequence[object], problems: list[CellProblem] | None) -> list[dict[str, Any]]:
    tweets: list[dict[str, Any]] = []
    empty: Step | None = None
    for number, steps in raw.layout.thread_steps:
        known = 0 if problems is None else len(problems)
        tweet = _read_steps(cells, steps, f"twitter_threads.{number}.", problems)
        if not tweet and (problems is None or len(problems) == known):
            empty = empty or steps[0]
            continue
        if empty is not None:
            # The tweet may have been deleted or forgotten; only the author knows.
            error = CellError(f"it is empty, but tweet {number} is not; fill it in, or move the later tweets up")
            _note(problems, error, f"twitter_threads.{number}", empty.cell)
            empty = None
        tweets.append(tweet)
    return tweets


def _check_nameless(raw: RawRow, problems: list[CellProblem] | None) -> None:
    cells = raw.cells
    for index in (*raw.layout.unnamed, *range(len(raw.layout.names), len(cells))):
        if cell_at(cells, index) is not None:
            message = f"column {column_letter(index)} has no name in the header; name it, or delete what is in it"
            _note(problems, CellError(message), "", index)


def key_of(raw: RawRow) -> str | None:
    """Return the text of a row's key column, even if other cells are wrong; ``None`` if there is none."""
    step = raw.layout.key
    if step is None or step.cell >= len(raw.cells):
        return None
    try:
        key: str | None = step.read(cells_of(raw)[step.cell])
    except CellError:
        return None
    return raw.identity(key) if key else None
