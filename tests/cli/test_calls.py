"""The commands that make one call."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from marketingblocks_async.sandbox import Sandbox
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


def test_a_time_means_scheduled(command: Command, sandbox: Sandbox) -> None:
    when = (
        "--schedule-time",
        "2027-01-08 14:30",
        "--time-zone",
        "Africa/Lagos",
        "--hash-tag",
        "one",
        "--hash-tag",
        "two",
    )
    assert command(*CREATE, *when).code == 0
    assert sent(sandbox)["publish_mode"] == "scheduled"
    assert sent(sandbox)["schedule_time"] == "2027-01-08 14:30"
    ran = command("posts", "upcoming", "--count", "5")
    assert "2027" in ran.out
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
    listed = command("posts", "list", "--channel", "facebook", "--channel", "twitter", "--count", "3", "--json")
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


def test_channels_generate_automations(command: Command, sandbox: Sandbox) -> None:
    ran = command("channels", "connect", "user-1", "--redirect-url", "http://127.0.0.1/done")
    assert ran.code == 0
    # In one line, to be copied or clicked.
    assert any(line.startswith("connect_url    http://127.0.0.1") for line in ran.out.splitlines())
    assert command("channels", "connect", "user-1", "--json").json["connect_token"]
    ran = command("generate", "flower sales", "--post-type", "breel", "--brand-id", "7", "--json")
    assert (ran.code, ran.json["status"]) == (0, "queued")
    assert '"input": "tulips"' in command("generate", "tulips").out
    ran = command("automations", "create", "--name", "Prices", "--channel", "1", "--trigger-type", "keywords",
                  "--keyword", "price", "--keyword", "cost", "--field", 'unheard_of={"a": [1]}', "--json")  # fmt: skip
    assert ran.code == 0, ran
    assert sent(sandbox)["keywords"] == ["price", "cost"]
    number = ran.json["comment_bot_id"]
    ran = command("automations", "update", str(number), "--name", "New", "--json")
    assert ran.code == 0
    assert sent(sandbox) == {"comment_bot_id": number, "name": "New"}


def test_any_request(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    ran = command("request", "GET", "social-sparks/upcoming-posts", "--param", "limit=5", "--json")
    assert (ran.code, ran.json) == (0, {"up_coming": []})
    assert json.loads(command("request", "GET", "social-sparks/upcoming-posts", "--param", "limit=5").out)
    body: dict[str, Any] = {"channel_type": "facebook", "channel_id": 1, "post_type": "post", "caption_text": "Grüße",
            "media_urls": [], "publish_mode": "now"}  # fmt: skip
    (tmp_path / "body.json").write_text(json.dumps(body))
    assert command("request", "POST", "social-sparks/create-post", "--body", "@body.json").code == 0
    assert sent(sandbox)["caption_text"] == "Grüße"
    assert command("request", "GET", "nowhere", "--json").json["error"]["status_code"] == 404


def test_a_request_may_be_sent_again_if_told_so(command: Command, sandbox: Sandbox) -> None:
    sandbox.faults.add("drop_before:times=1")
    body = json.dumps({"channel_type": "facebook", "channel_id": 1, "post_type": "post", "caption_text": "Hello",
                       "media_urls": [], "publish_mode": "now"})  # fmt: skip
    assert command("request", "POST", "social-sparks/create-post", "--body", body, "--resend").code == 0
    sandbox.faults.add("drop_before:times=1")
    assert command("request", "POST", "social-sparks/create-post", "--body", body).code == 3


def test_ask_the_documentation(command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MARKETINGBLOCKS_API_TOKEN")
    ran = command("docs", "ask", "How long do tokens live?", "--page", "api-reference/authentication")
    assert ran.code == 0
    assert "token" in ran.out
    ran = command("docs", "ask", "How long do tokens live?", "--docs-url", sandbox.docs_url, "--json")
    assert ran.json["question"] == "How long do tokens live?"
    assert ran.json["answer"]


def test_the_limit_is_the_clients(command: Command, sandbox: Sandbox) -> None:
    for limit in ("0", "1", "50", "1000"):
        assert command(*CREATE, "--limit", limit).code == 0
    assert sandbox.ledger.carried_out_at("create-post") == 4


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("posts", "create"), 1, "channel_type: Field required"),
        ((*CREATE, "--post-extra", "{"), 1, "is no JSON"),
        ((*CREATE, "--post-extra", "@nowhere.json"), 1, "nowhere.json: No such file"),
        ((*CREATE, "--post-extra", "@."), 1, "Is a directory"),
        ((*CREATE, "--post-extra", "[" * 50_000), 1, "too many brackets"),
        ((*CREATE, "--from-json", "list.json"), 1, "must hold a JSON object"),
        ((*CREATE, "--from-json", "binary.json"), 1, "it is not text in UTF-8"),
        ((*CREATE, "--publish-mode", "scheduled"), 1, "schedule_time"),
        ((*CREATE, "--schedule-time", "tomorrow"), 1, "schedule_time"),
        ((*CREATE, "--schedule-time", "2027-01-08 14:30", "--time-zone", "Mars/Base"), 1, "time_zone"),
        ((*CREATE, "--caption-text", "\udcff"), 1, "caption_text"),
        (("posts", "create", "--channel-type", "x\x1b[31m", "--channel-id", "1"), 1, "channel_type"),
        (("posts", "get", ""), 1, "post_id: is blank"),
        (("posts", "get", "\udcff"), 1, "post_id"),
        (("posts", "get", "../../x"), 2, "404"),
        (("posts", "list", "--channel", "nope"), 1, "channels"),
        (("posts", "list", "--channel", "facebook", "--count", "-1"), 1, "limit"),
        (("request", "FETCH", "x"), 1, "method='FETCH'"),
        (("request", "GET", "a\nb"), 1, "path="),
        (("request", "GET", "https://example.com/"), 1, "path="),
        (("request", "POST", "x", "--body", "NaN"), 1, "JSON"),
        (("request", "GET", "x", "--param", "a"), 1, "--param 'a': write NAME=VALUE"),
        (("automations", "update", "1", "--field", "a=nonsense"), 1, "is no JSON"),
        (("generate", ""), 1, "input"),
        (("generate", "x", "--post-type", "nonsense"), 1, "post_type"),
        (("channels", "connect", ""), 1, "user_id"),
        (("docs", "ask", ""), 1, "question"),
        (("docs", "ask", "x", "--docs-url", "http://example.com"), 1, "docs_url"),
        (("posts", "get", "1", "--token-file", "nowhere"), 1, "cannot read the token file nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_panel(  # noqa: PLR0917 - three of them are cases
    command: Command, sandbox: Sandbox, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "binary.json").write_bytes(os.urandom(20) + b"\xff\xfe\xff")
    ran = command(*words)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("╭") == 1
    assert "\x1b" not in ran.err
    as_json = command(*words, "--json")
    assert (as_json.code, as_json.err) == (code, "")
    assert message in as_json.json["error"]["message"]
    assert sandbox.ledger.carried_out_at() == 0


ANSWERS = [
    "error_500", "html_502", "truncated_json", "broken_json", "wrong_shape", "empty_body", "status_false",
    "unauthorized", "forbidden", "not_found", "bad_request", "unprocessable", "redirect:location=http://example.com/",
    "echo_authorization", "huge_body:mib=1",
]  # fmt: skip


@pytest.mark.parametrize("fault", ANSWERS)
def test_whatever_the_server_answers(command: Command, sandbox: Sandbox, fault: str) -> None:
    sandbox.faults.add(fault)
    for words in (CREATE, ("channels", "connect", "u"), ("generate", "x")):
        ran = command(*words, "--json")
        assert ran.code in ((1,) if fault == "unauthorized" else (0, 2, 3)), ran
        assert sandbox.token not in ran.out + ran.err
        assert ran.code == 0 or ran.json["error"]["message"]


def test_what_a_server_says_does_nothing_to_the_terminal(command: Command, sandbox: Sandbox) -> None:
    sandbox.faults.add('wrong_shape:endpoint=upcoming-posts,body={"up_coming": [{"post_id": "\\u001b]0;title\\u0007", '
                       '"channel_type": "\\u009b31m\\u202e", "STATUS": "[red]x:ok:"}]}')  # fmt: skip
    ran = command("posts", "upcoming")
    assert ran.code == 0, ran
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(ran.out)
    assert "[red]x:ok:" in "".join(ran.words.split())
    ran = command("request", "GET", "social-sparks/upcoming-posts")
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(ran.out)
    assert json.loads(ran.out)["up_coming"][0]["channel_type"] == "\x9b31m\u202e"
