"""Make a post from a raw row, or list everything that is wrong with the row.

This is the only way from a file to a request: the plan checks and the run sends the same objects, made here.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import pydantic

from marketingblocks_async.bulk.numbers import post_number
from marketingblocks_async.bulk.plan import RowError, RowWarning
from marketingblocks_async.models import ChannelType, CreatePost, PostType, PublishMode
from marketingblocks_async.models.base import is_array, is_object
from marketingblocks_async.models.schedule import explain_ambiguity, plain_moment, split_moment, split_text, zone_of

from .captions import text_doubts
from .cells import TOO_LONG_NUMBER, CellError, check_characters
from .columns import nearest_target
from .display import readable, visible
from .layout import RawRow
from .reading import CellProblem, read_cells

_MESSAGE_LENGTH = 300

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that makes a valid post.

    Attributes:
        number: number of the data row, from 1; the header and blank rows do not count.
        key: identity of the row: the text of its key column, or its number if that is empty.
        post: the request object, exactly as it is sent.
        content_hash: ``content_hash()`` of the post.
        request: what is sent, as its canonical JSON text; ``content_hash`` is the hash of this text.
        part: which of the row's posts it is, from 1; 0 if the row makes one.
        warnings: doubts about the row, which is sent nevertheless.

    """

    number: int
    key: str
    post: CreatePost
    content_hash: str
    request: str
    part: int = 0
    warnings: tuple[RowWarning, ...] = ()

    @property
    def post_number(self) -> int:
        """The number of the post in a journal: that of the row, unless the row makes several posts."""
        return post_number(self.number, self.part)


def canonical_text(value: object) -> str:
    """Return canonical JSON: names sorted, no white space, non-ASCII characters as they are."""
    return _CANONICAL.encode(value)


def canonical_json(post: CreatePost) -> str:
    """Return the request as canonical JSON."""
    return canonical_text(post.wire())


def content_hash(post: CreatePost) -> str:
    """Return the SHA-256 (hexadecimal) of the request. Equal posts have equal hashes, in every version."""
    return hashlib.sha256(canonical_json(post).encode()).hexdigest()


def parse_row(raw: RawRow) -> Row | list[RowError]:
    """Return the post of a row, or everything that is wrong with the row.

    Args:
        raw: a row from ``read_rows()``.

    Returns:
        A ``Row``, or a list of at least one ``RowError``. No content of a row makes it raise.

    """
    try:
        return _row(raw)
    except (ValueError, OverflowError) as exc:
        # Cells, the request object and JSON refuse with a ValueError. A date at the end of the calendar overflows.
        return _explain(raw, exc)


def _row(raw: RawRow) -> Row:
    if raw.unreadable is not None or raw.layout.problems:
        raise CellError
    values, key = read_cells(raw)
    ambiguity = _settle_time(values)
    post = CreatePost.model_validate(values)
    try:
        text = canonical_json(post)
    except ValueError:
        # The request object has checked everything else; only a number can be impossible to write down.
        raise CellError(TOO_LONG_NUMBER) from None
    # JSON escapes the control characters up to U+001F; the others, and half surrogate pairs, are not printable. This
    # lets most texts pass at C speed; only the rest is looked at closely.
    if not text.isprintable() or "\\u00" in text or "\\b" in text or "\\f" in text:
        check_characters(post.wire())
    content_hash = hashlib.sha256(text.encode()).hexdigest()
    doubts = [*([("schedule_time", ambiguity)] if ambiguity else []), *text_doubts(post)]
    warnings = tuple(_warning(raw, CellProblem(target, None, message)) for target, message in doubts)
    return Row(raw.number, raw.identity(key), post, content_hash, text, raw.part, warnings)


def _settle_time(values: dict[str, Any]) -> str | None:
    """Give a local time that the clocks show twice its first meaning, and return the warning; else ``None``.

    Raises:
        CellError: the clocks skip the time.

    """
    moment, name = values.get("schedule_time"), values.get("time_zone")
    if isinstance(moment, str) and isinstance(name, str):
        if plain_moment(moment, name) is not None:
            return None
        moment = datetime.fromisoformat(moment)
    if not (isinstance(moment, datetime) and isinstance(name, str)) or moment.tzinfo is not None or moment.fold:
        return None
    try:
        ambiguity = explain_ambiguity(moment, name)
    except (ValueError, OverflowError):
        # The request object says what is wrong with the zone.
        return None
    if ambiguity is None:
        return None
    second = moment.replace(tzinfo=zone_of(name), fold=1)
    values["schedule_time"] = second.replace(fold=0)
    offset = second.strftime("%z")
    return f"{ambiguity}; for the second one write {second:%Y-%m-%d %H:%M}{offset[:3]}:{offset[3:5]}"


def _warning(raw: RawRow, doubt: CellProblem) -> RowWarning:
    _, error = _row_error(raw, doubt)
    return RowWarning(error.row, error.column, error.value, error.message, error.file, error.line)


