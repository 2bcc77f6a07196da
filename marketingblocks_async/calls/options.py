"""How calls are made: the options of a client, and those that can differ from call to call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from marketingblocks_async.configuration import check_seconds, is_number
from marketingblocks_async.errors import ConfigurationError, InvalidArgumentError
from marketingblocks_async.limits.settings import Lane
from marketingblocks_async.middleware import Middleware
from marketingblocks_async.observers import Hooks

from .retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How calls are made; ``with_options`` makes copies of it.

    Attributes:
        timeout: seconds for one attempt, connecting included, to the last byte of the response; ``inf`` for no bound.
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
    """The options that ``with_options()`` can change, as in the client's constructor."""

    timeout: float | None
    deadline: float | None
    retry: RetryPolicy
    max_retries: int
    lane: Lane


class CallOverrides(TypedDict, total=False):
    """The options of a single call besides its fields.

    ``timeout``, ``deadline``, ``retry`` and ``max_retries`` are as in the client's constructor. ``lane=Lane.BULK`` lets
    the call wait behind all ordinary ones of the token. ``extra_body`` and ``extra_query`` are fields that the
    documentation does not show, for the JSON body and for the query; they are sent as given. ``extra_headers`` are sent
    beside the client's own, and may replace ``Accept`` and ``User-Agent``. ``extra_fields`` is the former name of both
    ``extra_body`` and ``extra_query``, until 1.0.
    """

    timeout: float | None
    deadline: float | None
    retry: RetryPolicy
    max_retries: int
    lane: Lane
    extra_body: Mapping[str, Any]
    extra_query: Mapping[str, Any]
    extra_headers: Mapping[str, str]
    extra_fields: Mapping[str, Any]


OVERRIDES: frozenset[str] = frozenset(CallOverrides.__annotations__)
"""Names of the options of a single call."""


def change(options: CallOptions, changes: Mapping[str, Any], who: str) -> CallOptions:
    """Return ``options`` with changes, if these are all known and in their ranges.

    Args:
        options: those to change.
        changes: options by name.
        who: the function that they were given to, for the message.

    Raises:
        ConfigurationError: a value is out of its range.
        TypeError: an option that does not exist.

    """
    if unknown := changes.keys() - ChangedOptions.__annotations__.keys():
        msg = f"{who} got an unexpected keyword argument: {', '.join(sorted(unknown))}"
        raise TypeError(msg)
    timeout, deadline, retry, lane = options.timeout, options.deadline, options.retry, options.lane
    if "timeout" in changes:
        timeout = check_timeout(changes["timeout"])
    if "deadline" in changes:
        deadline = None if changes["deadline"] is None else check_seconds(changes["deadline"], "deadline")
    if "retry" in changes or "max_retries" in changes:
        retry = check_retry(changes.get("retry", retry), changes.get("max_retries"))
    if "lane" in changes:
        try:
            lane = Lane(changes["lane"])
        except ValueError:
            msg = f"lane={changes['lane']!r}: give Lane.ORDINARY or Lane.BULK"
            raise ConfigurationError(msg) from None
    return replace(options, timeout=timeout, deadline=deadline, retry=retry, lane=lane)


def change_for_call(options: CallOptions, overrides: Mapping[str, Any], who: str) -> CallOptions:
    """Return ``options`` with those of one call, as ``change()`` does.

    Raises:
        InvalidArgumentError: a value is out of its range.
        TypeError: an option that does not exist.

    """
    try:
        return change(options, overrides, who)
    except ConfigurationError as exc:
        raise InvalidArgumentError(str(exc)) from None


def check_timeout(timeout: object) -> float:
    """Return the seconds for one attempt: ``inf`` for ``None``, or raise ``ConfigurationError``."""
    return math.inf if timeout is None else check_seconds(timeout, "timeout")


def check_retry(retry: object, max_retries: object) -> RetryPolicy:
    """Return the retry policy, with as many retries as ``max_retries`` says, or raise ``ConfigurationError``.

    Args:
        retry: the policy.
        max_retries: attempts after the first one; ``None`` for as many as the policy says.

    """
    if not isinstance(retry, RetryPolicy):
        msg = f"retry={retry!r}: give a RetryPolicy(…)"
        raise ConfigurationError(msg)
    if max_retries is None:
        return retry
    if not isinstance(max_retries, int) or not is_number(max_retries) or max_retries < 0:
        msg = f"max_retries={max_retries!r}: give a whole number, 0 or more; 0 means no retry"
        raise ConfigurationError(msg)
    return replace(retry, max_attempts=max_retries + 1)
