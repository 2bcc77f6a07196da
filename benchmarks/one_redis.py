"""One Redis with many tokens on many processes: what it has to do, and how evenly the processes share each token.

Run as ``python -m benchmarks.one_redis``. Each token has a limiter in each process, with calls that always wait. The
limiters, leases and exchanges are real, and so is Redis. The calls send nothing: they note when they would have written
their request, and get their answer after ``ROUND_TRIP``. A few real processes play all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from array import array
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from benchmarks.arithmetic import worst_window
from marketingblocks_async.limits.settings import ManagedLimiter
from marketingblocks_async.redis import RedisRateLimit
from marketingblocks_async.testing.redis_server import PrivateRedis

ROUND_TRIP = 0.02
"""Seconds from a request to its answer."""

WARM_UP = 6.0
"""Seconds before the measurement: the processes find each other, and their shares become even."""

START = 5.0
"""Seconds for the real processes to start."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one real process does.

    Attributes:
        url: the Redis.
        processes: numbers of the processes that it plays.
        tokens: number of tokens.
        limit: requests per second of a token.
        lease: seconds of a lease.
        waiting: calls that wait at once, for each token in each process.
        begins: ``time.monotonic()`` at which the calls begin.
        ends: when they end.

    """

    url: str
    processes: range
    tokens: int
    limit: int
    lease: float
    waiting: int
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Done:
    """What one real process did.

    Attributes:
        sent: instants of the requests, by process and token.
        cpu: seconds of processor time.

    """

    sent: dict[tuple[int, int], array[float]]
    cpu: float


def do(work: Work) -> Done:
    """Do the work of one real process."""
    return asyncio.run(_do(work))


async def _do(work: Work) -> Done:
    limiters = {
        # A process has one worker for each address of a Redis. The same address under another name makes another.
        (process, token): RedisRateLimit(
            f"{work.url}/0?client_name=process-{process}", limit=work.limit, lease=work.lease
        ).make_limiter("https://api.example", f"token-{token}")
        for process in work.processes
        for token in range(work.tokens)
    }
    sent: dict[tuple[int, int], array[float]] = {key: array("d") for key in limiters}
    loop = asyncio.get_running_loop()

    async def call(limiter: ManagedLimiter, instants: array[float]) -> None:
        while True:
            permit = await limiter.acquire()
            await limiter.wait_to_write()
            instants.append(time.monotonic())
            permit.sending()
            permit.sent(fresh_connection=False)
            loop.call_later(ROUND_TRIP, permit.answered)

    await asyncio.sleep(work.begins - time.monotonic())
    cpu = time.process_time()
    calls = [asyncio.create_task(call(limiters[key], sent[key])) for key in limiters for _ in range(work.waiting)]
    await asyncio.sleep(work.ends - time.monotonic())
    cpu = time.process_time() - cpu
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    for limiter in limiters.values():
        limiter.close()
    return Done(sent, cpu)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was seen.

    Attributes:
        worst_second: most requests of a token in any second, of all its processes together.
        use: share of all tokens' limits that was used.
        least_use: the same of the token that used least.
        evenness: Jain's index of a token's processes, the median of the tokens.
        least_evenness: the same of the most uneven token.
        slowest: requests of a token's slowest process as a share of its quickest, the median of the tokens.
        exchanges: exchanges a second.
        per_request: exchanges per request.
        exchange: microseconds of an exchange inside Redis.
        redis_cpu: share of a core that Redis used.
        client_cpu: cores that the real processes used together.

    """

    worst_second: int
    use: float
    least_use: float
    evenness: float
    least_evenness: float
    slowest: float
    exchanges: float
    per_request: float
    exchange: float
    redis_cpu: float
    client_cpu: float


