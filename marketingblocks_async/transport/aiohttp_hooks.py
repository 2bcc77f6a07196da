"""Everything that reaches into aiohttp: which connection a request gets, when it is written, how often.

The client's own pool has the hook ``TCPConnector.connect``, which is documented. A session that was handed in gets a
client middleware, documented too, which puts a hook of ours in the place of the request's ``send``: aiohttp calls that
when the connection is there. ``check_hooks()`` makes sure, whenever a client opens, that aiohttp still calls them. An
attempt that a hook did not see counts as one that may have been sent.
"""

from __future__ import annotations

import asyncio
import errno
import re
import select
import socket
import time
from collections.abc import Mapping
from contextvars import ContextVar
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import aiohttp

from marketingblocks_async import clock
from marketingblocks_async.errors import ConfigurationError, Outcome, excerpt
from marketingblocks_async.limits.settings import Limiter

from .attempt import Attempt
from .keepalive import CHECK_AFTER, KEEPALIVE, KeepaliveLesson

if TYPE_CHECKING:
    # For annotations only, so that a version of aiohttp without them is refused in words and not by an ImportError.
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.client_middlewares import ClientHandlerType
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

NO_SOCKETS = (errno.EMFILE, errno.ENFILE)
"""Errors of a process, or a machine, that has no file descriptor left for a socket."""

SOCKET_POLL = 0.1
"""Seconds between two tries to get a socket. Nothing tells when another part of the program closes a file."""

LONGEST_UNACKNOWLEDGED = 30.0
"""Seconds for which the system sends again what the other side has not acknowledged (Linux only; a quarter of an hour
by default).

It does so also when the attempt has timed out or the process was killed, and then a request could arrive after its row
was looked for. With ``LONGEST_UNTIL_WRITTEN`` this is less than a run waits before it takes a row for not created.
"""

_BODY_POLL = 0.005
"""Seconds between two looks at a body too large for the socket's buffer, until it has gone out."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_FEW_CONNECTIONS = 100
"""Closed connections are forgotten when there are twice as many as open ones, and more than these."""


_UNSUPPORTED = (
    f"aiohttp {aiohttp.__version__} cannot be used: {{}}, so it could not be known whether a request was sent; "
    "install a version that this package supports (pip install 'aiohttp>=3.14.4,<4')"
)


class ResendRefusedError(aiohttp.ClientConnectionError):
    """aiohttp was about to send again, as it does with GET, PUT and DELETE on a connection that turned out dead."""


class UnaskedResponseError(aiohttp.ClientConnectionError):
    """A connection had ended, or brought a response, before the request was written on it."""


class LateAttemptError(aiohttp.ClientConnectionError):
    """An attempt may be written now, but the record of its intent is too old, or the attempt is over."""


class NoTunnelError(aiohttp.ClientConnectionError):
    """A proxy hung up on the request for a connection to the API, or answered something that is not HTTP."""


EXCEPTIONS: dict[type[BaseException], tuple[Outcome, str]] = {
    # Nothing of the request can have left: name lookup, refusal, certificate, handshake, connecting took too long.
    aiohttp.ClientConnectorError: (Outcome.NOT_SENT, ""),
    aiohttp.ConnectionTimeoutError: (Outcome.NOT_SENT, ""),
    aiohttp.InvalidURL: (Outcome.NOT_SENT, ""),
    LateAttemptError: (Outcome.NOT_SENT, "it waited too long after its intent was recorded"),
    # A proxy that refuses CONNECT: there is no way to the API on which the request could be sent.
    aiohttp.ClientHttpProxyError: (Outcome.NOT_SENT, "the proxy refused to connect to the API"),
    NoTunnelError: (Outcome.NOT_SENT, "the proxy hung up or did not answer in HTTP when asked to connect to the API"),
    # These come from a connection that was in use.
    UnaskedResponseError: (Outcome.UNKNOWN, "the connection had ended or answered before the request was written"),
    ResendRefusedError: (Outcome.UNKNOWN, "the connection was lost after the request was sent"),
    aiohttp.ServerDisconnectedError: (Outcome.UNKNOWN, "the server closed the connection without a response"),
    aiohttp.ClientResponseError: (Outcome.UNKNOWN, "the response is not HTTP"),
    aiohttp.ClientOSError: (Outcome.UNKNOWN, ""),
    aiohttp.ClientPayloadError: (Outcome.UNKNOWN, ""),
    OSError: (Outcome.UNKNOWN, ""),
}
"""What an exception of aiohttp says about a request that was handed to it, and in which words to tell it.

