"""Words and exit codes of errors."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command

CREATE = ("posts", "create", "--channel-type", "facebook", "--channel-id", "1", "--caption-text", "Hello")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("posts", "create"), 1, "--channel-type: it is missing"),
        ((*CREATE, "--post-extra", "{"), 1, "--post-extra: this is not JSON"),
        ((*CREATE, "--post-extra", "@nowhere.json"), 1, "nowhere.json: No such file"),
        ((*CREATE, "--post-extra", "@."), 1, "Is a directory"),
        ((*CREATE, "--post-extra", "[" * 50_000), 1, "nested too deeply"),
        ((*CREATE, "--post-extra", '{"title": "a", "title": "b"}'), 1, '"title" is there twice'),
        ((*CREATE, "--from-json", "list.json"), 1, "must hold a JSON object"),
        ((*CREATE, "--post-extra", "{} {}"), 1, "at character 4; it must be one value, with nothing behind it"),
        ((*CREATE, "--from-json", "binary.json"), 1, "binary.json: this is not JSON: it is not text"),
        ((*CREATE, "--publish-mode", "scheduled"), 1, "'scheduled' needs --schedule-time: 'YYYY-MM-DD HH:MM', or"),
        ((*CREATE, "--schedule-time", "tomorrow", "--time-zone", "UTC"), 1, "write it as 'YYYY-MM-DD HH:MM'"),
        (
            (*CREATE, "--schedule-time", "2099-01-08 14:30"),
            1,
            "--schedule-time needs --time-zone (an IANA name such as 'Africa/Lagos')",
        ),
        (
            (*CREATE, "--schedule-time", "2020-01-08 14:30", "--time-zone", "UTC"),
            1,
            "the API may publish the post at once. Nothing was sent. Give another time, or --allow-past",
        ),
        (
            (*CREATE, "--channel-type", "youtube"),
            1,
            '--post-extra: {"title": "…", "category": 22, "privacyStatus": "public"}',
        ),
        ((*CREATE, "--post-extra", "1"), 1, "--post-extra: give a JSON object"),
        ((*CREATE, "--from-json", "other.json"), 1, "caption_txt: there is no such field"),
        (("posts", "upcoming", "--base-url", "nonsense"), 1, "--base-url='nonsense' must be an absolute URL"),
        ((*CREATE, "--schedule-time", "2027-01-08 14:30", "--time-zone", "Mars/Base"), 1, "--time-zone: "),
        ((*CREATE, "--caption-text", "\udcff"), 1, "--caption-text: "),
        (
            ("posts", "create", "--channel-type", "x\x1b[31m", "--channel-id", "1"),
            1,
            "--channel-type: give one of 'facebook'",
        ),
        (("posts", "get", ""), 1, "post_id: is blank"),
        (("posts", "get", "\udcff"), 1, "post_id"),
        (("posts", "get", "../../x"), 2, "404"),
        (("posts", "list", "--channel", "nope"), 1, "--channel 'nope': give one of"),
        (("posts", "list", "--channel", "facebook", "--status", "sent"), 1, "--status 'sent': give one of 'scheduled'"),
        (("posts", "list", "--channel", "facebook", "--limit", "x"), 1, "'--limit': give a whole number"),
        (("bulk", "run", "x.csv", "--timeout", "x"), 1, "'--timeout': give a number"),
        ((*CREATE, "--twitter-threads", '[{"message": 1}]'), 1, "--twitter-threads (0.message): "),
        ((*CREATE, "--media-url", "n/a"), 1, "--media-url: "),
        (("posts", "list", "--channel", "facebook", "--limit", "-1"), 1, "--limit: give a number greater than 0"),
        (("request", "FETCH", "x"), 1, "method='FETCH'"),
        (("request", "GET", "a\nb"), 1, "path="),
        (("request", "GET", "https://example.com/"), 1, "path="),
        (("request", "POST", "x", "--body", "NaN"), 1, "JSON"),
        (("request", "GET", "x", "--param", "a"), 1, "--param 'a': write NAME=VALUE"),
        (("automations", "update", "1", "--field", "a=nonsense"), 1, "--field a: this is not JSON"),
        (("generate", ""), 1, "input"),
        (("generate", "x", "--post-type", "nonsense"), 1, "--post-type: "),
        (("channels", "connect", ""), 1, "user_id"),
        (("docs", "ask", ""), 1, "question"),
        (("docs", "ask", "x", "--docs-url", "http://example.com"), 1, "--docs-url"),
        (("posts", "get", "1", "--token-file", "nowhere"), 1, "cannot read the token file nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_one_panel(  # noqa: PLR0917 - three of them are cases
    command: Command, sandbox: Sandbox, tmp_path: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"caption_txt": "Hello"}')
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


def test_unexpected_errors_are_a_panel_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from marketingblocks_async.cli.commands import doctor  # noqa: PLC0415 - here only

    def broken() -> dict[str, str]:
        raise ZeroDivisionError

    monkeypatch.setattr(doctor, "_versions", broken)
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", "some-token")
    monkeypatch.setenv("MARKETINGBLOCKS_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(AssertionError, match="Unexpected error"):
        command("doctor")
    monkeypatch.setenv("MARKETINGBLOCKS_DEBUG", "1")
    with pytest.raises(AssertionError, match="Traceback"):
        command("doctor")


@pytest.mark.filterwarnings("always")
def test_a_past_time_is_a_remark_and_not_a_warning_of_python(command: Command, sandbox: Sandbox) -> None:
    del sandbox
    ran = command(*CREATE, "--schedule-time", "2020-01-01 10:00", "--time-zone", "UTC", "--allow-past")
    assert ran.code == 0
    assert ran.err.startswith("Warning: --schedule-time 2020-01-01 10:00 (UTC) is past by")
    assert ".py" not in ran.err


def test_the_help_says_what_is_published_at_once(command: Command) -> None:
    assert "otherwise now (published at once)" in command("posts", "create", "--help").words


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("docs", "ask", "x"), "--base-url"),
        (("docs", "ask", "x"), "--token-file"),
        (("bulk", "plan", "x.csv"), "--token-file"),
        (("bulk", "status", "x.csv"), "--token-file"),
        (("bulk", "report", "x.csv"), "--rate"),
        (("bulk", "recipe", "list"), "--rate"),
        (("bulk", "recipe", "show", "hootsuite"), "--token-file"),
        (("bulk", "recipe", "new", "x.csv"), "--base-url"),
        (("openapi",), "--token-file"),
        (("mcp",), "--json"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(command: Command, words: tuple[str, ...], option: str) -> None:
    ran = command(*words, option, *(() if option == "--json" else ("1",)))
    assert ran.code == 1
    assert f"No such option: {option}" in ran.err + ran.out


def test_the_documentation_is_asked_whatever_the_address_of_the_api_is(
    command: Command, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARKETINGBLOCKS_DOCS_URL", sandbox.docs_url)
    monkeypatch.setenv("MARKETINGBLOCKS_BASE_URL", "nonsense")
    assert command("docs", "ask", "How long do tokens live?").code == 0
    message = command("posts", "upcoming", "--json").json["error"]["message"]
    assert message.startswith("MARKETINGBLOCKS_BASE_URL='nonsense' must be an absolute URL")
