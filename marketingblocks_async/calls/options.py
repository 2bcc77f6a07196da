"""Options that can differ from call to call: which there are, and which values they take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, cast

from marketingblocks_async.configuration import check_seconds
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits.settings import Lane

from .retry import RetryPolicy


class ChangedOptions(TypedDict, total=False):
    """What :meth:`MarketingBlocks.with_options` can change."""

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    lane: Lane


class CallOverrides(TypedDict, total=False):
    """What a single call can be given besides its fields.

    ``timeout``, ``deadline`` and ``retry`` are as in the client's constructor. ``extra_fields`` are fields that the
    documentation does not show; they are sent as given, in the body or in the query.
    """

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    extra_fields: Mapping[str, Any]


OVERRIDES: frozenset[str] = frozenset(CallOverrides.__annotations__)
"""Names of what a single call can be given."""


def check_changes(changes: Mapping[str, Any], who: str) -> ChangedOptions:
    """Return the options in ``changes`` if they are all known and in their ranges.

    Args:
        changes: options by name.
        who: whose keyword arguments they are.

    Raises:
        ConfigurationError: a value is out of its range.
        TypeError: an option that does not exist.

    """
    checked = dict(changes)
    if unknown := checked.keys() - ChangedOptions.__annotations__.keys():
        msg = f"{who} got an unexpected keyword argument: {', '.join(sorted(unknown))}"
        raise TypeError(msg)
    if "timeout" in checked:
        checked["timeout"] = check_seconds(checked["timeout"], "timeout")
    if (deadline := checked.get("deadline")) is not None:
        checked["deadline"] = check_seconds(deadline, "deadline")
    if "retry" in checked and not isinstance(checked["retry"], RetryPolicy):
        msg = f"retry={checked['retry']!r}: give a RetryPolicy(…)"
        raise ConfigurationError(msg)
    if "lane" in checked:
        checked["lane"] = Lane(checked["lane"])
    return cast("ChangedOptions", checked)
