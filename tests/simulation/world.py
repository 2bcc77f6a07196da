"""A world that follows from a seed: what it does, and what must hold whatever it does."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from marketingblocks_async import MarketingBlocks, RateLimit, RetryPolicy
from marketingblocks_async.bulk.journal import files, writer
from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.limits.permits import PermitPool, PooledPermit
from marketingblocks_async.limits.registry import REGISTRY
from marketingblocks_async.limits.settings import Lane
from marketingblocks_async.limits.turns import BUDGETS
from marketingblocks_async.resources import create_many
from marketingblocks_async.sandbox import Sandbox

from . import disk
from .loop import PROCESS, NothingCanHappenError, Process, SimulatedLoop
from .network import Network, Weather

EPOCH = 1_800_000_000.0
LONGEST = 3600.0
"""Seconds of virtual time in which everything has come to its end."""

SETTLE = 8.0
"""Seconds after which a request that was sent is carried out and listed, or never. Nothing in a world is later."""

GUARD = 0.05

POLICIES = ("fixed_window", "sliding_log", "sliding_log_strict", "anchored_window")
"""Policies under which a client that keeps the bound is never refused."""

FAULTS = (
    "commit_then_drop",
    "commit_then_500",
    "commit_then_stall",
    "drop_before",
    "reset:commit=true",
    "reset",
    "error_500",
    "error_503",
    "error_503_retry_after:commit=true,retry_after=2",
    "error_503_retry_after:retry_after=1",
    "too_many_requests",
    "too_many_requests:retry_after=3",
    "html_502:commit=true",
    "truncated_json",
    "broken_json",
    "wrong_shape",
    "empty_body",
    "status_false",
    "slow_answer:delay=0.4",
    "slow_answer:delay=7",
    "bad_request",
    "unprocessable",
)


@dataclass
class World:
    """A server, a network, and what was seen of the client.

    Attributes:
        seed: everything follows from it.
        chance: what the scenario draws from.
        violations: broken promises, in words.
        is_late: whether requests are late by more than the limiter assumes, so that the bound may break.

    """

    seed: int
    chance: random.Random
    network: Network
    loop: SimulatedLoop
    folder: Path
    limit: int
    sandbox: Sandbox
    violations: list[str] = field(default_factory=list[str])
    arrived: defaultdict[tuple[Lane, bool, object], list[int]] = field(default_factory=lambda: defaultdict(list))
    granted: defaultdict[tuple[Lane, bool, object], list[int]] = field(default_factory=lambda: defaultdict(list))
    is_late: bool = False
    story: list[str] = field(default_factory=list[str])
    lives: list[Process] = field(default_factory=list[Process])

    def tell(self, words: str) -> None:
        """Note what happens, for a person who looks at a seed."""
        self.story.append(f"{self.loop.now - 1000:9.3f}  {words}")

    def complain(self, words: str) -> None:
        """Note a broken promise."""
        self.violations.append(words)

    def process(self, *, may_die: bool = False, journal_path: Path | None = None) -> Process:
        """Return a new process, which may die at a turn of the loop or in a statement of its journal."""
        dies_at = dies_in = 0
        if may_die:
            if journal_path is not None and self.chance.random() < 0.5:
                dies_in = self.chance.randrange(1, 80)
            else:
                dies_at = int(self.chance.expovariate(1 / 300)) + 1
        process = Process(self.loop, dies_at)
        if journal_path is not None:
            disk.Disk(process, journal_path, dies_in, self.chance)
        self.lives.append(process)
        # A new process knows no limiters, and nothing of the turns of the loop that it shares with the dead one.
        type(REGISTRY).__init__(REGISTRY)
        BUDGETS.clear()
        return process

    def let_stand_still(self, process: Process) -> None:
        """Let a process stand still at some step, perhaps, if requests may be late; longer than a run waits for one."""
        # Of its own, so that the rest of the world stays as it is.
        chance = random.Random(self.seed * 100 + len(self.lives))
        if self.is_late and chance.random() < 0.4:
            at = process.steps + int(chance.expovariate(1 / 200)) + 1
            process.at_step.setdefault(at, partial(process.stand_still, 2 * SETTLE))

    def client(self, **changes: Any) -> MarketingBlocks:
        """Return a client for the server."""
        chance = self.chance
        options: dict[str, Any] = {
            "base_url": self.sandbox.base_url,
            "rate_limit": RateLimit(limit=self.limit, burst=chance.choice([1, 2, 5]), guard=GUARD),
            "timeout": chance.choice([2.0, 5.0]),
            "retry": RetryPolicy(max_attempts=chance.choice([1, 3, 5]), initial_backoff=0.2, max_backoff=2.0),
        }
        return MarketingBlocks(self.sandbox.token, **{**options, **changes})

    def cause_trouble(self) -> None:
        """Choose what goes wrong from now on."""
        chance = self.chance
        trouble = chance.random()
        self.network.weather = Weather(
            there=chance.choice([0.0005, 0.005, 0.03]),
            jitter=0.002,
            late=chance.choice([0.0, 0.02, 0.1]),
            # Together with the jitter less than the guard.
            lateness=0.02,
            refused=chance.choice([0.0, 0.0, 0.1]),
            cut=chance.choice([0.0, 0.0, 0.2]) if trouble < 0.7 else 0.0,
            stalls=chance.choice([0.0, 0.0, 0.1]) if trouble < 0.7 else 0.0,
        )
        for _ in range(chance.choice([0, 1, 2, 4])):
            fault = chance.choice(FAULTS)
            kind, _, more = fault.partition(":")
            rate = chance.choice([0.05, 0.2])
            text = f"{kind}:rate={rate},times={chance.randrange(1, 8)}{',' if more else ''}{more}"
            self.sandbox.faults.add(text)
            self.tell(f"fault {text}")

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.network.weather = Weather()
        self.sandbox.faults.clear()

    def posts(self) -> dict[str, list[str]]:
        """Return text → ids of the posts at the server."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for post in self.sandbox.posts:
            found[str(post.request["caption_text"])].append(str(post.post_id))
        return found

    async def until_over(self, process: Process, work: Any) -> Any:
        """Run work in a process until its end or its death; return its result, or its error."""
        task = process.start(work)
        died = asyncio.create_task(process.died.wait())
        await asyncio.wait([task, died], return_when=asyncio.FIRST_COMPLETED, timeout=LONGEST)
        died.cancel()
        if process.is_dead:
            self.tell(f"the process died at its step {process.steps}")
            return None
        if not task.done():
            self.complain(f"it waits for ever: {task.get_stack(limit=1)}")
            process.die()
            return None
        return asyncio.CancelledError() if task.cancelled() else task.exception() or task.result()

    async def check_leaks(self, client: MarketingBlocks) -> None:
        """Check that all permits come back; the client has nothing to do."""
        limiter = client.rate_limiter
        assert limiter is not None
        snapshot = limiter.snapshot()
        for _ in range(4):
            if not snapshot.in_use and not snapshot.queued:
                return
            await asyncio.sleep(12)
            snapshot = limiter.snapshot()
        self.complain(f"permits leaked: {snapshot.in_use} in use, {snapshot.queued} calls queued")

    def check(self) -> None:
        """Check what must hold at the end of every scenario."""
        worst = self.sandbox.ledger.worst_window()
        if worst > self.limit and not self.is_late:
            self.complain(f"the server counted {worst} requests in a second, the limit is {self.limit}")
        for kind, granted in self.granted.items():
            let_go = set(granted)
            if granted != [number for number in self.arrived[kind] if number in let_go]:
                self.complain(f"not first in, first out in {kind[:2]}: {granted}")
        for words in self.loop.unhandled:
            self.complain(f"unhandled: {words}")


