from __future__ import annotations

import json
from time import monotonic, time
from types import SimpleNamespace
from typing import Any

import pytest

from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.sandbox import MISSING_TOKEN, UNKNOWN_TOKEN, SandboxOptions, SlidingLog, Variants
from tests.support.sandbox import EARLY, VALID, FakeClock, Running, create_request

INVALID_TOKEN = {"status": False, "message": "Access token has expired or is invalid."}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_every_operation_needs_its_permission(endpoint: Any) -> None:
    path, body, query = VALID[endpoint.name]
    async with Running() as running:
        await running.create()
        await running.call("POST", "create-comment-automation", json={"name": "n", "channels": [1]})
        right = running.sandbox.add_token("right", permissions=[endpoint.permission])
        other = {each.permission for each in ENDPOINTS} - {endpoint.permission}
        wrong = running.sandbox.add_token("wrong", permissions=sorted(other))

        reply = await running.call(endpoint.method, path, token=right, json=body, params=query)
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "application/json"
        endpoint.response.model_validate_json(reply.body)

        refused = await running.call(endpoint.method, path, token=wrong, json=body, params=query)
        assert refused.status == (401 if endpoint.name == "create-post-generation" else 403)
        assert endpoint.permission in refused.json()["message"]
        assert refused.json()["status"] is False
        assert running.sandbox.ledger.tokens["wrong"].commits == 0


@pytest.mark.parametrize("status", [401, 403])
async def test_status_of_a_missing_permission_is_selectable(status: int) -> None:
    async with Running(variants=Variants(missing_permission=status)) as running:
        token = running.sandbox.add_token(permissions=[])
        assert (await running.create(token=token)).status == status
        path, body, _ = VALID["create-post-generation"]
        assert (await running.call("POST", path, token=token, json=body)).status == status


@pytest.mark.parametrize(
    ("authorization", "label"),
    [
        (None, MISSING_TOKEN),
        ("", MISSING_TOKEN),
        ("Bearer", MISSING_TOKEN),
        ("Bearer ", MISSING_TOKEN),
        ("Basic c2FuZGJveC10b2tlbg==", MISSING_TOKEN),
        ("sandbox-token", MISSING_TOKEN),
        ("Bearer a-real-token-sent-here-by-mistake", UNKNOWN_TOKEN),
        ("Bearer sandbox-token2", UNKNOWN_TOKEN),
    ],
)
async def test_bad_authorization_is_401_and_the_token_is_not_written_down(
    authorization: str | None, label: str
) -> None:
    async with Running() as running:
        headers = {} if authorization is None else {"Authorization": authorization}
        url = f"{running.sandbox.base_url}/social-sparks/create-post"
        reply = await running.fetch("POST", url, headers=headers, json=create_request())
        assert reply.status == 401
        assert reply.json() == INVALID_TOKEN
        assert [*running.sandbox.ledger.tokens] == [label]
        assert b"by-mistake" not in (await running.control("GET", "ledger")).body


async def test_the_scheme_may_be_written_in_any_case() -> None:
    async with Running() as running:
        url = f"{running.sandbox.base_url}/social-sparks/upcoming-posts"
        reply = await running.fetch("GET", url, headers={"Authorization": "bearer sandbox-token"})
        assert reply.status == 200


async def test_expiry() -> None:
    async with Running() as running:
        timed = running.sandbox.add_token("timed", expires_in=7 * 86400)
        counted = running.sandbox.add_token("counted", expires_after_requests=2)
        assert [(await running.create(token=counted)).status for _ in range(3)] == [200, 200, 401]
        assert (await running.create(token=timed)).status == 200
        running.sandbox.advance(7 * 86400)
        reply = await running.create(token=timed)
        assert (reply.status, reply.json()) == (401, INVALID_TOKEN)
        assert (await running.create()).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "social-sparks/create-post", 405, "POST"),
        ("DELETE", "social-sparks/post/5", 405, "GET"),
        ("POST", "social-sparks/update-comment-automation", 405, "PUT"),
        ("OPTIONS", "social-sparks/get-posts", 405, "GET"),
        ("GET", "social-sparks/post/", 404, None),
        ("GET", "social-sparks/post/1/2", 404, None),
        ("GET", "social-sparks/posts", 404, None),
        ("GET", "social-sparks/create-post/", 404, None),
        ("GET", "", 404, None),
    ],
)
async def test_unknown_paths_and_methods(method: str, path: str, status: int, allow: str | None) -> None:
    async with Running() as running:
        headers = {"Authorization": "Bearer sandbox-token"}
        reply = await running.fetch(method, f"{running.sandbox.base_url}/{path}", headers=headers)
        assert reply.status == status
        assert reply.headers.get("Allow") == allow
        assert reply.json()["status"] is False
        assert running.sandbox.ledger.attempts("unknown-path") == 1