# What is wrong with a row, for a person who looks at the spreadsheet. This runs for bad rows only, and finds everything
# at once: cells that cannot be read, values that the request object refuses, and fields that contradict each other.


def _explain(raw: RawRow, cause: Exception | None = None) -> list[RowError]:
    """Return everything that is wrong with a row that makes no post: at least one error, in the order of its columns.

    The ``cause``, which refused it, is reported if nothing more exact is found.
    """
    if raw.unreadable is not None:
        why = raw.unreadable
        return [RowError(raw.number, why.column, why.value, why.message, raw.file, raw.line)]
    problems: list[CellProblem] = []
    values = dict(read_cells(raw, problems).values)
    _settle_time(values)
    problems += _bad_characters(raw, values)
    problems += list(_contradictions(raw, values, {problem.target for problem in problems}))
    problems += _refusals(raw, values, {problem.target for problem in problems})
    problems = [problem for problem in problems if problem.message]
    if not problems and not raw.layout.problems:
        problems.append(CellProblem("", None, visible(str(cause), _MESSAGE_LENGTH) if cause else "it makes no post"))
    placed = sorted((_row_error(raw, problem) for problem in problems), key=lambda pair: pair[0])
    return [
        *(RowError(raw.number, each.column, "", each.message, raw.file, raw.line) for each in raw.layout.problems),
        *(error for _, error in placed),
    ]


def _row_error(raw: RawRow, problem: CellProblem) -> tuple[int, RowError]:
    """Return the place of a problem among the columns, and its error."""
    index, rest = (problem.cell, "") if problem.cell is not None else _column_of(raw, problem.target)
    if index is None:
        return sys.maxsize, RowError(raw.number, visible(problem.target), "", problem.message, raw.file, raw.line)
    value = readable(raw.cells[index]) if index < len(raw.cells) else ""
    # A message about an address names it.
    message = f"{rest}: {problem.message}" if rest and not problem.target.startswith("media_urls.") else problem.message
    return index, RowError(raw.number, raw.layout.name_of(index), value, message, raw.file, raw.line)


def _column_of(raw: RawRow, target: str) -> tuple[int | None, str]:
    """Return the index of the column for ``target``, or for the field that contains it, and the rest of its name."""
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        if (index := raw.layout.index_of.get(".".join(parts[:length]))) is not None:
            words = [f"no. {part}" if part.isdecimal() else part for part in parts[length:]]
            return index, visible(", ".join(words))
    return None, ""


def _called(raw: RawRow, target: str) -> str:
    """Return the file's name for a field."""
    index = raw.layout.index_of.get(target)
    return target if index is None else raw.layout.name_of(index)


def _bad_characters(raw: RawRow, values: Mapping[str, Any]) -> Iterator[CellProblem]:
    for target, value in _parts(raw, values):
        try:
            check_characters(value)
        except CellError as exc:
            yield CellProblem(target, None, str(exc))


