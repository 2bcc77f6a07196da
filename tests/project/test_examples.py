"""Every example runs as a user would start it, against the sandbox."""

from __future__ import annotations

import ast
import asyncio
import csv
import inspect
import json
import os
import re
import runpy
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typer
from typer.core import TyperGroup

from marketingblocks_async.cli.entry import make_app
from marketingblocks_async.sandbox import Sandbox
from tests.support.command import environment
from tests.support.ports import free_port
from tests.support.redis_server import private_redis
from tests.support.tools import need

EXAMPLES = Path(__file__).parents[2] / "examples"


async def run(sandbox: Sandbox | None, name: str, *words: str, **variables: str) -> tuple[int, str]:
    """Return exit status and output of an example."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *words,
        env=environment(sandbox, PYTHONWARNINGS="error", **variables) if sandbox else dict(os.environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_week_is_scheduled() -> None:
    async with Sandbox() as sandbox:
        status, output = await run(sandbox, "schedule_week.py", "Africa/Lagos")
        assert status == 0, output
        assert "7 posts ahead" in output
        assert sandbox.ledger.carried_out_at("create-post") == 7


async def test_the_web_hook_is_called() -> None:
    async with Sandbox(generation_seconds=0.1) as sandbox:
        status, output = await run(sandbox, "generation_with_webhook.py", "tulips")
        assert status == 0, output
        assert "the web hook received" in output
        assert len(sandbox.ledger.web_hooks) == 1


async def test_many_tokens_are_asked_at_once() -> None:
    async with Sandbox() as sandbox:
        tokens = [sandbox.add_token(f"customer-{number}") for number in range(3)]
        denied = sandbox.add_token("denied", permissions=())
        status, output = await run(sandbox, "many_tokens.py", MARKETINGBLOCKS_TOKENS=" ".join([*tokens, denied]))
        assert status == 0, output
        assert output.count("0 posts ahead") == 3
        assert "social-read-posts" in output
        assert denied not in output


async def test_the_bulk_script_accounts_for_every_row(tmp_path: Path) -> None:
    source, results = tmp_path / "posts.csv", tmp_path / "results.csv"
    source.write_text(
        "channel_type,channel_id,post_type,caption_text,media_urls,publish_mode\n"
        "facebook,1,post,good,https://example.com/a.jpg|https://example.com/b.jpg,now\n"
        "myspace,1,post,bad,,now\n"
        "twitter,2,tweet,lost,,now\n"
    )
    async with Sandbox(faults=["commit_then_drop:after=1,times=1"]) as sandbox:
        status, output = await run(sandbox, "bulk_script.py", str(source), str(results))
        assert status == 1, output
        with results.open(newline="") as lines:
            states = {row["row"]: row["state"] for row in csv.DictReader(lines)}
        assert sorted(states.values()) == ["done", "failed", "unknown"]
        assert states["2"] == "failed"
        assert sandbox.ledger.carried_out_at("create-post") == 2


@pytest.mark.parametrize(("tool", "name"), [("curl", "sandbox.sh"), ("node", "sandbox.mjs")])
async def test_other_languages_use_the_sandbox_over_http(tool: str, name: str) -> None:
    need(tool, present=shutil.which(tool) is not None)
    shell = "sh" if name.endswith(".sh") else tool
    async with Sandbox() as sandbox:
        root = sandbox.base_url.removesuffix("/api/v1")
        process = await asyncio.create_subprocess_exec(
            *(shell, str(EXAMPLES / "sandbox" / name), root, sandbox.token),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        words, comparison, ledger = output.decode().splitlines()
        assert "may have been published" in words
        assert json.loads(comparison)["duplicated"] == [{"item": "We are open", "expected": 1, "committed": 2}]
        assert json.loads(ledger)["endpoints"]["create-post"]["commits"] == 2
        assert len(sandbox.ledger.duplicates()) == 1


def test_the_containerfile_starts_a_command_that_exists() -> None:
    text = (EXAMPLES / "sandbox" / "Containerfile").read_text(encoding="utf-8")
    assert "not built here" in text
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", text, re.MULTILINE)
    program, *words = json.loads(entry)
    assert program.endswith("/marketingblocks")
    params = typer.main.get_command(make_app())
    assert isinstance(params, TyperGroup)
    options = {option for each in params.commands[words[0]].params for option in each.opts}
    assert {word for word in words[1:] if word.startswith("--")} <= options


@asynccontextmanager
async def served(sandbox: Sandbox, port: int, *words: str, **variables: str) -> AsyncGenerator[aiohttp.ClientSession]:
    """Run a service with this interpreter; yield a session for it when it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env=environment(sandbox, PYTHONWARNINGS="error") | variables,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        while not await listens(port):
            assert process.returncode is None, "the service ended"
            await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_the_service_publishes_and_passes_errors_on() -> None:
    port = free_port()
    words = (str(EXAMPLES / "service.py"), "--port", str(port))
    async with Sandbox() as sandbox, served(sandbox, port, *words) as session:
        body = {"channel_type": "facebook", "channel_id": 1, "text": "We are open"}
        async with session.post("/announcements", json=body) as answer:
            assert (answer.status, (await answer.json())["post_id"]) == (201, 1)
        async with session.post("/announcements", json=body | {"channel_type": "myspace"}) as answer:
            assert answer.status == 422
        sandbox.faults.add("commit_then_drop:times=1")
        async with session.post("/announcements", json=body) as answer:
            assert (answer.status, (await answer.json())["published"]) == (502, None)
        async with session.get("/health") as answer:
            assert (await answer.json())["queued"] == 0