async def test_a_wrong_root_is_404_and_recorded() -> None:
    async with Running() as running:
        reply = await running.fetch("GET", f"{running.root}/v2/x", headers={"Authorization": "Bearer sandbox-token"})
        assert reply.status == 404
        assert running.sandbox.ledger.tokens["default"].statuses == {404: 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"caption_text=Hello",
        b"\xff\xfe",
        b"[" * 200_000,
        pytest.param(b'{"channel_id": ' + b"9" * 10_000 + b"}", id="number of 10,000 digits"),
    ],
    ids=lambda body: repr(body[:12]) if isinstance(body, bytes) else "",
)
async def test_no_json_is_400(body: bytes) -> None:
    async with Running() as running:
        reply = await running.call("POST", "create-post", data=body)
        assert reply.status == 400
        assert reply.json() == {"status": False, "message": "The request body is not valid JSON."}


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "5"])
async def test_json_that_is_no_object_is_422(body: str) -> None:
    async with Running() as running:
        reply = await running.call("POST", "create-post", data=body.encode())
        assert reply.status == 422
        assert [*reply.json()["errors"]] == ["body"]


async def test_invalid_requests_are_422_with_an_errors_map() -> None:
    async with Running() as running:
        reply = await running.create(channel_type="myspace", media_urls=...)
        assert reply.status == 422
        assert {*reply.json()} == {"status", "message", "errors"}
        assert {*reply.json()["errors"]} == {"channel_type", "media_urls"}
        assert all(isinstance(message, str) for messages in reply.json()["errors"].values() for message in messages)
        assert (await running.call("GET", "get-posts")).status == 422
        assert (await running.call("GET", "upcoming-posts", params={"limit": "0"})).status == 422
        assert len(running.sandbox.posts) == 0
        assert running.sandbox.ledger.uncommitted() == 3


async def test_a_body_above_the_maximum_is_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketingblocks_async.sandbox.api.requests.MAX_BODY_BYTES", 1_000_000)
    async with Running() as running:
        for length, status in ((1_200_000, 413), (900_000, 200)):
            body = json.dumps(create_request("x" * length)).encode()
            assert (await running.call("POST", "create-post", data=body)).status == status


async def test_a_caption_of_several_megabytes_is_kept() -> None:
    async with Running() as running:
        caption = "é" * 3_000_000
        body = json.dumps(create_request(caption)).encode()
        assert (await running.call("POST", "create-post", data=body)).status == 200
        assert running.sandbox.ledger.compare([caption]).exact


