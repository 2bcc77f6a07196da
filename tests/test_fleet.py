"""Many tokens over one pool."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast

import pytest

from marketingblocks_async import ConfigurationError, NotSentError, RateLimit, TokenFleet
from marketingblocks_async.limits.registry import REGISTRY
from marketingblocks_async.sandbox import Sandbox, SandboxProcess
from tests.support.clients import post
from tests.support.polling import until
from tests.support.raw_server import RawServer, always, answer


async def test_every_token_has_a_limiter_of_its_own_and_one_state() -> None:
    async with Sandbox() as sandbox, TokenFleet(base_url=sandbox.base_url) as fleet:
        tokens = [sandbox.add_token(f"tenant-{number}") for number in range(5)]
        await asyncio.gather(*(fleet.client(token, name=f"n{i}").posts.upcoming() for i, token in enumerate(tokens)))
        snapshot = fleet.snapshot()
        assert {name: state.granted for name, state in snapshot.tokens.items()} == {f"n{i}": 1 for i in range(5)}
        assert (snapshot.connections, snapshot.waiting_for_connection, snapshot.max_connections) == (0, 0, 1000)
        assert fleet.client(tokens[0]) is fleet.client(tokens[0])
        assert not any(token in repr(snapshot) for token in tokens)


@pytest.mark.parametrize("token", [None, 5])
async def test_what_is_no_token_is_refused(token: Any) -> None:
    async with TokenFleet() as fleet:
        with pytest.raises(ConfigurationError, match="token must be a string"):
            fleet.client(token)


async def test_a_token_with_half_a_character_is_not_shown() -> None:
    async with TokenFleet() as fleet:
        with pytest.raises(ConfigurationError) as caught:
            fleet.client("secret\udcff")
    assert "secret" not in f"{caught.value!r} {caught.value.__context__!r}"


async def test_what_is_idle_is_dropped_and_what_is_used_is_not() -> None:
    async with (
        Sandbox() as sandbox,
        TokenFleet(base_url=sandbox.base_url, idle_after=0.05, rate_limit=RateLimit(per=0.05, guard=0.0)) as fleet,
    ):
        before = len(REGISTRY)
        mine = fleet.client(sandbox.add_token("mine"))
        await mine.posts.upcoming()
        for number in range(20):
            await fleet.client(sandbox.add_token(f"t{number}")).posts.upcoming()
        assert len(REGISTRY) >= before + 2
        gc.collect()
        await until(lambda: len(fleet) == 1)
        # Somebody still has it, so it is the same one.
        assert fleet.client(sandbox.tokens["mine"]) is mine
        await until(lambda: len(REGISTRY) <= before + 1)
        assert len(fleet.snapshot().tokens) == 1


def test_what_is_idle_is_dropped_on_another_event_loop_as_well() -> None:
    """The timer was that of the first loop."""
    fleet = TokenFleet(base_url="http://127.0.0.1:1/v1", idle_after=0.05)

    async def ask(*, waits: bool) -> None:
        fleet.client("a-token")
        if waits:
            gc.collect()
            await until(lambda: len(fleet) == 0)

    asyncio.run(ask(waits=False))
    asyncio.run(ask(waits=True))


async def test_slow_answers_of_one_token_starve_nobody() -> None:
    async with SandboxProcess(latency=0.0, faults=["slow_answer:delay=3,token=slow"]) as sandbox:
        slow, quick = await sandbox.add_token("slow"), await sandbox.add_token("quick")
        async with TokenFleet(base_url=sandbox.base_url, max_connections=8) as fleet:
            stuck = [asyncio.create_task(fleet.client(slow).posts.upcoming()) for _ in range(30)]
            await until(lambda: fleet.snapshot().connections == 4)
            for _ in range(10):
                await fleet.client(quick).posts.upcoming()
            assert fleet.snapshot().connections <= 8
            assert not any(task.done() for task in stuck)
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
            assert fleet.snapshot().connections == 0


async def test_closing_ends_those_who_wait_for_a_connection() -> None:
    async with Sandbox(faults=["slow_answer:delay=3"]) as sandbox:
        async with TokenFleet(base_url=sandbox.base_url, max_connections=1) as fleet:
            client = fleet.client(sandbox.token)
            tasks = [asyncio.create_task(client.posts.upcoming()) for _ in range(3)]
            await until(lambda: fleet.snapshot().waiting_for_connection == 2 and bool(sandbox.ledger.arrivals()))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, NotSentError) for result in results) == 2


async def test_saturated_tokens_keep_their_limits_each() -> None:
    async with SandboxProcess(policy="sliding_log_strict") as sandbox:
        tokens = [await sandbox.add_token(f"tenant-{number}") for number in range(8)]
        # The guard is wide, since a machine that runs tests may hold the counting server up.
        limit = RateLimit(guard=0.5)
        async with TokenFleet(base_url=sandbox.base_url, max_connections=200, rate_limit=limit) as fleet:
            await asyncio.gather(*(fleet.client(token).posts.upcoming() for token in tokens for _ in range(150)))
        report = await sandbox.ledger()
        assert report.worst_window <= 100
        assert all(report.tokens[f"tenant-{number}"].over_limit == 0 for number in range(8))


def test_a_fleet_without_a_limit_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="limit"):
        TokenFleet(rate_limit=RateLimit(limit=None))


async def test_a_post_that_its_hook_refuses_keeps_no_connection_and_no_permit() -> None:
    async def refuse(_index: int, _item: object) -> None:
        msg = "not this one"
        raise ValueError(msg)

    async with Sandbox() as sandbox, TokenFleet(base_url=sandbox.base_url, max_connections=1) as fleet:
        client = fleet.client(sandbox.token)
        outcomes = [each async for each in client.posts.create_many([post("a"), post("b")], before_send=refuse)]
        assert [type(each.error) for each in outcomes] == [ValueError, ValueError]
        assert fleet.snapshot().connections == 0
        assert client.rate_limiter.snapshot().in_use == 0
        assert (await client.posts.create(post("c"))).post_id is not None


async def test_a_token_with_calls_is_not_dropped() -> None:
    async with (
        Sandbox(faults=["slow_answer:delay=60"]) as sandbox,
        TokenFleet(base_url=sandbox.base_url, idle_after=0.05, rate_limit=RateLimit(per=0.05, guard=0.0)) as fleet,
    ):
        # The call has the group of operations, which does not hold the client.
        call = asyncio.create_task(fleet.client(sandbox.token, name="busy").posts.upcoming())
        await asyncio.sleep(0.3)
        gc.collect()
        assert (len(fleet), [*fleet.snapshot().tokens]) == (1, ["busy"])
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        del call
        gc.collect()
        await until(lambda: len(fleet) == 0)


async def test_tokens_of_one_name_are_numbered() -> None:
    async with Sandbox() as sandbox, TokenFleet(base_url=sandbox.base_url) as fleet:
        tokens = [sandbox.add_token(f"tenant-{number}") for number in range(3)]
        for number, token in enumerate(tokens):
            for _ in range(number + 1):
                await fleet.client(token, name="shop").posts.upcoming()
        shown = fleet.snapshot().tokens
        assert {name: state.granted for name, state in shown.items()} == {"shop": 1, "shop (2)": 2, "shop (3)": 3}


async def test_proxy_and_certificates_are_those_of_all_tokens() -> None:
    with pytest.raises(ConfigurationError, match="ssl_context"):
        TokenFleet(ssl_context=cast("Any", "a file"))
    async with (
        RawServer(always(answer(b"", "502 Bad Gateway"))) as proxy,
        TokenFleet(
            base_url="https://api.example.invalid", proxy=f"http://127.0.0.1:{proxy.port}", max_retries=0
        ) as fleet,
    ):
        with pytest.raises(NotSentError, match="proxy"):
            await fleet.client("a-token").posts.upcoming()
    assert [request.line for request in proxy.requests] == ["CONNECT api.example.invalid:443 HTTP/1.1"]
