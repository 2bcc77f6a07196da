"""Tools that a machine may lack: a test without them is skipped, and says so; continuous integration has them all."""

from __future__ import annotations

import os

import pytest

REQUIRED = os.environ.get("REQUIRE_ALL_TOOLS") == "1"
"""Whether a missing tool is a failure."""


def need(tool: str, *, present: bool) -> None:
    """Skip the test that calls this if a tool is missing, or fail it where all tools are required."""
    if not present:
        msg = f"{tool} is not installed here"
        pytest.fail(msg) if REQUIRED else pytest.skip(msg)
