from __future__ import annotations

from typing import Any

import pytest

from marketingblocks_async.sandbox import Fault
from tests.support.sandbox import Running, create_request


async def test_health() -> None:
    async with Running(policy="gcra") as running:
        await running.create()
        assert (await running.control("GET", "health")).json() == {"status": True, "policy": "gcra", "posts": 1}


async def test_ledger_keys_by_name_and_never_by_secret() -> None:
    async with Running(tokens=["reader"]) as running:
        await running.create(token=running.sandbox.tokens["reader"])
        await running.create()
        reply = await running.control("GET", "ledger")
        assert {*reply.json()["tokens"]} == {"reader", "default"}
        assert b"sandbox-token" not in reply.body
        assert b"sandbox-token" not in (await running.control("GET", "tokens")).body


async def test_ledger_of_another_window() -> None:
    async with Running() as running:
        for _ in range(3):
            await running.create()
        report = (await running.control("GET", "ledger", params={"seconds": "0.0000001"})).json()
        assert report["window_seconds"] == 0.0000001
        assert report["worst_window"] == 1
        assert (await running.control("GET", "ledger")).json()["worst_window"] == 3
        for seconds in ("0", "-1", "nan", "x"):
            assert (await running.control("GET", "ledger", params={"seconds": seconds})).status == 400


async def test_arrivals() -> None:
    async with Running(tokens=1) as running:
        await running.create(token=running.sandbox.tokens["token-1"])
        await running.create()
        ledger = running.sandbox.ledger
        every = (await running.control("GET", "arrivals")).json()
        assert every == {"token": None, "arrivals": ledger.arrivals().tolist()}
        one = (await running.control("GET", "arrivals", params={"token": "token-1"})).json()
        assert one == {"token": "token-1", "arrivals": ledger.arrivals("token-1").tolist()}


async def test_compare() -> None:
    async with Running() as running:
        for caption in ("a", "a", "b"):
            await running.create(caption)
        expected: list[Any] = ["a", "c"]
        reply = (await running.control("POST", "compare", json={"expected": expected})).json()
        assert reply == {
            "lost": ["c"],
            "duplicated": [{"item": "a", "expected": 1, "committed": 2}],
            "unexpected": ["b"],
        }
        expected = [create_request("a"), create_request("a"), create_request("b")]
        reply = (await running.control("POST", "compare", json={"expected": expected})).json()
        assert reply == {"lost": [], "duplicated": [], "unexpected": []}
        for wrong in (["a", create_request("b")], [1], "a", None):
            assert (await running.control("POST", "compare", json={"expected": wrong})).status == 400


async def test_faults() -> None:
    async with Running(faults=["slow:times=1,delay=0"]) as running:
        added = [{"kind": "error_500", "times": 1}, {"kind": "redirect", "params": {"status": 307}}]
        assert (await running.control("POST", "faults", json=added)).status == 200
        assert (await running.control("POST", "faults", json={"kind": "reset", "after": 5})).status == 200
        await running.create()
        shown = (await running.control("GET", "faults")).json()["faults"]
        assert [(each["fault"]["kind"], each["seen"], each["fired"]) for each in shown] == [
            ("slow", 1, 1),
            ("error_500", 1, 1),
            ("redirect", 1, 0),
            ("reset", 1, 0),
        ]
        assert [armed.fault for armed in running.sandbox.faults.list()][3] == Fault("reset", after=5)
        assert (await running.control("DELETE", "faults")).json() == {"faults": []}
        assert (await running.create()).status == 200


@pytest.mark.parametrize(
    "body",
    [
        "commit_then_stall:times=3,delay=2",
        ["commit_then_stall:times=3,delay=2"],
        {"kind": "commit_then_stall", "times": 3, "params": {"delay": 2}},
    ],
)
async def test_a_fault_is_a_text_or_an_object(body: Any) -> None:
    async with Running() as running:
        assert (await running.control("POST", "faults", json=body)).status == 200
        assert [armed.fault for armed in running.sandbox.faults.list()] == [
            Fault.parse("commit_then_stall:times=3,delay=2")
        ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("reset:times", "is not key=value"),
        (["reset", "nonsense"], "no kind of fault"),
        ({"kind": "commit_then_stall", "delay": 2}, 'has no delay; the parameters of its kind go under "params"'),
        ({"kind": "nonsense"}, "no kind of fault"),
        ({"kind": "reset", "endpoint": "x"}, "no endpoint"),
        ({"kind": "reset", "extra": 1}, "extra"),
        ({}, "kind"),
        (5, ""),
        ([{"kind": "reset"}, {"kind": "nonsense"}], "no kind of fault"),
    ],
)
async def test_faults_that_cannot_be_are_refused_as_a_whole(body: Any, message: str) -> None:
    async with Running() as running:
        reply = await running.control("POST", "faults", json=body)
        assert reply.status == 400
        assert message in reply.json()["message"]
        assert running.sandbox.faults.list() == ()