async def measure(
    *,
    tokens: int,
    processes: int,
    real: int,
    limit: int,
    lease: float,
    waiting: int,
    seconds: float,
    warm_up: float = WARM_UP,
) -> Figures:
    """Run once.

    Args:
        tokens: number of tokens.
        processes: number of processes that share each of them.
        real: number of real processes that play them.
        limit: requests per second of a token.
        lease: seconds of a lease.
        waiting: calls that wait at once, for each token in each process.
        seconds: length of the measurement.
        warm_up: seconds before it.

    """
    context = multiprocessing.get_context("spawn")
    async with PrivateRedis() as server:
        with ProcessPoolExecutor(real, mp_context=context) as pool:
            begins = time.monotonic() + START
            ends = begins + warm_up + seconds
            parts = [range(number, processes, real) for number in range(real)]
            works = [Work(server.url, part, tokens, limit, lease, waiting, begins, ends) for part in parts]
            running = [asyncio.wrap_future(pool.submit(do, work)) for work in works]
            await asyncio.sleep(begins + warm_up - time.monotonic())
            before = await _work_of(server)
            await asyncio.sleep(ends - 0.5 - time.monotonic())
            after = await _work_of(server)
            done = await asyncio.gather(*running)
    sent = {key: instants for part in done for key, instants in part.sent.items()}
    return _figures(sent, [each - old for each, old in zip(after, before, strict=True)], done, works[0], warm_up)


async def _work_of(server: PrivateRedis) -> list[float]:
    """Return the clock, the exchanges so far, their seconds inside Redis, and the processor time of Redis."""
    command = (await server.command("INFO", "commandstats")).get("cmdstat_evalsha", {"calls": 0, "usec": 0})
    cpu = await server.command("INFO", "cpu")
    return [
        time.monotonic(),
        float(command["calls"]),
        command["usec"] / 1e6,
        cpu["used_cpu_user"] + cpu["used_cpu_sys"],
    ]


def _figures(
    sent: dict[tuple[int, int], array[float]], redis: list[float], done: list[Done], work: Work, warm_up: float
) -> Figures:
    began, seconds = work.begins + warm_up, work.ends - work.begins - warm_up
    uses: list[float] = []
    jains: list[float] = []
    slowest: list[float] = []
    worst = 0
    for token in range(work.tokens):
        of_token = [instants for (_, of), instants in sent.items() if of == token]
        # The limit holds from the first request on; all else is of the measurement.
        worst = max(worst, worst_window(sorted(instant for instants in of_token for instant in instants)))
        counts = [sum(instant >= began for instant in instants) for instants in of_token]
        uses.append(sum(counts) / seconds / work.limit)
        jains.append(sum(counts) ** 2 / (len(counts) * sum(count * count for count in counts)))
        slowest.append(min(counts) / max(counts))
    took, exchanges, inside, cpu = redis
    return Figures(
        worst_second=worst,
        use=statistics.fmean(uses),
        least_use=min(uses),
        evenness=statistics.median(jains),
        least_evenness=min(jains),
        slowest=statistics.median(slowest),
        exchanges=exchanges / took,
        per_request=exchanges / took / (statistics.fmean(uses) * work.limit * work.tokens),
        exchange=inside / exchanges * 1e6,
        redis_cpu=cpu / took,
        client_cpu=sum(each.cpu for each in done) / (work.ends - work.begins),
    )


def main() -> None:
    """Run once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8, help="that share each token")
    parser.add_argument("--real", type=int, default=2, help="real processes that play them")
    parser.add_argument("--limit", type=int, default=10, help="requests per second of a token")
    parser.add_argument("--lease", type=float, default=0.75, help="seconds of a lease")
    parser.add_argument("--waiting", type=int, default=2, help="calls that wait at once")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    figures = asyncio.run(
        measure(
            tokens=given.tokens,
            processes=given.processes,
            real=given.real,
            limit=given.limit,
            lease=given.lease,
            waiting=given.waiting,
            seconds=given.seconds,
        )
    )
    print("| | |")
    print("| --- | --- |")
    print(f"| tokens, processes of each | {given.tokens}, {given.processes} |")
    print(f"| limit of a token, lease | {given.limit} a second, {given.lease:g} s |")
    print(f"| worst second of a token | {figures.worst_second} |")
    print(f"| use of the limit | {figures.use:.3f}, of the lowest token {figures.least_use:.3f} |")
    print(f"| evenness of a token's processes (Jain) | {figures.evenness:.3f}, lowest {figures.least_evenness:.3f} |")
    print(f"| slowest process of a token, as a share of its quickest | {figures.slowest:.2f} |")
    print(f"| exchanges with Redis | {figures.exchanges:,.0f} a second, {figures.per_request:.2f} per request |")
    print(f"| an exchange inside Redis | {figures.exchange:.0f} µs |")
    print(f"| processor time | Redis {figures.redis_cpu:.2f} of a core, the processes {figures.client_cpu:.2f} |")


if __name__ == "__main__":
    main()
