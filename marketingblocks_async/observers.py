"""Observers receive the events of calls: ``Observer`` is the base class, ``EventLog`` logs the events."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypedDict, TypeVar, cast

from .configuration import is_awaited
from .errors import ConfigurationError
from .events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent

PREFIX = "mb_"
"""Prefix of the attributes that ``EventLog`` gives to its records."""

EventT = TypeVar("EventT")

logger: logging.Logger = logging.getLogger("marketingblocks_async")
# Silent until the program configures logging.
logger.addHandler(logging.NullHandler())


class Observer:
    """Base class of objects that receive the events of calls. Override the methods that you need.

    The methods are called in the event loop and should be quick. An exception in one is logged and does not reach the
    call.
    """

    def on_attempt(self, event: AttemptEvent) -> None:
        """Called when an attempt has ended."""

    def on_retry(self, event: RetryEvent) -> None:
        """Called before another attempt."""

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Called when the API makes the token pause."""

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Called when a call has ended."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The functions that a client calls when something happens; ``None`` for those that were not given.

    Raises:
        ConfigurationError: one of them cannot be called, or is a coroutine function.

    """

    on_attempt: Callable[[AttemptEvent], None] | None = None
    on_retry: Callable[[RetryEvent], None] | None = None
    on_throttle: Callable[[ThrottleEvent], None] | None = None
    on_outcome: Callable[[OutcomeEvent], None] | None = None

    def __post_init__(self) -> None:
        """Check that each can be called without being awaited."""
        for field in dataclasses.fields(self):
            hook = getattr(self, field.name)
            if hook is not None and (not callable(hook) or is_awaited(hook)):
                msg = f"{field.name}={hook!r}: give a plain function; it is called and not awaited"
                raise ConfigurationError(msg)


def tell(hook: Callable[[EventT], None], event: EventT, name: str = "an observer") -> None:
    """Call a hook; what it raises is logged, since it must not change the course of the call or the run."""
    try:
        hook(event)
    except (Exception, asyncio.CancelledError):
        # Nothing is awaited here, so a CancelledError is the hook's own and not the call's.
        logger.exception("%s failed on %s", name, type(event).__name__)


class ObserverOptions(TypedDict):
    """The four options of the client that ``observed_by()`` returns."""

    on_attempt: Callable[[AttemptEvent], None] | None
    on_retry: Callable[[RetryEvent], None] | None
    on_throttle: Callable[[ThrottleEvent], None] | None
    on_outcome: Callable[[OutcomeEvent], None] | None


def observed_by(*observers: Observer) -> ObserverOptions:
    """Return the options with which a client tells several observers.

        client = MarketingBlocks(**observed_by(EventLog(), Tracing(), Metrics()))

    Args:
        observers: the observers, called in this order.

    Returns:
        Keyword arguments for ``MarketingBlocks``; ``None`` for events that no observer overrides.

    Raises:
        ConfigurationError: one is no ``Observer``, such as a function or the class itself, or has an async method.

    """
    for each in observers:
        if not isinstance(cast("object", each), Observer):
            msg = f"observed_by({each!r:.60}): give objects of subclasses of Observer; give functions as on_attempt=…"
            raise ConfigurationError(msg)
        # A client would see a function that calls them all.
        Hooks(each.on_attempt, each.on_retry, each.on_throttle, each.on_outcome)
    return {
        "on_attempt": _all([o.on_attempt for o in observers if type(o).on_attempt is not Observer.on_attempt]),
        "on_retry": _all([o.on_retry for o in observers if type(o).on_retry is not Observer.on_retry]),
        "on_throttle": _all([o.on_throttle for o in observers if type(o).on_throttle is not Observer.on_throttle]),
        "on_outcome": _all([o.on_outcome for o in observers if type(o).on_outcome is not Observer.on_outcome]),
    }


def _all(hooks: Sequence[Callable[[EventT], None]]) -> Callable[[EventT], None] | None:
    if len(hooks) < 2:
        return hooks[0] if hooks else None

    def tell_all(event: EventT) -> None:
        for hook in hooks:
            tell(hook, event)

    return tell_all


class EventLog(Observer):
    """Logs what happens to calls: one record an event, with the event's fields as attributes of the record.

    Attempts and successes are ``DEBUG``, retries ``INFO``, throttling and failures ``WARNING``, and a write of unknown
    outcome ``ERROR``, since a person has to look it up. A record has ``mb_event`` (``attempt``, ``retry``, ``throttle``
    or ``outcome``) and one attribute for each field of the event, such as ``mb_call_id`` and ``mb_endpoint``; an error
    becomes ``mb_error`` (its class) and ``mb_message``. A formatter that writes attributes as JSON makes structured
    logs of it.

    Args:
        logger: the logger; ``marketingblocks_async.calls`` by default, silent until the program configures logging.

    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("marketingblocks_async.calls")

    def on_attempt(self, event: AttemptEvent) -> None:
        """Log an attempt, at ``DEBUG``."""
        status = "no response" if event.status_code is None else f"{event.status_code}"
        text = "%s: attempt %d: %s after %.3f s (waited %.3f s)"
        self._log(logging.DEBUG, event, text, event.endpoint, event.attempt, status, event.seconds, event.waited)

    def on_retry(self, event: RetryEvent) -> None:
        """Log that another attempt will be made, at ``INFO``."""
        text = "%s: attempt %d in %.2f s: %s"
        self._log(logging.INFO, event, text, event.endpoint, event.next_attempt, event.delay, event.error)

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Log that the API makes the token pause, at ``WARNING``."""
        text = "%s: throttled; the token pauses for %.2f s and goes on at %.1f requests per second"
        self._log(logging.WARNING, event, text, event.endpoint, event.pause, event.rate)

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Log the end of a call: ``DEBUG`` for a success, ``WARNING`` for a failure, ``ERROR`` if it is not known."""
        if event.error is None:
            text = "%s: done in %.3f s, attempts: %d"
            self._log(logging.DEBUG, event, text, event.endpoint, event.seconds, event.attempts)
            return
        level = logging.ERROR if event.error.may_have_happened else logging.WARNING
        self._log(level, event, "%s", event.error)

    def _log(
        self,
        level: int,
        event: AttemptEvent | RetryEvent | ThrottleEvent | OutcomeEvent,
        text: str,
        *arguments: object,
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, text, *arguments, extra=_attributes(event))


def _attributes(event: AttemptEvent | RetryEvent | ThrottleEvent | OutcomeEvent) -> dict[str, Any]:
    attributes: dict[str, Any] = {f"{PREFIX}event": type(event).__name__.removesuffix("Event").lower()}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Exception):
            attributes[f"{PREFIX}message"] = str(value)
            value = type(value).__name__
        attributes[f"{PREFIX}{field.name}"] = value.value if isinstance(value, Enum) else value
    return attributes