def _parts(raw: RawRow, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield target and value of each part that has a column of its own."""
    for field, value in values.items():
        if field == "post_extra" and raw.layout.extra_steps and is_object(value):
            yield from ((f"{field}.{part}", each) for part, each in value.items())
        elif field == "twitter_threads" and raw.layout.thread_steps and is_array(value):
            for (number, _), tweet in zip(raw.layout.thread_steps, value, strict=False):
                parts = tweet if is_object(tweet) else {"message": tweet}
                yield from ((f"{field}.{number}.{part}", each) for part, each in parts.items())
        else:
            yield field, value


def _contradictions(raw: RawRow, values: Mapping[str, Any], failed: AbstractSet[str]) -> Iterator[CellProblem]:
    """Yield contradictions between fields; the request object reports them only if each field is valid alone."""
    given = values.keys() | {target.partition(".")[0] for target in failed}
    mode, moment = values.get("publish_mode"), values.get("schedule_time")
    if mode is PublishMode.SCHEDULED:
        name = _called(raw, "publish_mode")
        if "schedule_time" not in given:
            message = f'{name} is "scheduled", so a time is needed here: YYYY-MM-DD HH:MM, for example 2027-01-08 14:30'
            yield CellProblem("schedule_time", None, message)
        aware = isinstance(moment, datetime) and moment.utcoffset() is not None
        if "time_zone" not in given and not aware and "schedule_time" not in failed:
            message = f'{name} is "scheduled", so the time zone is needed here, for example Africa/Lagos'
            if "time_zone" not in raw.layout.index_of and raw.layout.words.command_line:
                message += f" (for every row: {raw.layout.words.set('time_zone', 'Africa/Lagos')})"
            yield CellProblem("time_zone", None, message)
        if (skipped := _skipped_time(moment, values.get("time_zone"))) is not None:
            yield CellProblem("schedule_time", None, skipped)
    elif isinstance(mode, PublishMode) and "schedule_time" in given:
        message = (
            f'{_called(raw, "publish_mode")} is "{mode}", and a time is for "scheduled" only; '
            f"empty this cell, or write scheduled into {_called(raw, 'publish_mode')}"
        )
        yield CellProblem("schedule_time", None, message)
    if values.get("post_type") is PostType.THREAD and "twitter_threads" not in given:
        first = next((target for target in raw.layout.index_of if target.startswith("twitter_threads.")), "")
        message = (
            f'{_called(raw, "post_type")} is "thread", so the tweets are needed: the columns '
            'twitter_threads.1.message, twitter_threads.2.message, …, or [{"message": "…"}] in twitter_threads'
        )
        yield CellProblem(first or "twitter_threads", None, message)
    if values.get("channel_type") is ChannelType.YOUTUBE and "post_extra" not in given:
        whole = "post_extra" in raw.layout.index_of and "post_extra.title" not in raw.layout.index_of
        message = f'{_called(raw, "channel_type")} is "youtube", so a title is needed in post_extra.title'
        yield CellProblem("post_extra" if whole else "post_extra.title", None, message)


def _skipped_time(moment: object, name: object) -> str | None:
    """Return why a local time does not exist, with the nearest two; ``None`` if it does, or the zone is not known."""
    if not isinstance(name, str):
        return None
    try:
        zone_of(name)
    except ValueError:
        return None
    try:
        if isinstance(moment, str):
            split_text(moment, name)
        elif isinstance(moment, datetime):
            split_moment(moment if moment.tzinfo else moment.replace(fold=1), name)
    except ValueError as exc:
        return str(exc)
    return None


def _refusals(raw: RawRow, values: Mapping[str, Any], known: AbstractSet[str]) -> Iterator[CellProblem]:
    """Yield the request object's refusals, without those of targets in ``known``."""
    checked = dict(values)
    if isinstance(checked.get("schedule_time"), datetime):
        # Another time, because one that cannot be converted would hide the faults of the other fields.
        checked["schedule_time"] = "2000-01-01 12:00"
        checked.setdefault("time_zone", "UTC")
    try:
        CreatePost.model_validate(checked)
    except pydantic.ValidationError as exc:
        for error in exc.errors(include_url=False):
            target = _target(raw, error["loc"])
            if any(target == each or target.startswith(f"{each}.") for each in known if each):
                continue
            # A refusal of several fields together follows from the faults of each, if there are any.
            if target or not known:
                yield CellProblem(target, None, _refusal_message(raw, error, target))


_EXAMPLES = {"channel_type": "facebook", "channel_id": "11", "post_type": "post"}
"""Values for the fields that are often the same in every row."""


def _missing(raw: RawRow, target: str) -> str:
    if target in raw.layout.index_of or not raw.layout.words.command_line:
        return f"it is empty; a post needs {visible(target)}"
    # The same words for every row: it is one fault of the file.
    words, example = raw.layout.words, _EXAMPLES.get(target)
    if target == "publish_mode":
        return (
            f"no column holds publish_mode, so nothing says when posts go out; say {words.set(target, 'scheduled')} "
            "(each at its schedule_time), queued (in the next free slots) or now (all at once), or say which column it "
            f"is with {words.map('COLUMN', target)}"
        )
    by_option = f"say it with {words.set(target, example)}, or " if example else ""
    return f"no column holds {target}; {by_option}say which column it is with {words.map('COLUMN', target)}"


def _target(raw: RawRow, loc: Sequence[int | str]) -> str:
    """Return the target for the place that pydantic gives of an error."""
    parts: list[str] = []
    for step in loc:
        if isinstance(step, str):
            parts.append("privacy_status" if step == "privacyStatus" else step)
        elif parts == ["twitter_threads"] and step < len(raw.layout.thread_steps):
            parts.append(str(raw.layout.thread_steps[step][0]))
        else:
            parts.append(str(step + 1))
    return ".".join(parts)


_REFUSALS = {
    "string_type": "it must be text",
    "string_too_short": "it is blank; fill it in or remove it",
    "string_pattern_mismatch": "it is blank; fill it in or remove it",
    "list_type": "it must be a list",
    "model_type": 'it must be an object, for example {"message": "…", "media_urls": ["…"]} for a tweet',
}
"""Type of pydantic's error → message."""


def _refusal_message(raw: RawRow, error: Mapping[str, Any], target: str) -> str:
    kind, context = str(error["type"]), cast("Mapping[str, Any]", error.get("ctx", {}))
    if kind == "missing":
        message = _missing(raw, target)
    elif kind == "extra_forbidden":
        name = target.rpartition(".")[2]
        near = nearest_target(name)
        message = f'"{visible(name)}" is no field of this; {f"did you mean {near}?" if near else "remove it"}'
    elif kind == "enum":
        message = f'"{readable(error["input"])}" is not one of: {str(context["expected"]).replace(chr(39), "")}'
    elif kind == "greater_than_equal":
        message = f"it must be {context['ge']} or more"
    elif kind == "string_type" and ".media_urls." in f".{target}":
        message = 'it must be the address alone, without a name; write the list as ["https://…", "https://…"]'
    else:
        message = _REFUSALS.get(kind) or str(context.get("error") or error["msg"])
    return visible(message, _MESSAGE_LENGTH)
