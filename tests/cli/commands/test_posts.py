"""Single posts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from marketingblocks_async.sandbox import Fault, Sandbox
from tests.cli.conftest import Command
from tests.support.command import environment, process

CREATE = ("posts", "create", "--channel-type", "facebook", "--channel-id", "1", "--caption-text", "Hello")


def sent(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.ledger.commits[-1].request


def test_create_a_post(command: Command, sandbox: Sandbox) -> None:
    ran = command(*CREATE, "--media-url", "https://e.com/a.jpg", "--media-url", "https://e.com/b.jpg", "--json")
    assert (ran.code, ran.json["post_id"]) == (0, 1)
    assert sent(sandbox)["media_urls"] == ["https://e.com/a.jpg", "https://e.com/b.jpg"]
    assert (sent(sandbox)["post_type"], sent(sandbox)["publish_mode"]) == ("post", "now")
    ran = command(*CREATE)
    assert ran.out.splitlines() == ["Created", "status   true", "message  Post created.", "post_id  2"]


def test_a_response_that_cannot_be_encoded_does_not_hide_that_the_post_was_created(
    command: Command, sandbox: Sandbox
) -> None:
    body = '{"post_id": 7, "\\ud83d": [{"\\udc00x": "\\ud83d"}]}'
    sandbox.faults.add(Fault("wrong_shape", "create-post", params={"body": body}))
    ran = command(*CREATE, "--json")
    assert (ran.code, ran.json["post_id"]) == (0, 7)
    assert command(*CREATE).code == 0


def test_a_time_means_scheduled(command: Command, sandbox: Sandbox) -> None:
    when = (
        "--schedule-time",
        "2099-01-08 14:30",
        "--time-zone",
        "Africa/Lagos",
        "--hash-tag",
        "one",
        "--hash-tag",
        "two",
    )
    assert command(*CREATE, *when).code == 0
    assert sent(sandbox)["publish_mode"] == "scheduled"
    assert sent(sandbox)["schedule_time"] == "2099-01-08 14:30"
    ran = command("posts", "upcoming", "--limit", "5")
    assert "2099" in ran.out
    assert command("posts", "upcoming", "--json").json["up_coming"][0]["post_id"] == 1


def test_fields_from_a_file_and_from_a_pipe(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    fields = {"channel_type": "youtube", "channel_id": 1, "caption_text": "From the file"}
    (tmp_path / "post.json").write_text(json.dumps(fields), encoding="utf-8-sig")
    (tmp_path / "extra.json").write_text('{"title": "T"}')
    assert command("posts", "create", "--from-json", "post.json", "--caption-text", "On top",
                   "--post-extra", "@extra.json").code == 0  # fmt: skip
    assert (sent(sandbox)["caption_text"], sent(sandbox)["post_extra"]["title"]) == ("On top", "T")
    piped = process("posts", "create", "--from-json", "-", "--post-extra", '{"title": "U"}', "--json",
                    env=environment(sandbox), stdin=json.dumps(fields).encode())  # fmt: skip
    assert (piped.code, piped.json["post_id"]) == (0, 2)


def test_get_and_list(command: Command, sandbox: Sandbox) -> None:
    del sandbox
    assert command("posts", "list", "--channel", "facebook").out == "Posts: none\n"
    command(*CREATE)
    assert command("posts", "get", "1", "--json").json["post"]["post_id"] == 1
    assert "channel_type  facebook" in command("posts", "get", "1").out
    listed = command("posts", "list", "--channel", "facebook", "--channel", "twitter", "--limit", "3", "--json")
    assert listed.code == 0
    assert "facebook" in command("posts", "list", "--channel", "facebook").out
    ran = command("posts", "get", "99", "--json")
    assert (ran.code, ran.json["error"]["type"], ran.json["error"]["status_code"]) == (2, "NotFoundError", 404)
    assert "--base-url" in ran.json["error"]["message"]


def test_an_outcome_that_is_not_known_is_exit_code_3(command: Command, sandbox: Sandbox) -> None:
    sandbox.faults.add("commit_then_drop:times=2")
    assert command(*CREATE, "--json").json["error"]["type"] == "OutcomeUnknownError"
    ran = command(*CREATE)
    assert ran.code == 3
    assert "Outcome unknown" in ran.err
    assert sandbox.ledger.carried_out_at("create-post") == 2
