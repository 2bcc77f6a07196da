"""A forked child starts with limiters of its own, and the parent goes on undisturbed."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from tests.support.redis_server import private_redis

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")

_COMMON = """
import asyncio, json, os, sys, threading, time
from marketingblocks_async.limits.registry import REGISTRY
from marketingblocks_async import RateLimit
ROOT = "https://api.example/v1"

async def grants(settings, count):
    class User: pass
    user = User()
    limiter = REGISTRY.get(ROOT, "a-token", settings, user)
    instants = []
    for _ in range(count):
        permit = await limiter.acquire()
        permit.sending()
        # Between the two, as a server counts: a process that has to wait for the processor may do so anywhere.
        instants.append(time.monotonic())
        permit.answered()
    REGISTRY.release(ROOT, "a-token", user)
    return instants

def child(settings, count):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, json.dumps(asyncio.run(grants(settings, count))).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text)
"""


async def outcome(code: str) -> list[list[float]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", _COMMON + code, stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    lists: list[list[float]] = json.loads(output)
    return lists


async def test_a_child_gets_permits_after_those_of_the_parent_no_longer_count() -> None:
    before, inside, after = await outcome(
        "settings = RateLimit(limit=4, per=0.3)\n"
        "first = asyncio.run(grants(settings, 4))\n"
        "inside = child(settings, 9)\n"
        "print(json.dumps([first, inside, asyncio.run(grants(settings, 4))]))"
    )
    assert (len(before), len(inside), len(after)) == (4, 9, 4)
    assert inside[0] - before[-1] >= 0.3


async def test_a_child_keeps_the_pause_of_its_parent() -> None:
    (instants,) = await outcome(
        "settings, user = RateLimit(limit=4, per=0.1), threading\n"
        "began = time.monotonic()\n"
        "REGISTRY.get(ROOT, 'a-token', settings, user).pause(2.0)\n"
        "print(json.dumps([[instant - began for instant in child(settings, 1)]]))"
    )
    assert instants[0] >= 2.0


async def test_a_child_that_is_forked_while_the_parent_s_calls_wait() -> None:
    parent, inside = await outcome(
        "settings = RateLimit(limit=4, per=0.3)\n"
        "async def main():\n"
        "    waiting = asyncio.create_task(grants(settings, 12))\n"
        "    await asyncio.sleep(0.05)\n"
        "    inside = await asyncio.to_thread(child, settings, 5)\n"
        "    return [await waiting, inside]\n"
        "print(json.dumps(asyncio.run(main())))"
    )
    assert (len(parent), len(inside)) == (12, 5)


async def test_a_child_leases_permits_of_its_own_from_redis() -> None:
    async with private_redis() as server:
        before, first, second, after = await outcome(
            "from marketingblocks_async.redis import RedisRateLimit\n"
            f"settings = RedisRateLimit({server.url!r}, limit=20, per=0.4, lease=0.3)\n"
            "before = asyncio.run(grants(settings, 30))\n"
            "children = [child(settings, 30), child(settings, 30)]\n"
            "print(json.dumps([before, *children, asyncio.run(grants(settings, 30))]))"
        )
    instants = sorted([*before, *first, *second, *after])
    assert len(instants) == 120
    # Each instant is before the end of its permit, so the bound holds for them.
    assert all(later - earlier >= 0.4 for earlier, later in zip(instants, instants[20:], strict=False))


async def test_a_fork_while_another_thread_makes_a_limiter_with_redis() -> None:
    """Both took the locks of registry and worker, in opposite orders, and waited for each other."""
    (inside,) = await outcome(
        "from marketingblocks_async.redis import RedisRateLimit\n"
        "class Slow(RedisRateLimit):\n"
        "    def make_limiter(self, base_url, token):\n"
        "        making.set()\n"
        "        time.sleep(0.2)\n"
        "        return super().make_limiter(base_url, token)\n"
        "making = threading.Event()\n"
        "settings, user = Slow('redis://127.0.0.1:1'), threading\n"
        "other = threading.Thread(target=REGISTRY.get, args=(ROOT, 'other', settings, user), daemon=True)\n"
        "other.start()\n"
        "making.wait()\n"
        "print(json.dumps([child(RateLimit(), 1)]))"
    )
    assert len(inside) == 1


async def test_a_client_that_the_parent_has_open_can_be_opened_in_a_child() -> None:
    (codes,) = await outcome(
        "import multiprocessing\n"
        "from marketingblocks_async import MarketingBlocks\n"
        "from marketingblocks_async.sandbox import SandboxProcess\n"
        "async def use(client):\n"
        "    async with client:\n"
        "        await asyncio.gather(*(client.posts.upcoming() for _ in range(3)))\n"
        "def child_main(client):\n"
        "    asyncio.run(use(client))\n"
        "async def main():\n"
        "    async with SandboxProcess(latency=0.3) as sandbox:\n"
        "        client = MarketingBlocks(sandbox.token, base_url=sandbox.base_url, max_connections=3)\n"
        "        async with client:\n"
        "            under_way = asyncio.gather(*(client.posts.upcoming() for _ in range(5)))\n"
        "            await asyncio.sleep(0.1)\n"
        "            context = multiprocessing.get_context('fork')\n"
        "            children = [context.Process(target=child_main, args=(client,)) for _ in range(2)]\n"
        "            for each in children:\n"
        "                each.start()\n"
        "            for each in children:\n"
        "                await asyncio.to_thread(each.join)\n"
        "            await under_way\n"
        "            await client.posts.upcoming()\n"
        "        return [each.exitcode for each in children]\n"
        "print(json.dumps([asyncio.run(main())]))"
    )
    assert codes == [0, 0]
