"""What is wrong with a row, for somebody who looks at the spreadsheet and not at a program.

This runs for bad rows only. It finds everything at once: cells that cannot be read, values that the request object
refuses, and fields that contradict each other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, cast

import pydantic

from marketingblocks_async.models import ChannelType, CreatePost, PostType, PublishMode
from marketingblocks_async.models.base import is_array, is_object

from .cells import CellError, check_characters
from .columns import nearest_target
from .display import RowError, readable, visible
from .raw_rows import RawRow
from .reading import Failure, read_cells

_MESSAGE_LENGTH = 300


def explain_row(raw: RawRow, cause: Exception | None = None) -> list[RowError]:
    """Return everything that is wrong with a row, in the order of its columns.

    Args:
        raw: a row that makes no post.
        cause: why it makes none; reported if nothing better is found.

    Returns:
        At least one error.

    """
    if raw.unreadable is not None:
        why = raw.unreadable
        return [RowError(raw.number, why.column, why.value, why.message, raw.file, raw.line)]
    failures: list[Failure] = []
    values = dict(read_cells(raw, failures).values)
    failures += _bad_characters(raw, values)
    failures += list(_contradictions(raw, values, {failure.target for failure in failures}))
    failures += _refusals(raw, values, {failure.target for failure in failures})
    if not failures and not raw.layout.problems:
        failures.append(Failure("", None, visible(str(cause), _MESSAGE_LENGTH) if cause else "it makes no post"))
    placed = sorted((_row_error(raw, failure) for failure in failures), key=lambda pair: pair[0])
    return [
        *(RowError(raw.number, each.column, "", each.message, raw.file, raw.line) for each in raw.layout.problems),
        *(error for _, error in placed),
    ]


def _row_error(raw: RawRow, failure: Failure) -> tuple[int, RowError]:
    """Return where to list a failure, and the error that it becomes."""
    index, rest = (failure.cell, "") if failure.cell is not None else _column_of(raw, failure.target)
    if index is None:
        return sys.maxsize, RowError(raw.number, visible(failure.target), "", failure.message, raw.file, raw.line)
    value = readable(raw.cells[index]) if index < len(raw.cells) else ""
    message = f"{rest}: {failure.message}" if rest else failure.message
    return index, RowError(raw.number, raw.layout.name_of(index), value, message, raw.file, raw.line)


def _column_of(raw: RawRow, target: str) -> tuple[int | None, str]:
    """Return the column that holds ``target`` or a whole that it is part of, and which part it is."""
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        if (index := raw.layout.index_of.get(".".join(parts[:length]))) is not None:
            words = [f"no. {part}" if part.isdecimal() else part for part in parts[length:]]
            return index, visible(", ".join(words))
    return None, ""


def _called(raw: RawRow, target: str) -> str:
    """Return what the file calls a field."""
    index = raw.layout.index_of.get(target)
    return target if index is None else raw.layout.name_of(index)


def _bad_characters(raw: RawRow, values: Mapping[str, Any]) -> Iterator[Failure]:
    for target, value in _parts(raw, values):
        try:
            check_characters(value)
        except CellError as exc:
            yield Failure(target, None, str(exc))


def _parts(raw: RawRow, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values that have columns of their own."""
    for field, value in values.items():
        if field == "post_extra" and raw.layout.extra_steps and is_object(value):
            yield from ((f"{field}.{part}", each) for part, each in value.items())
        elif field == "twitter_threads" and raw.layout.thread_steps and is_array(value):
            for (number, _), tweet in zip(raw.layout.thread_steps, value, strict=False):
                parts = tweet if is_object(tweet) else {"message": tweet}
                yield from ((f"{field}.{number}.{part}", each) for part, each in parts.items())
        else:
            yield field, value


