"""A private Redis server for tests, demos and benchmarks. It listens on a free port and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import socket
import tempfile
from typing import Any, Self

import redis.asyncio

from marketingblocks_async.errors import MarketingBlocksError

_START_SECONDS = 20.0

_SETTLE = """
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local now = redis.call('TIME')[1] * 1000000
redis.call('SET', KEYS[1], cmsgpack.pack({run = run, born = 0, seen = now}))
"""


class RedisServerError(MarketingBlocksError, RuntimeError):
    """The ``redis-server`` of a test does not start."""


class RedisServerMissingError(RedisServerError):
    """There is no ``redis-server`` on this machine."""


class PrivateRedis:
    """A Redis server that only its starter knows: ``async with PrivateRedis() as server: ... server.url``.

    The limiter believes that it has been running for long. Otherwise it would give no permits for a few seconds, since
    a server that has just started may have forgotten those of before.

    Args:
        durable: whether it writes everything to the disk before it answers, as a shared journal needs it.

    Raises:
        RedisServerMissingError: on entering, if ``redis-server`` is not installed.

    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._process: asyncio.subprocess.Process | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory(prefix="private-redis-")
        try:
            await self.start()
            await self.settle()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        if self._folder is not None:
            self._folder.cleanup()

    async def start(self) -> None:
        """Start it, on the same port as before, and wait until it answers.

        Raises:
            RedisServerMissingError: it is not installed.
            RedisServerError: it does not start.

        """
        binary = shutil.which("redis-server")
        if binary is None or self._folder is None:
            msg = "redis-server is not installed; on Debian: apt-get install redis-server"
            raise RedisServerMissingError(msg)
        log = ("yes", "--appendfsync", "always") if self._durable else ("no",)
        options = ("--bind", "127.0.0.1", "--save", "", "--enable-debug-command", "yes", "--appendonly", *log)
        self._process = await asyncio.create_subprocess_exec(
            binary,
            "--port",
            str(self._port),
            *options,
            "--dir",
            self._folder.name,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(_START_SECONDS):
            while not await self._answers():
                if self._process.returncode is not None:
                    msg = f"redis-server ended with status {self._process.returncode}"
                    raise RedisServerError(msg)
                await asyncio.sleep(0.02)

    async def settle(self) -> None:
        """Make the limiter believe that it has been running for long and has forgotten nothing."""
        await self.command("EVAL", _SETTLE, 1, "{marketingblocks}:marker")

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()

    async def command(self, *words: str | int) -> Any:
        """Run a command over a connection of its own, and return the answer."""
        # redis-py leaves types open.
        client: Any = redis.asyncio.Redis(host="127.0.0.1", port=self._port, socket_timeout=60.0)
        try:
            return await client.execute_command(*words)
        finally:
            await client.connection_pool.disconnect()

    async def _answers(self) -> bool:
        try:
            await self.command("PING")
        except (redis.RedisError, OSError):
            return False
        return True