async def test_the_fastapi_service_publishes_and_passes_errors_on() -> None:
    need("FastAPI", present=find_spec("fastapi") is not None)
    port = free_port()
    words = ("-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", str(port), "fastapi_service:app")
    body: dict[str, object] = {
        "channel_type": "facebook",
        "channel_id": 1,
        "post_type": "post",
        "caption_text": "We are open",
        "media_urls": [],
        "publish_mode": "now",
    }
    # What FastAPI and uvicorn warn about is not this package's.
    async with Sandbox() as sandbox, served(sandbox, port, *words, PYTHONWARNINGS="default") as session:
        async with session.post("/posts", json=body) as answer:
            assert (answer.status, await answer.json()) == (201, {"post_id": 1})
        async with session.post("/posts", json=body | {"channel_type": "myspace"}) as answer:
            assert answer.status == 422
        sandbox.faults.add("commit_then_drop:times=1")
        async with session.post("/posts", json=body) as answer:
            assert (answer.status, (await answer.json())["detail"]["published"]) == (502, None)
        async with session.get("/health") as answer:
            assert (await answer.json())["queued"] == 0


async def test_workers_of_gunicorn_share_the_limit() -> None:
    need("gunicorn", present=find_spec("gunicorn") is not None)
    port = free_port()
    words = ["-m", "gunicorn", "--chdir", str(EXAMPLES), "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    words += ["--worker-class", "aiohttp.GunicornWebWorker", "gunicorn_service:make_app"]
    async with (
        private_redis() as redis,
        Sandbox() as sandbox,
        served(sandbox, port, *words, REDIS_URL=redis.url, PYTHONWARNINGS="default") as session,
    ):

        async def ask(_number: int) -> int:
            # On a connection of its own, so that both workers are asked.
            async with session.get("/upcoming", headers={"Connection": "close"}) as answer:
                assert answer.status == 200
                worker: int = (await answer.json())["worker"]
                return worker

        workers = set(await asyncio.gather(*map(ask, range(250))))
        assert len(workers) == 2
        assert sandbox.ledger.too_many_requests() == 0
        assert sandbox.ledger.worst_window() <= 100


async def test_the_cells_of_the_notebook_run_one_after_the_other() -> None:
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    namespace: dict[str, Any] = {}
    for code in codes:
        # As a notebook does it.
        compiled = compile(code, "notebook", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(compiled, namespace)  # noqa: S307 - the code that is tested
        if inspect.isawaitable(result):
            await result
    assert namespace["sandbox"].ledger.carried_out_at("create-post") == 51


def test_no_two_examples_listen_on_one_port() -> None:
    ports: list[str] = []
    for path in EXAMPLES.glob("*.py"):
        found = re.finditer(r"(?<!sandbox )(?:--port |--bind 127\.0\.0\.1:)(\d{4})\b", path.read_text(encoding="utf-8"))
        ports += {each[1] for each in found}
    assert len(ports) == len(set(ports)) >= 4
    # That of the sandbox in the README.
    assert "8080" not in ports


@pytest.mark.slow
async def test_the_distributed_demo_keeps_its_promises() -> None:
    async with private_redis():
        pass  # there is a Redis; the demo starts its own
    status, output = await run(None, "distributed/demo.py", "--count", "200", "--quiet")
    assert status == 0, output
    for line in ("429s            0", "duplicates      0", "lost            0"):
        assert line in output


@pytest.mark.parametrize(("total", "done"), [(3000, 2990), (100_000, 10_010)])
def test_the_line_of_the_demo_has_the_requests_in_flight_and_fits(total: int, done: int) -> None:
    progress = runpy.run_path(str(EXAMPLES / "demo.py"))["Progress"](total, done, in_flight=100)
    line = progress.line(100.0, 80)
    assert f"{done:,} sent, 0 failed, 100 in flight" in line
    assert line.rstrip().endswith("s left")
    progress.done = total
    assert progress.line(100.0, 80).rstrip().endswith("0 failed")


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--tokens", "2", "--policy", "sliding_log_strict", "--jitter", "0.01")])
async def test_the_demo_keeps_its_promises(words: tuple[str, ...]) -> None:
    status, output = await run(None, "demo.py", "--count", "250", *words)
    assert status == 0, output
    for line in (
        "requests        250",
        "429s            0",
        "duplicates      0",
        "lost            0",
        "What to do next:",
    ):
        assert line in output
    assert max(map(len, output.splitlines())) < 80


async def test_prometheus_sees_what_the_client_does() -> None:
    async with Sandbox(faults=["error_500:endpoint=create-post,times=1"]) as sandbox:
        status, output = await run(sandbox, "prometheus_metrics.py", "--port", "0", "--count", "5")
        assert status == 0, output
        for line in (
            'marketingblocks_calls_total{outcome="success"} 4.0',
            'marketingblocks_calls_total{outcome="OutcomeUnknownError"} 1.0',
            'marketingblocks_request_seconds_count{endpoint="create-post",status="200"} 4.0',
            "marketingblocks_queue_length 0.0",
        ):
            assert line in output
