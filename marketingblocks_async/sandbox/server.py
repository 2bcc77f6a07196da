"""The sandbox in this process: ``Sandbox``."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self, Unpack

from aiohttp import web
from aiohttp.http import HttpProcessingError
from pydantic import TypeAdapter

from marketingblocks_async.endpoints import CREATE_POST, ENDPOINTS

from .api import Api, read_body
from .api.documentation import DOCS_PREFIX, docs_response
from .api.operations import Operations
from .api.post_json import PostJson
from .api.routes import Routes
from .api.validation import body_check
from .control import CONTROL_PREFIX, Control
from .control.dashboard import DASHBOARD_PREFIX, DashboardState, dashboard_page
from .errors import SandboxError
from .faults import FaultPlan
from .ledger import Ledger
from .policies import Policy, make_policy
from .responses import error_response
from .scenario import Scenario, ScenarioReport, drawn_seed, settings_of, without_secret
from .settings import SandboxOptions, SandboxSettings
from .state.automations import Automations
from .state.clock import Clock, SandboxClock
from .state.connections import Connections
from .state.files import State, StateFileError, load_state, plant, save_state
from .state.generations import Generations
from .state.posts import PostStore
from .state.tokens import DEFAULT_TOKEN, TokenBook, TokenSpec

API_PREFIX = "/api/v1"
"""Path of the API root."""

CONNECT_PREFIX = "/connect"
"""Path under which the sign-in pages are served."""

_BACKLOG = 4096
_KEEPALIVE_SECONDS = 3600.0
_SAVE_INTERVAL = 1.0
# aiohttp waits at most so long for its handlers, which are cancelled before.
_SHUTDOWN_SECONDS = 1.0


class Sandbox:
    """The documented API as a server in the running event loop.

    ```python
    async with Sandbox(policy="gcra", faults=["commit_then_drop:times=1"]) as sandbox:
        ...  # a client with base_url=sandbox.base_url and token=sandbox.token
        assert sandbox.ledger.worst_window() <= 100
        assert not sandbox.ledger.duplicates()
    ```

    Args:
        clock: monotonic time in seconds, on which requests are counted; by default ``time.monotonic``, as it is when
            the sandbox is made.
        policy_factory: returns a fresh rate-limit policy for each token, instead of one chosen by name.
        options: see ``SandboxSettings``.

    Attributes:
        settings: the settings.
        ledger: the record of what happened.
        faults: the faults that are on; they can be changed at any time.
        posts: the posts.
        generations: the generation jobs.
        connections: the sign-ins.
        comment_automations: the comment automations.

    Raises:
        ValueError: an option is not allowed.

    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        policy_factory: Callable[[], Policy] | None = None,
        **options: Unpack[SandboxOptions],
    ) -> None:
        settings = settings_of(options)
        self.settings: SandboxSettings = settings
        self._state_file: Path | None = None
        self._saving: asyncio.Task[None] | None = None
        self._saved: tuple[float, ...] = ()
        self._scenario = Scenario(settings)
        start = settings.clock_start
        self._clock = SandboxClock(clock or time.monotonic, time.time if start is None else lambda: start)
        # A recording has its seed, so that ids are drawn again in its replay.
        self._seed = drawn_seed() if settings.seed is None and settings.record_file is not None else settings.seed
        # Separate sources, so that a fault's chance does not depend on how many ids were drawn before.
        chances = random.Random(self._seed)  # noqa: S311 - a game of chance, no secret
        ids, jitter, rates = (random.Random(chances.random()) for _ in range(3))  # noqa: S311 - the same
        self._policy_factory = policy_factory
        self.ledger: Ledger = Ledger()
        self.faults: FaultPlan = FaultPlan(settings.faults, rates)
        self.posts: PostStore = PostStore(self._clock.world, settings.timings)
        self._tokens = TokenBook(self._make_policy, self._clock.world)
        for spec in settings.all_tokens:
            self._tokens.add(spec)
        self.generations: Generations = Generations(
            self._clock,
            settings.generation_seconds,
            ids,
            delivered=self.ledger.web_hook_called,
            allow_external_web_hooks=settings.allow_external_web_hooks,
        )
        self.connections: Connections = Connections(ids, lambda: f"{self._root}{CONNECT_PREFIX}")
        self.comment_automations: Automations = Automations(
            update_resets_defaults=settings.variants.update_resets_defaults
        )
        if settings.state_file is not None:
            self._state_file = Path(settings.state_file)
        self._state = State(
            self.posts,
            self.comment_automations,
            self.generations,
            self._tokens,
            self._clock,
            clock_was_set=start is not None,
        )
        if self._state_file is None or not load_state(self._state_file, self._state):
            if self._scenario.state is not None:
                self._state.restore(self._scenario.state)
            else:
                self._plant_seeds()
        operations = Operations(
            self.posts, self.generations, self.connections, self.comment_automations, PostJson(settings.variants)
        )
        self._api = Api(
            settings=settings,
            clock=self._clock,
            ledger=self.ledger,
            tokens=self._tokens,
            faults=self.faults,
            routes=Routes(ENDPOINTS, f"{API_PREFIX}/"),
            operations=operations,
            chance=jitter,
            scenario=self._scenario if self._scenario.is_on else None,
        )
        self._control = Control(
            settings=settings,
            clock=self._clock,
            ledger=self.ledger,
            tokens=self._tokens,
            faults=self.faults,
            posts=self.posts,
            dashboard=DashboardState(
                settings=settings, clock=self._clock, ledger=self.ledger, faults=self.faults, posts=self.posts
            ),
            scenario=self._scenario,
            reset=self.reset,
            advance=self.advance,
            add_token=self._add_token,
        )
        self._runner: web.ServerRunner | None = None
        self._address: tuple[str, int] | None = None
        self._in_flight: set[asyncio.Task[object]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened on, for example because the port is in use.
            StateFileError: the file of a recording or of the state cannot be written.
            RuntimeError: it is listening already.

        """
        if self._runner is not None:
            msg = "this sandbox is running already"
            raise SandboxError(msg)
        server = web.Server(
            self._handle,
            access_log=None,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            logger=_logger(),
        )
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.settings.host, self.settings.port, backlog=_BACKLOG).start()
            if self._scenario.is_on:
                now = self._clock.monotonic()
                self._scenario.begin(self._clock.calendar_offset + now, now, self._seed or 0, self._state.dump())
            if self._state_file is not None:
                # A file that cannot be written should not be noticed only when there is something to lose.
                save_state(self._state_file, self._state)
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        host, port, *_ = runner.addresses[0]
        self._address = (host, port)
        self.generations.start()
        if self._state_file is not None:
            self._saving = asyncio.create_task(self._save_often(self._state_file), name="saving the state")

    async def close(self) -> None:
        """Stop listening and cancel the requests in flight; closing twice does nothing.

        Clients that wait for a response see their connection close.
        """
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in runner.sites:
            await site.stop()
        for task in tuple(self._in_flight):
            task.cancel()
        await self.generations.close()
        await runner.cleanup()
        if self._saving is not None and self._state_file is not None:
            self._saving.cancel()
            self._saving = None
            save_state(self._state_file, self._state)
        self._scenario.close()
        # The transports close in the loop's next turn.
        await asyncio.sleep(0)
        self._address = None

    @property
    def base_url(self) -> str:
        """The API root, such as ``http://127.0.0.1:8123/api/v1``.

        Raises:
            RuntimeError: the sandbox is not running.

        """
        return f"{self._root}{API_PREFIX}"

    @property
    def docs_url(self) -> str:
        """The root of the documentation, such as ``http://127.0.0.1:8123/agentic-ai-docs``.

        Raises:
            RuntimeError: the sandbox is not running.

        """
        return f"{self._root}{DOCS_PREFIX}"

    @property
    def token(self) -> str:
        """The default access token, which has every permission and never expires."""
        return DEFAULT_TOKEN

    @property
    def tokens(self) -> dict[str, str]:
        """All access tokens by their names, the default one first."""
        return {token.name: token.spec.secret for token in self._tokens}

    @property
    def in_flight(self) -> int:
        """Number of requests that have begun to arrive and have no response yet."""
        return len(self._in_flight)

    def add_token(
        self,
        name: str | None = None,
        *,
        permissions: Sequence[str] | None = None,
        expires_in: float | None = None,
        expires_after_requests: int | None = None,
        secret: str = "",
    ) -> str:
        """Add an access token, with a limit of its own.

        Args:
            name: its label in the ledger; a free one unless given.
            permissions: its permissions, ``None`` for all.
            expires_in: seconds of world time until it is invalid, ``None`` for never.
            expires_after_requests: number of requests before it is invalid, ``None`` for no such limit.
            secret: the token itself; made from the name unless given.

        Returns:
            the token.

        Raises:
            ValueError: the name or the secret is taken or not allowed.

        """
        spec = TokenSpec(
            name or self._tokens.unused_name(),
            None if permissions is None else tuple(permissions),
            expires_in,
            expires_after_requests,
            secret,
        )
        return self._add_token(spec).secret

    def replayed(self) -> ScenarioReport:
        """Return how far the replay of a recording is."""
        return self._scenario.report()

    def advance(self, seconds: float) -> None:
        """Move the time forward that posts, generations and the expiry of tokens follow; rate limits do not notice.

        Args:
            seconds: distance, at least 0.

        Raises:
            ValueError: ``seconds`` is negative or not a number.

        """
        if not self._scenario.was_made("advance", seconds):
            self._clock.advance(seconds)
            self._scenario.made("advance", seconds)

    async def reset(self) -> None:
        """Go back to the start: no posts but the seeds, an empty ledger, fresh limits, the first faults.

        Tokens that were added stay. Time that was advanced stays advanced.
        """
        if not self._scenario.was_made("reset", None):
            self._scenario.made("reset", None)
            await self._restart()

    async def _restart(self) -> None:
        await self.generations.clear()
        self.connections.clear()
        self.comment_automations.clear()
        self.posts.clear()
        self.faults.restart()
        self._tokens.restart()
        self.ledger.clear()
        self._plant_seeds()

    def _add_token(self, spec: TokenSpec) -> TokenSpec:
        permissions = None if spec.permissions is None else list(spec.permissions)
        value = without_secret(asdict(spec)) | {"permissions": permissions}
        if self._scenario.was_made("tokens", value) and (known := self._tokens.named(spec.name)) is not None:
            return known.spec
        added = self._tokens.add(spec).spec
        self._scenario.made("tokens", value)
        return added

    async def _replay_changes(self) -> None:
        """Make the changes that the recording has before the next request."""
        while (change := self._scenario.due()) is not None:
            if change.change == "advance":
                self._clock.advance(change.value)
            elif change.change == "reset":
                await self._restart()
            elif self._tokens.named(change.value["name"]) is None:
                self._tokens.add(TypeAdapter(TokenSpec).validate_python(change.value))

    def _plant_seeds(self) -> None:
        if self._scenario.seeds is not None:
            check = body_check(CREATE_POST.request)
            path = Path(self.settings.seeds or self.settings.replay_file or "")
            plant(self._scenario.seeds, path, self.posts, self._tokens, check)

    async def _save_often(self, path: Path) -> None:
        while True:
            await asyncio.sleep(_SAVE_INTERVAL)
            ledger = self.ledger
            counts = (ledger.attempts(), len(ledger.web_hooks), len([*self._tokens]))
            # A reset can leave all counts as they were.
            seen = (ledger.epoch, *counts, self._clock.advanced)
            if seen != self._saved:
                # A disk that is full for a while; the next second tries again, and the end says it.
                with suppress(StateFileError):
                    save_state(path, self._state)
                    self._saved = seen

    @property
    def _root(self) -> str:
        if self._address is None:
            msg = "the sandbox is not running; use it inside 'async with Sandbox() as sandbox:'"
            raise SandboxError(msg)
        host, port = self._address
        # A server that listens everywhere is reached at the loopback address.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _make_policy(self) -> Policy:
        if self._policy_factory is not None:
            return self._policy_factory()
        settings = self.settings
        return make_policy(
            settings.policy,
            limit=settings.limit,
            per=settings.per,
            tolerance=settings.tolerance,
            calendar_offset=self._clock.calendar_offset,
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._runner is None:
            # The sandbox is closing; a moment later there would be no connection.
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - aiohttp runs handlers in tasks
            msg = "a request is handled outside of a task"
            raise SandboxError(msg)
        self._in_flight.add(task)
        try:
            return await self._dispatch(request)
        finally:
            self._in_flight.discard(task)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith(CONTROL_PREFIX):
            body = await read_body(request)
            if body is None:
                return error_response(413, "The request body is too large.").to_aiohttp()
            name = path.removeprefix(CONTROL_PREFIX)
            response = await self._control.handle(request.method, name, dict(request.query), body)
            return response.to_aiohttp()
        if path.startswith(f"{DOCS_PREFIX}/") and path.endswith(".md") and request.method == "GET":
            self.ledger.docs_requests += 1
            self.ledger.docs_requests_with_authorization += "Authorization" in request.headers
            name = path.removeprefix(f"{DOCS_PREFIX}/").removesuffix(".md")
            return docs_response(name, request.query.get("ask")).to_aiohttp()
        if request.method == "GET" and (path == "/" or path.startswith(DASHBOARD_PREFIX)):
            page = dashboard_page(path)
            if page is not None:
                return page.to_aiohttp()
        if path.startswith(f"{CONNECT_PREFIX}/"):
            connection = self.connections.find(path.removeprefix(f"{CONNECT_PREFIX}/"))
            if connection is not None and request.method in {"GET", "POST"}:
                page_of = self.connections.complete if request.method == "POST" else self.connections.page
                return page_of(connection).to_aiohttp()
        if self._scenario.is_on:
            await self._replay_changes()
        return await self._api.handle(request)


def _logger() -> logging.Logger:
    """Return a logger for aiohttp's server, which reports broken requests as errors of the server."""
    # A registered logger would collect the filters of all sandboxes of this process.
    logger = logging.Logger(f"{__package__}.http")  # noqa: LOG001 - it is not to be registered
    logger.parent = logging.getLogger(__package__)
    logger.addFilter(_is_no_broken_request)
    return logger


def _is_no_broken_request(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