The entry of the class itself counts, else that of its nearest base class.
"""


def outcome_of(exc: Exception, attempt: Attempt) -> Outcome:
    """Return what may have happened to a request whose sending raised ``exc``."""
    outcome = _entry(exc)[0]
    if outcome is Outcome.NOT_SENT and not attempt.sent:
        return Outcome.NOT_SENT
    return Outcome.UNKNOWN if outcome is Outcome.UNKNOWN or attempt.may_have_left else Outcome.NOT_SENT


def reason_of(exc: Exception) -> str:
    """Return what happened in words; of aiohttp's errors only the text, never the request with its headers."""
    words = _entry(exc)[1]
    if isinstance(exc, aiohttp.ClientResponseError):
        status = f"{exc.status} " if isinstance(exc, aiohttp.ClientHttpProxyError) else ""
        return f"{words}: {status}{excerpt(exc.message)}"
    if words:
        return words
    text = excerpt(exc) or type(exc).__name__
    return f"{type(exc).__name__}: {text}" if text != type(exc).__name__ else text


def _entry(exc: Exception) -> tuple[Outcome | None, str]:
    return next((EXCEPTIONS[kind] for kind in type(exc).__mro__ if kind in EXCEPTIONS), (None, ""))


# How the hooks find the attempt: aiohttp creates the request object itself and offers no way to hand something in.
CURRENT_ATTEMPT: ContextVar[Attempt | None] = ContextVar("marketingblocks_attempt", default=None)


