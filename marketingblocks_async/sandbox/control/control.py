"""The sandbox's own paths under ``/_sandbox``: read its ledger and change its faults from outside.

They need no token, are not counted, and are not part of the MarketingBlocks API.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from marketingblocks_async.models.base import is_array, is_object
from marketingblocks_async.sandbox.faults import ArmedFault, Fault, FaultPlan
from marketingblocks_async.sandbox.ledger import Ledger
from marketingblocks_async.sandbox.responses import Response, error_response, json_response
from marketingblocks_async.sandbox.scenario import Scenario
from marketingblocks_async.sandbox.settings import SandboxSettings, readable
from marketingblocks_async.sandbox.state.clock import SandboxClock
from marketingblocks_async.sandbox.state.posts import PostStore
from marketingblocks_async.sandbox.state.tokens import TokenBook, TokenSpec

from .dashboard import DashboardState

CONTROL_PREFIX = "/_sandbox/"
"""Prefix of the paths."""

_ModelT = TypeVar("_ModelT")


class BadControlRequestError(ValueError):
    """A request to the sandbox's own paths that cannot be understood."""


class Control:
    """Serves the requests below ``CONTROL_PREFIX``."""

    def __init__(
        self,
        *,
        settings: SandboxSettings,
        clock: SandboxClock,
        ledger: Ledger,
        tokens: TokenBook,
        faults: FaultPlan,
        posts: PostStore,
        dashboard: DashboardState,
        scenario: Scenario,
        reset: Callable[[], Awaitable[None]],
        advance: Callable[[float], None],
        add_token: Callable[[TokenSpec], TokenSpec],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._tokens = tokens
        self._faults = faults
        self._posts = posts
        self._dashboard = dashboard
        self._scenario = scenario
        self._reset = reset
        self._advance_clock = advance
        self._add = add_token
        self._actions: dict[str, dict[str, Callable[[dict[str, str], bytes], Any]]] = {
            "health": {"GET": self._health},
            "ledger": {"GET": self._show_ledger},
            "arrivals": {"GET": self._arrivals},
            "compare": {"POST": self._compare},
            "posts": {"GET": self._show_posts},
            "faults": {"GET": self._show_faults, "POST": self._add_faults, "DELETE": self._clear_faults},
            "tokens": {"GET": self._show_tokens, "POST": self._add_token},
            "advance": {"POST": self._advance},
            "scenario": {"GET": self._show_scenario},
            "dashboard": {"GET": self._show_dashboard},
            "dashboard/choices": {"GET": self._show_choices},
        }

    async def handle(self, method: str, name: str, query: dict[str, str], body: bytes) -> Response:
        """Response one request.

        Args:
            method: HTTP method.
            name: the path below ``CONTROL_PREFIX``.
            query: the query's fields.
            body: the body.

        """
        if name == "reset" and method == "POST":
            await self._reset()
            return json_response({"status": True})
        methods = {"POST": None} if name == "reset" else self._actions.get(name)
        if methods is None:
            known = ", ".join(sorted({*self._actions, "reset"}))
            return error_response(404, f"There is no {CONTROL_PREFIX}{name}; there are {known}.")
        action = methods.get(method)
        if action is None:
            return error_response(
                405, f"Method not allowed; use {', '.join(methods)}.", headers={"Allow": ", ".join(methods)}
            )
        try:
            return json_response(action(query, body))
        except BadControlRequestError as exc:
            return error_response(400, str(exc))

    def _health(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        return {"status": True, "policy": self._settings.policy.value, "posts": len(self._posts)}

    def _show_ledger(self, query: dict[str, str], body: bytes) -> Any:
        del body
        try:
            return asdict(self._ledger.report(float(query.get("seconds", "1"))))
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None

    def _arrivals(self, query: dict[str, str], body: bytes) -> Any:
        del body
        token = query.get("token")
        return {"token": token, "arrivals": self._ledger.arrivals(token).tolist()}

    def _compare(self, query: dict[str, str], body: bytes) -> Any:
        del query
        value = _decoded(body)
        expected = value.get("expected") if is_object(value) else None
        if not is_array(expected) or not all(isinstance(item, str) or is_object(item) for item in expected):
            msg = 'send {"expected": [...]} with captions or whole requests'
            raise BadControlRequestError(msg)
        try:
            return asdict(self._ledger.compare(expected))
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None

    def _show_posts(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        return {
            "posts": [
                {
                    "post_id": post.post_id,
                    "STATUS": self._posts.status(post).value,
                    "created_at": post.created_at,
                    "leaves_at": post.leaves_at,
                    "request": post.request,
                }
                for post in self._posts
            ]
        }

    def _show_faults(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        return {"faults": [asdict(armed) for armed in self._faults.list()]}

    def _add_faults(self, query: dict[str, str], body: bytes) -> Any:
        value = _decoded(body)
        # All or none: first read every one of them.
        faults = [_read(Fault, item) for item in (value if is_array(value) else [value])]
        for fault in faults:
            self._faults.add(fault)
        self._scenario.made("faults", [asdict(fault) for fault in faults])
        return self._show_faults(query, body)

    def _clear_faults(self, query: dict[str, str], body: bytes) -> Any:
        self._faults.clear()
        self._scenario.made("faults", None)
        return self._show_faults(query, body)

    def _show_tokens(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        specs = [asdict(token.spec) for token in self._tokens]
        return {"tokens": [{name: value for name, value in spec.items() if name != "secret"} for spec in specs]}

    def _add_token(self, query: dict[str, str], body: bytes) -> Any:
        del query
        value = _decoded(body)
        if is_object(value):
            value.setdefault("name", self._tokens.unused_name())
        spec = _read(TokenSpec, value)
        try:
            added = self._add(spec)
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None
        return {"name": added.name, "token": added.secret}

    def _show_scenario(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        return asdict(self._scenario.report())

    def _show_dashboard(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        return self._dashboard.read()

    def _show_choices(self, query: dict[str, str], body: bytes) -> Any:
        del query, body
        return self._dashboard.choices()

    def _advance(self, query: dict[str, str], body: bytes) -> Any:
        del query
        value = _decoded(body)
        seconds = value.get("seconds") if is_object(value) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            msg = 'send {"seconds": number}'
            raise BadControlRequestError(msg)
        try:
            self._advance_clock(seconds)
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None
        return {"status": True, "world": self._clock.world()}


def armed_faults(value: Any) -> tuple[ArmedFault, ...]:
    """Read the response to ``GET /_sandbox/faults``."""
    return TypeAdapter(tuple[ArmedFault, ...]).validate_python(value["faults"])


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        msg = "the body is not valid JSON"
        raise BadControlRequestError(msg) from None


def _read(kind: type[_ModelT], value: Any) -> _ModelT:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as exc:
        raise BadControlRequestError(readable(exc)) from None
