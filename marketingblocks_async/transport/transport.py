"""The connection pool: opens it, sends one attempt at a time over it, closes it.

There is one aiohttp session per open client. ``aiohttp_hooks.py`` sees every request that reaches a socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import netrc
import os
import ssl
import sys
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from yarl import URL

from marketingblocks_async.errors import ConfigurationError, Outcome
from marketingblocks_async.limits.settings import Lane, WaitEndedError
from marketingblocks_async.middleware import HttpResponse

from .aiohttp_hooks import (
    CURRENT_ATTEMPT,
    LateAttemptError,
    ObservedConnector,
    observe_session,
    outcome_of,
    reason_of,
)
from .attempt import Attempt, ResponseTooLarge, SendFailure
from .proxies import Proxies
from .timeouts import AttemptTimer

if sys.platform != "win32":
    import resource

LARGEST_BODY_IN_ONE_PIECE = 2**20
"""Bytes of a request's body that are handed to aiohttp at once."""

LARGEST_HEADER = 2**16
"""Bytes of the longest line of a response's head. aiohttp's default is 8 KiB, and cookies and policies need more."""

MANY_FILES = 2**16
"""From this limit of open files on, connections are not counted: a token at its limit needs a twentieth of it."""

_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None)


def most_connections() -> int | None:
    """Return how many connections the process's limit of open files allows; ``None`` if it is high enough for all.

    Three quarters of the limit (``ulimit -n``): the rest is for what else the program has open.
    """
    if sys.platform == "win32":
        # Sockets are not counted among the open files there.
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY or limit > MANY_FILES else max(1, limit * 3 // 4)


class TransportUser(Protocol):
    """An object whose calls go through a transport."""

    def transport_closed(self, transport: Transport) -> None:
        """Called when the transport closes."""
        ...

    def loop_is_gone(self) -> None:
        """Called in a forked child, and after the event loop was closed: nothing of it works, and no call goes on."""
        ...


class Transport:
    """The connection pool of a client and of its copies.

    Args:
        session: a session to use instead of an own one. It is never closed here. When its requests begin to be written
            is seen, when they have been is not: they count as written when they are answered, each as on a new
            connection. As many attempts are made at once as its pool has connections.
        max_response_bytes: the largest body to accept.
        proxy: address of the proxy; ``""`` for none; ``None`` for that of the environment.
        ssl_context: how to check the server's certificate; ``None`` for the usual authorities.

    """

    def __init__(
        self,
        session: aiohttp.ClientSession | None,
        max_response_bytes: int,
        *,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._given_session = session
        self._proxy = proxy
        self._ssl_context = ssl_context
        self._proxies: Proxies | None = None
        self._max_response_bytes = max_response_bytes
        self._session: aiohttp.ClientSession | None = None
        self._connector: ObservedConnector | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Future[None] | None = None
        self._timers: dict[float, AttemptTimer] = {}
        self._request_options: dict[str, Any] = {"allow_redirects": False}
        # Told when it closes; they may be collected before.
        self.users: weakref.WeakSet[TransportUser] = weakref.WeakSet()
        self._openings = 0
        # One for each connection that an attempt may have; None if that is no concern.
        self._slots: asyncio.Semaphore | None = None
        self._bulk_turn = asyncio.Lock()

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

    async def check_environment(self, base_url: str) -> None:
        """Refuse what the environment does to requests: a proxy of a kind that cannot be used, and ``.netrc``.

        A session that was handed in may send credentials of that file to the API. The file can change later, so
        ``send()`` refuses them as well.

        Raises:
            ConfigurationError: there are some for the host of ``base_url``, or it has such a proxy.

        """
        session, host = self._given_session, URL(base_url).host
        if session is None and not self.is_open:
            Proxies(self._proxy).of(URL(base_url))
        if session is None or host is None or not session.trust_env:
            return
        if await asyncio.to_thread(_netrc_has, host):
            msg = (
                f"the session that was handed in has trust_env=True, and .netrc has credentials for {host}, which take "
                "the place of the access token; remove them there, or make the session without trust_env"
            )
            raise ConfigurationError(msg)

    def open(self) -> None:
        """Open the pool on the running event loop; count one more opening if it is open there already.

        Raises:
            ConfigurationError: it is open on another event loop, or the session that was handed in cannot be used.

        """
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop.is_closed():
            self._abandon()
        if self._session is None:
            self._session, self._loop = self._make_session(loop), loop
            self._closing = loop.create_future()
            most = self._most_at_once()
            self._slots = None if most is None else asyncio.Semaphore(most)
            self._bulk_turn = asyncio.Lock()
        elif self._loop is not loop:
            msg = "the client is open on another event loop; close it there before it is opened and used here"
            raise ConfigurationError(msg)
        self._openings += 1
        _OPEN.add(self)

    def _most_at_once(self) -> int | None:
        """Return how many attempts can have a connection at once; ``None`` if that needs no bound."""
        bounds = [most_connections()]
        if self._given_session is not None and (pool := self._given_session.connector) is not None:
            # What goes beyond these would wait inside aiohttp, with its time running. There 0 is no limit.
            # The limits of a mocked session are not numbers.
            given: list[object] = [pool.limit, pool.limit_per_host]
            bounds += [each for each in given if isinstance(each, int)]
        return min((each for each in bounds if each), default=None)

    def after_fork_in_child(self) -> None:
        """Start closed in a forked child, which can open it on an event loop of its own."""
        # Kept, since to destroy them would close sockets and change a selector that the child shares with the parent.
        _OF_PARENT.append((self._session, self._loop, self._connector, self._closing, self._timers))
        self._forget_loop()

    def _abandon(self) -> None:
        """Close what was left open when its event loop was closed; nothing of it works any more."""
        for timer in self._timers.values():
            # Whatever keeps their tasks would keep their permits.
            timer.abandon()
        for user in list(self.users):
            user.transport_closed(self)
        self._forget_loop()

    def _forget_loop(self) -> None:
        self._session = self._loop = self._connector = self._closing = None
        self._timers, self._openings = {}, 0
        for user in list(self.users):
            user.loop_is_gone()
        self.users.clear()

    def _make_session(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        session = self._given_session
        if session is None:
            # Looked up when it opens, as the environment may have been set since the client was created.
            self._proxies = Proxies(self._proxy) or None
            if self._ssl_context is not None:
                self._request_options["ssl"] = self._ssl_context
            self._connector = ObservedConnector(self)
            return aiohttp.ClientSession(
                connector=self._connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_NO_TIMEOUT,
                max_line_size=LARGEST_HEADER,
                max_field_size=LARGEST_HEADER,
            )
        if session.closed:
            msg = "the session that was handed in is closed"
            raise ConfigurationError(msg)
        if session.auth is not None:
            msg = (
                "the session that was handed in has auth=…, which takes the place of the access token; "
                "make the session without it"
            )
            raise ConfigurationError(msg)
        # The public property of it is deprecated.
        if getattr(session, "_loop", loop) is not loop:
            msg = "the session that was handed in belongs to another event loop"
            raise ConfigurationError(msg)
        self._request_options |= {
            "raise_for_status": False,
            "timeout": _NO_TIMEOUT,
            # Given per request they replace the session's own, which have no public name.
            "middlewares": (*getattr(session, "_middlewares", ()), partial(observe_session, owner=self)),
        }
        return session

    def begin_close(self) -> list[asyncio.Task[None]]:
        """Undo one ``open()``; the last one ends all waiting, interrupts what is in flight and closes the pool.

        From here on it can be opened again.

        Returns:
            The tasks that close the connections.

        Raises:
            ConfigurationError: it is open on another event loop.

        """
        session = self._session
        if session is None or self._loop is None:
            return []
        if self._loop.is_closed():
            self._abandon()
            _OPEN.discard(self)
            return []
        if self._loop is not asyncio.get_running_loop():
            msg = "the client is open on another event loop; close it there"
            raise ConfigurationError(msg)
        self._openings -= 1
        if self._openings:
            return []
        loop = self._loop
        self._session = self._loop = self._connector = None
        _OPEN.discard(self)
        for user in list(self.users):
            user.transport_closed(self)
        self.users.clear()
        if self._closing is not None:
            self._closing.set_result(None)
        # Ends the attempts that have a socket. Each of those that wait for one gets it then, and finds the pool closed.
        for timer in self._timers.values():
            timer.close()
        self._timers = {}
        return [] if session is self._given_session else [loop.create_task(_close(session))]

    async def wait_for_close(self, seconds: float) -> bool:
        """Wait, but not beyond the closing of the pool; return whether it was closed."""
        if self._session is None or self._closing is None:
            return True
        done, _ = await asyncio.wait((self._closing,), timeout=seconds)
        return bool(done)

    @property
    def bounds_connections(self) -> bool:
        """Whether an attempt may have to wait for a connection, see ``take_slot()``."""
        return self._slots is not None

    async def take_slot(self, attempt: Attempt, lane: Lane = Lane.ORDINARY) -> None:
        """Wait until there is a socket, and a place in the pool, for the attempt, whose end gives it back."""
        slots, turn = self._slots, self._bulk_turn
        if slots is None:
            return
        try:
            if lane is Lane.BULK:
                # Only one bulk call stands in the queue at a time: ordinary calls wait for no more than that one.
                await turn.acquire()
                try:
                    await slots.acquire()
                finally:
                    # With its event loop closed, the one that waits next cannot be woken.
                    with contextlib.suppress(RuntimeError):
                        turn.release()
            else:
                await slots.acquire()
        except BaseException:
            attempt.give_back()
            raise
        attempt.slot = slots
        if slots is not self._slots or not self.is_open:
            # Closed while it waited, and perhaps opened again: the call belongs to what was closed.
            attempt.give_back()
            msg = "the client was closed"
            raise WaitEndedError(msg)

    async def send(
        self,
        attempt: Attempt,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        *,
        body: bytes | None,
        seconds: float,
        on_error_head: Callable[[int, Mapping[str, str]], None],
    ) -> HttpResponse:
        """Make one attempt.

        Args:
            attempt: a new one, with its permit; the permit has been ended when this returns or raises.
            method: HTTP method.
            url: where to, percent-encoded.
            headers: all headers, the authorization included; ``check_headers()`` has seen those of other code.
            body: the body, or ``None``.
            seconds: how long it may take until the last byte of the response.
            on_error_head: called with the status and the headers of a response that is no success, before its body is
                read.

        Returns:
            The response, whatever its status. If the body of an error response breaks off or does not come in time, it
            is empty: the status says enough.

        Raises:
            SendFailure: no response, or the body of a success broke off or is too large.
            ConfigurationError: a middleware, or the session that was handed in, made of the request one that cannot be
                sent.

        """
        timer = self._timers.get(seconds) or self._new_timer(attempt, seconds)
        timer.begin(attempt)
        attempt.begin()
        context = CURRENT_ATTEMPT.set(attempt)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._request(attempt, method, url, headers, body)
            attempt.answered = True
            success = _is_success(response)
            if attempt.permit is not None:
                attempt.permit.answered(success=success)
            if self._connector is not None:
                self._connector.answered(attempt, response.headers)
            if not success:
                on_error_head(response.status, response.headers)
            content = response.content
            if content.is_eof() and content.total_bytes <= self._max_response_bytes:
                # It came with the head, as most do: no need to wait for anything.
                return HttpResponse(response.status, response.headers, content.read_nowait())
            return HttpResponse(response.status, response.headers, await self._read(response))
        except asyncio.CancelledError:
            if (why := attempt.interrupted()) is None:
                raise
            if response is not None and not _is_success(response):
                return HttpResponse(response.status, response.headers, b"")
            outcome = Outcome.UNKNOWN if attempt.may_have_left else Outcome.NOT_SENT
            raise SendFailure(outcome, why, timed_out=attempt.timed_out) from None
        except (aiohttp.ClientError, OSError, RuntimeError) as exc:
            if attempt.is_destroyed:
                # aiohttp cannot close the connection on a closed loop. That is not how the attempt ended.
                raise GeneratorExit from exc
            raise self._failure_of(exc, attempt) from exc
        finally:
            timer.end(attempt)
            attempt.end()
            # The coroutine of a task that is destroyed with its event loop ends in another context.
            with contextlib.suppress(ValueError):
                CURRENT_ATTEMPT.reset(context)

    def _failure_of(self, exc: Exception, attempt: Attempt) -> SendFailure:
        was_dead = False
        if attempt.sent and not attempt.answered and self._connector is not None:
            was_dead = self._connector.lost(attempt)
        return SendFailure(
            outcome_of(exc, attempt),
            reason_of(exc),
            connection_was_dead=was_dead,
            was_only_held_back=isinstance(exc, LateAttemptError) and attempt.was_only_held_back,
        )

    def _new_timer(self, attempt: Attempt, seconds: float) -> AttemptTimer:
        if self._session is None:
            # Closed since the attempt began: a hook or a middleware took its time, or there was no socket for it.
            attempt.end()
            raise SendFailure(Outcome.NOT_SENT, "the client was closed")
        timer = self._timers[seconds] = AttemptTimer(self.loop, seconds, self._timers)
        return timer

    async def _request(
        self, attempt: Attempt, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        session = self._session
        if session is None or session.closed:
            # While the call waited for its permit, or by the owner of a session that was handed in.
            raise SendFailure(Outcome.NOT_SENT, "the session was closed")
        data: bytes | io.BytesIO | None = body
        if body is not None and len(body) > LARGEST_BODY_IN_ONE_PIECE:
            # aiohttp warns of more than this as bytes. As a stream it goes out in parts, and when the last of them has
            # been written is not observed, so its permit comes back by the response.
            data, attempt.in_one_piece = io.BytesIO(body), False
        options: dict[str, Any] = self._request_options
        if self._proxies is not None and (proxy := self._proxies.of(url)) is not None:
            options = {**options, "proxy": proxy}
        try:
            attempt.handed_over = True
            return await session.request(method, url, headers=headers, data=data, **options)
        except ValueError as exc:
            if isinstance(exc, aiohttp.ClientError) or attempt.sent:
                # Once it may have been written, another part raised it: code of the session that was handed in, say.
                raise
            attempt.handed_over = False
            culprit = "a middleware" if self._given_session is None else "a middleware or the session handed in"
            msg = f"{culprit} made a request that cannot be sent: {exc}"
            if self._given_session is not None and self._given_session.trust_env:
                msg += "; a session with trust_env=True sends credentials from .netrc: remove those of the API's host"
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
                        msg = f"the response is larger than {self._max_response_bytes} bytes"
                        raise ResponseTooLarge(Outcome.FINAL, msg)
                    break
        except (aiohttp.ClientError, OSError):
            if success:
                raise
            return b""
        finally:
            if not response.content.at_eof():
                response.close()
        return b"".join(chunks)[: self._max_response_bytes]


# Global, since a fork copies all of them.
_OPEN: weakref.WeakSet[Transport] = weakref.WeakSet()
_OF_PARENT: list[object] = []


def _after_fork_in_child() -> None:
    for transport in list(_OPEN):
        transport.after_fork_in_child()
    _OPEN.clear()


# Not on Windows, which has no fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _is_success(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


def _netrc_has(host: str) -> bool:
    """Return whether aiohttp would find credentials for ``host`` in ``.netrc``, where it looks for it."""
    name = "_netrc" if sys.platform == "win32" else ".netrc"
    try:
        given = os.environ.get("NETRC")
        file = netrc.netrc(str(Path.home() / name if given is None else Path(given)))
    except (OSError, RuntimeError, UnicodeError, netrc.NetrcParseError):
        # None, or none that aiohttp can read.
        return False
    return file.authenticators(host) is not None


async def _close(session: aiohttp.ClientSession) -> None:
    try:
        await session.close()
    finally:
        # Should the program end meanwhile: the connections are closing, and the session has nothing any more.
        session.detach()