class ObservedConnector(aiohttp.TCPConnector):
    """aiohttp's pool, which chooses the connection for an attempt and notes when it is written.

    Args:
        owner: the owner of the calls, for the limiter.

    """

    def __init__(self, owner: object) -> None:
        # No limit: what is in flight is bounded by the rate limit and the timeout, and a pool that is full would be a
        # second queue, without order and inside the timeout.
        # Its own annotations are incomplete.
        cast("Any", super()).__init__(limit=0, keepalive_timeout=KEEPALIVE, socket_factory=_new_socket)
        self._owner = owner
        # Without the new ones. Closed ones are in it for a while: finding out which are costs more than keeping them.
        self._used: dict[asyncio.Transport, _PooledConnection] = {}
        self._most_used = _FEW_CONNECTIONS
        # The attempts that began to be written in this turn of the event loop.
        self._writing: list[Attempt] = []
        self._lesson = KeepaliveLesson()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's parameter
    ) -> Connection:
        """Return a connection, on which the attempt is written at once; refuse one for its second request."""
        attempt = CURRENT_ATTEMPT.get()
        if attempt is None:
            return await super().connect(req, traces, timeout)
        attempt.observed = True
        if attempt.sent:
            # A second request needs a permit of its own, and is for the retry policy to decide.
            raise ResendRefusedError
        passed_over: list[Connection] = []
        try:
            connection = await self._choose(req, traces, timeout, attempt, passed_over)
        finally:
            for each in passed_over:
                each.release()
        if attempt.is_late:
            _put_back(connection, attempt)
            raise LateAttemptError
        attempt.connection = connection.transport
        attempt.sending()
        self._lesson.sending(attempt)
        if attempt.permit is not None and attempt.in_one_piece:
            self._note_write(attempt)
        return connection

    async def _choose(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        limits: aiohttp.ClientTimeout,
        attempt: Attempt,
        passed_over: list[Connection],
    ) -> Connection:
        """Return a connection that the attempt may use now; keep those passed over, or it would get them again."""
        while True:
            asked = time.monotonic()
            try:
                connection = await super().connect(req, traces, limits)
            except (aiohttp.ClientError, OSError) as exc:
                if isinstance(exc, OSError) and exc.errno in NO_SOCKETS:
                    await attempt.hold_back(asyncio.sleep(SOCKET_POLL))
                    continue
                # At most the CONNECT to the proxy was written: the attempt itself is written on the connection.
                _blame_proxy(req, exc)
                raise
            if not self._is_usable(connection, attempt):
                connection.close()
                continue
            if attempt.idle is None:
                self._lesson.opened(time.monotonic() - asked)
            if self._lesson.may_try(attempt):
                # The limiter may hold the attempt back for long.
                while passed_over:
                    passed_over.pop().release()
                if attempt.limiter is None or await self._wait_to_write(attempt.limiter, attempt, connection):
                    return connection
            elif self._lesson.is_slow:
                passed_over.append(connection)
            else:
                connection.release()
                await self._lesson.wait(attempt)

    def _note_write(self, attempt: Attempt) -> None:
        """Note, when it is so, that an attempt was written: with all others of this turn of the event loop."""
        if not self._writing:
            # In the turn after the next: on Python 3.11 a body is written by a task that begins in the next one.
            self._loop.call_soon(self._note_written_next_turn)
        self._writing.append(attempt)

    def _note_written_next_turn(self) -> None:
        writing, self._writing = self._writing, []
        self._loop.call_soon(_note_written, writing)

    async def _wait_to_write(self, limiter: Limiter, attempt: Attempt, connection: Connection) -> bool:
        """Wait until the limiter lets the attempt be written; return whether its connection is still good."""
        began = clock.now()
        try:
            waited = await attempt.hold_back(limiter.wait_to_write(owner=self._owner))
        except BaseException:
            _put_back(connection, attempt)
            raise
        # The other clock stands still while the machine sleeps.
        waited = max(waited, clock.now() - began)
        is_old = waited >= KEEPALIVE and attempt.idle is None
        if connection.closed or is_old or (waited > CHECK_AFTER and not self._is_usable(connection, attempt)):
            # It was lost, or has become too old, meanwhile; a server may close a new one that stays silent, too.
            connection.close()
            return False
        return True

    def _is_usable(self, connection: Connection, attempt: Attempt) -> bool:
        protocol, transport = connection.protocol, connection.transport
        used = None if transport is None else self._used.get(transport)
        if protocol is None or used is None:
            attempt.idle, attempt.uses = None, 0
            return True
        idle = attempt.idle = clock.seconds_since(used.answered_at)
        attempt.uses = used.responses
        # aiohttp closes a connection that brings something unasked, but only when it is put back into the pool. Until
        # then that would pass for the response to the next request.
        if attempt.needs_new_connection or protocol.should_close or used.answered_at[0] < self._lesson.distrusted_until:
            return False
        if not attempt.is_resendable:
            return self._lesson.allows(idle) and not used.is_at_end()
        return idle <= CHECK_AFTER or not used.is_at_end()

    def answered(self, attempt: Attempt, headers: Mapping[str, str]) -> None:
        """Note that the head of a response was read."""
        if attempt.connection is None:
            return
        used = self._used.get(attempt.connection)
        # One that closes already brings no further response, and with TLS its transport can tell nothing any more.
        if used is None and not attempt.connection.is_closing():
            self._used[attempt.connection] = used = _PooledConnection(attempt.connection)
            if len(self._used) > self._most_used:
                self._used = {key: each for key, each in self._used.items() if not key.is_closing()}
                self._most_used = max(2 * len(self._used), _FEW_CONNECTIONS)
        if used is not None:
            used.answered_at = clock.instant()
            used.responses += 1
        if attempt.idle is not None:
            self._lesson.prove(attempt.idle, attempt.uses)
        else:
            self._lesson.answered_on_new(time.monotonic() - attempt.began - attempt.held_back)
        if (offer := headers.get("Keep-Alive")) is not None:
            self._lesson.read_offer(offer)

    def lost(self, attempt: Attempt) -> bool:
        """Note that a connection was lost before a response; return whether it was a reused one that was dead."""
        if attempt.idle is None:
            return False
        self._lesson.learn(attempt.idle)
        return True


def _blame_proxy(request: aiohttp.ClientRequest, exc: Exception) -> None:
    """Raise ``NoTunnelError`` if the exception of a request that was not sent came from its proxy."""
    # A time limit of connecting has a meaning of its own for aiohttp.
    if request.proxy is not None and not isinstance(exc, TimeoutError) and _entry(exc)[0] is Outcome.UNKNOWN:
        raise NoTunnelError from exc