@contextmanager
def _observed(world: World) -> Generator[None]:
    """See in which order the limiter grants, and that it writes nothing in a pause."""
    numbers = iter(range(10**9))
    acquire, pause, sending = RateLimiter.acquire, PermitPool.pause, PermitPool.sending
    paused_at: dict[int, float] = {}

    async def observed_acquire(
        self: RateLimiter, lane: Lane = Lane.ORDINARY, *, retry: bool = False, owner: object = None
    ) -> PooledPermit:
        number, kind = next(numbers), (lane, retry, self)
        world.arrived[kind].append(number)
        permit = await acquire(self, lane, retry=retry, owner=owner)
        world.granted[kind].append(number)
        return permit

    def observed_pause(self: PermitPool, seconds: float, *, over_limit: bool) -> None:
        paused_at[id(self)] = world.loop.now
        pause(self, seconds, over_limit=over_limit)

    def observed_sending(self: PermitPool, permit: Any, operation: str) -> None:
        if paused_at.get(id(self), 0.0) < world.loop.now < self.paused_until:
            world.complain(f"written in a pause, {self.paused_until - world.loop.now:.3f} s before its end")
        if (process := PROCESS.get()) is not None:
            process.writes_in = world.loop.turns
        sending(self, permit, operation)

    with (
        mock.patch.object(RateLimiter, "acquire", observed_acquire),
        mock.patch.object(PermitPool, "pause", observed_pause),
        mock.patch.object(PermitPool, "sending", observed_sending),
    ):
        yield


