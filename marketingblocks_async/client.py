"""The client: puts token, limiter, connections and options together, and has the groups of operations."""

from __future__ import annotations

import asyncio
import json as json_module
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Self, TypeVar, Unpack, cast, overload
from urllib.parse import quote, unquote

from yarl import URL

from .calls.call import Call, RawResponse
from .calls.executor import Executor
from .calls.options import CallOptions, ChangedOptions, change, change_for_call, check_retry, check_timeout
from .calls.retry import RetryPolicy
from .calls.token import TokenContext
from .calls.wire import GenericOperation, encode_json, encode_query
from .configuration import (
    DEFAULT_DOCS_URL,
    check_fields,
    check_seconds,
    check_url,
    is_number,
    resolve_base_url,
    resolve_token,
)
from .errors import ConfigurationError, InvalidArgumentError
from .events import AttemptEvent, OutcomeEvent, RetryEvent, ThrottleEvent
from .limits.settings import Limiter, RateLimit, SharedRateLimit
from .limits.slots import ConnectionSlots
from .middleware import Middleware
from .observers import Hooks
from .resources.channels import Channels, RawChannels
from .resources.comment_automations import CommentAutomations, RawCommentAutomations
from .resources.docs import Docs
from .resources.generations import Generations, RawGenerations
from .resources.posts import Posts, RawPosts
from .resources.raw import RawForm, raw_form, respond_raw
from .transport.aiohttp_hooks import check_hooks
from .transport.transport import Transport

if TYPE_CHECKING:
    import aiohttp

DEFAULT_MAX_RESPONSE_BYTES = 16 * 2**20
"""The largest response that is read, 16 MiB."""

T = TypeVar("T")
PartT = TypeVar("PartT")

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class _Part(Generic[PartT]):
    """A group of operations of a client, made on first use. On the class it is the group's class.

    So ``create_autospec(MarketingBlocks)`` knows the groups, and ``patch.object(client.posts, …)`` patches the group
    that the client uses from then on.
    """

    def __init__(self, kind: Callable[[Executor], PartT]) -> None:
        self._kind = kind

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, client: None, owner: type[object]) -> Callable[[Executor], PartT]: ...

    @overload
    def __get__(self, client: MarketingBlocks, owner: type[object]) -> PartT: ...

    def __get__(self, client: MarketingBlocks | None, owner: type[object]) -> Callable[[Executor], PartT] | PartT:
        if client is None:
            return self._kind
        # Its own attributes: the descriptor is a part of the client's class.
        executor = client._docs_executor if self._kind is Docs else client._executor  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        part = self._kind(executor)
        # Found there from now on, as with functools.cached_property.
        vars(client)[self._name] = part
        return part


