"""What can be read out of a web hook's body, whose shape is not documented: bytes to a result, and to ids.

The body comes from the open internet. It is a hint that something happened, and proof of nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marketingblocks_async.models import GenerationStatus
from marketingblocks_async.models.base import is_array, is_object

LARGEST_WALK = 10_000
"""How many values of a body are looked at for ids."""

_LONG_ENOUGH = 16
_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """What a web hook said about a generation. The payload is not documented, so ``raw`` is all of it.

    Attributes:
        generation_id: the generation that it was matched with.
        status: ``status`` of the body if it is an object that has one (inferred), else ``None``.
        raw: the body's JSON value, whatever it is.
        received_at: when it came.

    """

    generation_id: int | str
    status: GenerationStatus | str | None
    raw: Any
    received_at: datetime

    @property
    def ok(self) -> bool:
        """Whether the body says ``success`` (inferred from the states that are documented)."""
        return self.status == GenerationStatus.SUCCESS


class NotJSONError(ValueError):
    """A body that is no JSON."""


def parse(body: bytes) -> Any:
    """Return the JSON value of a body.

    Raises:
        NotJSONError: it is none, or nested too deeply to be decoded.

    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        msg = "the body is no JSON"
        raise NotJSONError(msg) from None


def status_of(value: Any) -> GenerationStatus | str | None:
    """Return the state that a body tells, ``None`` if it tells none."""
    status = value.get("status") if is_object(value) else None
    if not isinstance(status, str):
        return None
    try:
        return GenerationStatus(status)
    except ValueError:
        return status


def ids_in(value: Any) -> frozenset[str]:
    """Return what may be the id of a generation in a body: values of fields called …id, and long texts anywhere.

    The documentation shows ids of generations as UUIDs. A short number counts only where a field is called so, since
    it is in every body.
    """
    found: set[str] = set()
    # Without recursion, since the depth is the sender's choice.
    pending: list[tuple[bool, Any]] = [(False, value)]
    for _ in range(LARGEST_WALK):
        if not pending:
            break
        in_id_field, item = pending.pop()
        if is_object(item):
            pending += [(name.lower().endswith("id"), each) for name, each in item.items()]
        elif is_array(item):
            pending += [(in_id_field, each) for each in item]
        elif isinstance(item, str) and (in_id_field or len(item) >= _LONG_ENOUGH) and len(item) <= _LONGEST_ID:
            found.add(item)
        elif in_id_field and isinstance(item, int) and not isinstance(item, bool) and item.bit_length() <= 128:
            found.add(str(item))
    return frozenset(found)
