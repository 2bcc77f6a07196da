"""One request to the documented API, from its arrival to its response.

The order is: the whole request has arrived; simulated network; counted; token; limit; path; permission; validation;
carried out; latency; response. Between counting and carrying out nothing waits, so requests are carried out in the
order in which they are counted. A request is counted and carried out even if its client has gone meanwhile, as on a
real network.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from aiohttp import web

from marketingblocks_async.endpoints import CREATE_POST_GENERATION, AnyEndpoint
from marketingblocks_async.sandbox.faults import FAULT_KINDS, Fault, FaultPlan
from marketingblocks_async.sandbox.faults.kinds import FaultContext, WireFault
from marketingblocks_async.sandbox.ledger import (
    MISSING_TOKEN,
    UNKNOWN_PATH,
    UNKNOWN_TOKEN,
    Commit,
    FaultFiring,
    Ledger,
)
from marketingblocks_async.sandbox.policies import AnchoredWindow, retry_after_header
from marketingblocks_async.sandbox.responses import EXPIRED_OR_INVALID, Response, error_response, json_response
from marketingblocks_async.sandbox.scenario import Decision, Scenario, Ticket
from marketingblocks_async.sandbox.settings import SandboxSettings
from marketingblocks_async.sandbox.state.clock import SandboxClock
from marketingblocks_async.sandbox.state.tokens import Token, TokenBook

from .operations import Operations, ValidatedRequest
from .routes import Route, Routes

MAX_BODY_BYTES = 32 * 1024 * 1024
"""A larger request body is answered 413."""


@dataclass(slots=True)
class _RequestState:
    route: Route
    endpoint_name: str
    token: Token | None
    token_label: str
    authorization: str
    ticket: Ticket | None = None
    arrived_at: float = 0.0
    committed: bool = False

    @property
    def played(self) -> Decision | None:
        """The decision about it in the recording that is replayed."""
        return None if self.ticket is None else self.ticket.played

    def decide(self, **decided: Any) -> None:
        """Keep a part of what is decided about it."""
        if self.ticket is not None:
            self.ticket.decision = replace(self.ticket.decision, **decided)


@dataclass(kw_only=True, eq=False)
class Api:
    """Responds to requests to the documented API, and to every path that nothing else serves."""

    settings: SandboxSettings
    clock: SandboxClock
    ledger: Ledger
    tokens: TokenBook
    faults: FaultPlan
    routes: Routes
    operations: Operations
    chance: random.Random
    scenario: Scenario | None

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one request."""
        try:
            body = await read_body(request)
        except (ConnectionError, web.RequestPayloadError):
            self.ledger.incomplete_requests += 1
            return error_response(400, "The request body is broken.").to_aiohttp()
        state = self._identify(request)
        if self.scenario is not None:
            content = f"{request.method} {request.path_qs}\n".encode(errors="replace") + (body or b"")
            state.ticket = self.scenario.arrive(state.endpoint_name, state.token_label, content)
        if self.settings.jitter:
            await asyncio.sleep(self.chance.uniform(0, self.settings.jitter))
        if state.played is None:
            slow = self.faults.before_counting(state.endpoint_name, state.token_label)
        else:
            slow = state.played.slow
        state.decide(slow=slow)
        if slow is not None:
            await asyncio.sleep(slow.params["delay"])

        state.arrived_at = self.clock.monotonic()
        self.ledger.arrived(state.token_label, state.endpoint_name, state.arrived_at)
        response = self._refusal(state) or self._execute(state, request, body)
        if slow is not None:
            self._record_firing(slow, state)
        if self.scenario is not None and state.ticket is not None:
            self.scenario.decided(state.ticket, state.arrived_at, response.status)

        if self.settings.latency:
            await asyncio.sleep(self.settings.latency)
        self.ledger.answered(state.token_label, state.endpoint_name, response.status)
        if isinstance(response, WireFault):
            return await response.perform(request)
        return self._with_limit_headers(state, response).to_aiohttp()

    def _identify(self, request: web.BaseRequest) -> _RequestState:
        route = self.routes.find(request.method, request.path)
        name = UNKNOWN_PATH if route.endpoint is None else route.endpoint.name
        authorization = request.headers.get("Authorization", "")
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return _RequestState(route, name, None, MISSING_TOKEN, authorization)
        token = self.tokens.find(secret.strip())
        return _RequestState(route, name, token, UNKNOWN_TOKEN if token is None else token.name, authorization)

    def _refusal(self, state: _RequestState) -> Response | None:
        """Return the refusal of a request because of its token, the limit, its path or a permission."""
        token, endpoint = state.token, state.route.endpoint
        if token is None:
            return error_response(401, EXPIRED_OR_INVALID)
        valid = token.present(self.clock.world())
        if state.played is not None:
            valid = state.played.valid
        state.decide(valid=valid)
        if not valid:
            return error_response(401, EXPIRED_OR_INVALID)
        wait = token.policy.judge(state.arrived_at)
        if state.played is not None:
            wait = state.played.limited
        state.decide(limited=wait)
        if wait is not None:
            self.ledger.refused_by_limit(state.token_label)
            return self._too_many_requests(wait)
        if endpoint is None:
            return _no_such_route(state.route)
        if not token.may(endpoint.permission):
            message = f"This token lacks the permission {endpoint.permission}."
            return error_response(self._missing_permission_status(endpoint), message)
        return None

    def _execute(self, state: _RequestState, request: web.BaseRequest, body: bytes | None) -> Response | WireFault:
        if body is None:
            return error_response(413, f"The request body is larger than {MAX_BODY_BYTES} bytes.")
        validated = self.operations.check(state.endpoint_name, body, request.query, state.route.path_value)
        if isinstance(validated, Response):
            return validated
        if state.played is None:
            fault = self.faults.before_execution(state.endpoint_name, state.token_label)
        else:
            fault = state.played.fault
        state.decide(fault=fault)
        if fault is None:
            return self._carry_out(state, validated)
        kind = FAULT_KINDS[fault.kind]
        if kind.expires_token and state.token is not None:
            state.token.expire()
        validated.post_fails = kind.post_fails
        intended = self._carry_out(state, validated) if fault.commits else json_response({"status": True})
        self._record_firing(fault, state)
        permission = "" if state.route.endpoint is None else state.route.endpoint.permission
        # A fault of the connection writes the response itself.
        intended = self._with_limit_headers(state, intended)
        return kind.apply(FaultContext(fault.params, intended, permission, state.authorization))

    def _carry_out(self, state: _RequestState, validated: ValidatedRequest) -> Response:
        result = self.operations.carry_out(validated)
        if result.carried_out:
            state.committed = True
            self.ledger.carried_out(state.token_label, state.endpoint_name)
            if result.changed_id is not None:
                self.ledger.committed(
                    Commit(state.endpoint_name, state.token_label, state.arrived_at, result.changed_id, validated.raw)
                )
        return result.response

    def _record_firing(self, fault: Fault, state: _RequestState) -> None:
        self.ledger.fault_fired(
            FaultFiring(fault.kind, state.endpoint_name, state.token_label, state.arrived_at, state.committed)
        )

    def _too_many_requests(self, wait: float) -> Response:
        settings = self.settings
        world = self.clock.monotonic() + self.clock.calendar_offset
        header = retry_after_header(settings.retry_after, wait, world)
        message = f"Too many requests: a token is limited to {settings.limit} requests per {settings.per:g} s."
        return error_response(429, message, headers=None if header is None else {"Retry-After": header})

    def _with_limit_headers(self, state: _RequestState, response: Response) -> Response:
        """Add the headers about the limit that Laravel sends with every response, and after a refusal."""
        policy = None if state.token is None else state.token.policy
        if not isinstance(policy, AnchoredWindow):
            return response
        headers = {"X-RateLimit-Limit": str(policy.limit), "X-RateLimit-Remaining": str(policy.remaining)}
        if response.status == 429 and not policy.remaining:
            headers.setdefault("Retry-After", str(max(1, ceil(policy.ends_at - state.arrived_at))))
            headers["X-RateLimit-Reset"] = str(ceil(policy.ends_at + self.clock.calendar_offset))
            # A style that was chosen takes the place of Laravel's.
            headers.update({name: value for name, value in response.headers.items() if name == "Retry-After"})
        return replace(response, headers={**response.headers, **headers})

    def _missing_permission_status(self, endpoint: AnyEndpoint) -> int:
        if self.settings.variants.missing_permission is not None:
            return self.settings.variants.missing_permission
        # The page of create-post-generation says 401; the authentication page lists 403.
        return 401 if endpoint.name == CREATE_POST_GENERATION.name else 403


async def read_body(request: web.BaseRequest) -> bytes | None:
    """Return the whole body of a request, or ``None`` if it is larger than ``MAX_BODY_BYTES``.

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


def _no_such_route(route: Route) -> Response:
    if route.allowed:
        allowed = ", ".join(route.allowed)
        return error_response(405, f"Method not allowed; use {allowed}.", headers={"Allow": allowed})
    return error_response(404, "Not found.")
