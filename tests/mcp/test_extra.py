"""The extra ``mcp``: what works without it, and what is told."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

from tests.support.tools import need

_WITHOUT_MCP = """
import sys
sys.modules["mcp"] = None
sys.argv = ["marketingblocks", *sys.argv[1:]]
from marketingblocks_async.cli.entry import main
sys.exit(main())
"""


def run_without_mcp(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _WITHOUT_MCP, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def test_without_the_extra_the_command_says_what_to_install() -> None:
    ran = run_without_mcp("mcp")
    assert ran.returncode == 1
    assert "marketingblocks-async[mcp,cli]" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_the_extra_the_help_is_there() -> None:
    ran = run_without_mcp("mcp", "--help")
    assert ran.returncode == 0
    assert "--read-only" in ran.stdout


def test_the_tests_of_the_server_run() -> None:
    need("The dependency group 'agents'", present=find_spec("mcp") is not None)