class MarketingBlocks:
    """Asyncio client of the MarketingBlocks API.

    One client keeps all callers of its token under the rate limit, repeats what is safe to repeat, and never creates
    anything again that may exist already. Use it inside ``async with``, or between ``open()`` and
    ``close()``; it can be opened again, also on another event loop. All clients of a process with the same token and
    API root share one rate limiter.

    Args:
        token: access token; by default the environment variable ``MARKETINGBLOCKS_API_TOKEN``.
        base_url: API root; by default ``MARKETINGBLOCKS_BASE_URL``, else the documented one. An address without a path
            gets the documented path, ``/api/v1``. Plain http only for loopback addresses.
        rate_limit: the limit of the token; ``RateLimit(limit=None)`` lifts it, a ``SharedRateLimit`` such as
            ``marketingblocks_async.redis.RedisRateLimit`` is kept together with other processes.
        retry: how often and how long a call is tried.
        max_retries: attempts after the first one, 0 or more; 0 for no retry. By default as ``retry`` says.
        timeout: seconds for one attempt, connecting included, to the last byte of the response. Waiting for a permit, a
            socket or the end of a pause does not count. ``None`` for no bound: a call then waits for a server that
            never responds until ``deadline``.
        deadline: seconds for a whole call, queue and retries included; ``None`` for no bound.
        session: an aiohttp session to use; it is never closed by the client. At most as many calls are in flight as
            its connector has connections (100 by default); the others wait, and their timeout does not run. If
            other code uses the session too, make it with ``TCPConnector(limit=0)``. The end of a write cannot be
            observed: permits come back by the responses, or, without one in time, as on a new connection.
        max_connections: how many connections may be in use at once, by this client and its copies together. Once
            ``with_token()`` has made a copy, a token gets another one only while it has fewer than are free. ``None``
            for as many as the process's limit of open files leaves.
        max_response_bytes: the largest response to read, at least 1.
        proxy: address of an http or https proxy, with credentials if it needs them; ``""`` for none. By default that of
            the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``) or the system. Loopback
            addresses never use one. A session that was handed in has its own.
        ssl_context: how to check the server's certificate, for a certificate authority of your own
            (``ssl.create_default_context(cafile="ca.pem")``); by default the usual authorities and ``SSL_CERT_FILE``.
        middlewares: code to run around every attempt, the first one outermost; see ``Middleware``.
        on_attempt: called after every attempt.
        on_retry: called before every further attempt.
        on_throttle: called when the API refuses a request for its rate.
        on_outcome: called at the end of every call.
        docs_url: root of the documentation that ``docs`` asks.

    Attributes:
        posts: create, find, list posts.
        generations: AI post generation.
        channels: connected accounts.
        comment_automations: bots that answer comments.
        docs: questions to the documentation.

    Raises:
        ConfigurationError: no usable token, API root or setting. The message says what to change.

    """

    posts: _Part[Posts] = _Part(Posts)
    generations: _Part[Generations] = _Part(Generations)
    channels: _Part[Channels] = _Part(Channels)
    comment_automations: _Part[CommentAutomations] = _Part(CommentAutomations)
    docs: _Part[Docs] = _Part(Docs)

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        rate_limit: RateLimit | SharedRateLimit = RateLimit(),  # noqa: B008 - frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        max_retries: int | None = None,
        timeout: float | None = 30.0,
        deadline: float | None = None,
        session: aiohttp.ClientSession | None = None,
        max_connections: int | None = None,
        max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        middlewares: Sequence[Middleware] = (),
        on_attempt: Callable[[AttemptEvent], None] | None = None,
        on_retry: Callable[[RetryEvent], None] | None = None,
        on_throttle: Callable[[ThrottleEvent], None] | None = None,
        on_outcome: Callable[[OutcomeEvent], None] | None = None,
        docs_url: str = DEFAULT_DOCS_URL,
    ) -> None:
        try:
            secret = resolve_token(token)
        finally:
            # Crash reports show local variables.
            del token
        if not is_number(max_response_bytes, whole=True) or max_response_bytes < 1:
            msg = f"max_response_bytes={max_response_bytes!r}: give a whole number, 1 or more"
            raise ConfigurationError(msg)
        if not isinstance(cast("object", middlewares), Iterable) or not all(map(callable, middlewares)):
            msg = f"middlewares={middlewares!r}: give a list of functions 'async def f(request, send)'"
            raise ConfigurationError(msg)
        if session is not None and (proxy is not None or ssl_context is not None):
            msg = "proxy=… and ssl_context=… do not reach a session that is handed in; set them on the session"
            raise ConfigurationError(msg)
        if proxy is not None and not isinstance(cast("object", proxy), str):
            msg = (
                f"proxy={type(proxy).__name__}: give the address of a proxy, '' for none, or None for the environment's"
            )
            raise ConfigurationError(msg)
        if ssl_context is not None and not isinstance(cast("object", ssl_context), ssl.SSLContext):
            msg = f"ssl_context={ssl_context!r}: give an ssl.SSLContext, or None for the usual authorities"
            raise ConfigurationError(msg)
        hooks = Hooks(on_attempt, on_retry, on_throttle, on_outcome)
        if session is not None and not callable(getattr(session, "request", None)):
            msg = f"session={session!r}: give an aiohttp.ClientSession"
            raise ConfigurationError(msg)
        options = CallOptions(
            timeout=check_timeout(timeout),
            deadline=None if deadline is None else check_seconds(deadline, "deadline"),
            retry=check_retry(retry, max_retries),
            middlewares=tuple(middlewares),
            hooks=None if hooks == Hooks() else hooks,
        )
        check_rate_limit(rate_limit)
        slots = None if max_connections is None else ConnectionSlots(max_connections)
        context = TokenContext(secret, resolve_base_url(base_url), rate_limit, slots=slots)
        # The documentation gets a pool and headers of its own, so that the token cannot go there.
        docs_context = TokenContext(None, check_url(docs_url, "docs_url"), RateLimit(limit=None))
        docs_pool = Transport(None, max_response_bytes, proxy=proxy, ssl_context=ssl_context)
        own_pool = Transport(session, max_response_bytes, proxy=proxy, ssl_context=ssl_context)
        self._pools = (own_pool, docs_pool)
        docs_options = CallOptions(options.timeout, options.deadline, options.retry)
        self._docs_executor = Executor(docs_pool, docs_context, docs_options)
        self._executor = Executor(own_pool, context, options)

    @property
    def base_url(self) -> str:
        """The API root that the calls go to, without a trailing slash."""
        return self._executor.context.base_url

    @property
    def timeout(self) -> float:
        """Seconds for one attempt; ``math.inf`` for no bound."""
        return self._executor.options.timeout

    def token_fingerprint(self, key: bytes) -> str:
        """Return a keyed hash of the access token. A program can recognise the token by it without storing the token.

        Args:
            key: at most 64 bytes. Hashes with different keys cannot be compared.

        """
        return self._executor.context.fingerprint(key)

    def __repr__(self) -> str:
        if not hasattr(self, "_executor"):
            # In a traceback of the constructor, which has refused a setting.
            return "<MarketingBlocks, not set up>"
        state = "open" if self.is_open else "not open"
        return f"<MarketingBlocks at {self._executor.context.base_url}, {state}>"

    def __reduce__(self) -> NoReturn:
        """Refuse: a client holds a token and sockets."""
        msg = "a client is not pickled; make one in the other process"
        raise TypeError(msg)

    async def open(self) -> None:
        """Open the client on the running event loop; ``async with`` does it.

        Raises:
            ConfigurationError: it is open on another event loop, another client of this process uses the same token
                with another rate limit, the session that was handed in would send credentials of ``.netrc``, or the
                environment's proxy for the API cannot be used.

        """
        await check_hooks()
        await self._pools[0].check_environment(self.base_url)
        opened: tuple[Transport, ...] = ()
        try:
            for pool in self._pools:
                pool.open()
                opened += (pool,)
            self._executor.context.bind(self._pools[0])
        except BaseException:
            await _close(opened)
            raise

    async def close(self) -> None:
        """Close the client; ``async with`` does it. Calls that are still waiting or in flight end with an error.

        A session that was handed in stays open. Copies made by ``with_options()`` and ``with_token()`` close too.

        Raises:
            ConfigurationError: it is open on another event loop.

        """
        await _close(self._pools)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    if not TYPE_CHECKING:
        # Type checkers report it by themselves; Python's own message has no way out.
        def __enter__(self) -> NoReturn:
            msg = "MarketingBlocks needs 'async with'; without asyncio, take that of marketingblocks_async.blocking"
            raise TypeError(msg)

        __exit__ = __enter__

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._pools[0].is_open

    @property
    def rate_limiter(self) -> Limiter:
        """The limiter of this client's token; ``rate_limiter.snapshot()`` explains what it is doing.

        Raises:
            ConfigurationError: the client was never open, or its limit is lifted.

        """
        context = self._executor.context
        if context.rate_limit.limit is None:
            msg = "this client has no limiter: its limit is lifted (RateLimit(limit=None))"
            raise ConfigurationError(msg)
        if context.limiter is None and self._pools[0].is_open:
            context.bind(self._pools[0])
        if context.limiter is None:
            msg = "the limiter belongs to an open client; use it inside 'async with', or call open() first"
            raise ConfigurationError(msg)
        return context.limiter

    @property
    def has_limiter(self) -> bool:
        """Whether ``rate_limiter`` exists: from ``open()`` on, or for a copy from its first call on."""
        return self._executor.context.limiter is not None

    @property
    def connection_slots(self) -> ConnectionSlots | None:
        """The cap on connections, shared with all copies; ``None`` if there is none."""
        return self._executor.context.slots

    @property
    def with_raw_response(self) -> RawClient:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it.

            response = await client.with_raw_response.posts.get(1246)
            response.result, response.status, response.headers, response.body
            response.attempts, response.waited

        ``client.posts.with_raw_response.get(1246)`` is the same. A call that fails raises what it raises otherwise.
        """
        return RawClient(self._executor, self._copy)

    def with_options(self, **changes: Unpack[ChangedOptions]) -> MarketingBlocks:
        """Return a copy with other options over the same connections and the same limiter.

        The copy is cheap, lives as long as this client, and need not be opened or closed.

        Args:
            changes: any of ``timeout``, ``deadline``, ``retry``, ``max_retries`` (as in the constructor), and ``lane``
                (``Lane.BULK`` lets its calls wait behind all ordinary ones of the token).

        Raises:
            ConfigurationError: a value is out of its range.
            TypeError: an option that does not exist.

        """
        options = change(self._executor.options, changes, "with_options()")
        docs_options = change(self._docs_executor.options, changes, "with_options()")
        return self._copy(self._executor.with_options(options), self._docs_executor.with_options(docs_options))

    def with_token(self, token: str, *, rate_limit: RateLimit | SharedRateLimit | None = None) -> MarketingBlocks:
        """Return a copy for another access token over the same connections, with that token's own limiter.

        The copy is cheap, lives as long as this client, and need not be opened or closed.

        Args:
            token: the other access token.
            rate_limit: its limit; by default the same settings as this client's.

        Raises:
            ConfigurationError: the token cannot be one.

        """
        if cast("object", token) is None:
            # Not that of the environment: it would be the token of another account than the caller means.
            msg = "with_token(None): give the other access token"
            raise ConfigurationError(msg)
        try:
            secret = resolve_token(token)
        finally:
            # Crash reports show local variables.
            del token
        check_rate_limit(rate_limit or RateLimit())
        context = self._executor.context
        if context.slots is not None:
            context.slots.is_shared = True
        other = TokenContext(secret, context.base_url, rate_limit or context.rate_limit, context.budget, context.slots)
        return self._copy(self._executor.with_context(other))

    def _copy(self, executor: Executor, docs_executor: Executor | None = None) -> MarketingBlocks:
        copy = object.__new__(type(self))
        # With the attributes of subclasses, but without the groups of operations, which belong to one executor.
        parts = {name for name, value in vars(MarketingBlocks).items() if isinstance(value, _Part)}
        vars(copy).update({name: value for name, value in vars(self).items() if name not in parts})
        copy._executor = executor
        if docs_executor is not None:
            copy._docs_executor = docs_executor
        return copy

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        resend: bool | None = None,
        extra_headers: Mapping[str, str] | None = None,
        **overrides: Unpack[ChangedOptions],
    ) -> Any:
        """Make a call that the documentation does not show, under the same limit and the same retry rules.

        Args:
            method: ``GET``, ``HEAD``, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
            path: below the API root, for example ``"social-sparks/any-path"``.
            params: query; ``None`` values are left out, lists become comma-separated.
            json: body, any JSON value; ``None`` for no body.
            resend: whether the call may be sent again when it is not known whether the first one arrived. By default
                yes for ``GET`` and ``HEAD``, no for all others.
            extra_headers: headers to send beside the client's own.
            overrides: ``timeout``, ``deadline``, ``retry``, ``max_retries``, ``lane`` for this call alone; see
                ``with_options()``.

        Returns:
            The decoded JSON value; ``None`` for a 204 or a response to ``HEAD``.

        Raises:
            InvalidArgumentError: ``path`` leads out of the API root, the method is unknown, ``params`` is no mapping,
                JSON cannot hold ``json`` (such as NaN), or an option or a header cannot work.
            TypeError: ``json`` is no JSON value.
            OutcomeUnknownError: it may have been carried out; it was not sent again.
            MarketingBlocksError: the call failed otherwise.

        """
        method = method.upper()
        if method not in _METHODS:
            msg = f"method={method!r}: give one of {', '.join(_METHODS)}"
            raise InvalidArgumentError(msg)
        resend_is_harmless = method in ("GET", "HEAD") if resend is None else resend
        operation = GenericOperation(name=path, method=method, permission=None, resend_is_harmless=resend_is_harmless)
        params = None if params is None else check_fields(params, "params")
        body = None if json is None else encode_json(json)
        # Copies, since the caller may change its objects before an error shows them.
        sent = {
            "params": None if params is None else {name: _copy_of(value) for name, value in params.items()},
            "json": None if body is None else json_module.loads(body),
        }
        request = {"method": method, "path": path, **sent}
        executor = self._executor.with_options(change_for_call(self._executor.options, overrides, "request()"))
        call = Call(operation, request, self._url_of(path, params), body)
        if extra_headers:
            call.extra_headers = executor.context.check_headers(extra_headers)
        return await executor.execute(call)

    async def raw(self, call: Callable[[MarketingBlocks], Awaitable[T]]) -> RawResponse[T]:
        """Make a call and return the whole response and what it took, beside the result.

            response = await client.raw(lambda client: client.posts.get(1246))

        It works for every method that calls the API; ``with_raw_response`` is shorter. A call that fails raises what it
        raises otherwise; an ``APIError`` has status, headers, body and attempts as well.

        Args:
            call: is given a copy of this client, and returns what the one call on it returns.

        Returns:
            The result, and the response as it came; if the server echoed the access token, without it.

        Raises:
            TypeError: ``call`` called nothing.
            MarketingBlocksError: what the call raises.

        """
        return await respond_raw(self._executor, self._copy, call)

    def _url_of(self, path: str, params: Mapping[str, Any] | None) -> URL:
        """Return the address of ``path``, which must be below the API root: the token goes nowhere else."""
        root = URL(self._executor.context.base_url)
        if not path.isprintable() or "#" in path or "\\" in path:
            msg = f"path={path!r} holds a '#', a backslash or what cannot be printed; percent-encode it (quote())"
            raise InvalidArgumentError(msg)
        given, _, query = path.partition("?")
        # As a path and nothing else, so that "https://…" or "//host" cannot name another host.
        url = URL(f"{root}/{given.lstrip('/')}")
        # Some servers decode before they resolve, and some take a backslash for a slash.
        leads_up = ".." in re.split(r"[/\\]", unquote(given))
        if leads_up or url.origin() != root.origin() or "://" in given:
            msg = f"path={path!r} must be below the API root {root}, for example 'social-sparks/any-path'"
            raise InvalidArgumentError(msg)
        # Percent-encoded characters stay as they are.
        given_query = quote(query, safe="%/?:@!$&'()*+,;=~-._")
        both = "&".join(part for part in (given_query, encode_query(params or {}).removeprefix("?")) if part)
        return URL(f"{url}?{both}" if both else str(url), encoded=True)


class RawClient(RawForm[MarketingBlocks]):
    """``with_raw_response``: the methods of a client; each returns a ``RawResponse``."""

    request: Final = raw_form(MarketingBlocks.request)

    @property
    def posts(self) -> RawPosts:
        """Create, find, list posts."""
        return RawPosts(self._executor, Posts)

    @property
    def generations(self) -> RawGenerations:
        """AI post generation."""
        return RawGenerations(self._executor, Generations)

    @property
    def channels(self) -> RawChannels:
        """Connected accounts."""
        return RawChannels(self._executor, Channels)

    @property
    def comment_automations(self) -> RawCommentAutomations:
        """Bots that answer comments."""
        return RawCommentAutomations(self._executor, CommentAutomations)


def check_rate_limit(rate_limit: object) -> None:
    """Refuse anything but a rate limit with a ``ConfigurationError``."""
    if not isinstance(rate_limit, RateLimit | SharedRateLimit):
        msg = f"rate_limit={rate_limit!r}: give a RateLimit(…)"
        raise ConfigurationError(msg)


async def _close(pools: Iterable[Transport]) -> None:
    # All before anything is awaited, since the client may be opened again meanwhile. Cancelled, it leaves nothing open.
    await asyncio.shield(asyncio.gather(*(task for pool in pools for task in pool.begin_close())))


def _copy_of(value: Any) -> Any:
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else value