def _put_back(connection: Connection, attempt: Attempt) -> None:
    """Put a connection back that the attempt does not use after all."""
    if attempt.idle is None:
        # It has had no request. From the pool it would come as a new one, however old it is and whether or not it is
        # dead, and as one that was opened in no time.
        connection.close()
    else:
        connection.release()


def _new_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = address
    new = socket.socket(family, kind, protocol)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(LONGEST_UNACKNOWLEDGED * 1000))
    return new


def _note_written(attempts: list[Attempt]) -> None:
    """Note the attempts that were written to their last byte; look again later at the others."""
    unwritten: list[Attempt] = []
    for attempt in attempts:
        permit, transport = attempt.permit, attempt.connection
        if permit is None or transport is None or transport.is_closing():
            continue
        if transport.get_write_buffer_size():
            unwritten.append(attempt)
        else:
            permit.sent(fresh_connection=attempt.idle is None)
    if unwritten:
        asyncio.get_running_loop().call_later(_BODY_POLL, _note_written, unwritten)


class _PooledConnection:
    """A connection that should be silent.

    Attributes:
        answered_at: ``clock.instant()`` of its last response. While the machine sleeps, the other side forgets it.
        responses: how many it has brought.

    """

    __slots__ = ("_poll", "_socket", "answered_at", "responses")

    def __init__(self, transport: asyncio.BaseTransport) -> None:
        self.answered_at: tuple[float, float] = (0.0, 0.0)
        self.responses: int = 0
        self._socket = transport.get_extra_info("socket")
        # Kept, since to make one costs more than to ask it.
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None and self._socket is not None and (descriptor := self._socket.fileno()) >= 0:
            self._poll.register(descriptor, select.POLLIN)

    def is_at_end(self) -> bool:
        """Return whether it has something to read, which can only be its end."""
        if self._socket is None:
            return False
        descriptor = self._socket.fileno()
        if descriptor < 0:
            return True
        return bool(self._poll.poll(0) if self._poll is not None else select.select([descriptor], [], [], 0)[0])


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that aiohttp would refuse while it writes them, when it could not be told what was written.

    Raises:
        ValueError: there are some.

    """
    whole = "".join(chain.from_iterable(headers.items()))
    if _CONTROL_CHARACTERS.search(whole):
        msg = "a header holds control characters"
        raise ValueError(msg)
    # Raises UnicodeEncodeError, which is a ValueError.
    whole.encode()


async def observe_session(
    request: aiohttp.ClientRequest, handler: ClientHandlerType, *, owner: object = None
) -> aiohttp.ClientResponse:
    """See a request of a session that was handed in: when it begins to be written, not when it has been.

    Args:
        request: the request.
        handler: sends it.
        owner: the owner of the calls, for the limiter.

    """
    attempt = CURRENT_ATTEMPT.get()
    if attempt is None:
        return await handler(request)
    attempt.observed = True
    if attempt.sent:
        raise ResendRefusedError
    check_headers(request.headers)
    body = None if "Expect" in request.headers else _watch_body(request)
    _watch_send(request, attempt)
    if attempt.limiter is not None:
        # Here and not on the connection, or a pause would keep connections from what else uses the session.
        await attempt.hold_back(attempt.limiter.wait_to_write(owner=owner))
    try:
        response = await handler(request)
    except (aiohttp.ClientError, OSError) as exc:
        if not attempt.sent:
            _blame_proxy(request, exc)
        if body is not None and body.is_refused:
            raise UnaskedResponseError from exc
        raise
    if body is not None and not body.is_written:
        response.close()
        raise UnaskedResponseError
    return response


def _watch_send(request: aiohttp.ClientRequest, attempt: Attempt) -> None:
    """Note when the request is sent on its connection; refuse to send it if that must not be done any more."""
    hooked = cast("Any", request)

    async def send(connection: Connection) -> aiohttp.ClientResponse:
        # Asked again, since middlewares of the session may send several at once, or in tasks that outlive the attempt.
        if attempt.sent:
            raise ResendRefusedError
        if attempt.has_ended or attempt.is_late:
            raise LateAttemptError
        attempt.sending()
        # This also breaks a reference cycle (the request holds `send`, which holds the request), so the request need
        # not wait for the garbage collector.
        hooked.send = _refuse_to_resend
        return await type(request).send(request, connection)

    hooked.send = send


async def _refuse_to_resend(_connection: Connection) -> aiohttp.ClientResponse:
    raise ResendRefusedError


class _WatchedBody:
    """Writes a body, unless its connection has something to read already: the pool of a foreign session does not look.

    That would pass for the response to this request, which aiohttp may then not write at all.
    """

    def __init__(self, body: aiohttp.Payload) -> None:
        self.is_written = self.is_refused = False
        self._write = body.write_with_length
        cast("Any", body).write_with_length = self.write

    async def write(self, writer: AbstractStreamWriter, length: int | None) -> None:
        protocol, transport = getattr(writer, "protocol", None), getattr(writer, "transport", None)
        if (protocol is not None and protocol.should_close) or (transport is not None and _is_at_end(transport)):
            self.is_refused = True
            raise UnaskedResponseError
        self.is_written = True
        await self._write(writer, length)


def _is_at_end(transport: asyncio.BaseTransport) -> bool:
    # Ask this first: a closed TLS transport has lost its details, and asking for them would raise.
    if transport.is_closing():
        return True
    # A new connection with TLS may have something to read that is no response.
    return transport.get_extra_info("ssl_object") is None and _PooledConnection(transport).is_at_end()


def _watch_body(request: aiohttp.ClientRequest) -> _WatchedBody | None:
    return _WatchedBody(request.body) if isinstance(request.body, aiohttp.Payload) else None


async def check_hooks() -> None:
    """Check that aiohttp calls both hooks, by requests that they refuse before anything is sent.

    Raises:
        ConfigurationError: it does not, so it could not be known whether a request was sent.

    """
    request: Any = getattr(aiohttp.ClientSession, "_request", None)
    if hasattr(request, "__wrapped__") or getattr(request, "__module__", "") not in ("aiohttp.client", ""):
        # Replaced by a mock (aioresponses, vcrpy), which may count what it is asked. Nothing is observed then, and all
        # attempts count as sent.
        return
    parts = (
        ("connector", "Connection", "protocol"),
        ("client_proto", "ResponseHandler", "should_close"),
        ("payload", "Payload", "write_with_length"),
    )
    if not all(hasattr(getattr(getattr(aiohttp, module, None), kind, None), name) for module, kind, name in parts):
        msg = _UNSUPPORTED.format("it does not tell whether a connection can be used again")
        raise ConfigurationError(msg)
    async with aiohttp.ClientSession(connector=ObservedConnector(None)) as session:
        if not await _is_refused(session):
            msg = _UNSUPPORTED.format("it does not ask the connector for a connection")
            raise ConfigurationError(msg)
    async with aiohttp.ClientSession(connector=_Unconnected()) as session:
        if not await _is_refused(session, sent=False, middlewares=(observe_session,)):
            msg = _UNSUPPORTED.format("it does not call client middlewares, or not the request's send()")
            raise ConfigurationError(msg)


async def _is_refused(session: aiohttp.ClientSession, *, sent: bool = True, **options: Any) -> bool:
    """Return whether a hook refuses a request that pretends to be sent twice, or after the end of its attempt."""
    probe = Attempt(None, None)
    probe.sent = sent
    context = CURRENT_ATTEMPT.set(probe)
    try:
        # Nothing can listen on port 0, should no hook refuse it.
        await session.get("http://127.0.0.1:0", **options)
    except (ResendRefusedError, LateAttemptError):
        return True
    except (aiohttp.ClientError, OSError, TypeError, AttributeError):
        return False
    finally:
        CURRENT_ATTEMPT.reset(context)
    return False


class _Unconnected(aiohttp.BaseConnector):
    """Has connections that lead nowhere, for a request that is refused before it is written on one."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's parameter
    ) -> Any:
        """Return such a connection."""
        del req, traces, timeout
        return _NoConnection()


class _NoConnection:
    @property
    def protocol(self) -> _NoConnection:
        return self

    def set_response_params(self, **_: object) -> None:
        pass

    def close(self) -> None:
        pass
