"""The sandbox's own paths under ``/_sandbox``: read its ledger and change its faults from outside.

They need no token, are not counted, and are not part of the MarketingBlocks API.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from marketingblocks_async.models.base import is_array, is_object
from marketingblocks_async.sandbox.faults import ArmedFault, Fault, FaultPlan
from marketingblocks_async.sandbox.ledger import Ledger
from marketingblocks_async.sandbox.responses import Response, error_response, json_response
from marketingblocks_async.sandbox.scenario import Scenario, without_secret
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


@dataclass(kw_only=True, eq=False)
class Control:
    """Serves the requests below ``CONTROL_PREFIX``."""

    settings: SandboxSettings
    clock: SandboxClock
    ledger: Ledger
    tokens: TokenBook
    faults: FaultPlan
    posts: PostStore
    dashboard: DashboardState
    scenario: Scenario
    reset: Callable[[], Awaitable[None]]
    advance: Callable[[float], None]
    add_token: Callable[[TokenSpec], TokenSpec]

    def __post_init__(self) -> None:
        """List the actions by path and method; each takes the query and the body."""
        self._actions: dict[str, dict[str, Callable[[dict[str, str], bytes], Any]]] = {
            "health": {"GET": lambda _, __: self._health()},
            "ledger": {"GET": lambda query, _: self._report(query)},
            "arrivals": {"GET": lambda query, _: self._arrivals(query.get("token"))},
            "compare": {"POST": lambda _, body: self._compare(body)},
            "posts": {"GET": lambda _, __: self._show_posts()},
            "faults": {
                "GET": lambda _, __: self._show_faults(),
                "POST": lambda _, body: self._add_faults(body),
                "DELETE": lambda _, __: self._clear_faults(),
            },
            "tokens": {"GET": lambda _, __: self._show_tokens(), "POST": lambda _, body: self._add_token(body)},
            "advance": {"POST": lambda _, body: self._advance(body)},
            "scenario": {"GET": lambda _, __: asdict(self.scenario.report())},
            "dashboard": {"GET": lambda _, __: self.dashboard.read()},
            "dashboard/choices": {"GET": lambda _, __: self.dashboard.choices()},
        }

    async def handle(self, method: str, name: str, query: dict[str, str], body: bytes) -> Response:
        """Serve the request to the path ``name`` below ``CONTROL_PREFIX``."""
        if name == "reset" and method == "POST":
            await self.reset()
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

    def _health(self) -> Any:
        return {"status": True, "policy": self.settings.policy.value, "posts": len(self.posts)}

    def _report(self, query: dict[str, str]) -> Any:
        try:
            return asdict(self.ledger.report(float(query.get("seconds", "1"))))
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None

    def _arrivals(self, token: str | None) -> Any:
        return {"token": token, "arrivals": self.ledger.arrivals(token).tolist()}

    def _compare(self, body: bytes) -> Any:
        value = _decoded(body)
        expected = value.get("expected") if is_object(value) else None
        if not is_array(expected) or not all(isinstance(item, str) or is_object(item) for item in expected):
            msg = 'send {"expected": [...]} with captions or whole requests'
            raise BadControlRequestError(msg)
        try:
            return asdict(self.ledger.compare(expected))
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None

    def _show_posts(self) -> Any:
        return {
            "posts": [
                {
                    "post_id": post.post_id,
                    "STATUS": self.posts.status(post).value,
                    "created_at": post.created_at,
                    "leaves_at": post.leaves_at,
                    "request": post.request,
                }
                for post in self.posts
            ]
        }

    def _show_faults(self) -> Any:
        return {"faults": [asdict(armed) for armed in self.faults.list()]}

    def _add_faults(self, body: bytes) -> Any:
        value = _decoded(body)
        # All or none: first read every one of them.
        faults = [_read_fault(item) for item in (value if is_array(value) else [value])]
        for fault in faults:
            self.faults.add(fault)
        self.scenario.made("faults", [asdict(fault) for fault in faults])
        return self._show_faults()

    def _clear_faults(self) -> Any:
        self.faults.clear()
        self.scenario.made("faults", None)
        return self._show_faults()

    def _show_tokens(self) -> Any:
        return {"tokens": [without_secret(asdict(token.spec)) for token in self.tokens]}

    def _add_token(self, body: bytes) -> Any:
        value = _decoded(body)
        if is_object(value):
            value.setdefault("name", self.tokens.unused_name())
        spec = _read(TokenSpec, value)
        try:
            added = self.add_token(spec)
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None
        return {"name": added.name, "token": added.secret}

    def _advance(self, body: bytes) -> Any:
        value = _decoded(body)
        seconds = value.get("seconds") if is_object(value) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            msg = 'send {"seconds": number}'
            raise BadControlRequestError(msg)
        try:
            self.advance(seconds)
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None
        return {"status": True, "world": self.clock.world()}


def armed_faults(value: Any) -> tuple[ArmedFault, ...]:
    """Read the response to ``GET /_sandbox/faults``."""
    return TypeAdapter(tuple[ArmedFault, ...]).validate_python(value["faults"])


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        msg = "the body is not valid JSON"
        raise BadControlRequestError(msg) from None


def _read_fault(value: Any) -> Fault:
    """Read a fault: its text form, or an object."""
    if isinstance(value, str):
        try:
            return Fault.parse(value)
        except ValueError as exc:
            raise BadControlRequestError(str(exc)) from None
    if is_object(value) and (further := value.keys() - {each.name for each in fields(Fault)}):
        msg = f'a fault has no {", ".join(sorted(further))}; the parameters of its kind go under "params"'
        raise BadControlRequestError(msg)
    return _read(Fault, value)


def _read(kind: type[_ModelT], value: Any) -> _ModelT:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as exc:
        raise BadControlRequestError(readable(exc)) from None