def _contradictions(raw: RawRow, values: Mapping[str, Any], failed: AbstractSet[str]) -> Iterator[Failure]:
    """Yield what the request object says about fields together; it says so only when each of them is fine alone."""
    given = values.keys() | {target.partition(".")[0] for target in failed}
    mode, moment = values.get("publish_mode"), values.get("schedule_time")
    if mode is PublishMode.SCHEDULED:
        name = _called(raw, "publish_mode")
        if "schedule_time" not in given:
            message = f'{name} is "scheduled", so a time is needed here: YYYY-MM-DD HH:MM, for example 2027-01-08 14:30'
            yield Failure("schedule_time", None, message)
        aware = isinstance(moment, datetime) and moment.utcoffset() is not None
        if "time_zone" not in given and not aware and "schedule_time" not in failed:
            message = f'{name} is "scheduled", so the time zone is needed here, for example Africa/Lagos'
            yield Failure("time_zone", None, message)
    elif isinstance(mode, PublishMode) and "schedule_time" in given:
        message = (
            f'{_called(raw, "publish_mode")} is "{mode}", and a time is for "scheduled" only; '
            f"empty this cell, or write scheduled into {_called(raw, 'publish_mode')}"
        )
        yield Failure("schedule_time", None, message)
    if values.get("post_type") is PostType.THREAD and "twitter_threads" not in given:
        first = next((target for target in raw.layout.index_of if target.startswith("twitter_threads.")), "")
        message = (
            f'{_called(raw, "post_type")} is "thread", so the tweets are needed: the columns '
            'twitter_threads.1.message, twitter_threads.2.message, …, or [{"message": "…"}] in twitter_threads'
        )
        yield Failure(first or "twitter_threads", None, message)
    if values.get("channel_type") is ChannelType.YOUTUBE and "post_extra" not in given:
        whole = "post_extra" in raw.layout.index_of and "post_extra.title" not in raw.layout.index_of
        message = f'{_called(raw, "channel_type")} is "youtube", so a title is needed in post_extra.title'
        yield Failure("post_extra" if whole else "post_extra.title", None, message)


def _refusals(raw: RawRow, values: Mapping[str, Any], known: AbstractSet[str]) -> Iterator[Failure]:
    """Yield what the request object refuses, without what is known to be wrong already."""
    checked = dict(values)
    if isinstance(moment := checked.get("schedule_time"), datetime):
        # As text, because a datetime that cannot be converted would hide what is wrong with the other fields.
        checked["schedule_time"] = moment.strftime("%Y-%m-%d %H:%M").zfill(16)
        checked.setdefault("time_zone", "UTC")
    try:
        CreatePost.model_validate(checked)
    except pydantic.ValidationError as exc:
        for error in exc.errors(include_url=False):
            target = _target(raw, error["loc"])
            if any(target == each or target.startswith(f"{each}.") for each in known if each):
                continue
            # What it says about fields together follows from what is wrong with each, if something is.
            if target or not known:
                yield Failure(target, None, _refusal_message(error, target))


def _target(raw: RawRow, loc: Sequence[int | str]) -> str:
    """Return pydantic's place of an error as the name of a field."""
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
"""Pydantic's types of errors that need no more words than these."""


def _refusal_message(error: Mapping[str, Any], target: str) -> str:
    kind, context = str(error["type"]), cast("Mapping[str, Any]", error.get("ctx", {}))
    if kind == "missing":
        message = f"it is empty; a post needs {visible(target)}"
    elif kind == "extra_forbidden":
        name = target.rpartition(".")[2]
        near = nearest_target(name)
        message = f'"{visible(name)}" is no field of this; {f"did you mean {near}?" if near else "remove it"}'
    elif kind == "enum":
        message = f'"{readable(error["input"])}" is not one of: {str(context["expected"]).replace(chr(39), "")}'
    elif kind == "greater_than_equal":
        message = f"it must be {context['ge']} or more"
    else:
        message = _REFUSALS.get(kind) or str(context.get("error") or error["msg"])
    return visible(message, _MESSAGE_LENGTH)
