"""One call from the queue to its answer: permit, attempt, judgement, further attempts.

This is where the promise "never silently twice, never silently lost" is kept: every way in which a call can end is
turned into a result or into an error that says what may have happened at the server.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import math
import random
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Any, Generic, NoReturn, TypeVar, cast

from multidict import CIMultiDict
from yarl import URL

from marketingblocks_async._version import __version__
from marketingblocks_async.configuration import Secret
from marketingblocks_async.errors import (
    APIError,
    CallError,
    ConfigurationError,
    Headers,
    InvalidResponseError,
    NotSentError,
    Outcome,
    OutcomeUnknownError,
    RateLimitedError,
    excerpt,
)
from marketingblocks_async.events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from marketingblocks_async.limits.connections import ConnectionSlots, SlotLimiter
from marketingblocks_async.limits.registry import REGISTRY
from marketingblocks_async.limits.settings import (
    Lane,
    Limiter,
    Permit,
    RateLimit,
    SharedRateLimit,
    WaitEndedError,
)
from marketingblocks_async.middleware import HttpAnswer, HttpRequest, Middleware, Send
from marketingblocks_async.transport.transport import (
    AnswerTooLarge,
    Attempt,
    Outgoing,
    SendFailure,
    Transport,
)

from .retry import Failure, RetryBudget, RetryContext, RetryPolicy, retry
from .wire import JSON_TYPE, error_from_answer, judge, parse_retry_after

logger: logging.Logger = logging.getLogger("marketingblocks_async")
# Quiet until the program says where records go.
logger.addHandler(logging.NullHandler())

T = TypeVar("T")
EventT = TypeVar("EventT")

# The documented paths without a variable part are six.
_REMEMBERED_URLS = 16

_call_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Observers:
    """The functions that are told what happens."""

    on_attempt: Callable[[AttemptEvent], None] | None = None
    on_retry: Callable[[RetryEvent], None] | None = None
    on_throttle: Callable[[ThrottleEvent], None] | None = None
    on_outcome: Callable[[OutcomeEvent], None] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be called, or would have to be awaited."""
        for name in (field.name for field in fields(self)):
            observer = getattr(self, name)
            if observer is not None and (not callable(observer) or inspect.iscoroutinefunction(observer)):
                msg = f"{name}={observer!r}: give a function, which is called and not awaited"
                raise ConfigurationError(msg)


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How calls are made; ``with_options`` makes copies of it.

    Attributes:
        timeout: seconds for one attempt, from its permit to the last byte of the answer.
        deadline: seconds for the whole call, queue and retries included; ``None`` for no bound.
        retry: the retry policy.
        lane: where calls queue.
        middlewares: user code around every attempt, the first one outermost.
        observers: who is told.

    """

    timeout: float
    deadline: float | None
    retry: RetryPolicy
    lane: Lane = Lane.ORDINARY
    middlewares: tuple[Middleware, ...] = ()
    observers: Observers | None = None


class TokenScope:
    """What belongs to one access token at one API root: its header and its limiter.

    Args:
        token: the access token; ``None`` for the documentation, which gets none.
        base_url: API root without a trailing slash.
        rate_limit: the limit; ``limit=None`` in it lifts it.
        budget: the client's, which its copies for other tokens share: an outage is one of the API.
        slots: the cap on connections, shared likewise; ``None`` for none.

    """

    def __init__(
        self,
        token: Secret | None,
        base_url: str,
        rate_limit: RateLimit | SharedRateLimit,
        budget: RetryBudget | None = None,
        slots: ConnectionSlots | None = None,
    ) -> None:
        self.token = token
        self.base_url = base_url
        self.rate_limit = rate_limit
        self.slots = slots
        self.budget: RetryBudget = budget or RetryBudget()
        self.limiter: Limiter | None = None
        self.bound: bool = False
        self._urls: dict[str, URL] = {}
        # In aiohttp's own type, since it would convert anything else for every request.
        self.headers: CIMultiDict[str] = CIMultiDict(
            {"Accept": JSON_TYPE, "User-Agent": f"marketingblocks-async/{__version__}"}
        )
        if token is not None:
            self.headers["Authorization"] = Secret(f"Bearer {token}")
        self.headers_with_body: CIMultiDict[str] = CIMultiDict({"Content-Type": JSON_TYPE, **self.headers})

    def __repr__(self) -> str:
        return f"<TokenScope of a token at {self.base_url}>"

    def url(self, path: str) -> URL:
        """Return the address of ``path`` (percent-encoded) below the API root."""
        url = self._urls.get(path)
        if url is None:
            url = URL(f"{self.base_url}/{path}", encoded=True)
            if len(self._urls) < _REMEMBERED_URLS:
                self._urls[path] = url
        return url

    def bind(self, transport: Transport) -> None:
        """Take the token's limiter into use, until the transport closes."""
        if not self.bound:
            if self.rate_limit.limit is not None and self.token is not None:
                limiter: Limiter = REGISTRY.get(self.base_url, self.token, self.rate_limit, self)
                if self.slots is not None:
                    limiter = SlotLimiter(limiter, self.slots, sha256(self.token.encode()).digest())
                self.limiter = limiter
            transport.users.add(self)
            self.bound = True

    def transport_closed(self, transport: Transport) -> None:
        """End the waiting of the calls, and give the limiter up.

        The limiter lives on for as long as the server may count what it granted.
        """
        self.bound = False
        if self.limiter is not None and self.token is not None:
            self.limiter.abort(transport, _client_closed)
            REGISTRY.release(self.base_url, self.token, self)

    def scrub(self, text: str) -> str:
        """Return ``text`` without the token, should a server have echoed it."""
        return text if self._echo is None else self._echo.sub("***", text)

    def scrub_answer(self, answer: HttpAnswer) -> HttpAnswer:
        """Return ``answer`` without the token in it."""
        # Latin-1 is a character a byte, and all that is looked for is ASCII.
        body = self.scrub(answer.body.decode("latin-1")).encode("latin-1")
        headers = {self.scrub(name): self.scrub(value) for name, value in Headers(answer.headers).items()}
        return HttpAnswer(answer.status, Headers(headers), body)

    @cached_property
    def _echo(self) -> re.Pattern[str] | None:
        """What finds the token in any way of writing."""
        # A very short one would be found in innocent text.
        return None if self.token is None or len(self.token) < 4 else re.compile("".join(map(_any_form, self.token)))


