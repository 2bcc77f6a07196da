"""The kinds of fault: one entry each, with its summary, its parameters and what it does.

To add a kind, add an entry to ``FAULT_KINDS``. The tests, the command's help and the dashboard read the table.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aiohttp import web

from marketingblocks_async.sandbox.ledger.records import NO_ANSWER
from marketingblocks_async.sandbox.responses import EXPIRED_OR_INVALID, Response, error_response, json_response

_STALL_CHECK_INTERVAL = 0.25
_CHUNK = b"x" * 65536
# SO_LINGER on, for 0 seconds: closing sends an RST instead of a FIN.
_RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
_GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


@dataclass(frozen=True, slots=True)
class FaultContext:
    """The request that meets a fault.

    Attributes:
        params: the fault's parameters.
        intended: the response that the request would get without the fault; a plain 200 if it is not carried out.
        permission: the permission that its endpoint needs.
        authorization: its ``Authorization`` header.

    """

    params: Mapping[str, Any]
    intended: Response
    permission: str
    authorization: str


@dataclass(frozen=True, slots=True)
class WireFault:
    """A fault of the connection, which takes the place of a plain response.

    Attributes:
        status: status that the ledger records, ``NO_ANSWER`` if the response never ends.
        perform: serves the request. aiohttp needs its result, and ignores it on a closed connection.

    """

    status: int
    perform: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault.

    Attributes:
        summary: what it does, in one line.
        apply: returns the response that the request gets instead of the intended one.
        commits: whether the request is carried out.
        commit_is_free: whether the parameter ``commit`` may change that.
        params: parameters and their defaults. The default's type is the parameter's; ``None`` means a text or nothing.
        before_counting: whether it holds the request for ``delay`` seconds before it is counted. All other kinds act
            after the request has passed the limit, the token and the validation.
        only: the one endpoint that it makes sense for, ``None`` for all.
        expires_token: whether the token is invalid from this request on.
        post_fails: whether the post that the request creates becomes ``failed``.

    """

    summary: str
    apply: Callable[[FaultContext], Response | WireFault]
    commits: bool
    commit_is_free: bool = False
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    before_counting: bool = False
    only: str | None = None
    expires_token: bool = False
    post_fails: bool = False


def _always(response: Response) -> Callable[[FaultContext], Response]:
    return lambda _: response


def _unchanged(context: FaultContext) -> Response:
    return context.intended


def _retry_after(context: FaultContext) -> dict[str, str]:
    value = context.params["retry_after"]
    return {} if value is None else {"Retry-After": value}


def _echo(context: FaultContext) -> Response:
    received = context.authorization
    message = f"Could not process the header Authorization: {received}"
    return error_response(500, message, headers={"X-Echo-Authorization": received})


def _redirect(context: FaultContext) -> Response:
    params = context.params
    return json_response({"status": True}, params["status"], {"Location": params["location"] or "/"})


def _drop(_: FaultContext) -> WireFault:
    return WireFault(NO_ANSWER, _close)


async def _close(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def _reset(_: FaultContext) -> WireFault:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        if request.transport is not None:
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            request.transport.abort()
        return web.Response()

    return WireFault(NO_ANSWER, perform)


def _stall(context: FaultContext) -> WireFault:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_STALL_CHECK_INTERVAL)
        return web.Response()

    return _delay(context) if context.params["delay"] > 0 else WireFault(NO_ANSWER, perform)


