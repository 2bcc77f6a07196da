"""What a fault does to the answer: another answer, or something that is done to the connection itself."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from aiohttp import web

from marketingblocks_async.sandbox.api.answers import EXPIRED_OR_INVALID, Answer, error, json_answer
from marketingblocks_async.sandbox.ledger.ledger import NO_ANSWER

from .faults import Fault

_STALL_CHECK_INTERVAL = 0.25
_CHUNK = b"x" * 65536
_RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)

Perform = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class WireAct:
    """Something that is done to the connection instead of simply answering.

    Attributes:
        status: what the ledger records: the status of the answer, or :data:`~.ledger.NO_ANSWER` if the connection ends
            without a complete one.
        perform: does it. What it returns is for aiohttp and changes nothing more on a closed connection.

    """

    status: int
    perform: Perform


def response_of(answer: Answer) -> web.Response:
    """Return the answer as aiohttp sends it."""
    return web.Response(
        body=answer.body, status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers}
    )


@dataclass(frozen=True, slots=True)
class Disturbed:
    """A request that met a fault.

    Attributes:
        fault: the fault.
        intended: what the request would get otherwise, or 200 with nothing particular if it was not carried out.
        permission: what its endpoint needs.
        authorization: its ``Authorization`` header.

    """

    fault: Fault
    intended: Answer
    permission: str
    authorization: str

    @property
    def params(self) -> Mapping[str, Any]:
        """The fault's parameters."""
        return self.fault.params


def disrupt(disturbed: Disturbed) -> Answer | WireAct:
    """Return what a request gets that met a fault."""
    return _BY_KIND[disturbed.fault.kind](disturbed)


def _retry_after(disturbed: Disturbed) -> dict[str, str]:
    value = disturbed.params["retry_after"]
    return {} if value is None else {"Retry-After": value}


def _echo(disturbed: Disturbed) -> Answer:
    received = disturbed.authorization
    message = f"Could not process the header Authorization: {received}"
    return error(500, message, headers={"X-Echo-Authorization": received})


def _redirect(disturbed: Disturbed) -> Answer:
    params = disturbed.params
    return json_answer({"status": True}, params["status"], {"Location": params["location"] or "/"})


def _stall_or_delay(disturbed: Disturbed) -> WireAct:
    return _delay(disturbed) if disturbed.params["delay"] > 0 else WireAct(NO_ANSWER, _stall)


def _delay(disturbed: Disturbed) -> WireAct:
    return WireAct(disturbed.intended.status, _late(disturbed.intended, disturbed.params["delay"]))


async def _drop(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return web.Response()


async def _reset(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
    return web.Response()


async def _stall(request: web.BaseRequest) -> web.StreamResponse:
    while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 - aiohttp has no event
        await asyncio.sleep(_STALL_CHECK_INTERVAL)
    return web.Response()


def _late(answer: Answer, delay: float) -> Perform:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        del request
        await asyncio.sleep(delay)
        return response_of(answer)

    return perform


def _drip(answer: Answer, interval: float) -> Perform:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        response = _stream(answer, len(answer.body))
        try:
            await response.prepare(request)
            for position in range(len(answer.body)):
                await response.write(answer.body[position : position + 1])
                await asyncio.sleep(interval)
        except ConnectionError:
            pass  # the client has gone, which is its right
        return response

    return perform


def _truncated(answer: Answer) -> Perform:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        response = _stream(answer, len(answer.body) + 1)
        try:
            await response.prepare(request)
            await response.write(answer.body[: len(answer.body) // 2])
        except ConnectionError:
            pass  # the client has gone, which is its right
        await _drop(request)
        return response

    return perform


def _huge(mib: int) -> Perform:
    async def perform(request: web.BaseRequest) -> web.StreamResponse:
        begin, end = b'{"status": true, "padding": "', b'"}'
        chunks = max(0, mib) * 16 + 1
        response = _stream(Answer(200, b""), len(begin) + chunks * len(_CHUNK) + len(end))
        try:
            await response.prepare(request)
            await response.write(begin)
            for _ in range(chunks):
                await response.write(_CHUNK)
            await response.write(end)
        except ConnectionError:
            pass  # the client has gone, which is what this fault is for
        return response

    return perform


def _stream(answer: Answer, length: int) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type, **answer.headers})
    response.content_length = length
    return response


_GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

_BY_KIND: Mapping[str, Callable[[Disturbed], Answer | WireAct]] = MappingProxyType(
    {
        "bad_request": lambda _: error(400, "Bad request."),
        "broken_json": lambda _: Answer(200, b'{"status": true, "post_id": '),
        "commit_then_500": lambda _: error(500, "Server Error"),
        "commit_then_drop": lambda _: WireAct(NO_ANSWER, _drop),
        "commit_then_stall": _stall_or_delay,
        "drip": lambda it: WireAct(it.intended.status, _drip(it.intended, it.params["interval"])),
        "drop_before": lambda _: WireAct(NO_ANSWER, _drop),
        "echo_authorization": _echo,
        "empty_body": lambda _: Answer(200, b""),
        "error_500": lambda _: error(500, "Server Error"),
        "error_503": lambda _: error(503, "Service Unavailable"),
        "error_503_retry_after": lambda it: error(503, "Service Unavailable", headers=_retry_after(it)),
        "expire_token": lambda _: error(401, EXPIRED_OR_INVALID),
        "forbidden": lambda it: error(403, f"This token lacks the permission {it.permission}."),
        "html_502": lambda _: Answer(502, _GATEWAY_PAGE, content_type="text/html"),
        "huge_body": lambda it: WireAct(200, _huge(it.params["mib"])),
        "not_found": lambda _: error(404, "Not found."),
        "post_fails": lambda it: it.intended,
        "redirect": _redirect,
        "reset": lambda _: WireAct(NO_ANSWER, _reset),
        "slow_answer": _delay,
        "status_false": lambda it: error(200, it.params["message"]),
        "too_many_requests": lambda it: error(429, "Too many requests.", headers=_retry_after(it)),
        "truncated_json": lambda it: WireAct(NO_ANSWER, _truncated(it.intended)),
        "unauthorized": lambda _: error(401, EXPIRED_OR_INVALID),
        "unprocessable": lambda _: error(
            422, "The given data was invalid.", errors={"caption_text": ["It is invalid."]}
        ),
        "wrong_shape": lambda it: Answer(200, it.params["body"].encode(errors="replace")),
    }
)
