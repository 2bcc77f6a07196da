"""Bytes over aiohttp: the only module that uses its client.

One session per open client. Every request that reaches a socket passes :class:`_ObservedRequest`, which stamps it when
it was really written, and :class:`_ObservedConnector`, which keeps aiohttp from repeating it in silence, so that each
has a permit of its own.
"""

from __future__ import annotations

import asyncio
import io
import select
import time
import weakref
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import aiohttp
from yarl import URL

from marketingblocks_async.errors import ConfigurationError, Outcome, excerpt
from marketingblocks_async.limits.settings import Limiter, Permit
from marketingblocks_async.middleware import HttpAnswer

if TYPE_CHECKING:
    from aiohttp.client_middlewares import ClientHandlerType
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

KEEPALIVE = 4.0
"""Seconds after which an idle connection is not used again.

A write on a connection that the server is just closing ends with an unknown outcome, which costs far more than a new
connection. Common servers close after 5 s or more (Node.js, uvicorn and Apache 5, nginx 75), so below that it is rare.
"""

CHECK_AFTER = 0.02
"""Seconds of idleness after which a connection is asked, before it is written to, whether the server has closed it.

The event loop has noticed a connection that was closed longer ago, unless the loop itself was blocked meanwhile.
"""

LARGEST_BODY_IN_ONE_PIECE = 2**20
"""Bytes of a request's body that are handed to aiohttp at once."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)
# How often a body too large for the socket's buffer is looked at, to see whether it has gone out.
_BODY_POLL = 0.005


class SendFailure(Exception):  # noqa: N818 - it says how sending went; the error for the caller is made elsewhere
    """An attempt brought no usable answer.

    Args:
        outcome: what may have happened at the server.
        reason: for a person, without the token.

    """

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(outcome, reason)
        self.outcome = outcome
        self.reason = reason


class AnswerTooLarge(SendFailure):
    """A success answer is larger than the client accepts."""


class _StaleConnectionError(aiohttp.ClientConnectionError):
    """A pooled connection turned out to be of no use any more; nothing was written to it."""


class _ResendRefusedError(aiohttp.ClientConnectionError):
    """aiohttp was about to send again, as it does with GET, PUT and DELETE on a connection that turned out dead."""


# Nothing of the request can have left: name lookup, refusal, certificate, handshake, connecting took too long.
_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
# These come from a connection that was in use.
_WHILE_SENDING = (
    aiohttp.ClientOSError,
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientResponseError,
    OSError,
)


class Outgoing(NamedTuple):
    """What goes out.

    Attributes:
        method: HTTP method.
        url: where to, percent-encoded.
        headers: all headers, the authorization included.
        body: what to send.

    """

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes | None


class Attempt:
    """One attempt of a call, as the wire sees it, and the scope in which it can be interrupted.

    Args:
        limiter: who says when it may be written; ``None`` if there is no limit.
        permit: its permit; ``None`` if there is no limit.

    Attributes:
        began: ``time.monotonic()`` at its beginning.
        sent: whether some of it may have been written.
        answered: whether the head of an answer was read.
        protocol: the connection that it was written to.

    """

    # On the class, because most attempts need no other values and are made in a hurry.
    sent: bool = False
    answered: bool = False
    protocol: ResponseHandler | None = None
    transport: Transport | None = None
    _task: asyncio.Task[Any] | None = None
    _cancelling = 0
    _interruption: str | None = None

    def __init__(self, limiter: Limiter | None, permit: Permit | None) -> None:
        self.limiter = limiter
        self.permit = permit
        self.began: float = time.monotonic()

    def begin(self, transport: Transport) -> None:
        """From here to :meth:`end` it can be interrupted."""
        self.transport = transport
        task = asyncio.current_task()
        if task is not None:
            self._task = task
            self._cancelling = task.cancelling()

    def end(self) -> None:
        """Nobody can interrupt it any more."""
        self._task = None

    def interrupt(self, why: str) -> None:
        """End the attempt from outside: its task is cancelled, and :meth:`interrupted` turns that into a failure."""
        if self._task is not None and self._interruption is None:
            self._interruption = why
            self._task.cancel()

    def interrupted(self) -> str | None:
        """On a cancellation: why it was interrupted, ``None`` if somebody else cancelled the task (as well)."""
        if self._interruption is None or self._task is None or self._task.uncancel() > self._cancelling:
            return None
        return self._interruption

    def leaves(self) -> None:
        """From here on some of it may be on the wire."""
        self.sent = True
        if self.permit is not None:
            self.permit.sending()

    def refuse_second_request(self) -> None:
        """Keep aiohttp from sending again by itself: that takes a permit and is for the retry policy to decide."""
        if self.sent:
            raise _ResendRefusedError


# How a request finds its attempt: aiohttp creates the request object itself and offers no way to hand something in.
_current: ContextVar[Attempt | None] = ContextVar("marketingblocks_attempt", default=None)


class _ObservedConnector(aiohttp.TCPConnector):
    """aiohttp's pool, which hands out no connection for a second request of an attempt.

    The request object would be the other place to refuse it, but to pass its twenty arguments on costs a twentieth of a
    call.
    """

    def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Any:  # the coroutine of the method of the same name; the type checkers differ about what that is
        if (attempt := _current.get()) is not None:
            attempt.refuse_second_request()
        return super().connect(req, traces, timeout)


class _ObservedRequest(aiohttp.ClientRequest):
    """aiohttp's request, which tells its attempt when it is written."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        attempt, protocol = _current.get(), conn.protocol
        if attempt is None or attempt.transport is None or protocol is None:
            return await super().send(conn)
        transport = attempt.transport
        fresh = transport.check(protocol)
        if attempt.limiter is not None:
            await attempt.limiter.wait_to_write(owner=transport)
            if not protocol.is_connected():
                # It was lost while the request waited for its turn.
                raise _StaleConnectionError
        socket = protocol.transport
        attempt.protocol = protocol
        attempt.leaves()
        response = await super().send(conn)
        if attempt.permit is not None and socket is not None and not isinstance(self.body, aiohttp.BytesIOPayload):
            # Not here: on Python 3.11 a body is written by a task that begins in the next turn, before this callback.
            transport.loop.call_soon(_note_written, transport.loop, attempt.permit, socket, fresh)
        return response