def _any_form(character: str) -> str:
    r"""Return a pattern for an ASCII character as it is, and as in JSON (PHP escapes slashes), URLs and HTML."""
    number, plain = ord(character), re.escape(character)
    digits = "".join(f"[{digit}{digit.upper()}]" for digit in f"{number:02x}")
    name = {"&": "amp|", "<": "lt|", ">": "gt|", '"': "quot|", "'": "apos|"}.get(character, "")
    # None of these begins with a repetition, so that the search skips what cannot be a beginning.
    forms = (
        plain,
        rf"\\(?:\\){{0,3}}(?:{plain}|u00{digits})",
        f"%{digits}",
        f"&(?:{name}#0*{number}|#[xX]0*{digits});",
    )
    return f"(?:{'|'.join(forms)})"


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """What a call does; the same for all calls of an endpoint.

    Attributes:
        name: the operation, or the path of a generic call.
        permission: what it needs, ``None`` if that is not documented.
        method: HTTP method.
        resend_is_harmless: whether it may be carried out twice.
        decode: turns a success answer into the result; raises ``APIError`` or ``InvalidResponseError``.

    """

    name: str
    permission: str | None
    method: str
    resend_is_harmless: bool
    decode: Callable[[HttpAnswer], T]

    @property
    def is_read(self) -> bool:
        """Whether it changes nothing at the API."""
        return self.method in ("GET", "HEAD")


