from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import aiohttp
import pytest

from marketingblocks_async.sandbox import (
    CreatePostShape,
    Fault,
    SandboxProcess,
    SandboxProcessError,
    TokenSpec,
    Variants,
    worst_window,
)
from tests.support.sandbox import TIMEOUT, create_request

pytestmark = pytest.mark.skipif(os.name == "nt", reason="looks at POSIX processes")


async def create(process: SandboxProcess, caption: str, token: str | None = None) -> tuple[int, object]:
    url = f"{process.base_url}/social-sparks/create-post"
    headers = {"Authorization": f"Bearer {token or process.token}"}
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url, json=create_request(caption), headers=headers) as response,
    ):
        return response.status, await response.json(content_type=None)


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie has ended; here it would be one that somebody else has yet to reap.
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int, seconds: float = 10.0) -> bool:
    for _ in range(int(seconds / 0.05)):
        if not exists(pid):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_everything_over_http() -> None:
    async with SandboxProcess(
        policy="fixed_window",
        limit=10,
        per=1e9,
        tokens=[TokenSpec("reader", ("social-read-posts",))],
        variants=Variants(create_post=CreatePostShape.NESTED),
    ) as process:
        assert (await process.health())["policy"] == "fixed_window"
        assert [*process.tokens] == ["default", "reader"]
        assert process.docs_url.endswith("/agentic-ai-docs")
        assert (await create(process, "a", process.tokens["reader"]))[0] == 403
        status, answer = await create(process, "a")
        assert status == 200
        assert isinstance(answer, dict)
        assert answer["post"]["post_id"] == 1

        assert await process.add_fault("error_500:times=1") == Fault("error_500", times=1)
        assert (await create(process, "b"))[0] == 500
        assert [(armed.fault.kind, armed.fired) for armed in await process.faults()] == [("error_500", 1)]
        await process.clear_faults()
        assert await process.faults() == ()
        await create(process, "a")

        report = await process.ledger()
        assert report.tokens["default"].statuses == {200: 2, 500: 1}
        assert report.tokens["default"].commits == 2
        assert report.endpoints["create-post"].attempts == 4
        assert report.duplicate_posts == 1
        assert report.duplicates[0].post_ids == (1, 2)
        assert report.duplicates[0].request == create_request("a")
        assert report.fault_firings[0].committed is False

        arrivals = await process.arrivals("default")
        assert len(arrivals) == 3
        assert len(await process.arrivals()) == 4
        assert (await process.ledger(seconds=60)).worst_window == worst_window(arrivals, 60)
        comparison = await process.compare(["a", "c"])
        assert comparison.lost == ("c",)
        assert (comparison.duplicated[0].item, comparison.duplicated[0].committed) == ("a", 2)
        assert (await process.compare([create_request("a"), create_request("a")])).exact

        token = await process.add_token("late", expires_after_requests=1)
        assert process.tokens["late"] == token
        assert [(await create(process, "x", token))[0] for _ in range(2)] == [200, 401]
        unnamed = await process.add_token(permissions=[])
        assert (await create(process, "x", unnamed))[0] == 403

        await process.advance(3600)
        assert {post["STATUS"] for post in await process.posts()} == {"published"}
        await process.reset()
        assert await process.posts() == []
        assert (await process.ledger()).endpoints == {}

        with pytest.raises(SandboxProcessError, match="already"):
            await process.add_token("late")
        pid = process.pid
        assert exists(pid)
    assert await gone(pid)
    with pytest.raises(RuntimeError, match="not running"):
        _ = process.base_url
    with pytest.raises(RuntimeError, match="not running"):
        await process.health()


async def test_it_can_be_started_again_and_closed_twice() -> None:
    process = SandboxProcess(policy="none")
    for _ in range(2):
        await process.start()
        with pytest.raises(RuntimeError, match="running already"):
            await process.start()
        assert (await create(process, "a"))[0] == 200
        await process.close()
        await process.close()


async def test_a_port_in_use_is_an_error_that_says_so() -> None:
    async with SandboxProcess() as process:
        port = int(process.base_url.removesuffix("/api/v1").rpartition(":")[2])
        second = SandboxProcess(port=port)
        with pytest.raises(SandboxProcessError, match=rf"(?s)exit code 1.*cannot listen on 127\.0\.0\.1:{port}"):
            await second.start()
        await second.close()


async def test_an_error_holds_what_the_process_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketingblocks_async.sandbox.process.__package__", "marketingblocks_async.no_such_package")
    with pytest.raises(SandboxProcessError, match="no_such_package"):
        await SandboxProcess().start()


async def test_a_process_that_is_killed_is_an_error_and_is_reaped() -> None:
    async with SandboxProcess() as process:
        pid = process.pid
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(SandboxProcessError, match="did not answer"):
            await process.health()
    assert await gone(pid)


async def test_cancelling_the_start_leaves_no_process() -> None:
    process = SandboxProcess()
    task = asyncio.create_task(process.start())
    pid = 0
    while not pid:
        await asyncio.sleep(0)
        with contextlib.suppress(RuntimeError):
            pid = process.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pid, 0.1)


async def test_a_process_that_will_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketingblocks_async.sandbox.process._STOP_SECONDS", 0.2)
    async with asyncio.timeout(30), SandboxProcess() as process:
        pid = process.pid
        os.kill(pid, signal.SIGSTOP)
    assert await gone(pid)


async def test_closing_in_the_middle_of_requests_is_quick() -> None:
    async with SandboxProcess(policy="none", latency=30.0) as process:
        tasks = [asyncio.create_task(create(process, str(number))) for number in range(20)]
        while (await process.ledger()).endpoints.get("create-post") is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        begin = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begin < 3.0
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, aiohttp.ClientError) for result in results)
    assert process.stderr == ""


PARENT = """
    import asyncio, os, sys
    from marketingblocks_async.sandbox import SandboxProcess

    async def main():
        process = SandboxProcess()
        await process.start()
        if "fork" in sys.argv and os.fork() == 0:
            # A child that inherits the pipe and outlives the parent.
            import time
            os.close(1)
            time.sleep(5)
            os._exit(0)
        print(process.pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.parametrize("mode", ["plain", "fork"])
async def test_a_dying_parent_takes_it_along(mode: str) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        textwrap.dedent(PARENT),
        mode,
        stdout=asyncio.subprocess.PIPE,
        # The forked child would keep a pipe of ours open.
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        pid = int(await parent.stdout.readline())
    assert exists(pid)
    parent.kill()
    assert await gone(pid, 4.0)
    async with asyncio.timeout(30):
        await parent.stdout.read()
        await parent.wait()


def test_no_child_is_left_by_this_module() -> None:
    # Runs last in this file: everything above must have reaped what it started.
    if sys.platform == "linux":
        children = subprocess.run(  # noqa: S603 - the system's own ps
            ["ps", "--ppid", str(os.getpid()), "-o", "args="],  # noqa: S607 - the same
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        assert "marketingblocks_async.sandbox" not in children
        assert "defunct" not in children
