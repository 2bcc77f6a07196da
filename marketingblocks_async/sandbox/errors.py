"""Errors of the sandbox as a server; those of its API are responses."""

from __future__ import annotations

from marketingblocks_async.errors import MarketingBlocksError


class SandboxError(MarketingBlocksError, RuntimeError):
    """The sandbox is not running, or runs already. The message says what to do."""


class SandboxProcessError(SandboxError):
    """The sandbox process did not start, ended, or refused a command. The message holds its error output."""
