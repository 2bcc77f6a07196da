"""The pytest plugin: the sandbox, a client of it and fake time as fixtures.

pytest loads it through its entry point, in every run on a machine that has the package; so it imports the rest of the
package only when a fixture is used. The fixtures are asynchronous and need pytest-asyncio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client import MarketingBlocks
    from .sandbox import Sandbox
    from .testing import FakeTime

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # pragma: no cover - the plugin is loaded wherever the package is, also without pytest-asyncio
    # pytest itself then tells a test that asks for one of the fixtures that nobody can run it.
    async_fixture = pytest.fixture  # type: ignore[assignment]  # the same for what is used of it here

SANDBOX_MARK = "marketingblocks_sandbox"
CLIENT_MARK = "marketingblocks_client"


def pytest_configure(config: pytest.Config) -> None:
    """Introduce the marks."""
    config.addinivalue_line(
        "markers", f"{SANDBOX_MARK}(**options): options of the fixture of the same name, such as policy and faults"
    )
    config.addinivalue_line(
        "markers", f"{CLIENT_MARK}(**options): options of the fixture of the same name, such as deadline and retry"
    )


@async_fixture
async def _marketingblocks_time(request: pytest.FixtureRequest) -> AsyncIterator[FakeTime | None]:
    # Before the sandbox and the client, in whatever order the test names its fixtures: they take their clocks from it.
    if "fake_time" not in request.fixturenames:
        yield None
        return
    from .testing import FakeTime  # noqa: PLC0415 - see the module's docstring

    with FakeTime() as fake_time:
        yield fake_time


@async_fixture
async def fake_time(_marketingblocks_time: FakeTime) -> FakeTime:
    """Let the test's time jump instead of pass; see :class:`FakeTime`.

    ``fake_time.elapsed`` tells how long the test would have taken.
    """
    return _marketingblocks_time


@async_fixture
async def marketingblocks_sandbox(
    request: pytest.FixtureRequest, _marketingblocks_time: FakeTime | None
) -> AsyncIterator[Sandbox]:
    """Run a sandbox for the test: the documented API as a local server.

    Its options come from the mark of the same name: ``@pytest.mark.marketingblocks_sandbox(policy="gcra")``.
    """
    from .sandbox import Sandbox  # noqa: PLC0415 - see the module's docstring

    async with Sandbox(**_options(request, SANDBOX_MARK)) as sandbox:
        yield sandbox


@async_fixture
async def marketingblocks_client(
    request: pytest.FixtureRequest, marketingblocks_sandbox: Sandbox
) -> AsyncIterator[MarketingBlocks]:
    """Open a client of the test's sandbox.

    Its options come from the mark of the same name: ``@pytest.mark.marketingblocks_client(deadline=5.0)``.
    """
    from .client import MarketingBlocks  # noqa: PLC0415 - see the module's docstring

    options: dict[str, Any] = {
        "token": marketingblocks_sandbox.token,
        "base_url": marketingblocks_sandbox.base_url,
        "docs_url": marketingblocks_sandbox.docs_url,
    }
    async with MarketingBlocks(**options | _options(request, CLIENT_MARK)) as client:
        yield client


def _options(request: pytest.FixtureRequest, mark: str) -> dict[str, Any]:
    # From the module's marks to the function's, which come first here.
    options: dict[str, Any] = {}
    for each in reversed(list(request.node.iter_markers(mark))):
        if each.args:
            msg = f"the mark {mark} has keyword arguments only, such as {mark}(policy='gcra')"
            raise pytest.UsageError(msg)
        options |= each.kwargs
    return options
