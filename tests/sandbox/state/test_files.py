"""Seeds, and the state that is kept over a restart."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import cast

import pytest

from marketingblocks_async.sandbox import Sandbox, SandboxOptions
from marketingblocks_async.sandbox.state.files import StateFileError
from tests.support.sandbox import FakeClock, Running, create_request


async def test_posts_automations_and_time_survive_a_restart(tmp_path: Path) -> None:
    file = str(tmp_path / "state.json")
    async with Running(state_file=file) as running:
        await running.create("now")
        await running.create("queued", publish_mode="queued")
        await running.create("next", publish_mode="share_next")
        later = {"publish_mode": "scheduled", "schedule_time": "2098-08-01 14:30", "time_zone": "UTC"}
        await running.create("later", **later)
        await running.call("POST", "create-comment-automation", json={"name": "Prices", "channels": [1]})
        running.sandbox.advance(30)
        before = [(post.request["caption_text"], post.leaves_at) for post in running.sandbox.posts]
        upcoming = (await running.call("GET", "upcoming-posts")).json()
        automations = running.sandbox.comment_automations.all()
    assert os.listdir(tmp_path) == ["state.json"]  # noqa: PTH208 - a path would block, says another rule
    async with Running(state_file=file) as running:
        sandbox = running.sandbox
        assert [(post.request["caption_text"], post.leaves_at) for post in sandbox.posts] == before
        assert (await running.call("GET", "upcoming-posts")).json() == upcoming
        assert sandbox.comment_automations.all() == automations
        assert (await running.create("another")).json()["post_id"] == 5
        assert sandbox.ledger.attempts("create-post") == 1


async def test_seeds_are_there_at_the_start_and_after_a_reset(tmp_path: Path) -> None:
    file = tmp_path / "seeds.json"
    file.write_text(json.dumps({"tokens": ["reader:social-read-posts"], "posts": [create_request("first")]}))
    async with Running(seeds=str(file)) as running:
        for _ in range(2):
            assert [post.request["caption_text"] for post in running.sandbox.posts] == ["first"]
            assert running.sandbox.ledger.attempts() == 0
            assert [*running.sandbox.tokens] == ["default", "reader"]
            await running.create("second")
            await running.sandbox.reset()


def test_a_kept_state_takes_the_place_of_the_seeds(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.json"
    seeds.write_text(json.dumps({"posts": [create_request("first")]}))
    state = tmp_path / "state.json"
    empty: dict[str, object] = {"posts": [], "first_slot": 0.0, "next_slot": 1e12}
    kept: dict[str, object] = {"version": 2, "advanced": 0.0, "posts": empty}
    kept |= {"automations": [], "generations": [], "tokens": []}
    state.write_text(json.dumps(kept))
    assert len(Sandbox(seeds=str(seeds), state_file=str(state)).posts) == 0


async def test_tokens_survive_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    seeds = tmp_path / "seeds.json"
    seeds.write_text(json.dumps({"tokens": ["seeded"]}))
    options: SandboxOptions = {"state_file": str(file), "seeds": str(seeds)}
    async with Running(**options) as running:
        added = {"name": "reader", "permissions": ["social-read-posts"], "expires_after_requests": 2}
        reader = (await running.control("POST", "tokens", json=added)).json()["token"]
        short = running.sandbox.add_token("short", expires_in=60, secret="of-its-own")
        running.sandbox.faults.add("expire_token:token=seeded,times=1")
        assert (await running.create(token=running.sandbox.tokens["seeded"])).status == 401
        assert (await running.call("GET", "upcoming-posts", token=reader)).status == 200
    assert file.stat().st_mode & 0o077 == 0
    async with Running(**options) as running:
        assert [*running.sandbox.tokens] == ["default", "seeded", "reader", "short"]
        assert (await running.create(token=running.sandbox.tokens["seeded"])).status == 401
        assert (await running.create(token=reader)).status == 403
        assert (await running.call("GET", "upcoming-posts", token=reader)).status == 401
        assert (await running.create(token=short)).status == 200
        running.sandbox.advance(60)
        assert (await running.create(token=short)).status == 401


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("seeds", None, "cannot be read"),
        ("seeds", "[", "is not JSON"),
        ("seeds", "[]", "must hold a JSON object"),
        ("seeds", '{"posts": [{}]}', "post 1 is not a valid create-post request"),
        ("seeds", '{"posts": 7}', "post 1 is not a valid"),
        ("seeds", '{"tokens": [7]}', "tokens"),
        ("state_file", "{}", "delete it to begin anew"),
        ("state_file", '{"version": 1}', "another version"),
        ("state_file", '{"version": 2, "advanced": -1}', "delete it to begin anew"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, option: str, content: str | None, message: str) -> None:
    file = tmp_path / "file.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StateFileError, match=message) as caught:
        Sandbox(**cast("SandboxOptions", {option: str(file)}))
    assert str(file) in str(caught.value)


async def test_a_state_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "no folder" / "state.json"
    with pytest.raises(StateFileError, match="cannot be written"):
        await Sandbox(state_file=str(file)).start()


async def test_a_state_that_could_not_be_written_for_a_while_is_written_later(tmp_path: Path) -> None:
    folder, away = tmp_path / "folder", tmp_path / "away"
    folder.mkdir()
    async with Running(state_file=str(folder / "state.json")) as running:
        folder.rename(away)
        await running.create("first")
        await asyncio.sleep(1.5)
        away.rename(folder)
        async with asyncio.timeout(30):
            while "first" not in (folder / "state.json").read_text():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.1)


async def test_the_clock_starts_where_it_is_told_to() -> None:
    start = 1_800_000_000.0
    async with Running(clock_start=start) as running:
        await running.create()
        (post,) = running.sandbox.posts
        assert start <= post.created_at < start + 60


async def world_of(running: Running) -> float:
    return float((await running.control("POST", "advance", json={"seconds": 0})).json()["world"])


async def test_a_set_clock_goes_on_where_it_stopped(tmp_path: Path) -> None:
    start, clock = round(time.time()) + 1e8, FakeClock()
    options: SandboxOptions = {"state_file": str(tmp_path / "state.json"), "clock_start": start}
    async with Running(clock=clock, **options) as running:
        await running.create()
        short = running.sandbox.add_token("short", expires_in=100)
        running.sandbox.advance(20)
        clock.move(30)
        assert await world_of(running) == start + 50
    async with Running(clock=FakeClock(), **options | {"tokens": ["fresh@60"]}) as running:
        assert await world_of(running) == start + 50
        (post,) = (await running.control("GET", "posts")).json()["posts"]
        assert post["STATUS"] == "published"
        running.sandbox.advance(49)
        assert (await running.create(token=short)).status == 200
        # Its life began with this start, and not at the time that the clock was set to.
        assert (await running.create(token=running.sandbox.tokens["fresh"])).status == 200
        running.sandbox.advance(1)
        assert (await running.create(token=short)).status == 401
    for later in (0, 1000):
        async with Running(clock=FakeClock(), **options | {"clock_start": start + later}) as running:
            assert await world_of(running) == start + max(100, later)


async def test_without_a_set_clock_it_is_the_present_and_never_earlier_than_before(tmp_path: Path) -> None:
    file, start = str(tmp_path / "state.json"), round(time.time()) + 1e8
    async with Running(state_file=file, clock_start=start):
        pass
    async with Running(state_file=file) as running:
        assert start <= await world_of(running) < start + 60
    (tmp_path / "state.json").unlink()
    async with Running(state_file=file) as running:
        running.sandbox.advance(5000)
    async with Running(state_file=file) as running:
        assert 0 <= await world_of(running) - time.time() - 4990 < 60


async def test_a_file_without_the_time_can_still_be_read(tmp_path: Path) -> None:
    file, start = tmp_path / "state.json", round(time.time()) + 1e8
    options: SandboxOptions = {"state_file": str(file), "clock_start": start}
    async with Running(clock=FakeClock(), **options) as running:
        running.sandbox.advance(30)
    state = json.loads(file.read_text())
    del state["world"]
    file.write_text(json.dumps(state))
    async with Running(clock=FakeClock(), **options) as running:
        assert await world_of(running) == start + 30


async def test_a_reset_is_written_although_all_counts_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketingblocks_async.sandbox.server._SAVE_INTERVAL", 0.02)
    file = tmp_path / "state.json"
    async with Running(state_file=str(file)) as running:
        await running.create("old")
    async with Running(state_file=str(file)) as running:
        # By now the counts of this start are those that were written last.
        await asyncio.sleep(0.3)
        assert "old" in file.read_text()
        await running.control("POST", "reset")
        # Before the end, which a killed sandbox does not reach.
        async with asyncio.timeout(30):
            while "old" in file.read_text():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)
