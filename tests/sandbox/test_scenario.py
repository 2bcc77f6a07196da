"""What was recorded happens again, at the same requests, whatever chance and pace would say."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.sandbox import Sandbox, SandboxOptions, SandboxProcess
from marketingblocks_async.sandbox.state.files import StateFileError
from tests.support.sandbox import FakeClock, Running, create_request

CHANCY: dict[str, Any] = {
    "policy": "sliding_log",
    "limit": 4,
    "faults": [
        "error_500:rate=0.2,endpoint=create-post",
        "commit_then_drop:rate=0.2,endpoint=create-post",
        "wrong_shape:rate=0.3,body=[1]",
        "slow:rate=0.2,delay=0.001",
    ],
    "tokens": 1,
    "jitter": 0.001,
    "seed": 7,
}


def told(reply: Any) -> tuple[Any, ...]:
    """Return what a program sees of a response."""
    return (None,) if isinstance(reply, Exception) else (reply.status, reply.body)


async def script(running: Running, clock: FakeClock, *, pace: float, changes: bool = True) -> list[tuple[Any, ...]]:
    """Make some requests one after another, with changes from outside between them; return the responses."""
    found: list[tuple[Any, ...]] = []
    root = running.root.encode()

    async def ask(*arguments: Any, **more: Any) -> None:
        clock.move(pace)
        (reply,) = await asyncio.gather(running.call(*arguments, **more), return_exceptions=True)
        # Addresses of the sign-in hold the port.
        found.append(tuple(part.replace(root, b"") if isinstance(part, bytes) else part for part in told(reply)))

    for number in range(20):
        await ask("POST", "create-post", json=create_request(f"Post {number}"))
        await ask("GET", "upcoming-posts", token=running.sandbox.tokens["token-1"])
    if changes:
        await running.control("POST", "tokens", json={"name": "late", "expires_after_requests": 2})
        await running.control("POST", "faults", json={"kind": "reset", "times": 1, "endpoint": "find-post"})
        running.sandbox.advance(90)
    for _ in range(3):
        await ask("POST", "connect-channel", token="sandbox-token-late", json={"userId": "u"})
        await ask("GET", "post/1")
    await ask("POST", "create-post-generation", json={"post_type": "breel", "input": "flowers"})
    return found


async def played(
    options: dict[str, Any], *, pace: float, changes: bool = True, **more: Any
) -> tuple[list[Any], Running]:
    clock = FakeClock()
    async with Running(clock=clock, **options, **more) as running:
        return await script(running, clock, pace=pace, changes=changes), running


async def test_the_same_seed_and_requests_give_the_same_answers_and_ledger() -> None:
    options: dict[str, Any] = {**CHANCY, "clock_start": 1_800_000_000.0}
    one, first = await played(options, pace=0.1)
    two, second = await played(options, pace=0.1)
    assert one == two
    assert first.sandbox.ledger.report() == second.sandbox.ledger.report()
    assert {(None,), 500, 429} <= {each if each == (None,) else each[0] for each in one}
    three, _ = await played({**options, "seed": 8}, pace=0.1)
    assert three != one


# Three times: at another pace, with the changes made by the recording alone, and with both.
@pytest.mark.parametrize(("pace", "changes"), [(0.1, True), (0.9, True), (0.9, False)])
async def test_a_replay_meets_the_same_requests_with_the_same(tmp_path: Path, pace: float, *, changes: bool) -> None:
    file = str(tmp_path / "scenario.jsonl")
    recorded, original = await played(CHANCY, pace=0.1, record_file=file)
    again, running = await played({}, pace=pace, changes=changes, replay_file=file, policy="none")
    assert [each[:1] for each in again] == [each[:1] for each in recorded]
    assert again == recorded
    report = running.sandbox.replayed()
    # aiohttp sends the GET on a connection that was reset once more.
    assert (report.recorded, report.replayed, report.beyond, report.different) == (48, 48, 0, 0)
    ids = [commit.id for commit in original.sandbox.ledger.commits]
    assert [commit.id for commit in running.sandbox.ledger.commits] == ids
    assert any(each.kind == "reset" for each in running.sandbox.ledger.fault_firings)


async def test_a_replay_begins_with_the_recorded_settings_seeds_and_state(tmp_path: Path) -> None:
    file, seeds, state = tmp_path / "scenario.jsonl", tmp_path / "seeds.json", tmp_path / "state.json"
    seeds.write_text(json.dumps({"posts": [create_request("seed")], "tokens": ["reader"]}))
    options: SandboxOptions = {"seeds": str(seeds), "state_file": str(state), "variants": {"create_post": "nested"}}
    async with Running(**options) as running:
        await running.create("kept")
        running.sandbox.add_token("secretive", secret="of-its-own")
    options["record_file"] = str(file)
    async with Running(**options) as running:
        await running.create("new")
        await running.control("POST", "reset")
        await running.create("after")
    seeds.unlink()
    text = file.read_text()
    assert "of-its-own" not in text
    assert "sandbox-token" not in text
    assert "after" not in [line for line in text.splitlines() if '"request"' in line]
    async with Running(replay_file=str(file)) as running:
        assert [post.request["caption_text"] for post in running.sandbox.posts] == ["seed", "kept"]
        assert "post" in (await running.create("new")).json()
        assert (await running.create("after", token=running.sandbox.tokens["reader"])).status == 200
        assert [post.request["caption_text"] for post in running.sandbox.posts] == ["seed", "after"]
        await running.create("after")
        assert running.sandbox.tokens["secretive"] == "sandbox-token-secretive"
        report = (await running.control("GET", "scenario")).json()
        assert report == {"recorded": 2, "replayed": 2, "beyond": 1, "different": 0, "first_different": []}


async def test_another_request_than_recorded_is_reported(tmp_path: Path) -> None:
    file = str(tmp_path / "scenario.jsonl")
    async with Running(record_file=file, faults=["error_500:after=1,times=1"]) as running:
        for caption in ("a", "b"):
            await running.create(caption)
    async with SandboxProcess(replay_file=file) as sandbox, Running(replay_file=file) as running:
        statuses = [(await running.create(caption)).status for caption in ("a", "c", "d")]
        assert statuses == [200, 500, 200]
        report = running.sandbox.replayed()
        assert (report.different, report.first_different) == (1, ("default create-post 2",))
        assert (await sandbox.replayed()).recorded == 2


async def test_concurrent_requests_meet_as_many_faults_again(tmp_path: Path) -> None:
    file = str(tmp_path / "scenario.jsonl")

    async def burst(running: Running, chance: random.Random) -> list[int]:
        captions = [f"Post {number}" for number in range(50)]
        chance.shuffle(captions)
        return sorted(reply.status for reply in await asyncio.gather(*map(running.create, captions)))

    async with Running(record_file=file, faults=["error_500:rate=0.3"]) as running:
        before = await burst(running, random.Random(1))
    async with Running(replay_file=file) as running:
        assert await burst(running, random.Random(2)) == before
    assert 500 in before


async def test_a_recording_that_was_cut_off_is_played_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "scenario.jsonl"
    async with Running(record_file=str(file), faults=["error_500"]) as running:
        for _ in range(3):
            await running.create()
    file.write_bytes(file.read_bytes()[:-9])
    async with Running(replay_file=str(file)) as running:
        assert [(await running.create()).status for _ in range(3)] == [500, 500, 200]


async def test_a_recording_takes_no_files_place(tmp_path: Path) -> None:
    file = tmp_path / "scenario.jsonl"
    file.write_text("precious")
    with pytest.raises(StateFileError, match="not overwritten"):
        await Sandbox(record_file=str(file)).start()
    assert file.read_text() == "precious"


async def test_a_replay_can_be_recorded(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl")
    await played(CHANCY, pace=0.1, record_file=one)
    await played({}, pace=0.1, replay_file=one, record_file=two)

    def lines(file: str) -> list[Any]:
        return [
            {name: value for name, value in json.loads(line).items() if name != "at"}
            for line in Path(file).read_text().splitlines()[1:]
        ]

    assert lines(one) == lines(two)


HEAD = '{"scenario": 1, "settings": {}, "seeds": null, "state": {}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "no recording"),
        ("[]\n", "no recording"),
        ("{\n", "no recording"),
        ('{"scenario": 9}\n', "another version"),
        (f"{HEAD}\n{{}}\n", "line 2"),
        (f'{HEAD}\n{{"change": "advance"}}\n', "line 2"),
        (f"{HEAD}\n[\n", "no recording"),
    ],
)
def test_files_that_are_no_recording(tmp_path: Path, content: str | None, message: str) -> None:
    file = tmp_path / "scenario.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StateFileError, match=message) as caught:
        Sandbox(replay_file=str(file))
    assert str(file) in str(caught.value)
