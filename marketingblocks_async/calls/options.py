"""How calls are made: the options of a client, and those that can differ from call to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast

from marketingblocks_async.configuration import check_seconds
from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.limits.settings import Lane
from marketingblocks_async.middleware import Middleware
from marketingblocks_async.observers import Hooks

from .retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How calls are made; ``with_options`` makes copies of it.

    Attributes:
        timeout: seconds for one attempt, from its permit to the last byte of the response.
        deadline: seconds for the whole call, queue and retries included; ``None`` for no bound.
        retry: the retry policy.
        lane: the queue in which calls wait.
        middlewares: user code around every attempt, the first one outermost.
        hooks: the functions to call when something happens; ``None`` if there is none.

    """

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    lane: Lane = Lane.ORDINARY
    middlewares: tuple[Middleware, ...] = ()
    hooks: Hooks | None = None


class ChangedOptions(TypedDict, total=False):
    """The options that ``with_options()`` can change."""

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    lane: Lane


class CallOverrides(TypedDict, total=False):
    """The options of a single call besides its fields.

    ``timeout``, ``deadline`` and ``retry`` are as in the client's constructor. ``extra_fields`` are fields that the
    documentation does not show; they are sent as given, in the body or in the query.
    """

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    extra_fields: Mapping[str, Any]


OVERRIDES: frozenset[str] = frozenset(CallOverrides.__annotations__)
"""Names of the options of a single call."""


def check_changes(changes: Mapping[str, Any], who: str) -> ChangedOptions:
    """Return the options in ``changes`` if they are all known and in their ranges.

    Args:
        changes: options by name.
        who: the function that they were given to, for the message.

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
        try:
            checked["lane"] = Lane(checked["lane"])
        except ValueError:
            msg = f"lane={checked['lane']!r}: give Lane.ORDINARY or Lane.BULK"
            raise ConfigurationError(msg) from None
    return cast("ChangedOptions", checked)