def _note_written(loop: asyncio.AbstractEventLoop, permit: Permit, socket: asyncio.Transport, fresh: bool) -> None:
    if socket.is_closing():
        return
    if socket.get_write_buffer_size():
        loop.call_later(_BODY_POLL, _note_written, loop, permit, socket, fresh)
        return
    permit.sent(fresh_connection=fresh)


async def _observe_blindly(request: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
    """See the requests of a session that was handed in: that there is one, not when it is written."""
    attempt = _current.get()
    if attempt is not None:
        attempt.refuse_second_request()
        attempt.leaves()
    try:
        return await handler(request)
    except _BEFORE_SENDING:
        if attempt is not None:
            attempt.sent = False
        raise


class _Watch:
    """Interrupts attempts that take too long.

    One timer for all attempts with the same allowance: they end in the order in which they began, so only the oldest
    needs one. A timer per attempt costs three times as much.

    Args:
        loop: the event loop.
        seconds: what an attempt may take.
        watches: where it stands while there is something to watch, by its seconds.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, watches: dict[float, _Watch]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._watches = watches
        self._timer: asyncio.TimerHandle | None = None
        # With the instant at which each must have ended, the oldest first.
        self.attempts: dict[Attempt, float] = {}

    def begin(self, attempt: Attempt) -> None:
        self.attempts[attempt] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self._seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for attempt, end in self.attempts.items():
            if end > now:
                self._timer = self._loop.call_at(end, self._look)
                return
            attempt.interrupt(f"no complete answer within {self._seconds:g} s")
        del self._watches[self._seconds]

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for attempt in self.attempts:
            attempt.interrupt("the client was closed")


class TransportUser(Protocol):
    """Somebody whose calls go through a transport."""

    def transport_closed(self, transport: Transport) -> None:
        """Hear that it closes now."""
        ...


class Transport:
    """The connection pool of a client and of its copies.

    Args:
        session: a session to use instead of an own one. It is never closed here. When exactly its requests are written
            cannot be seen, so permits come back by the answers alone, as with ``guard=inf``.
        max_response_bytes: the largest body to accept.

    """

    def __init__(self, session: aiohttp.ClientSession | None, max_response_bytes: int) -> None:
        self._given_session = session
        self._max_response_bytes = max_response_bytes
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Future[None] | None = None
        self._watches: dict[float, _Watch] = {}
        self._request_options: dict[str, Any] = {"allow_redirects": False}
        # Those who are told when it closes; they may vanish before.
        self.users: weakref.WeakSet[TransportUser] = weakref.WeakSet()
        self._openings = 0
        # When each connection last brought an answer; those that never did are not in it.
        self._answered_at: weakref.WeakKeyDictionary[ResponseHandler, float] = weakref.WeakKeyDictionary()

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent, from some event loop."""
        return self._session is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it was opened on."""
        if self._loop is None:
            msg = "the client is not open; use it inside 'async with', or call open() first"
            raise ConfigurationError(msg)
        return self._loop

    def open(self) -> None:
        """Open the pool on the running event loop; once more if it is open there already.

        Raises:
            ConfigurationError: it is open on another event loop, or the session that was handed in cannot be used.

        """
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop.is_closed():
            # Left open when its loop ended; nothing of it works any more.
            self._session, self._openings = None, 0
            for user in list(self.users):
                user.transport_closed(self)
        if self._session is None:
            self._session, self._loop = self._make_session(loop), loop
            self._closing = loop.create_future()
        elif self._loop is not loop:
            msg = "the client is open on another event loop; close it there before it is opened and used here"
            raise ConfigurationError(msg)
        self._openings += 1

    def _make_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        session = self._given_session
        if session is None:
            return aiohttp.ClientSession(
                connector=_ObservedConnector(
                    # No limit: what is in flight is bounded by the rate limit and the timeout, and a pool that is full
                    # would be a second queue, without order and inside the timeout.
                    limit=0,
                    keepalive_timeout=KEEPALIVE,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=_ObservedRequest,
                timeout=_NO_TIMEOUT,
            )
        if session.closed:
            msg = "the session that was handed in is closed"
            raise ConfigurationError(msg)
        # The public property of it is deprecated.
        if getattr(session, "_loop", loop) is not loop:
            msg = "the session that was handed in belongs to another event loop"
            raise ConfigurationError(msg)
        self._request_options |= {
            "raise_for_status": False,
            "timeout": _NO_TIMEOUT,
            # Given per request they replace the session's own, which have no public name.
            "middlewares": (*getattr(session, "_middlewares", ()), _observe_blindly),
        }
        return session

    def begin_close(self) -> list[asyncio.Task[None]]:
        """Undo one :meth:`open`; the last one ends all waiting, interrupts what is in flight and closes the pool.

        From here on it can be opened again.

        Returns:
            Who closes the connections, if there is something to close.

        Raises:
            ConfigurationError: it is open on another event loop.

        """
        session = self._session
        if session is None or self._loop is None:
            return []
        if self._loop is not asyncio.get_running_loop() and not self._loop.is_closed():
            msg = "the client is open on another event loop; close it there"
            raise ConfigurationError(msg)
        self._openings -= 1
        if self._openings:
            return []
        loop = self._loop
        self._session = self._loop = None
        for user in list(self.users):
            user.transport_closed(self)
        self.users.clear()
        if self._closing is not None:
            self._closing.set_result(None)
        for watch in self._watches.values():
            watch.close()
        self._watches = {}
        return [] if session is self._given_session else [loop.create_task(_close(session))]

    async def wait_for_close(self, seconds: float) -> bool:
        """Wait, but not beyond the closing of the pool; return whether it was closed."""
        if self._session is None or self._closing is None:
            return True
        done, _ = await asyncio.wait((self._closing,), timeout=seconds)
        return bool(done)

    def check(self, protocol: ResponseHandler) -> bool:
        """Return whether a connection is fresh, that is, has not brought an answer yet.

        Raises:
            _StaleConnectionError: it brought some, and since then the server has closed it or sent more.

        """
        answered_at = self._answered_at.get(protocol)
        if answered_at is None:
            return True
        # It closes by itself what brings something unasked, but only when it is put back into the pool. Until then that
        # would pass for the answer to the next request.
        if protocol.should_close:
            raise _StaleConnectionError
        if time.monotonic() - answered_at > CHECK_AFTER and _is_at_end(protocol.transport):
            raise _StaleConnectionError
        return False

    async def send(self, attempt: Attempt, request: Outgoing, seconds: float) -> HttpAnswer:
        """Make one attempt.

        Args:
            attempt: a new one, with its permit; the permit has been ended when this returns or raises.
            request: what to send.
            seconds: how long it may take until the last byte of the answer.

        Returns:
            The answer, whatever its status. If the body of an answer that is no success breaks off or does not come in
            time, it is empty: the status says enough.

        Raises:
            SendFailure: no answer, or the body of a success broke off or is too large.
            ConfigurationError: what a middleware or a session that was handed in made of the request cannot be sent.

        """
        watch = self._watches.get(seconds)
        if watch is None:
            watch = self._new_watch(attempt, seconds)
        watch.begin(attempt)
        attempt.begin(self)
        context = _current.set(attempt)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._request(attempt, request)
            attempt.answered = True
            if attempt.permit is not None:
                attempt.permit.answered()
            if attempt.protocol is not None:
                self._answered_at[attempt.protocol] = time.monotonic()
            content = response.content
            if content.is_eof() and content.total_bytes <= self._max_response_bytes:
                # It came with the head, as most do: no need to wait for anything.
                return HttpAnswer(response.status, response.headers, content.read_nowait())
            return HttpAnswer(response.status, response.headers, await self._read(response))
        except asyncio.CancelledError:
            if (why := attempt.interrupted()) is None:
                raise
            return self._answer_of_interrupted(attempt, response, why)
        except (aiohttp.ClientError, OSError, RuntimeError) as exc:
            raise SendFailure(self._outcome_of(exc, attempt), _describe(exc)) from exc
        finally:
            _current.reset(context)
            attempt.end()
            watch.attempts.pop(attempt, None)
            if attempt.permit is not None:
                attempt.permit.release()

    def _new_watch(self, attempt: Attempt, seconds: float) -> _Watch:
        if self._session is None:
            # Closed since the attempt began: a hook or a middleware took its time.
            if attempt.permit is not None:
                attempt.permit.release()
            raise SendFailure(Outcome.NOT_SENT, "the client was closed")
        watch = self._watches[seconds] = _Watch(self.loop, seconds, self._watches)
        return watch

    def _answer_of_interrupted(self, attempt: Attempt, response: aiohttp.ClientResponse | None, why: str) -> HttpAnswer:
        """Return what is known of the answer, if that says enough."""
        if response is not None and not _is_success(response):
            return HttpAnswer(response.status, response.headers, b"")
        raise SendFailure(Outcome.UNKNOWN if self.may_have_left(attempt) else Outcome.NOT_SENT, why) from None

    async def _request(self, attempt: Attempt, request: Outgoing) -> aiohttp.ClientResponse:
        method, url, headers, content = request
        while True:
            # aiohttp warns of more than this as bytes; as a stream it goes out in parts, and when the last of them has
            # been written is not observed, so its permit comes back by the answer.
            body = content if content is None or len(content) <= LARGEST_BODY_IN_ONE_PIECE else io.BytesIO(content)
            session = self._session
            if session is None or session.closed:
                # While the call waited for its permit, or by the owner of a session that was handed in.
                raise SendFailure(Outcome.NOT_SENT, "the session was closed")
            try:
                return await session.request(method, url, headers=headers, data=body, **self._request_options)
            except _StaleConnectionError:
                continue
            except ValueError as exc:
                if isinstance(exc, aiohttp.ClientError):
                    raise
                # Refused before anything of it was written.
                attempt.sent = False
                culprit = "a middleware" if self._given_session is None else "a middleware or the session handed in"
                msg = f"{culprit} made a request that cannot be sent: {exc}"
                raise ConfigurationError(msg) from exc

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body, as far as it is not too large; empty if it breaks off and the status says enough."""
        success = _is_success(response)
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.content.iter_any():
                chunks.append(chunk)
                size += len(chunk)
                if size > self._max_response_bytes:
                    if success:
                        msg = f"the answer is larger than {self._max_response_bytes} bytes"
                        raise AnswerTooLarge(Outcome.FINAL, msg)
                    break
        except (aiohttp.ClientError, OSError):
            if success:
                raise
            return b""
        finally:
            if not response.content.at_eof():
                response.close()
        return b"".join(chunks)[: self._max_response_bytes]

    def may_have_left(self, attempt: Attempt) -> bool:
        """Return whether some of an attempt may have reached the network."""
        # A session that was handed in may send without our seeing it.
        return attempt.sent or attempt.answered or self._given_session is not None

    def _outcome_of(self, exc: Exception, attempt: Attempt) -> Outcome:
        if isinstance(exc, _BEFORE_SENDING) and not attempt.sent:
            return Outcome.NOT_SENT
        if isinstance(exc, _WHILE_SENDING) or self.may_have_left(attempt):
            return Outcome.UNKNOWN
        return Outcome.NOT_SENT


def _is_success(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


async def _close(session: aiohttp.ClientSession) -> None:
    try:
        await session.close()
    finally:
        # Should the program end meanwhile: the connections are closing, and the session has nothing any more.
        session.detach()


def _is_at_end(transport: asyncio.Transport | None) -> bool:
    """Return whether a connection that should be silent has something to read, which can only be its end."""
    socket = transport.get_extra_info("socket") if transport is not None else None
    if socket is None:
        return False
    descriptor = socket.fileno()
    if descriptor < 0:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])


def _describe(exc: BaseException) -> str:
    """Return what happened in words; of aiohttp's errors only the text, never the request with its headers."""
    if isinstance(exc, aiohttp.ServerDisconnectedError):
        return "the server closed the connection without an answer"
    if isinstance(exc, _ResendRefusedError):
        return "the connection was lost after the request was sent"
    if isinstance(exc, aiohttp.ClientResponseError):
        return f"the answer is not HTTP: {excerpt(exc.message)}"
    text = excerpt(exc) or type(exc).__name__
    return f"{type(exc).__name__}: {text}" if text != type(exc).__name__ else text