class Call(Generic[T]):
    """One call: what is to be done, and how far it has come.

    Args:
        operation: what it does.
        request: what errors show as having been sent.
        url: where to.
        body: JSON bytes or ``None``.

    Attributes:
        attempts: how many were started.
        refusals: how often the API refused to begin.
        waited: seconds in the queue for permits.
        last_wait: those of the last attempt.
        started: ``time.monotonic()`` at the first permit.
        ends: ``time.monotonic()`` at which its deadline passes.
        attempt: the one in flight; still set after a cancellation that ended it.
        first_failure: what went wrong first.
        unknown: the first failure after which it may have been carried out.
        ended_as: what became of it if it was cancelled.
        on_grant: called at its first permit.
        before_send: awaited before each attempt goes out, when it has its permit.

    """

    # On the class, because most calls need no other values and are made in a hurry.
    attempts: int = 0
    refusals: int = 0
    waited: float = 0.0
    last_wait: float = 0.0
    started: float = 0.0
    ends: float = math.inf
    attempt: Attempt | None = None
    first_failure: CallError | None = None
    unknown: CallError | None = None
    ended_as: CallError | None = None
    on_grant: Callable[[], None] | None = None
    before_send: Callable[[], Awaitable[None]] | None = None

    def __init__(self, operation: Operation[T], request: object, url: URL, body: bytes | None) -> None:
        self.operation = operation
        self.request = request
        self.url = url
        self.body = body

    def begin(self, attempt: Attempt) -> None:
        """Note that an attempt begins: it has its permit."""
        self.attempt = attempt
        self.attempts += 1
        if self.attempts == 1:
            self.started = attempt.began

    def end(self, failure: Failure) -> None:
        """Note that an attempt has failed."""
        self.attempt = None
        if self.first_failure is None:
            self.first_failure = failure.error
        if self.unknown is None and failure.outcome is Outcome.UNKNOWN:
            self.unknown = failure.error

    @cached_property
    def id(self) -> int:
        """Number of the call in this process."""
        return next(_call_ids)

    @property
    def name(self) -> str:
        """The operation's name."""
        return self.operation.name


def _client_closed() -> WaitEndedError:
    return WaitEndedError("the client was closed")


