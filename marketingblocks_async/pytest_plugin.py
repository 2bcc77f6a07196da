"""The pytest plugin: the sandbox, a client of it and fake time as fixtures.

pytest loads it through its entry point, in every run on a machine that has the package. So it imports the rest of the
package only when a fixture is used. The fixtures need pytest-asyncio, and run in the event loop of the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from .client import MarketingBlocks
    from .sandbox import Sandbox
    from .testing import FakeTime

async_fixture: Any
try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # pragma: no cover - the plugin is loaded wherever the package is, also without pytest-asyncio
    async_fixture = None

SANDBOX_MARK = "marketingblocks_sandbox"
CLIENT_MARK = "marketingblocks_client"

LoopScope = Literal["function", "class", "module", "package", "session"]
LOOP_SCOPES: tuple[LoopScope, ...] = ("function", "class", "module", "package", "session")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    config.addinivalue_line(
        "markers", f"{SANDBOX_MARK}(**options): options of the fixture of the same name, such as policy and faults"
    )
    config.addinivalue_line(
        "markers", f"{CLIENT_MARK}(**options): options of the fixture of the same name, such as deadline and retry"
    )


@pytest.fixture
def fake_time(request: pytest.FixtureRequest) -> FakeTime:
    """Let the test's time jump instead of pass; see ``FakeTime``.

    ``fake_time.elapsed`` tells how long the test would have taken.
    """
    found: FakeTime = _in_loop_of_the_test(request, "time")
    return found


@pytest.fixture
def marketingblocks_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Run a sandbox for the test: the documented API as a local server.

    Its options come from the mark of the same name: ``@pytest.mark.marketingblocks_sandbox(policy="gcra")``.
    """
    if "fake_time" in request.fixturenames:
        # First, in any order of the test's fixtures: the sandbox and the client take their clocks from it.
        request.getfixturevalue("fake_time")
    sandbox: Sandbox = _in_loop_of_the_test(request, "sandbox")
    return sandbox


@pytest.fixture
def marketingblocks_client(request: pytest.FixtureRequest) -> MarketingBlocks:
    """Open a client of the test's sandbox.

    Its options come from the mark of the same name: ``@pytest.mark.marketingblocks_client(deadline=5.0)``.
    """
    client: MarketingBlocks = _in_loop_of_the_test(request, "client")
    return client


def _in_loop_of_the_test(request: pytest.FixtureRequest, kind: str) -> Any:
    if async_fixture is None:
        msg = "the fixtures of marketingblocks_async need pytest-asyncio: pip install 'marketingblocks-async[testing]'"
        raise pytest.UsageError(msg)
    mark = request.node.get_closest_marker("asyncio")
    scope = mark.kwargs.get("loop_scope") if mark is not None else None
    scope = scope or request.config.getini("asyncio_default_test_loop_scope")
    return request.getfixturevalue(f"_marketingblocks_{kind}_in_{scope}_loop")


def _options(request: pytest.FixtureRequest, mark: str) -> dict[str, Any]:
    # iter_markers() begins with the function's marks; those of the module come first here, so that they are replaced.
    options: dict[str, Any] = {}
    for each in reversed(list(request.node.iter_markers(mark))):
        if each.args:
            msg = f"the mark {mark} has keyword arguments only, such as {mark}(policy='gcra')"
            raise pytest.UsageError(msg)
        options |= each.kwargs
    return options


def _fixtures_in(loop_scope: LoopScope) -> dict[str, Any]:
    """Define the asynchronous fixtures behind the public ones, in event loops of one scope."""
    fixtures: dict[str, Any] = {}

    def fixture(kind: str) -> Callable[[Callable[..., Any]], None]:
        def define(function: Callable[..., Any]) -> None:
            name = f"_marketingblocks_{kind}_in_{loop_scope}_loop"
            fixtures[name] = async_fixture(function, loop_scope=loop_scope, name=name)

        return define

    @fixture("time")
    async def _time() -> AsyncIterator[FakeTime]:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
        from .testing import FakeTime  # noqa: PLC0415 - see the module's docstring

        with FakeTime() as fake_time:
            yield fake_time

    @fixture("sandbox")
    async def _sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:  # pyright: ignore[reportUnusedFunction]
        from .sandbox import Sandbox  # noqa: PLC0415 - see the module's docstring

        async with Sandbox(**_options(request, SANDBOX_MARK)) as sandbox:
            yield sandbox

    @fixture("client")
    async def _client(  # pyright: ignore[reportUnusedFunction]
        request: pytest.FixtureRequest, marketingblocks_sandbox: Sandbox
    ) -> AsyncIterator[MarketingBlocks]:
        from .client import MarketingBlocks  # noqa: PLC0415 - see the module's docstring

        options: dict[str, Any] = {
            "token": marketingblocks_sandbox.token,
            "base_url": marketingblocks_sandbox.base_url,
            "docs_url": marketingblocks_sandbox.docs_url,
        }
        async with MarketingBlocks(**options | _options(request, CLIENT_MARK)) as client:
            yield client

    return fixtures


# A server or a client works in one event loop only, and pytest-asyncio fixes that of a fixture when it is defined. So
# the public fixtures choose among these, by the loop of the test.
if async_fixture is not None:
    for _scope in LOOP_SCOPES:
        globals().update(_fixtures_in(_scope))
