"""Objects that are told what happens to calls, and several of them for one client."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypedDict, TypeVar

from .events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent

EventT = TypeVar("EventT")

logger: logging.Logger = logging.getLogger("marketingblocks_async")


class Observer:
    """Base class of objects that are told what happens: override what you want to know, and nothing else.

    The methods are called in the event loop and should be quick. What they raise is logged and reaches no call.
    """

    def on_attempt(self, event: AttemptEvent) -> None:
        """Take note that an attempt has ended.

        Args:
            event: what happened.

        """

    def on_retry(self, event: RetryEvent) -> None:
        """Take note that another attempt will be made.

        Args:
            event: what happened.

        """

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Take note that the API refused a request for its rate.

        Args:
            event: what happened.

        """

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Take note that a call has ended.

        Args:
            event: what happened.

        """


class ObserverOptions(TypedDict):
    """What :func:`observed_by` returns: the four options of the client."""

    on_attempt: Callable[[AttemptEvent], None] | None
    on_retry: Callable[[RetryEvent], None] | None
    on_throttle: Callable[[ThrottleEvent], None] | None
    on_outcome: Callable[[OutcomeEvent], None] | None


def observed_by(*observers: Observer) -> ObserverOptions:
    """Return the options that let a client tell several observers.

    ::

        client = MarketingBlocks(**observed_by(EventLog(), Tracing(), Metrics()))

    Args:
        observers: whom to tell, in this order.

    Returns:
        Keyword arguments for :class:`MarketingBlocks`; ``None`` for what no observer wants to know.

    """
    return {
        "on_attempt": _all([o.on_attempt for o in observers if type(o).on_attempt is not Observer.on_attempt]),
        "on_retry": _all([o.on_retry for o in observers if type(o).on_retry is not Observer.on_retry]),
        "on_throttle": _all([o.on_throttle for o in observers if type(o).on_throttle is not Observer.on_throttle]),
        "on_outcome": _all([o.on_outcome for o in observers if type(o).on_outcome is not Observer.on_outcome]),
    }


def _all(functions: Sequence[Callable[[EventT], None]]) -> Callable[[EventT], None] | None:
    if len(functions) < 2:
        return functions[0] if functions else None

    def tell_all(event: EventT) -> None:
        for function in functions:
            try:
                function(event)
            except Exception:
                # One observer's mistake is not the others'.
                logger.exception("an observer failed on %s", type(event).__name__)

    return tell_all