class Executor:
    """Makes the calls of one client.

    Args:
        transport: the connection pool.
        scope: the token.
        options: how.

    """

    __slots__ = ("_options", "_scope", "_transport")

    def __init__(self, transport: Transport, scope: TokenScope, options: CallOptions) -> None:
        self._transport = transport
        self._scope = scope
        self._options = options

    @property
    def options(self) -> CallOptions:
        """How calls are made."""
        return self._options

    @property
    def scope(self) -> TokenScope:
        """The token."""
        return self._scope

    @property
    def transport(self) -> Transport:
        """The connection pool."""
        return self._transport

    async def execute(self, call: Call[T]) -> T:
        """Make a call.

        Returns:
            What ``call.decode`` made of the answer.

        Raises:
            CallError: how it ended.
            ConfigurationError: the client is not open, or is open on another event loop.

        """
        self._check_open()
        began = time.monotonic()
        try:
            try:
                if self._options.deadline is None:
                    result = await self._attempt(call)
                else:
                    result = await self._run_until_deadline(call, self._options.deadline)
            except Failure as first:
                result = await self._go_on(call, first)
            except WaitEndedError as ended:
                raise self.interrupted_error(call, ended.why) from ended.__cause__
        except CallError as error:
            self._tell_outcome(call, began, error)
            raise
        except Exception as mistake:
            ended_as = self._ended_by(call, mistake)
            self._tell_outcome(call, began, ended_as)
            if isinstance(ended_as, OutcomeUnknownError) and not call.operation.is_read:
                # What failed otherwise looks as if it had not happened, and is done again.
                raise ended_as from mistake
            raise
        except asyncio.CancelledError as cancelled:
            call.ended_as = self.interrupted_error(call, "the call was cancelled")
            if isinstance(call.ended_as, OutcomeUnknownError) and not call.operation.is_read:
                cancelled.add_note(str(call.ended_as))
                logger.warning("%s", call.ended_as)
            self._tell_outcome(call, began, call.ended_as, cancelled=True)
            raise
        if self._options.observers is not None:
            self._tell_outcome(call, began, None)
        return result

    def _ended_by(self, call: Call[T], mistake: Exception) -> CallError:
        """Return what became of a call when a middleware or a hook raised."""
        what = excerpt(self._scope.scrub(f"{type(mistake).__name__}: {mistake}"))
        return self.interrupted_error(call, f"it was ended by {what}")

    def _check_open(self) -> None:
        transport = self._transport
        if not transport.is_open:
            msg = "the client is not open; use it inside 'async with', or call open() first"
            raise ConfigurationError(msg)
        if transport.loop is not asyncio.get_running_loop():
            msg = (
                "the client was opened on another event loop; close it there, and open it here (it can be opened again)"
            )
            raise ConfigurationError(msg)
        if not self._scope.bound:
            self._scope.bind(transport)

    async def _run_until_deadline(self, call: Call[T], seconds: float) -> T:
        limiter = self._scope.limiter
        wait = limiter.estimated_wait(self._options.lane) if limiter is not None else 0.0
        if wait > seconds:
            msg = (
                f"{call.name}: not sent, because the queue for the rate limit is about {wait:.1f} s long "
                f"and the deadline is {seconds:g} s"
            )
            raise NotSentError(msg, endpoint=call.name)
        call.ends = time.monotonic() + seconds
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                try:
                    return await self._attempt(call)
                except Failure as first:
                    return await self._go_on(call, first)
        except TimeoutError:
            if not limit.expired():
                # A middleware's own.
                raise
            raise self.interrupted_error(call, f"the deadline of {seconds:g} s passed") from None

    async def _go_on(self, call: Call[T], first: Failure) -> T:
        """Go on after a first failure, as far as the retry policy allows."""
        context = RetryContext(
            policy=self._options.retry,
            resend_is_harmless=call.operation.resend_is_harmless,
            budget=self._scope.budget,
            started=call.started,
            ends=call.ends,
            sleep=self._sleep,
            before_retry=partial(self._before_retry, call),
        )
        try:
            return await retry(first, partial(self._attempt, call), context)
        except Failure as last:
            error = self._final_error(call, last)
            raise error from error.__cause__
        except WaitEndedError as ended:
            raise self.interrupted_error(call, ended.why) from ended.__cause__

    async def _attempt(self, call: Call[T]) -> T:
        """Make one attempt; raise what it failed with as a :class:`Failure`."""
        scope, transport = self._scope, self._transport
        if not transport.is_open:
            # Closed between two attempts.
            raise _client_closed()
        limiter = scope.limiter
        permit: Permit | None = None
        if limiter is not None:
            # Not in a method of its own, whose coroutine would take up memory for as long as the call waits.
            asked = time.monotonic()
            permit = await limiter.acquire(self._options.lane, retry=call.attempts > 0, owner=transport)
            call.last_wait = time.monotonic() - asked
            call.waited += call.last_wait
        if call.on_grant is not None:
            call.on_grant()
            call.on_grant = None
        if call.before_send is not None:
            try:
                await call.before_send()
            except BaseException:
                if permit is not None:
                    permit.release()
                raise
        attempt = Attempt(limiter, permit)
        call.begin(attempt)
        answer: HttpAnswer | None = None
        try:
            answer = await self._send(call, attempt)
            result = call.operation.decode(answer) if 200 <= answer.status < 300 else self._refuse(call, answer)
        except (SendFailure, APIError, InvalidResponseError, Failure) as exc:
            failure = self._failure_of(call, exc, answer)
            call.end(failure)
            self._tell_attempt(call, attempt, answer, failure.outcome)
            raise failure from None
        call.attempt = None
        if scope.budget.left < scope.budget.capacity:
            scope.budget.refund()
        if self._options.observers is not None:
            self._tell_attempt(call, attempt, answer, None)
        return result

    def _send(self, call: Call[T], attempt: Attempt) -> Coroutine[Any, Any, HttpAnswer]:
        if self._options.middlewares:
            return self._send_through_middlewares(call, attempt)
        headers = self._scope.headers if call.body is None else self._scope.headers_with_body
        outgoing = Outgoing(call.operation.method, call.url, headers, call.body)
        return self._transport.send(attempt, outgoing, self._options.timeout)

    async def _send_through_middlewares(self, call: Call[T], attempt: Attempt) -> HttpAnswer:
        scope = self._scope
        sent = False

        async def innermost(request: HttpRequest) -> HttpAnswer:
            nonlocal sent
            if sent:
                # Its permit is for one request.
                msg = "a middleware called send() a second time; sending again is up to the retry policy"
                raise ConfigurationError(msg)
            sent = True
            complete = {name: value for name, value in request.headers.items() if name.lower() != "authorization"}
            if (authorization := scope.headers.get("Authorization")) is not None:
                complete["Authorization"] = authorization
            outgoing = Outgoing(call.operation.method, call.url, complete, request.body)
            return await self._transport.send(attempt, outgoing, self._options.timeout)

        send: Send = innermost
        for middleware in reversed(self._options.middlewares):
            send = _wrap(middleware, send)
        headers = scope.headers if call.body is None else scope.headers_with_body
        visible = {name: value for name, value in headers.items() if name != "Authorization"}
        try:
            answer = await send(
                HttpRequest(call.name, call.attempts, call.operation.method, str(call.url), visible, call.body)
            )
            if not isinstance(cast("object", answer), HttpAnswer):
                msg = f"a middleware returned {type(answer).__name__} instead of an HttpAnswer"
                raise ConfigurationError(msg)
            return answer
        finally:
            if attempt.permit is not None:
                # A middleware may have answered by itself.
                attempt.permit.release()

    def _failure_of(self, call: Call[T], exc: Exception, answer: HttpAnswer | None) -> Failure:
        """Return the failure that an attempt's exception stands for."""
        if isinstance(exc, Failure):
            return exc
        if isinstance(exc, SendFailure):
            return self._send_failure(call, exc)
        assert isinstance(exc, APIError | InvalidResponseError)  # noqa: S101 - what decode raises
        # Without an answer it comes from a middleware.
        return Failure(Outcome.FINAL, exc if answer is None else self._decoding_error(call, answer, exc))

    def _refuse(self, call: Call[T], answer: HttpAnswer) -> NoReturn:
        """Raise what an answer that is no success means."""
        answer = self._scope.scrub_answer(answer)
        outcome = judge(answer.status, answer.headers)
        error: CallError = error_from_answer(answer, call.name, call.operation.permission)
        if outcome is Outcome.REFUSED:
            raise self._refused(call, error, answer)
        if outcome is Outcome.UNKNOWN and not call.operation.is_read:
            reason = f"the API answered {error.message.removeprefix(f'{call.name}: ')}"
            error, error.__cause__ = self._unknown_error(call, reason), error
        raise Failure(outcome, error)

    def _decoding_error(self, call: Call[T], answer: HttpAnswer, found: CallError) -> CallError:
        """Return ``found``, without the token in case the answer echoes it."""
        clean = self._scope.scrub_answer(answer)
        if clean.body != answer.body or clean.headers != Headers(answer.headers):
            try:
                call.operation.decode(clean)
            except (APIError, InvalidResponseError) as error:
                # Without its frames, whose variables may be shown: one of them is this one's.
                found = error.with_traceback(None)
        if isinstance(found, InvalidResponseError):
            found.request = call.request
        return found

    def _refused(self, call: Call[T], error: CallError, answer: HttpAnswer) -> Failure:
        """Pause the token, since the API refused to begin (429, or 503 with ``Retry-After``)."""
        scope = self._scope
        retry_after = parse_retry_after(answer.headers)
        pause = retry_after or min(
            scope.rate_limit.per * 2.0 ** min(call.refusals, 60), self._options.retry.max_backoff
        )
        # Longer by chance, never shorter, so that several processes do not come back at one instant.
        pause *= 1 + 0.05 * random.random()  # noqa: S311 - no secret
        call.refusals += 1
        if scope.limiter is not None:
            scope.limiter.pause(pause, over_limit=isinstance(error, RateLimitedError))
        observers = self._options.observers
        if observers is not None and observers.on_throttle is not None:
            rate = scope.limiter.snapshot().rate if scope.limiter is not None else float("inf")
            _tell(observers.on_throttle, ThrottleEvent(call.id, call.name, retry_after, pause, rate))
        return Failure(Outcome.REFUSED, error, pause=pause, limiter_waits=scope.limiter is not None)

    def _send_failure(self, call: Call[T], failure: SendFailure) -> Failure:
        reason = self._scope.scrub(failure.reason)
        error: CallError
        if isinstance(failure, AnswerTooLarge):
            msg = f"{call.name}: {reason}; raise max_response_bytes of the client to read it"
            error = InvalidResponseError(msg, request=call.request, endpoint=call.name)
        elif failure.outcome is Outcome.NOT_SENT:
            error = NotSentError(f"{call.name}: not sent: {reason}", endpoint=call.name)
        else:
            error = self._unknown_error(call, reason)
        error.__cause__ = self._presentable(failure.__cause__)
        return Failure(failure.outcome, error)

    def _presentable(self, cause: BaseException | None) -> BaseException | None:
        """Return what went wrong below, if nothing of it shows the token that a server may have echoed."""
        chain: list[BaseException] = []
        each = cause
        # An exception object that is raised again and again may be its own context.
        while each is not None and each not in chain:
            if self._scope.scrub(text := f"{each} {each!r}") != text:
                return None
            # The variables of its frames hold what was received.
            each.__traceback__ = None
            chain.append(each)
            each = each.__cause__ or each.__context__
        return cause

    def _unknown_error(self, call: Call[T], reason: str) -> OutcomeUnknownError:
        if call.operation.is_read:
            msg = f"{call.name}: no answer: {reason}; a read changes nothing, so it can be called again"
        elif call.operation.resend_is_harmless:
            msg = f"{call.name}: it may or may not have been carried out: {reason}; to send it again does no harm"
        else:
            msg = (
                f"{call.name}: it may or may not have been carried out: {reason}; "
                "it was not sent again - look it up at the API before you do"
            )
        return OutcomeUnknownError(msg, request=call.request, endpoint=call.name)

    def _final_error(self, call: Call[T], last: Failure) -> CallError:
        """Return what the caller sees."""
        error = last.error
        if call.unknown is not None and last.outcome in (Outcome.NOT_SENT, Outcome.REFUSED):
            # "Not sent" would be a lie: an earlier attempt may have been carried out.
            error, error.__cause__ = call.unknown, last.error
        return self._complete(call, error)

    def interrupted_error(self, call: Call[T], why: str) -> CallError:
        """Return what became of a call that did not come to its end."""
        if call.attempt is not None and self._transport.may_have_left(call.attempt):
            error: CallError = self._unknown_error(call, f"{why} before its end")
        elif call.unknown is not None:
            error = call.unknown
        else:
            error = NotSentError(f"{call.name}: not sent: {why}", endpoint=call.name)
        return self._complete(call, error)

    def _complete(self, call: Call[T], error: CallError) -> CallError:
        error.attempts = call.attempts
        # What may have been carried out matters more than what came first.
        first = call.first_failure if call.unknown in (None, error) else call.unknown
        if first is not None and first is not error and _kind(first) != _kind(error):
            error.first_failure = first
        return error

    def _before_retry(self, call: Call[T], failure: Failure, next_attempt: int, delay: float) -> None:
        observers = self._options.observers
        if observers is not None and observers.on_retry is not None:
            event = RetryEvent(call.id, call.name, next_attempt, delay, failure.outcome, failure.error)
            _tell(observers.on_retry, event)
        else:
            logger.info("%s: attempt %d in %.2f s: %s", call.name, next_attempt, delay, failure.error)

    async def _sleep(self, seconds: float) -> None:
        if await self._transport.wait_for_close(seconds):
            raise _client_closed()

    def _tell_attempt(
        self, call: Call[T], attempt: Attempt, answer: HttpAnswer | None, failure: Outcome | None
    ) -> None:
        observers = self._options.observers
        if observers is not None and observers.on_attempt is not None:
            seconds = time.monotonic() - attempt.began
            status = None if answer is None else answer.status
            numbers = (call.attempts, call.last_wait, seconds, status)
            event = AttemptEvent(call.id, call.name, *numbers, failure, call.operation.method, str(call.url))
            _tell(observers.on_attempt, event)

    def _tell_outcome(self, call: Call[T], began: float, error: CallError | None, *, cancelled: bool = False) -> None:
        observers = self._options.observers
        if observers is not None and observers.on_outcome is not None:
            seconds = time.monotonic() - began
            numbers = (call.attempts, call.waited, seconds)
            event = OutcomeEvent(call.id, call.name, *numbers, error, cancelled, call.operation.method)
            _tell(observers.on_outcome, event)

    def with_options(self, **changes: Any) -> Executor:
        """Return an executor with some options changed."""
        return Executor(self._transport, self._scope, replace(self._options, **changes))

    def with_scope(self, scope: TokenScope) -> Executor:
        """Return an executor for another token over the same pool."""
        return Executor(self._transport, scope, self._options)


def _wrap(middleware: Middleware, send: Send) -> Send:
    async def wrapped(request: HttpRequest) -> HttpAnswer:
        return await middleware(request, send)

    return wrapped


def _tell(observer: Callable[[EventT], None], event: EventT) -> None:
    try:
        observer(event)
    except (Exception, asyncio.CancelledError):
        # The cancellation is not the call's: nothing was awaited.
        logger.exception("an observer failed on %s", type(event).__name__)


def _kind(error: CallError) -> tuple[type[CallError], int]:
    return type(error), error.status_code if isinstance(error, APIError) else 0