class TestLimit:
    async def test_excess_is_429_with_the_documented_body(self) -> None:
        async with Running(policy="fixed_window", limit=3, per=3600) as running:
            statuses = [(await running.create(str(number))).status for number in range(5)]
            assert statuses == [200, 200, 200, 429, 429]
            reply = await running.create()
            assert reply.json()["status"] is False
            assert "3 requests per 3600 s" in reply.json()["message"]
            assert "Retry-After" not in reply.headers
            record = running.sandbox.ledger.tokens["default"]
            assert (record.over_limit, record.too_many_requests, record.commits) == (3, 3, 3)
            assert len(record.arrivals) == 6
            assert len(running.sandbox.posts) == 3

    async def test_each_token_has_its_own(self) -> None:
        async with Running(policy="sliding_log", limit=1, per=3600, tokens=1) as running:
            other = running.sandbox.tokens["token-1"]
            assert [(await running.create(token=token)).status for token in (None, other, other)] == [401, 200, 429]
            assert (await running.create()).status == 200

    async def test_every_kind_of_request_counts(self) -> None:
        async with Running(policy="sliding_log", limit=3, per=3600) as running:
            await running.call("GET", "upcoming-posts")
            await running.create(channel_type="invalid")
            await running.call("GET", "no-such-path")
            assert (await running.create()).status == 429

    async def test_the_control_paths_and_the_documentation_do_not_count(self) -> None:
        async with Running(policy="sliding_log", limit=1, per=3600) as running:
            await running.control("GET", "ledger")
            await running.fetch("GET", f"{running.sandbox.docs_url}/x.md?ask=y")
            assert (await running.create()).status == 200
            assert running.sandbox.ledger.attempts() == 1

    async def test_time_is_the_injected_clock(self) -> None:
        clock = FakeClock()
        async with Running(clock=clock, policy="sliding_log", limit=2) as running:
            assert [(await running.create()).status for _ in range(3)] == [200, 200, 429]
            clock.move(0.999)
            assert (await running.create()).status == 429
            clock.move(0.002)
            assert (await running.create()).status == 200
            assert running.sandbox.ledger.arrivals().tolist() == [1000.0, 1000.0, 1000.0, 1000.999, clock.now]

    async def test_advancing_does_not_help(self) -> None:
        async with Running(clock=FakeClock(), policy="sliding_log", limit=1) as running:
            await running.create()
            running.sandbox.advance(3600)
            assert (await running.create()).status == 429

    @pytest.mark.parametrize(
        ("style", "header"),
        [("none", None), ("seconds", "2"), ("decimal", "1.500"), ("in a while", "in a while")],
    )
    async def test_retry_after_is_selectable(self, style: str, header: str | None) -> None:
        clock = FakeClock()
        async with Running(clock=clock, policy="sliding_log", limit=1, per=2.0, retry_after=style) as running:
            await running.create()
            clock.move(0.5)
            assert (await running.create()).headers.get("Retry-After") == header

    async def test_laravels_headers(self) -> None:
        async with Running(policy="anchored_window", limit=2, per=60.0) as running:
            first = await running.create()
            assert {name: first.headers[name] for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining")} == {
                "X-RateLimit-Limit": "2",
                "X-RateLimit-Remaining": "1",
            }
            assert "Retry-After" not in first.headers
            await running.create()
            refused = await running.create()
            assert (refused.status, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
            assert 55 <= int(refused.headers["Retry-After"]) <= 60
            assert abs(int(refused.headers["X-RateLimit-Reset"]) - time() - 60) < 10
        async with Running(policy="anchored_window", limit=1, retry_after="soon") as running:
            await running.create()
            assert (await running.create()).headers["Retry-After"] == "soon"

    @pytest.mark.parametrize(
        "fault",
        [
            "slow_answer:delay=0",
            "commit_then_stall:delay=0.01",
            "drip:interval=0",
            "truncated_json",
            "truncated_json:commit=false",
            "huge_body:mib=0",
            "error_500",
            "status_false:commit=true",
        ],
    )
    async def test_laravels_headers_with_a_fault(self, fault: str) -> None:
        async with Running(policy="anchored_window", limit=2, per=60.0, faults=[fault]) as running:
            url = f"{running.sandbox.base_url}/social-sparks/create-post"
            headers = {"Authorization": f"Bearer {running.sandbox.token}"}
            # Not to its end, which some of them never reach.
            async with running.session.post(url, headers=headers, json=create_request()) as response:
                assert response.headers.getall("X-RateLimit-Limit") == ["2"]
                assert response.headers.getall("X-RateLimit-Remaining") == ["1"]

    async def test_a_policy_of_ones_own(self) -> None:
        async with Running(policy_factory=lambda: SlidingLog(2, 3600.0)) as running:
            assert [(await running.create()).status for _ in range(3)] == [200, 200, 429]

    @pytest.mark.parametrize(
        ("options", "passed"),
        [
            ({"policy": "none"}, 30),
            ({"policy": "fixed_window"}, 8),
            ({"policy": "sliding_log"}, 8),
            ({"policy": "sliding_log_strict"}, 8),
            ({"policy": "token_bucket"}, 8),
            ({"policy": "gcra", "tolerance": 3}, 4),
        ],
        ids=["none", "fixed_window", "sliding_log", "sliding_log_strict", "token_bucket", "gcra"],
    )
    async def test_policies_by_name(self, options: SandboxOptions, passed: int) -> None:
        clock = FakeClock(0.0)
        settings: SandboxOptions = {"limit": 8, "per": 1e6, **options}
        async with Running(clock=clock, **settings) as running:
            statuses = [(await running.create()).status for _ in range(30)]
            assert statuses.count(200) == passed
            assert statuses.count(429) == 30 - passed


class TestTiming:
    async def test_latency_is_after_counting(self) -> None:
        async with Running(latency=0.1) as running:
            await running.create()
            assert monotonic() - running.sandbox.ledger.arrivals()[0] >= 0.1 - EARLY

    async def test_jitter_is_before_counting_and_repeatable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def waits(seed: int) -> list[tuple[float, int]]:
            """Return each wait and how many requests had been counted when it began."""
            found: list[tuple[float, int]] = []

            async def sleep(seconds: float) -> None:
                found.append((seconds, running.sandbox.ledger.attempts()))

            async with Running(jitter=0.5, latency=0.25, seed=seed) as running:
                monkeypatch.setattr("marketingblocks_async.sandbox.api.requests.asyncio", SimpleNamespace(sleep=sleep))
                for _ in range(50):
                    await running.create()
            return found

        first = await waits(7)
        assert [counted for _, counted in first] == [count for number in range(50) for count in (number, number + 1)]
        jitter = [wait for wait, _ in first[::2]]
        assert {wait for wait, _ in first[1::2]} == {0.25}
        assert 0 <= min(jitter) < 0.1
        assert 0.4 < max(jitter) <= 0.5
        assert await waits(7) == first
        assert await waits(8) != first

    async def test_ids_are_repeatable(self) -> None:
        async def generation_id(seed: int | None) -> str:
            async with Running(seed=seed) as running:
                reply = await running.call("POST", "create-post-generation", json=VALID["create-post-generation"][1])
                return str(reply.json()["id"])

        assert await generation_id(1) == await generation_id(1)
        assert await generation_id(1) != await generation_id(2)
        assert await generation_id(None) != await generation_id(None)


async def test_a_commit_remembers_what_it_was() -> None:
    async with Running() as running:
        await running.create("cap", odd={"a": 1})
        (commit,) = running.sandbox.ledger.commits
        assert (commit.endpoint, commit.token, commit.id) == ("create-post", "default", "1")
        assert commit.request == json.loads(json.dumps(create_request("cap", odd={"a": 1})))
        assert commit.at == running.sandbox.ledger.arrivals()[0]
