"""The worlds over a real socket: the client against a small server, in a process of its own, that only counts.

It is written apart from the sandbox, whose faults cannot count a request late or stand still.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from random import Random

import aiohttp

from marketingblocks_async import MarketingBlocks, RateLimit

from .simulation import worst_window
from .worlds import WORLDS, World

LIMIT = 100
_BODY = b'{"status": true, "data": []}'
_HEAD = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_HEARTBEAT = 0.005


@dataclass(frozen=True)
class Seen:
    """What the server saw.

    Attributes:
        worst: the most requests, rejected ones included, in any second.
        rate: requests per second from the first to the last.
        steady_rate: the same without the first five seconds.
        refused: number of 429s, of a sliding log that counts rejections.
        lag: the longest that the server's own process stood still without being told to, in seconds.

    """

    worst: int
    rate: float
    steady_rate: float
    refused: int
    lag: float


class _Server:
    """Counts requests at the instants that the world says, and answers them."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = Random(seed)  # noqa: S311 - no secret
        self._log: deque[float] = deque()
        self.counts: list[float] = []
        self.refused = 0
        self.lag = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request after another."""
        is_first = True
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
                )
                await reader.readexactly(length)
                await self._answer(writer, is_first=is_first)
                is_first = False
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, *, is_first: bool) -> None:
        world, random = self._world, self._random
        late = world.before(random) if world.before else 0.0
        if is_first and world.accept:
            late += world.accept(random)
        if late:
            await asyncio.sleep(late)
        now = time.monotonic()
        while self._log and now - self._log[0] >= 1.0:
            self._log.popleft()
        self.counts.append(now)
        self._log.append(now)
        if len(self._log) > LIMIT:
            self.refused += 1
            writer.write(_HEAD % (429, 2) + b"{}")
            return
        work = world.work[0](random) + (world.back(random) if world.back else 0.0)
        if work >= 0.001:
            await asyncio.sleep(work)
        writer.write(_HEAD % (200, len(_BODY)) + _BODY)

    async def watch(self) -> None:
        """Stand still when the world says so; notice when the machine does it."""
        began = time.monotonic()
        stalls = iter(self._world.server(self._random, 600.0))
        begin, end = next(stalls, (1e9, 1e9))
        while True:
            before = time.monotonic()
            await asyncio.sleep(_HEARTBEAT)
            now = time.monotonic()
            self.lag = max(self.lag, now - before - _HEARTBEAT)
            if now - began >= begin:
                time.sleep(end - begin)  # noqa: ASYNC251 - it is to stand still
                begin, end = next(stalls, (1e9, 1e9))


def _run_server(pipe: Connection, world: str, seed: int) -> None:
    async def run() -> None:
        server = _Server(WORLDS[world], seed)
        async with await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=1000) as listening:
            pipe.send(listening.sockets[0].getsockname()[1])
            watch = asyncio.create_task(server.watch())
            await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            watch.cancel()
            pipe.send((server.counts, server.refused, server.lag))

    asyncio.run(run())


def _burn() -> None:
    while True:
        pass


@contextlib.contextmanager
def _busy(number: int) -> Generator[None]:
    context = get_context("spawn")
    processes = [context.Process(target=_burn, daemon=True) for _ in range(number)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


async def _send(port: int, calls: int, guard: float, session: aiohttp.ClientSession | None) -> None:
    async with MarketingBlocks(
        f"token-{port}",
        base_url=f"http://127.0.0.1:{port}",
        rate_limit=RateLimit(guard=guard),
        timeout=60.0,
        session=session,
    ) as client:
        await asyncio.gather(*(client.request("GET", "social-sparks/anything") for _ in range(calls)))


async def _send_over_given_session(port: int, calls: int, guard: float) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await _send(port, calls, guard, session)


def measure(
    world: str, calls: int, seed: int, *, guard: float = 0.05, busy: int = 0, given_session: bool = False
) -> Seen:
    """Send calls, all started together, and return what the server saw.

    Args:
        world: name of the world; its network and its client's stalls are those of this machine.
        calls: number of calls.
        seed: of all that is random.
        guard: seconds.
        busy: number of endless loops on the machine beside it.
        given_session: whether the client is handed a session.

    """
    context = get_context("spawn")
    with ExitStack() as stack:
        stack.enter_context(_busy(busy))
        here, there = context.Pipe()
        server = context.Process(target=_run_server, args=(there, world, seed), daemon=True)
        server.start()
        port: int = here.recv()
        asyncio.run((_send_over_given_session if given_session else _send_alone)(port, calls, guard))
        here.send(None)
        counts, refused, lag = here.recv()
        server.join()
    counts.sort()
    late = [instant for instant in counts if instant > counts[0] + 5]
    return Seen(
        worst=worst_window(counts),
        rate=(len(counts) - 1) / (counts[-1] - counts[0]),
        steady_rate=(len(late) - 1) / (late[-1] - late[0]) if len(late) > 1 else 0.0,
        refused=refused,
        lag=lag,
    )


async def _send_alone(port: int, calls: int, guard: float) -> None:
    await _send(port, calls, guard, None)