async def test_tokens() -> None:
    async with Running() as running:
        request = {"name": "reader", "permissions": ["social-read-posts"], "expires_in": 60}
        added = (await running.control("POST", "tokens", json=request)).json()
        assert added == {"name": "reader", "token": "sandbox-token-reader"}
        assert (await running.call("GET", "upcoming-posts", token=added["token"])).status == 200
        assert (await running.create(token=added["token"])).status == 403
        unnamed = (await running.control("POST", "tokens", json={})).json()
        assert (await running.create(token=unnamed["token"])).status == 200
        shown = (await running.control("GET", "tokens")).json()["tokens"]
        assert [token["name"] for token in shown] == ["default", "reader", unnamed["name"]]
        assert shown[1] == {**request, "expires_after_requests": None}


@pytest.mark.parametrize(
    "body", [[], {"name": ""}, {"name": "default"}, {"permissions": "all"}, {"expires": 5}, {"secret": "a b"}]
)
async def test_tokens_that_cannot_be_are_refused(body: Any) -> None:
    async with Running() as running:
        assert (await running.control("POST", "tokens", json=body)).status == 400
        assert [*running.sandbox.tokens] == ["default"]


async def test_posts_and_advance() -> None:
    async with Running() as running:
        await running.create("cap", publish_mode="queued")
        (post,) = (await running.control("GET", "posts")).json()["posts"]
        assert (post["post_id"], post["STATUS"], post["leaves_at"]) == (1, "queued", None)
        assert post["request"]["caption_text"] == "cap"
        assert (await running.control("POST", "advance", json={"seconds": 120})).status == 200
        (post,) = (await running.control("GET", "posts")).json()["posts"]
        assert post["STATUS"] == "published"
        for seconds in (-1, "5", None, True, 1e30):
            assert (await running.control("POST", "advance", json={"seconds": seconds})).status == 400
        assert (await running.control("POST", "advance", data=b"x")).status == 400


async def test_reset_goes_back_to_the_start() -> None:
    options: dict[str, Any] = {"policy": "fixed_window", "limit": 2, "per": 1e9, "faults": ["error_500:times=1"]}
    async with Running(**options) as running:
        extra = running.sandbox.add_token("extra", expires_after_requests=1)
        running.sandbox.faults.add("drop_before:after=100")
        assert [(await running.create()).status for _ in range(3)] == [500, 200, 429]
        assert [(await running.create(token=extra)).status for _ in range(2)] == [200, 401]
        await running.call("POST", "create-comment-automation", json={"name": "n", "channels": [1]})

        assert (await running.control("POST", "reset")).status == 200
        assert len(running.sandbox.posts) == 0
        assert running.sandbox.ledger.attempts() == 0
        assert running.sandbox.ledger.commits == []
        assert running.sandbox.comment_automations.all() == ()
        assert [armed.fault.kind for armed in running.sandbox.faults.list()] == ["error_500"]
        assert [(await running.create()).status for _ in range(3)] == [500, 200, 429]
        assert [(await running.create(token=extra)).status for _ in range(2)] == [200, 401]
        assert (await running.control("GET", "posts")).json()["posts"][0]["post_id"] == 1


@pytest.mark.parametrize(
    ("method", "name", "status"),
    [("GET", "nothing", 404), ("GET", "", 404), ("GET", "reset", 405), ("PUT", "faults", 405), ("POST", "ledger", 405)],
)
async def test_unknown_control_paths(method: str, name: str, status: int) -> None:
    async with Running() as running:
        reply = await running.control(method, name)
        assert reply.status == status
        assert ("Allow" in reply.headers) == (status == 405)
        assert running.sandbox.ledger.attempts() == 0
