"""Comment automations, with the fields that they were given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marketingblocks_async.models import TargetType, TriggerType

_DEFAULTS: Mapping[str, Any] = {"target_type": TargetType.ALL.value, "trigger_type": TriggerType.ANY.value}


class Automations:
    """All comment automations of a sandbox.

    Args:
        update_resets_defaults: whether an update resets an omitted ``target_type`` or ``trigger_type``.

    """

    def __init__(self, *, update_resets_defaults: bool) -> None:
        self._update_resets_defaults = update_resets_defaults
        self._by_id: dict[int, dict[str, Any]] = {}

    def clear(self) -> None:
        """Remove all automations."""
        self._by_id.clear()

    def all(self) -> tuple[dict[str, Any], ...]:
        """Return the automations, oldest first, each with its ``comment_bot_id``."""
        return tuple({**fields, "comment_bot_id": number} for number, fields in self._by_id.items())

    def restore(self, automations: Iterable[Mapping[str, Any]]) -> None:
        """Take over what ``all()`` returned."""
        self._by_id = {each["comment_bot_id"]: _given(each) for each in automations}

    def create(self, request: Mapping[str, Any]) -> int:
        """Store a new automation and return its id."""
        number = len(self._by_id) + 1
        self._by_id[number] = {**_DEFAULTS, **_given(request)}
        return number

    def update(self, number: int, request: Mapping[str, Any]) -> bool:
        """Change an automation; ``False`` if there is none with this id."""
        fields = self._by_id.get(number)
        if fields is None:
            return False
        if self._update_resets_defaults:
            fields.update(_DEFAULTS)
        fields.update(_given(request))
        return True


def _given(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if value is not None and name != "comment_bot_id"}