def _delay(context: FaultContext) -> WireFault:
    async def perform(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(context.params["delay"])
        return context.intended.to_aiohttp()

    return WireFault(context.intended.status, perform)


def _drip(context: FaultContext) -> WireFault:
    response, interval = context.intended, context.params["interval"]

    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        stream = _stream(response, len(response.body))
        try:
            await stream.prepare(request)
            for position in range(len(response.body)):
                await stream.write(response.body[position : position + 1])
                await asyncio.sleep(interval)
        except ConnectionError:
            pass  # the client may leave before the end
        return stream

    return WireFault(response.status, perform)


def _truncate(context: FaultContext) -> WireFault:
    response = context.intended

    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        stream = _stream(response, len(response.body) + 1)
        try:
            await stream.prepare(request)
            await stream.write(response.body[: len(response.body) // 2])
        except ConnectionError:
            pass  # the client may leave before the end
        await _close(request)
        return stream

    return WireFault(NO_ANSWER, perform)


def _huge(context: FaultContext) -> WireFault:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        begin, end = b'{"status": true, "padding": "', b'"}'
        chunks = max(0, context.params["mib"]) * 16 + 1
        stream = _stream(Response(200, b"", context.intended.headers), len(begin) + chunks * len(_CHUNK) + len(end))
        try:
            await stream.prepare(request)
            await stream.write(begin)
            for _ in range(chunks):
                await stream.write(_CHUNK)
            await stream.write(end)
        except ConnectionError:
            pass  # this fault is there to make clients stop reading
        return stream

    return WireFault(200, perform)


def _stream(response: Response, length: int) -> web.StreamResponse:
    headers = {"Content-Type": response.content_type, **response.headers}
    stream = web.StreamResponse(status=response.status, headers=headers)
    stream.content_length = length
    return stream


FAULT_KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        "commit_then_drop": FaultKind(
            "carried out, then the connection closes without a response", _drop, commits=True
        ),
        "commit_then_500": FaultKind(
            "carried out, then response 500", _always(error_response(500, "Server Error")), commits=True
        ),
        "commit_then_stall": FaultKind(
            "carried out, then no response: never (delay 0) or after delay seconds",
            _stall,
            commits=True,
            params={"delay": 0.0},
        ),
        "drop_before": FaultKind("not carried out; the connection closes without a response", _drop, commits=False),
        "reset": FaultKind("the connection is reset (TCP RST)", _reset, commits=False, commit_is_free=True),
        "error_500": FaultKind("response 500", _always(error_response(500, "Server Error")), commits=False),
        "error_503": FaultKind(
            "response 503 without Retry-After", _always(error_response(503, "Service Unavailable")), commits=False
        ),
        "error_503_retry_after": FaultKind(
            "response 503 with Retry-After",
            lambda context: error_response(503, "Service Unavailable", headers=_retry_after(context)),
            commits=False,
            commit_is_free=True,
            params={"retry_after": "1"},
        ),
        "too_many_requests": FaultKind(
            "response 429 although the limit is kept, with Retry-After if given",
            lambda context: error_response(429, "Too many requests.", headers=_retry_after(context)),
            commits=False,
            params={"retry_after": None},
        ),
        "html_502": FaultKind(
            "response 502 with a gateway's HTML page",
            _always(Response(502, _GATEWAY_PAGE, content_type="text/html")),
            commits=False,
            commit_is_free=True,
        ),
        "truncated_json": FaultKind(
            "response 200, but the connection closes in the middle of the body",
            _truncate,
            commits=True,
            commit_is_free=True,
        ),
        "broken_json": FaultKind(
            "response 200 with a complete body that is not JSON",
            _always(Response(200, b'{"status": true, "post_id": ')),
            commits=True,
            commit_is_free=True,
        ),
        "wrong_shape": FaultKind(
            "response 200 with JSON of another shape",
            lambda context: Response(200, context.params["body"].encode(errors="replace")),
            commits=True,
            commit_is_free=True,
            params={"body": '["unexpected", 42]'},
        ),
        "empty_body": FaultKind(
            "response 200 with an empty body", _always(Response(200, b"")), commits=True, commit_is_free=True
        ),
        "status_false": FaultKind(
            'response 200 with {"status": false, ...}',
            lambda context: error_response(200, context.params["message"]),
            commits=False,
            commit_is_free=True,
            params={"message": "The request could not be processed."},
        ),
        "slow": FaultKind(
            "held for delay seconds before it is counted",
            _unchanged,
            commits=True,
            params={"delay": 1.0},
            before_counting=True,
        ),
        "slow_answer": FaultKind(
            "carried out; the response comes after delay seconds", _delay, commits=True, params={"delay": 1.0}
        ),
        "drip": FaultKind(
            "carried out; the response comes byte by byte, interval seconds apart",
            _drip,
            commits=True,
            params={"interval": 0.01},
        ),
        "redirect": FaultKind(
            "response with a redirect to location",
            _redirect,
            commits=False,
            params={"location": "/elsewhere", "status": 302},
        ),
        "unauthorized": FaultKind("response 401", _always(error_response(401, EXPIRED_OR_INVALID)), commits=False),
        "forbidden": FaultKind(
            "response 403",
            lambda context: error_response(403, f"This token lacks the permission {context.permission}."),
            commits=False,
        ),
        "not_found": FaultKind("response 404", _always(error_response(404, "Not found.")), commits=False),
        "bad_request": FaultKind("response 400", _always(error_response(400, "Bad request.")), commits=False),
        "unprocessable": FaultKind(
            "response 422 with an errors map",
            _always(error_response(422, "The given data was invalid.", errors={"caption_text": ["It is invalid."]})),
            commits=False,
        ),
        "expire_token": FaultKind(
            "the token expires with this request; response 401",
            _always(error_response(401, EXPIRED_OR_INVALID)),
            commits=False,
            expires_token=True,
        ),
        "huge_body": FaultKind(
            "response 200 with a JSON body of more than mib MiB",
            _huge,
            commits=True,
            commit_is_free=True,
            params={"mib": 64},
        ),
        "echo_authorization": FaultKind(
            "response 500 with the Authorization header in the body and in a header", _echo, commits=False
        ),
        "post_fails": FaultKind(
            "carried out; the new post becomes failed instead of published",
            _unchanged,
            commits=True,
            only="create-post",
            post_fails=True,
        ),
    }
)
"""Every kind of fault, by name."""
