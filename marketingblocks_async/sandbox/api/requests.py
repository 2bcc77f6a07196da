"""The documented API: one request from its arrival to its answer.

The order is: the whole request has arrived; simulated network; counted; token; limit; path; permission; validation;
carried out; latency; answer. From counting to carrying out nothing waits, so requests are carried out in the order in
which they are counted. A request is counted and carried out even if its client has gone meanwhile, as on a real
network.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from aiohttp import web

from marketingblocks_async.endpoints import CREATE_POST_GENERATION
from marketingblocks_async.sandbox.faults.faults import Fault, FaultPlan
from marketingblocks_async.sandbox.faults.kinds import Disturbed, WireAct, disrupt, response_of
from marketingblocks_async.sandbox.ledger.ledger import (
    MISSING_TOKEN,
    UNKNOWN_PATH,
    UNKNOWN_TOKEN,
    Commit,
    FaultFiring,
    Ledger,
)
from marketingblocks_async.sandbox.retry_after import retry_after_header
from marketingblocks_async.sandbox.settings import SandboxSettings
from marketingblocks_async.sandbox.state.clock import SandboxClock
from marketingblocks_async.sandbox.state.tokens import Token, TokenBook

from .answers import EXPIRED_OR_INVALID, Answer, error, json_answer
from .operations import Call, Operations
from .routes import AnyEndpoint, Route, Routes

MAX_BODY_BYTES = 32 * 1024 * 1024
"""A request body above this is answered 413."""


@dataclass(slots=True)
class _Exchange:
    route: Route
    name: str
    token: Token | None
    label: str
    authorization: str
    arrived_at: float = 0.0
    committed: bool = False


class Api:
    """Answers the requests to the documented API, and to every path that nothing else answers.

    Args:
        settings: how the sandbox behaves.
        clock: its time.
        ledger: records what happens.
        tokens: the access tokens.
        faults: what goes wrong.
        routes: from path to operation.
        operations: what the operations do.
        chance: source of the network's jitter.

    """

    def __init__(
        self,
        *,
        settings: SandboxSettings,
        clock: SandboxClock,
        ledger: Ledger,
        tokens: TokenBook,
        faults: FaultPlan,
        routes: Routes,
        operations: Operations,
        chance: random.Random,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._tokens = tokens
        self._faults = faults
        self._routes = routes
        self._operations = operations
        self._chance = chance

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            body = await read_body(request)
        except (ConnectionError, web.RequestPayloadError):
            self._ledger.incomplete_requests += 1
            return response_of(error(400, "The request body is broken."))
        exchange = self._identify(request)
        if self._settings.jitter:
            await asyncio.sleep(self._chance.uniform(0, self._settings.jitter))
        slow = self._faults.before_counting(exchange.name, exchange.label)
        if slow is not None:
            await asyncio.sleep(slow.params["delay"])

        exchange.arrived_at = self._clock.monotonic()
        self._ledger.arrived(exchange.label, exchange.name, exchange.arrived_at)
        outcome = self._refusal(exchange) or self._execute(exchange, request, body)
        if slow is not None:
            self._record_firing(slow, exchange)

        if self._settings.latency:
            await asyncio.sleep(self._settings.latency)
        self._ledger.answered(exchange.label, exchange.name, outcome.status)
        if isinstance(outcome, WireAct):
            return await outcome.perform(request)
        return response_of(outcome)

    def _identify(self, request: web.BaseRequest) -> _Exchange:
        route = self._routes.find(request.method, request.path)
        name = UNKNOWN_PATH if route.endpoint is None else route.endpoint.name
        authorization = request.headers.get("Authorization", "")
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return _Exchange(route, name, None, MISSING_TOKEN, authorization)
        token = self._tokens.find(secret.strip())
        return _Exchange(route, name, token, UNKNOWN_TOKEN if token is None else token.name, authorization)

    def _refusal(self, exchange: _Exchange) -> Answer | None:
        """Return why the request is refused whatever it holds: token, limit, path or permission."""
        token, endpoint = exchange.token, exchange.route.endpoint
        if token is None or not token.present(self._clock.world()):
            return error(401, EXPIRED_OR_INVALID)
        wait = token.policy.judge(exchange.arrived_at)
        if wait is not None:
            self._ledger.refused_by_limit(exchange.label)
            return self._too_many_requests(wait)
        if endpoint is None:
            return _no_such_route(exchange.route)
        if not token.may(endpoint.permission):
            message = f"This token lacks the permission {endpoint.permission}."
            return error(self._missing_permission_status(endpoint), message)
        return None

    def _execute(self, exchange: _Exchange, request: web.BaseRequest, body: bytes | None) -> Answer | WireAct:
        if body is None:
            return error(413, f"The request body is larger than {MAX_BODY_BYTES} bytes.")
        call = self._operations.check(exchange.name, body, request.query, exchange.route.path_value)
        if isinstance(call, Answer):
            return call
        fault = self._faults.before_execution(exchange.name, exchange.label)
        if fault is None:
            return self._carry_out(exchange, call)
        if fault.kind == "expire_token" and exchange.token is not None:
            exchange.token.expire()
        call.post_fails = fault.kind == "post_fails"
        intended = self._carry_out(exchange, call) if fault.commits else json_answer({"status": True})
        self._record_firing(fault, exchange)
        endpoint = exchange.route.endpoint
        permission = "" if endpoint is None else endpoint.permission
        return disrupt(Disturbed(fault, intended, permission, exchange.authorization))

    def _carry_out(self, exchange: _Exchange, call: Call) -> Answer:
        result = self._operations.carry_out(call)
        if result.carried_out:
            exchange.committed = True
            self._ledger.carried_out(exchange.label, exchange.name)
            if result.changed_id is not None:
                self._ledger.committed(
                    Commit(exchange.name, exchange.label, exchange.arrived_at, result.changed_id, call.raw)
                )
        return result.answer

    def _record_firing(self, fault: Fault, exchange: _Exchange) -> None:
        self._ledger.fault_fired(
            FaultFiring(fault.kind, exchange.name, exchange.label, exchange.arrived_at, exchange.committed)
        )

    def _too_many_requests(self, wait: float) -> Answer:
        settings = self._settings
        world = self._clock.monotonic() + self._clock.calendar_offset
        header = retry_after_header(settings.retry_after, wait, world)
        message = f"Too many requests: a token is limited to {settings.limit} requests per {settings.per:g} s."
        return error(429, message, headers=None if header is None else {"Retry-After": header})

    def _missing_permission_status(self, endpoint: AnyEndpoint) -> int:
        if self._settings.variants.missing_permission is not None:
            return self._settings.variants.missing_permission
        # The page of create-post-generation says 401; the authentication page lists 403.
        return 401 if endpoint.name == CREATE_POST_GENERATION.name else 403


async def read_body(request: web.BaseRequest) -> bytes | None:
    """Return the whole body of a request, or ``None`` if it is larger than :data:`MAX_BODY_BYTES`.

    Raises:
        ConnectionError: the client has gone before its end.
        aiohttp.web.RequestPayloadError: it is broken.

    """
    if not request.can_read_body:
        return b""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await request.content.readany()
    if request.content.at_eof():
        return body
    chunks = [body]
    size = len(body)
    while chunk := await request.content.readany():
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
    return b"".join(chunks) if size <= MAX_BODY_BYTES else None


def _no_such_route(route: Route) -> Answer:
    if route.allowed:
        allowed = ", ".join(route.allowed)
        return error(405, f"Method not allowed; use {allowed}.", headers={"Allow": allowed})
    return error(404, "Not found.")
