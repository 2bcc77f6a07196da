"""Read a web hook's body, whose shape is not documented: its JSON value, its status, and the ids in it.

The body comes from the open internet. It is a hint that something happened, not a proof.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketingblocks_async.models import GenerationStatus
from marketingblocks_async.models.base import is_array, is_object

LARGEST_WALK = 10_000
"""Number of values of a body that are searched for ids."""

NOT_YET = frozenset(
    {"accepted", "draft", "in_progress", "in_queue", "new", "queued", "scheduled", "started", "submitted"}
)
"""Statuses that are no result."""

_LONG_ENOUGH = 16
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """The result of a generation that came to a web hook. The payload is not documented, so ``raw`` has all of it.

    Attributes:
        generation_id: id of the generation.
        status: ``status`` of the body, or of ``data`` or ``generation`` in it, in any case (inferred), else ``None``.
        raw: the body's JSON value.
        received_at: time at which it came.

    """

    generation_id: int | str
    status: GenerationStatus | str | None
    raw: Any
    received_at: datetime

    @property
    def ok(self) -> bool:
        """Whether the status is ``success`` (inferred from the documented states)."""
        return self.status == GenerationStatus.SUCCESS


class NotJSONError(ValueError):
    """The body is not JSON."""


def parse(body: bytes) -> Any:
    """Return the JSON value of a body, or raise ``NotJSONError`` if it is none, or is nested too deeply."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        msg = "the body is not JSON"
        raise NotJSONError(msg) from None


def status_of(value: Any) -> GenerationStatus | str | None:
    """Return the status in a body, or ``None`` if it has none."""
    for place in (value, _field(value, "data"), _field(value, "generation")):
        if isinstance(status := _field(place, "status"), str):
            word = status.strip().lower()
            return next((known for known in GenerationStatus if known == word), status)
    return None


def _field(value: Any, name: str) -> Any:
    """Return a field of an object, whatever the case of its name; ``None`` if there is none."""
    if not is_object(value):
        return None
    return next((each for field, each in value.items() if field.lower() == name), None)


def is_final(value: Any) -> bool:
    """Return whether a body may be the result, and not the news that a job has begun or goes on.

    Only ``queued`` is documented as a status before the end. Others are inferred: *processing*, *generating* and
    other words in *-ing*, and those in ``NOT_YET``.
    """
    word = re.sub(r"[\s_-]+", "_", (status_of(value) or "").strip().lower())
    return word not in NOT_YET and not word.endswith("ing")


def ids_in(value: Any) -> frozenset[str]:
    """Return the values in a body that may be ids of generations: fields whose name ends in "id", and long texts.

    The documentation shows ids of generations as UUIDs. A short number counts only in such a field, since every body
    has some.
    """
    found: set[str] = set()
    # Without recursion, since the sender decides how deep it is nested. The outer fields come first and the entries of
    # lists last: a list of thousands of posts must not hide the id of the generation.
    fields: deque[tuple[bool, Any]] = deque([(False, value)])
    entries: deque[tuple[bool, Any]] = deque()
    for _ in range(LARGEST_WALK):
        if not (pending := fields or entries):
            break
        in_id_field, item = pending.popleft()
        if is_object(item):
            fields += [(name.lower().endswith("id"), each) for name, each in item.items()]
        elif is_array(item):
            entries += [(in_id_field, each) for each in item]
        elif isinstance(item, str) and (in_id_field or len(item) >= _LONG_ENOUGH) and len(item) <= _LONGEST_ID:
            found.add(item)
        elif in_id_field and isinstance(item, int) and not isinstance(item, bool) and item.bit_length() <= 128:
            found.add(str(item))
    return frozenset(found)