@contextmanager
def simulated(seed: int) -> Generator[World]:
    """Yield a world; inside, the clocks, the network and the disk are its own."""
    chance = random.Random(seed)
    network = Network(random.Random(chance.random()))
    loop = SimulatedLoop(network)
    network.loop = loop
    disk.StepThread.loop = loop
    disk_chance = random.Random(chance.random())
    loop.disk_delay = lambda: disk_chance.choice([0.0005, 0.001, 0.01, 0.05])
    state = random.getstate()
    random.seed(seed)
    collect, disabled = gc.isenabled(), logging.root.manager.disable
    # Abandoned tasks of dead processes must not be cleaned up while the world goes on.
    gc.disable()
    gc.freeze()
    logging.disable(logging.CRITICAL)

    def since_boot(clock: int) -> float:
        del clock
        return loop.now

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simulation-", dir=_MEMORY)))
        for target, name, value in (
            (time, "monotonic", loop.time),
            (time, "time", lambda: EPOCH + loop.now),
            (time, "clock_gettime", since_boot),
            (writer, "threading", disk.Threading),
            (writer, "SimpleQueue", disk.StepQueue),
            (files, "sqlite3", disk.Sqlite()),
            (create_many, "weakref", _NoFinalizers),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        type(REGISTRY).__init__(REGISTRY)
        limit = chance.choice([4, 10, 25])
        sandbox = Sandbox(
            clock=loop.time,
            policy=chance.choice(POLICIES),
            limit=limit,
            seed=seed,
            latency=chance.choice([0.0, 0.01, 0.1]),
            clock_start=EPOCH,
            retry_after=chance.choice(["none", "seconds", "decimal"]),
            variants={"extra_fields": chance.random() < 0.7},
        )
        world = World(seed, chance, network, loop, folder, limit, sandbox)
        stack.enter_context(_observed(world))
        try:
            yield world
        finally:
            _bury(world)
            random.setstate(state)
            logging.disable(disabled)
            gc.unfreeze()
            if collect:
                gc.enable()


_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of its own is made there


Scenario = Callable[[World], Awaitable[None]]


def simulate(seed: int, choose: Callable[[World], Scenario]) -> World:
    """Play a seed; return the world with what was violated.

    Args:
        seed: the seed.
        choose: returns what happens in the world.

    """
    with simulated(seed) as world:
        scenario = choose(world)
        loop = world.loop
        try:
            loop.run_until_complete(_play(world, scenario))
        except NothingCanHappenError as error:
            world.complain(str(error))
        except Exception as error:  # noqa: BLE001 - a scenario that fails is a finding
            world.complain(f"{type(error).__name__}: {error}")
        finally:
            world.check()
        return world


def _ignore(*_: object) -> None:
    """Take no note of anything."""


class _NoFinalizers:
    """Stands for ``weakref`` where ``create_many`` is abandoned: finalizers would keep what a dead process left."""

    @staticmethod
    def finalize(*_: Any) -> SimpleNamespace:
        """Register nothing."""
        return SimpleNamespace()


def _close(coroutine: Any) -> None:
    """Close a coroutine, although its clean-up waits for something."""
    for _ in range(10):
        try:
            coroutine.close()
        except Exception:  # noqa: BLE001, S112 - whatever a dead process raises
            continue
        return


def _bury(world: World) -> None:
    """Destroy what is left of the world; what dead processes do at that is of no interest."""
    hook, sys.unraisablehook = sys.unraisablehook, _ignore
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        type(REGISTRY).__init__(REGISTRY)
        world.loop.is_over = True
        world.loop.set_exception_handler(_ignore)
        for thread in disk.all_threads:
            thread.end()
        disk.all_threads.clear()
        disk.disks.clear()
        for process in world.lives:
            process.is_dead = True
            process.when_dying.clear()
            process.at_step.clear()
        world.lives.clear()
        for task in world.loop.tasks:
            _close(task.get_coro())
        world.loop.tasks.clear()
        world.arrived.clear()
        world.granted.clear()
        world.network.open.clear()
        world.loop.close()
        gc.collect()
    sys.unraisablehook = hook


async def _play(world: World, scenario: Scenario) -> None:
    async with world.sandbox:
        await scenario(world)
        world.calm()
