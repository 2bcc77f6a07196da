"""The events as records of the standard library's logging."""

from __future__ import annotations

import dataclasses
import logging
from enum import Enum
from typing import Any

from .errors import OutcomeUnknownError
from .events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from .observers import Observer

PREFIX = "mb_"
"""What the names of a record's attributes begin with."""


class EventLog(Observer):
    """Logs what happens to calls, one record an event, with the event's fields as attributes of the record.

    Attempts and successes are ``DEBUG``, retries ``INFO``, throttling and failures ``WARNING``, and a write of unknown
    outcome ``ERROR``, since somebody has to look. A record has ``mb_event`` (``attempt``, ``retry``, ``throttle`` or
    ``outcome``) and one attribute a field of the event, such as ``mb_call_id`` and ``mb_endpoint``; errors as
    ``mb_error`` (class) and ``mb_message``. A formatter that writes attributes as JSON makes structured logs of it.

    Args:
        logger: where to log to; ``marketingblocks_async.calls`` by default, silent until the program configures
            logging.

    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("marketingblocks_async.calls")

    def on_attempt(self, event: AttemptEvent) -> None:
        """Log an attempt, at ``DEBUG``.

        Args:
            event: what happened.

        """
        answer = "no answer" if event.status_code is None else f"{event.status_code}"
        text = "%s: attempt %d: %s after %.3f s (waited %.3f s)"
        self._log(logging.DEBUG, event, text, event.endpoint, event.attempt, answer, event.seconds, event.waited)

    def on_retry(self, event: RetryEvent) -> None:
        """Log that another attempt will be made, at ``INFO``.

        Args:
            event: what happened.

        """
        text = "%s: attempt %d in %.2f s: %s"
        self._log(logging.INFO, event, text, event.endpoint, event.next_attempt, event.delay, event.error)

    def on_throttle(self, event: ThrottleEvent) -> None:
        """Log that the API refused a request for its rate, at ``WARNING``.

        Args:
            event: what happened.

        """
        text = "%s: throttled; the token pauses for %.2f s and goes on at %.1f requests per second"
        self._log(logging.WARNING, event, text, event.endpoint, event.pause, event.rate)

    def on_outcome(self, event: OutcomeEvent) -> None:
        """Log the end of a call: ``DEBUG`` for a success, ``WARNING`` for a failure, ``ERROR`` if it is not known.

        Args:
            event: what happened.

        """
        if event.error is None:
            text = "%s: done in %.3f s, attempts: %d"
            self._log(logging.DEBUG, event, text, event.endpoint, event.seconds, event.attempts)
            return
        somebody_has_to_look = isinstance(event.error, OutcomeUnknownError) and event.method not in ("GET", "HEAD")
        level = logging.ERROR if somebody_has_to_look else logging.WARNING
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
