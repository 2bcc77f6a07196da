"""Schemathesis plays the OpenAPI document against the sandbox, right and wrong requests, with all its checks."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path

from marketingblocks_async.openapi import document_json
from marketingblocks_async.sandbox import Sandbox
from tests.support.tools import need

ROOT = Path(__file__).parents[2]


async def run(sandbox: Sandbox, folder: Path, *words: str) -> tuple[int, str]:
    """Return exit status and output of ``schemathesis run``; the configuration is the repository's."""
    need("schemathesis", present=find_spec("schemathesis") is not None)
    path = folder / "openapi.json"
    path.write_text(document_json(server_url=sandbox.base_url), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        str(path),
        "--url",
        sandbox.base_url,
        "--header",
        f"Authorization: Bearer {sandbox.token}",
        "--seed",
        "1",
        *words,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_the_sandbox_is_what_the_document_says(tmp_path: Path) -> None:
    async with Sandbox(policy="none") as sandbox:
        status, output = await run(sandbox, tmp_path, "--max-examples", "25", "--warnings", "off")
        assert status == 0, output
        assert "No issues found" in output
        assert "Tested: 8" in output
        # It got as far as the operations, with requests that are carried out.
        assert sandbox.ledger.carried_out_at("create-post") > 10
        assert sandbox.ledger.carried_out_at("create-comment-automation") > 10


async def test_a_server_that_is_something_else_is_noticed(tmp_path: Path) -> None:
    async with Sandbox(policy="none", faults=["wrong_shape:endpoint=upcoming-posts"]) as sandbox:
        status, output = await run(sandbox, tmp_path, "--max-examples", "1", "--include-operation-id", "upcoming-posts")
        assert status == 1, output
