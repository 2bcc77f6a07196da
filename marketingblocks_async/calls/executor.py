"""Makes calls: permit, attempt, response, further attempts, end.

This is where the promise "never silently twice, never silently lost" is kept: every way in which a call can end is
turned into a result or into an error that says what may have happened at the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, TypeVar, cast

from multidict import CIMultiDict

from marketingblocks_async.errors import (
    APIError,
    CallError,
    ConfigurationError,
    Headers,
    NotSentError,
    Outcome,
    excerpt,
)
from marketingblocks_async.events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from marketingblocks_async.limits.settings import Limiter, Permit, WaitEndedError
from marketingblocks_async.middleware import HttpRequest, HttpResponse, Middleware, Send
from marketingblocks_async.observers import tell
from marketingblocks_async.transport.aiohttp_hooks import check_headers
from marketingblocks_async.transport.attempt import Attempt, SendFailure
from marketingblocks_async.transport.timeouts import TURNS_TO_READ
from marketingblocks_async.transport.transport import Transport

from .call import Call
from .failures import (
    denies,
    error_in_success,
    failed_by_response,
    failed_by_sending,
    not_sent_error,
    pauses_token,
    unknown_error,
)
from .options import CallOptions
from .retry import AttemptFailed, RetryRules
from .retry_after import parse_retry_after
from .token import TokenContext, client_closed

logger: logging.Logger = logging.getLogger("marketingblocks_async")

T = TypeVar("T")


class Executor:
    """Makes the calls of one client.

    Args:
        transport: the connection pool.
        context: the token, with its headers and its limiter.
        options: how calls are made.
        succeeded: a list to which each call is added when it has succeeded; ``None`` for none.

    """

    __slots__ = ("_succeeded", "context", "options", "transport")

    def __init__(
        self,
        transport: Transport,
        context: TokenContext,
        options: CallOptions,
        succeeded: list[Call[Any]] | None = None,
    ) -> None:
        self.transport: Transport = transport
        self.context: TokenContext = context
        self.options: CallOptions = options
        self._succeeded = succeeded

    def with_options(self, options: CallOptions) -> Executor:
        """Return an executor with other options."""
        return Executor(self.transport, self.context, options, self._succeeded)

    def with_context(self, context: TokenContext) -> Executor:
        """Return an executor for another token over the same pool."""
        return Executor(self.transport, context, self.options, self._succeeded)

    def recording(self, succeeded: list[Call[Any]]) -> Executor:
        """Return an executor that adds each call to ``succeeded`` when it has succeeded; its copies do so, too."""
        return Executor(self.transport, self.context, self.options, succeeded)

    async def execute(self, call: Call[T]) -> T:
        """Make a call.

        Returns:
            The result that the operation decoded from the response.

        Raises:
            CallError: how it ended.
            ConfigurationError: the client is not open, or is open on another event loop.

        """
        # With few variables, and one name for all exceptions: they take up memory for as long as the call waits.
        self._check_open()
        began = time.monotonic()
        if sys.exception() is not None:
            call.surrounding = sys.exception()
        try:
            try:
                if self.options.deadline is None:
                    # Not by _attempt(), whose coroutine would take up memory for as long as the call waits.
                    permit = await self._ask(self.context.limiter, call) if self.context.limiter is not None else None
                    result = await self._attempt_with(permit, call)
                else:
                    result = await self._run_until_deadline(call, self.options.deadline)
            except AttemptFailed as exc:
                result = await self._retry(call, exc)
            except WaitEndedError as exc:
                raise self.interrupted_error(call, exc.why) from exc.__cause__
        except asyncio.CancelledError as exc:
            self._end_cancelled(call, began, exc)
            raise
        except CallError as exc:
            self._tell_outcome(call, began, exc)
            raise
        except Exception as exc:
            self._end_by_mistake(call, began, exc)
            raise
        if self._succeeded is not None:
            self._succeeded.append(call)
        self._tell_outcome(call, began, None)
        return result

    def _end_by_mistake(self, call: Call[T], began: float, mistake: Exception) -> None:
        """Note that a middleware or a hook raised an exception; raise another if the call may have happened."""
        error = self._interrupted_by(call, mistake)
        self._tell_outcome(call, began, error)
        if error.may_have_happened:
            # Callers take any other exception for a call that did not happen, and make it again.
            raise error from mistake

    def _interrupted_by(self, call: Call[T], mistake: Exception) -> CallError:
        what = excerpt(self.context.scrub(f"{type(mistake).__name__}: {mistake}"))
        return self.interrupted_error(call, f"it was ended by {what}")

    def _error_after(self, call: Call[T], mistake: CallError) -> CallError | None:
        """Return the error of a call that may have happened although a middleware raised another; ``None`` if not."""
        error = self._interrupted_by(call, mistake)
        if not error.may_have_happened:
            return None
        error.__cause__ = mistake
        return error

    def _end_cancelled(self, call: Call[T], began: float, cancelled: asyncio.CancelledError) -> None:
        if call.attempt is None and call.unknown is None and self.options.hooks is None:
            # Nothing of it was sent, and nothing is told of it: 50,000 waiting calls may be cancelled together.
            return
        call.ended_as = error = self.interrupted_error(call, "the call was cancelled")
        if error.may_have_happened:
            cancelled.add_note(str(error))
            self.context.cancellations.add(call)
        self._tell_outcome(call, began, error, cancelled=True)

    def _check_open(self) -> None:
        transport = self.transport
        if not transport.is_open:
            msg = "the client is not open; use it inside 'async with', or call open() first"
            raise ConfigurationError(msg)
        if transport.loop is not asyncio.get_running_loop():
            msg = (
                "the client was opened on another event loop; close it there, and open it here (it can be opened again)"
            )
            raise ConfigurationError(msg)
        if not self.context.bound:
            self.context.bind(transport)

    async def _run_until_deadline(self, call: Call[T], seconds: float) -> T:
        limiter = self.context.limiter
        wait = limiter.estimated_wait(self.options.lane) if limiter is not None else 0.0
        if wait > seconds:
            msg = (
                f"{call.name}: not sent, because the queue for the rate limit is about {wait:.1f} s long"
                f"{_obstacle(limiter)} and the deadline is {seconds:g} s; call again later, or with a longer deadline"
            )
            raise NotSentError(msg, endpoint=call.name)
        call.ends = time.monotonic() + seconds
        limit = asyncio.timeout(None)
        timer = asyncio.get_running_loop().call_later(seconds, _end_unless_read, limit, call)
        try:
            async with limit:
                try:
                    return await self._attempt(call)
                except AttemptFailed as first:
                    return await self._retry(call, first)
        except TimeoutError:
            if not limit.expired():
                # A middleware raised it.
                raise
            why = f"the deadline of {seconds:g} s passed" + ("" if call.attempt is not None else _obstacle(limiter))
            raise self.interrupted_error(call, why, timed_out=True) from None
        finally:
            timer.cancel()

    async def _retry(self, call: Call[T], first: AttemptFailed) -> T:
        """Make further attempts after the first one failed, as far as the retry policy allows."""
        context = self.context
        rules = RetryRules(self.options.retry, context.budget, call, limiter_pauses=context.limiter is not None)
        again, before_retry = partial(self._attempt, call), partial(self._before_retry, call)
        try:
            return await rules.retry(first, again, sleep=self._sleep, before_retry=before_retry)
        except AttemptFailed as last:
            error = self._final_error(call, last)
            raise error from error.__cause__
        except WaitEndedError as ended:
            raise self.interrupted_error(call, ended.why) from ended.__cause__

    async def _attempt(self, call: Call[T]) -> T:
        """Wait for a permit, and make one attempt; raise ``AttemptFailed`` if it fails."""
        if not self.transport.is_open:
            # Closed between two attempts.
            raise client_closed()
        limiter = self.context.limiter
        permit = None if limiter is None else await self._ask(limiter, call)
        return await self._attempt_with(permit, call)

    def _ask(self, limiter: Limiter, call: Call[T]) -> Coroutine[Any, Any, Permit]:
        """Return the waiting for a permit, which begins now."""
        call.asked = time.monotonic()
        return limiter.acquire(self.options.lane, retry=call.attempts > 0, owner=self.transport)

    async def _attempt_with(self, permit: Permit | None, call: Call[T]) -> T:
        """Make one attempt; raise ``AttemptFailed`` if it fails."""
        context, limiter = self.context, self.context.limiter
        attempt = Attempt(limiter, permit, call.name)
        if context.slots is not None or self.transport.bounds_connections:
            call.asked = call.asked or attempt.began
            # After the permit: calls that wait for permits need no connection.
            await self._take_slots(attempt)
            attempt.began = time.monotonic()
        if call.asked:
            call.last_wait = time.monotonic() - call.asked
            call.waited += call.last_wait
            call.asked = 0.0
        if call.on_grant is not None:
            call.on_grant()
            call.on_grant = None
        if call.before_send is not None:
            attempt.intend(self.options.timeout)
            await _call_before_send(call.before_send, attempt)
            attempt.began = time.monotonic()
        if not call.operation.resend_is_harmless:
            attempt.is_resendable = False
        if call.needs_new_connection:
            attempt.needs_new_connection = True
        call.begin(attempt)
        try:
            call.response = response = await self._send(call, attempt)
        except SendFailure as exc:
            failed = failed_by_sending(call, exc, context.scrub(exc.reason))
            failed.error.__cause__ = self._without_token(exc.__cause__, call.surrounding)
        except CallError as exc:
            # A middleware raised it, perhaps that of a call of its own.
            failed = AttemptFailed(Outcome.FINAL, self._error_after(call, exc) or exc)
        else:
            return self._result(call, attempt, response)
        raise self._note_failure(call, attempt, None, failed)

    async def _take_slots(self, attempt: Attempt) -> None:
        """Wait until the attempt may have a connection; its end gives it back."""
        slots, transport, lane = self.context.slots, self.transport, self.options.lane
        if slots is not None:
            try:
                attempt.connection_slot = await slots.take(self.context.slot_key, transport, lane)
            except BaseException:
                attempt.give_back()
                raise
        await transport.take_slot(attempt, lane)

    def _result(self, call: Call[T], attempt: Attempt, response: HttpResponse) -> T:
        """Return the result that a response holds; raise ``AttemptFailed`` if it holds none."""
        problem: ValueError | None = None
        if 200 <= response.status < 300:
            try:
                result = call.operation.decode(response)
            except ValueError as exc:
                problem = exc
            else:
                if not denies(result) and (problem := error_in_success(call, result)) is None:
                    # The attempt stays: should the program end before the result is noted, it says what was sent.
                    budget = self.context.budget
                    if budget.left < budget.capacity:
                        budget.refund()
                    if self.options.hooks is not None:
                        self._tell_attempt(call, attempt, response, None)
                    return result
        raise self._note_failure(call, attempt, response, self._fail(call, response, problem))

    def _note_failure(
        self, call: Call[T], attempt: Attempt, response: HttpResponse | None, failed: AttemptFailed
    ) -> AttemptFailed:
        call.attempt = None
        call.waited += attempt.held_back
        if call.first_failure is None:
            call.first_failure = failed.error
        if call.unknown is None and (failed.outcome is Outcome.UNKNOWN or failed.error.may_have_happened):
            call.unknown = failed.error
        call.needs_new_connection = failed.connection_was_dead
        self._tell_attempt(call, attempt, response, failed.outcome)
        return failed

    def _fail(self, call: Call[T], response: HttpResponse, problem: ValueError | None) -> AttemptFailed:
        """Return what a response means that is no success or cannot be read; pause the token if it asks for that."""
        clean = self.context.scrub_response(response)
        if problem is not None and clean.body != response.body:
            # The problem may show the token; without it, the body may even be readable.
            try:
                call.operation.decode(clean)
            except ValueError as exc:
                problem = exc
        failed = failed_by_response(call, clean, problem)
        failed.error.__cause__ = self._without_token(failed.error.__cause__, call.surrounding)
        attempt = call.attempt
        if attempt is not None and attempt.may_have_left and not attempt.answered and not call.operation.is_read:
            why = f"a middleware returned status {clean.status} for it, and the API had not responded"
            failed.outcome, failed.error = Outcome.UNKNOWN, unknown_error(call, why)
        if failed.pauses_token:
            if call.pause is None:
                # A middleware made this response.
                call.pause = self._pause_token(call, response.status, failed.retry_after)
            failed.pause = call.pause
        return failed

    def _head_of_error(self, call: Call[T], status: int, headers: Mapping[str, str]) -> None:
        """Pause the token if the head of a response asks for that: its body may come much later, or never."""
        retry_after = parse_retry_after(Headers(headers))
        if pauses_token(status, retry_after):
            call.pause = self._pause_token(call, status, retry_after)

    def _pause_token(self, call: Call[T], status: int, retry_after: float | None) -> float:
        """Pause the token, since the API asked for it; return the seconds."""
        context = self.context
        pause = retry_after or min(
            context.rate_limit.per * 2.0 ** min(call.refusals, 60), self.options.retry.max_backoff
        )
        # Longer by chance, never shorter, so that several processes do not come back at the same instant.
        pause *= 1 + 0.05 * random.random()  # noqa: S311 - no secret
        call.refusals += 1
        if context.limiter is not None:
            context.limiter.pause(pause, over_limit=status == 429)
        hooks = self.options.hooks
        if hooks is not None and hooks.on_throttle is not None:
            rate = context.limiter.snapshot().rate if context.limiter is not None else float("inf")
            tell(hooks.on_throttle, ThrottleEvent(call.id, call.name, retry_after, pause, rate))
        return pause

    def _send(self, call: Call[T], attempt: Attempt) -> Coroutine[Any, Any, HttpResponse]:
        if self.options.middlewares:
            return self._send_through_middlewares(call, attempt)
        return self.transport.send(
            attempt,
            call.operation.method,
            call.url,
            self._headers(call),
            body=call.body,
            seconds=self.options.timeout,
            # A partial object of a method takes three times as long to make, and nearly no call needs it.
            on_error_head=lambda status, headers: self._head_of_error(call, status, headers),
        )

    def _headers(self, call: Call[T]) -> CIMultiDict[str]:
        headers = self.context.headers if call.body is None else self.context.headers_with_body
        if call.extra_headers is None:
            return headers
        merged = headers.copy()
        merged.update(call.extra_headers)
        return merged

    async def _send_through_middlewares(self, call: Call[T], attempt: Attempt) -> HttpResponse:
        context, method = self.context, call.operation.method
        sent = False

        async def innermost(request: HttpRequest) -> HttpResponse:
            nonlocal sent
            if sent:
                # Its permit is for one request.
                msg = "a middleware called send() a second time; the retry policy decides whether to send again"
                raise ConfigurationError(msg)
            sent = True
            if not attempt.is_resendable and not attempt.is_intended:
                # A middleware may have recorded the intent; what it does itself is not reckoned.
                attempt.intend(self.options.timeout)
            complete = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
            if (authorization := context.headers.get("Authorization")) is not None:
                complete["Authorization"] = authorization
            try:
                check_headers(complete)
            except ValueError as exc:
                msg = f"a middleware made a request that cannot be sent: {exc}"
                raise ConfigurationError(msg) from exc
            return await self.transport.send(
                attempt,
                method,
                call.url,
                complete,
                body=request.body,
                seconds=self.options.timeout,
                on_error_head=partial(self._head_of_error, call),
            )

        send: Send = innermost
        for middleware in reversed(self.options.middlewares):
            send = _wrap(middleware, send)
        visible = {name: value for name, value in self._headers(call).items() if name != "Authorization"}
        try:
            response = await send(HttpRequest(call.name, call.attempts, method, str(call.url), visible, call.body))
            if not isinstance(cast("object", response), HttpResponse):
                msg = f"a middleware returned {type(response).__name__} instead of an HttpResponse"
                raise ConfigurationError(msg)
            return response
        finally:
            # A middleware may have answered by itself.
            attempt.give_back()

    def _without_token(self, cause: BaseException | None, surrounding: BaseException | None) -> BaseException | None:
        """Return the cause of an error, or ``None`` if it shows the token, which a server may have echoed."""
        chain: list[BaseException] = []
        each = cause
        # An exception object that is raised again and again may be its own context.
        while each is not None and each is not surrounding and each not in chain:
            if self.context.scrub(text := f"{each} {each!r}") != text:
                return None
            # Crash reports show the variables of its frames, which hold what was received.
            each.__traceback__ = None
            chain.append(each)
            each = each.__cause__ or each.__context__
        return cause

    def _final_error(self, call: Call[T], last: AttemptFailed) -> CallError:
        """Return the error for the caller after the last attempt."""
        error = last.error
        if call.unknown is not None and last.outcome in (Outcome.NOT_SENT, Outcome.REFUSED):
            # "Not sent" would be wrong: an earlier attempt may have been carried out.
            error, error.__cause__ = call.unknown, last.error
        return self._complete(call, error)

    def interrupted_error(self, call: Call[T], why: str, *, timed_out: bool = False) -> CallError:
        """Return the error for a call that was interrupted, and say whether it may have been carried out."""
        if call.attempt is not None and call.attempt.may_have_left:
            error = unknown_error(call, f"{why} before its end", timed_out=timed_out)
        elif call.unknown is not None:
            error = call.unknown
        else:
            error = not_sent_error(call, why)
        return self._complete(call, error)

    def _complete(self, call: Call[T], error: CallError) -> CallError:
        error.attempts = call.attempts
        # What may have been carried out matters more than what came first.
        first = call.first_failure if call.unknown in (None, error) else call.unknown
        if first is not None and first is not error and _kind(first) != _kind(error):
            error.first_failure = first
        return error

    def _before_retry(self, call: Call[T], failed: AttemptFailed) -> None:
        number, hooks = call.attempts + 1, self.options.hooks
        if hooks is not None and hooks.on_retry is not None:
            event = RetryEvent(call.id, call.name, number, failed.delay, failed.outcome, failed.error)
            tell(hooks.on_retry, event)
        else:
            logger.info("%s: attempt %d in %.2f s: %s", call.name, number, failed.delay, failed.error)

    async def _sleep(self, seconds: float) -> None:
        if await self.transport.wait_for_close(seconds):
            raise client_closed()

    def _tell_attempt(
        self, call: Call[T], attempt: Attempt, response: HttpResponse | None, failure: Outcome | None
    ) -> None:
        hooks = self.options.hooks
        if hooks is not None and hooks.on_attempt is not None:
            seconds = time.monotonic() - attempt.began
            status = None if response is None else response.status
            numbers = (call.attempts, call.last_wait, seconds, status)
            event = AttemptEvent(call.id, call.name, *numbers, failure, call.operation.method, str(call.url))
            tell(hooks.on_attempt, event)

    def _tell_outcome(self, call: Call[T], began: float, error: CallError | None, *, cancelled: bool = False) -> None:
        hooks = self.options.hooks
        if hooks is not None and hooks.on_outcome is not None:
            now = time.monotonic()
            abandoned = now - call.asked if call.asked else 0.0
            numbers = (call.attempts, call.waited + abandoned, now - began)
            event = OutcomeEvent(call.id, call.name, *numbers, error, cancelled, call.operation.method, abandoned)
            tell(hooks.on_outcome, event)


async def _call_before_send(before_send: Callable[[], Awaitable[None]], attempt: Attempt) -> None:
    try:
        await before_send()
    except BaseException:
        attempt.give_back()
        raise


def _end_unless_read(limit: asyncio.Timeout, call: Call[Any], turns: int = TURNS_TO_READ) -> None:
    """End a call whose deadline passes; a response that is there already is read first."""
    loop = asyncio.get_running_loop()
    if turns and call.attempt is not None and call.attempt.sent:
        loop.call_soon(_end_unless_read, limit, call, turns - 1)
        return
    # The call may have ended in these turns.
    with contextlib.suppress(RuntimeError):
        limit.reschedule(loop.time())


def _obstacle(limiter: Limiter | None) -> str:
    """Return what holds all calls back, in brackets behind other words; nothing if it is only the queue."""
    obstacle = limiter.snapshot().obstacle if limiter is not None else None
    return f" ({obstacle})" if obstacle else ""


def _wrap(middleware: Middleware, send: Send) -> Send:
    async def wrapped(request: HttpRequest) -> HttpResponse:
        return await middleware(request, send)

    return wrapped


def _kind(error: CallError) -> tuple[type[CallError], int]:
    return type(error), error.status_code if isinstance(error, APIError) else 0
