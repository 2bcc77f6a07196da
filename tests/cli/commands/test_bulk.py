"""``marketingblocks bulk``: what it prints, its exit codes, and the files that it writes."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock

import pytest

from marketingblocks_async import CreatePost
from marketingblocks_async.bulk import create_journal, load_recipe
from marketingblocks_async.bulk.journal.files import FileLock
from marketingblocks_async.bulk.journal.singles import runs_folder
from marketingblocks_async.cli.commands import bulk_sending
from marketingblocks_async.cli.commands.bulk_journals import runs_of_agents
from marketingblocks_async.cli.commands.bulk_screens import MIXED
from marketingblocks_async.cli.commands.mcp import default_journal
from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import (
    BAD_LINE,
    COUNTS,
    HEADER,
    LocalSandbox,
    environment,
    posts_file,
    process,
)

DOCS = Path(__file__).parents[3] / "docs"
GUIDE = DOCS / "guides" / "bulk.md"
LIFTED = ("--rate", "0", "--timeout", "5")


def created(sandbox: Sandbox) -> int:
    return sandbox.ledger.carried_out_at("create-post")


def test_the_plan_as_json(command: Command, tmp_path: Path) -> None:
    ran = command("bulk", "plan", posts_file(tmp_path / "posts.csv", 3, BAD_LINE), "--json")
    plan = ran.json
    assert (ran.code, ran.err) == (2, "")
    assert (plan["rows"], plan["valid"], plan["invalid"]) == (4, 3, 1)
    [error] = plan["errors"]
    assert (error["row"], error["column"], error["line"]) == (4, "channel_id", 5)
    assert "not a whole number" in error["message"]


def test_the_plan_for_people(command: Command, tmp_path: Path) -> None:
    past = "facebook,1,post,Late,,scheduled,2020-01-08 14:30,Africa/Lagos"
    file = tmp_path / "posts.csv"
    good = "facebook,1,post,Twice,,now,,"
    file.write_text(f"{HEADER},schedule_time,time_zone\n"
                    f"{good}\n{good}\n{past}\n{BAD_LINE},,\n")  # fmt: skip
    ran = command("bulk", "plan", file)
    assert ran.code == 2
    for words in ("rows 4: 3 valid, 1 not valid", "less than a second at 100 per second", "social create post",
                  "1 row is scheduled in the past (row 3 in line 4)",
                  "2 rows are the same post (rows 1, 2 in lines 2, 3)", "x9"):  # fmt: skip
        assert words in ran.words, words


def test_the_plan_says_once_what_several_rows_have(command: Command, tmp_path: Path) -> None:
    rows = "".join(f"tiktok,{number},reel,Tips,,now\n" for number in range(21)) + "instagram,1,post,Tips,,now\n"
    (tmp_path / "posts.csv").write_text(f"{HEADER}\n{rows}")
    ran = command("bulk", "plan", "posts.csv")
    assert ran.code == 0
    doubts = [line for line in ran.out.splitlines() if line.startswith("media_urls  ")]
    # Each in one line, with an address that can be copied.
    assert [line.partition(" (http")[0] for line in doubts] == [
        f"media_urls  it is empty, and {platform} takes only posts with media" for platform in ("tiktok", "instagram")
    ]
    assert [line.rpartition(") (")[2] for line in doubts] == [
        "21 rows; the first is row 1 in line 2)",
        "row 22 in line 23)",
    ]
    assert "and 2 more channels\n" in ran.err


def test_rows_are_named_with_the_lines_that_a_spreadsheet_shows(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    good = "facebook,1,post,Twice,,now,,"
    past = "facebook,1,post,Late,,scheduled,2020-01-08 14:30,Africa/Lagos"
    texts = 'facebook,1,post,"Two\nlines",,now,,\nfacebook,x9,post,Bad,,now,,\n'
    (tmp_path / "posts.csv").write_text(
        f"Our posts,,,,,,,\n\n{HEADER},schedule_time,time_zone\n{good}\n\n{texts}{past}\n{good}\n"
    )
    how = ("posts.csv", "--header-row", "2")
    planned = command("bulk", "plan", *how)
    for words in ("(row 4 in line 9)", "(rows 1, 5 in lines 4, 10)", "Africa/Lagos (row 4 in line 9)"):
        assert words in planned.words, words
    allowed = ("--skip-invalid", "--allow-past")
    refused = command("bulk", "run", *how, "--skip-invalid", *LIFTED)
    for words in ("is past (row 4 in line 9)", "for example rows 1, 5 in lines 4, 10"):
        assert words in refused.words, words
    command("bulk", "run", *how, *allowed, "--allow-duplicates", *LIFTED)
    report = command("bulk", "report", "posts.csv", "--html", "report.html")
    assert "row line key state why" in report.words
    assert "3 8 3 failed" in report.words
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<td class="number">3</td><td class="number">8</td>' in page
    assert created(sandbox) == 4


def test_posts_are_not_counted_as_rows(command: Command, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("Text,Date\nGood,2099-01-01 10:00\nLate,2020-01-01 10:00\nBad,someday\n")
    how = ("--recipe", "calendar", "--channel", "facebook:1", "--channel", "linkedin:2", "--set", "time_zone=UTC")
    ran = command("bulk", "plan", "posts.csv", *how)
    assert "rows 3, which make 6 posts: 4 valid, 2 not valid" in ran.words
    assert "2 posts are scheduled in the past (row 2 in line 3)" in ran.words
    faults = command("bulk", "plan", "posts.csv", *how, "--json").json["faults"]
    assert [fault["rows"] for fault in faults] == [1]
    (tmp_path / "posts.csv").write_text("Text,Date\nGood,2099-01-01 10:00\nGood,2099-01-01 10:00\n")
    ran = command("bulk", "plan", "posts.csv", *how)
    assert ran.words.count("2 posts are the same (rows 1, 2 in lines 2, 3)") == 2


def test_the_plan_counts_one_more_in_the_singular(command: Command, tmp_path: Path) -> None:
    rows = "".join(f"facebook,{number},post,Tips,,now\n" for number in range(21))
    (tmp_path / "posts.csv").write_text(f"{HEADER}\n{rows}")
    assert command("bulk", "plan", "posts.csv").err == "and 1 more channel\n"


def test_the_plan_in_the_guide_is_what_the_command_shows(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "spring.csv").write_text(
        f"{HEADER},schedule_time,time_zone\n"
        "facebook,11,post,Spring sale,,now,,\n"
        "instagram,12,post,Tulips,https://example.com/tulips.jpg,scheduled,2099-03-20 09:00,Europe/Berlin\n"
        "facebok,11,post,Roses,,now,,\n"
        "facebook,x7,post,Lilies,,later,,\n"
    )
    monkeypatch.setenv("COLUMNS", "86")
    ran = command("bulk", "plan", "spring.csv")
    shown = "\n".join(line.rstrip() for line in ran.out.strip().splitlines())
    assert f"```text\n$ marketingblocks bulk plan spring.csv\n{shown}\n```" in GUIDE.read_text(encoding="utf-8")


def test_a_good_plan_ends_with_0_and_needs_no_token(command: Command, tmp_path: Path) -> None:
    ran = command("bulk", "plan", posts_file(tmp_path / "posts.csv", 250), "--rate", "50", "--json")
    assert ran.code == 0
    assert (ran.json["rate"], ran.json["estimated_seconds"]) == (50.0, 5.0)
    assert command("bulk", "plan", "posts.csv", "--rate", "0", "--json").json["estimated_seconds"] is None


def test_a_plan_without_rows_says_why_nothing_would_be_sent(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text(f"{HEADER}\n")
    ran = command("bulk", "plan", file)
    assert ran.code == 0
    assert "the file has no rows; nothing would be sent" in ran.words
    ran = command("bulk", "plan", posts_file(file, 2), "--where", "channel_type=youtube")
    assert ran.code == 0
    assert "no row is chosen; nothing would be sent" in ran.words


def test_a_plan_of_a_file_that_breaks_off_shows_what_was_read(command: Command, tmp_path: Path) -> None:
    (tmp_path / "posts.jsonl").write_bytes(b'{"channel_type": "facebook"}\n\xff\xfe\xff\n')
    ran = command("bulk", "plan", "posts.jsonl", "--json")
    assert ran.code in (1, 2)
    assert "error" in ran.json or ran.json["errors"]


def test_run_status_report_and_exit_code_0(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 5)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", "--json", *LIFTED)
    assert ran.code == 0
    assert list(ran.json)[:5] == COUNTS
    assert {name: ran.json[name] for name in COUNTS} == {"total": 5, "done": 5, "failed": 0, "pending": 0, "unknown": 0}
    assert ran.json["ending"] == "complete"
    status = command("bulk", "status", "j", "--json")
    assert {name: status.json[name] for name in COUNTS} == {name: ran.json[name] for name in COUNTS}
    assert (status.code, status.json["state"]) == (0, "complete")
    report = command("bulk", "report", "j", "--json").json
    assert (report["done"], report["rows"], report["source"]) == (5, [], "posts.csv")
    again = command("bulk", "resume", "j", "--json", *LIFTED)
    assert (again.code, again.json["sent"], again.json["done"]) == (0, 0, 5)
    assert created(sandbox) == 5
    assert stat.S_IMODE((tmp_path / "j").stat().st_mode) == 0o600


def test_for_people_a_run_ends_with_what_to_do_next(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("unprocessable:times=1,endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 3)
    ran = command("bulk", "run", "posts.csv", "--journal", "my journal", *LIFTED)
    assert ran.code == 2
    for line in ("Complete: my journal", "total    3", "done     2", "failed   1"):
        assert line in ran.out, line
    # A line that can be copied into a shell.
    assert "marketingblocks bulk report 'my journal' --failures failed.csv\n" in ran.err
    assert "my journal: complete" in command("bulk", "status", "my journal").out
    assert "Rows that are not done" in command("bulk", "report", "my journal").out


def test_invalid_rows_stop_it_until_told_otherwise(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 2, BAD_LINE)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", *LIFTED)
    assert ran.code == 2
    assert "--skip-invalid" in ran.err
    assert "skip_invalid" not in ran.err
    assert "what to change" in ran.out
    error = command("bulk", "run", "posts.csv", "--journal", "j", "--json", *LIFTED).json["error"]
    assert (error["type"], error["plan"]["invalid"]) == ("InvalidRowsError", 1)
    assert "--skip-invalid" in error["message"]
    assert (created(sandbox), list(tmp_path.glob("j*"))) == (0, [])
    skipped = command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", "--json", *LIFTED)
    assert skipped.code == 2
    assert [skipped.json[name] for name in COUNTS] == [3, 2, 1, 0, 0]
    assert "1 row is not valid and left out" in skipped.err


def test_failures_are_corrected_and_fed_in_again(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(
        tmp_path / "posts.csv", 3, BAD_LINE, 'facebook,1,post,"=1+1, ""é"" 🎉\n2nd line",https://e.com/a.jpg,now'
    )
    sandbox.faults.add("unprocessable:after=3,times=1,endpoint=create-post")
    command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", "--concurrency", "1", *LIFTED)
    assert command("bulk", "report", "j", "--failures", "failed.csv").code == 0
    with (tmp_path / "failed.csv").open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["_row"] for row in rows] == ["4", "5"]
    # In quotes, so that no spreadsheet takes it for a formula.
    assert rows[1]["caption_text"] == '"=1+1, "é" 🎉\n2nd line"'
    assert command("bulk", "plan", "failed.csv", "--json").json["invalid"] == 1
    text = (tmp_path / "failed.csv").read_text(encoding="utf-8")
    (tmp_path / "failed.csv").write_text(text.replace("x9", "9"), encoding="utf-8")
    ran = command("bulk", "run", "failed.csv", "--journal", "j2", "--json", *LIFTED)
    assert (ran.code, ran.json["done"]) == (0, 2)
    captions = sorted(commit.request["caption_text"] for commit in sandbox.ledger.commits)
    assert captions == ['=1+1, "é" 🎉\n2nd line', "Bad one", "Row 1", "Row 2", "Row 3"]
    assert not sandbox.ledger.duplicates()


def test_unknown_rows_are_exit_code_3_and_are_never_sent_again(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("commit_then_drop:times=1,endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 3)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", "--json", *LIFTED)
    assert (ran.code, ran.json["unknown"], ran.json["done"]) == (3, 1, 2)
    people = command("bulk", "resume", "j", *LIFTED)
    assert people.code == 3
    # It is not said to be complete while there are rows that may not have been published.
    assert ran.json["ending"] == command("bulk", "status", "j", "--json").json["state"] == "incomplete"
    assert people.out.startswith("Incomplete: j\n")
    for columns in ("80", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        report = command("bulk", "report", "j", "--html", "report.html")
        for shown in (report.out, (tmp_path / "report.html").read_text()):
            assert shown.count("incomplete") == 2
            assert not re.search(r"\bcomplete\b", shown, re.IGNORECASE)
    # The next step is not the command that was just run.
    assert "marketingblocks bulk resume j\n" not in people.err
    assert "marketingblocks bulk report j --unknowns unknown.csv" in people.err
    command("bulk", "report", "j", "--unknowns", "unknown.csv")
    assert len((tmp_path / "unknown.csv").read_text(encoding="utf-8-sig").splitlines()) == 2
    assert created(sandbox) == 3
    skipped = command("bulk", "resume", "j", "--unknown", "skip", "--json", *LIFTED)
    assert (skipped.code, skipped.json["failed"], created(sandbox)) == (2, 1, 3)


def test_unknown_rows_are_sent_again_when_asked(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("drop_before:times=1,endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 3)
    assert command("bulk", "run", "posts.csv", "--journal", "j", *LIFTED).code == 3
    ran = command("bulk", "resume", "j", "--unknown", "resend", "--json", *LIFTED)
    assert (ran.code, ran.json["done"], created(sandbox)) == (0, 3, 3)


def test_what_is_listed_is_found_again(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = "commit_then_drop:times=1,endpoint=create-post"
    with LocalSandbox(variants={"extra_fields": True}, faults=[fault]) as sandbox:
        for name, value in environment(sandbox).items():
            if name.startswith("MARKETINGBLOCKS_"):
                monkeypatch.setenv(name, value)
        posts_file(tmp_path / "posts.csv", 3)
        ran = command("bulk", "run", "posts.csv", "--journal", "j", "--settle-after", "0", "--json", *LIFTED)
        assert (ran.code, ran.json["done"], ran.json["reconciliation"]["found"]) == (0, 3, 1)
        assert created(sandbox) == 3


def test_max_failures_stops_it(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("unprocessable:endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 50)
    ran = command(
        "bulk", "run", "posts.csv", "--journal", "j", "--max-failures", "2", "--concurrency", "1", "--json", *LIFTED
    )
    assert (ran.code, ran.json["ending"]) == (2, "stopped")
    assert 2 <= ran.json["failed"] < 10
    assert "2 rows failed" in ran.json["reason"]


def test_a_refused_token_stops_it_and_fails_no_row(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("expire_token:after=2,endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 20)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", "--concurrency", "2", *LIFTED)
    assert ran.code == 1
    assert "Stopped: j" in ran.out
    assert "resume the run when the token is right" in ran.words
    assert command("bulk", "status", "j", "--json").json["failed"] == 0


def test_if_only_some_unknown_rows_were_published_the_others_can_be_sent(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add("drop_before:times=1,after=1,endpoint=create-post")
    sandbox.faults.add("commit_then_drop:times=1,endpoint=create-post")
    # No listing shows the media, so it does not settle which of them was published.
    rows = [f"facebook,1,post,Sale,https://e.com/{name}.jpg,now" for name in "ab"]
    (tmp_path / "posts.csv").write_text("\n".join([HEADER, *rows, ""]))
    how = ("--settle-after", "0", *LIFTED)
    command("bulk", "run", "posts.csv", "--concurrency", "1", *how)
    shown = command("bulk", "resume", "posts.csv", *how)
    assert f"{MIXED}, see the section of that name in docs/concepts/reconciliation.md" in shown.words
    page = (DOCS / "concepts" / "reconciliation.md").read_text(encoding="utf-8")
    steps = page.partition(f"### {MIXED}\n")[2].partition("```console\n")[2].partition("```")[0]
    for step in steps.splitlines():
        words = step.removeprefix("$ marketingblocks ").split()
        if words[1] == "plan":
            failed = (tmp_path / "failed.csv").read_text(encoding="utf-8").splitlines(keepends=True)
            (tmp_path / "failed.csv").write_text("".join(line for line in failed if "a.jpg" not in line))
        ran = command(*words, *(LIFTED if words[1] in ("run", "resume") else ()))
        assert ran.code == (2 if words[1] == "resume" else 0)
    assert [commit.request["media_urls"] for commit in sandbox.ledger.commits] == [
        ["https://e.com/a.jpg"],
        ["https://e.com/b.jpg"],
    ]


def test_the_same_file_again_is_recognised(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 3)
    command("bulk", "run", "posts.csv", "--journal", "j", *LIFTED)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", *LIFTED)
    assert ran.code == 1
    assert "3 of 3 rows done; it was made from this same file; it has nothing left to send" in ran.words
    posts_file(tmp_path / "posts.csv", 4)
    changed = command("bulk", "run", "posts.csv", "--journal", "j", "--json", *LIFTED).json["error"]
    assert changed["type"] == "JournalExistsError"
    assert "posts.csv has changed since the journal was made from it" in changed["message"]
    assert "alone into a file and name another journal for it (--journal)" in changed["message"]
    # A file of another name has a journal of its own.
    command("bulk", "run", "posts.csv", "--allow-duplicates", *LIFTED)
    posts_file(tmp_path / "posts.csv", 5)
    own = command("bulk", "run", "posts.csv", "--json", *LIFTED).json["error"]
    assert own["message"].endswith("to send other rows, put them alone into a file with another name")
    assert created(sandbox) == 7


def test_columns_are_mapped_and_lists_separated(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "posts.txt").write_bytes(
        "channel_type;channel_id;post_type;Text;media_urls;publish_mode;Notes\n"
        "facebook;1;post;Grüße;https://e.com/a.jpg, https://e.com/b.jpg;now;secret plan\n".encode("cp1252")
    )
    ran = command("bulk", "run", "posts.txt", "--journal", "j", "--map", "Text=caption_text", "--map", "Notes=",
                  "--encoding", "cp1252", "--list-separator", ",", "--json", *LIFTED)  # fmt: skip
    assert ran.code == 0, ran
    [commit] = sandbox.ledger.commits
    assert commit.request["caption_text"] == "Grüße"
    assert commit.request["media_urls"] == ["https://e.com/a.jpg", "https://e.com/b.jpg"]
    assert b"secret plan" not in commit.body


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--map", "Text"], "--map 'Text': write COLUMN=FIELD"),
        (["--map", "a=key", "--map", "a=key"], "--map gives 'a' twice"),
        (["--map", "caption_text=nonsense"], 'there is no field "nonsense"'),
        (["--list-separator", ""], "--list-separator ''"),
        (["--encoding", "klingon"], "is not the name of a text encoding"),
        (["--sheet", "January"], "is for XLSX files only"),
        (["--timeout", "nan"], "timeout=nan"),
        (["--timeout", "-1"], "timeout=-1"),
        (["--settle-after", "nan"], "nan is not 0 or more seconds"),
        (["--settle-after", "-1"], "-1.0 is not 0 or more seconds"),
        (
            ["--base-url", "http://example.com"],
            "--base-url='http://example.com' would send the access token unencrypted",
        ),
        (["--base-url", "http://user:password@127.0.0.1"], "must not contain a user name or password"),
    ],
)
def test_wrong_settings_are_refused_before_anything_happens(
    command: Command, sandbox: Sandbox, tmp_path: Path, words: list[str], message: str
) -> None:
    posts_file(tmp_path / "posts.csv")
    ran = command("bulk", "run", "posts.csv", "--journal", "j", "--json", *words)
    assert ran.code == 1
    assert message in ran.json["error"]["message"]
    assert sandbox.ledger.attempts() == 0


@pytest.fixture
def finished(command: Command, sandbox: Sandbox, tmp_path: Path) -> Path:
    """A journal with a failed row whose text is markup."""
    sandbox.faults.add("bad_request:times=1,endpoint=create-post")
    line = 'facebook,1,post,"</td><script>alert(1)</script>",,now'
    posts_file(tmp_path / "posts.csv", 2, BAD_LINE.replace("x9", "<img src=x>"), line)
    command("bulk", "run", "posts.csv", "--journal", "j", "--skip-invalid", *LIFTED)
    return tmp_path


class _Page(HTMLParser):
    """Notes what a page asks a browser to load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.asked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.asked += [
            f"{name}={value}" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")
        ]
        self.asked += [f"{name}={value}" for name, value in attrs if name.startswith("on")]


def test_the_page_opens_without_network_and_runs_nothing(command: Command, finished: Path) -> None:
    assert command("bulk", "report", "j", "--html", "report.html").code == 0
    text = (finished / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    page.close()
    assert {"svg", "table", "style"} <= page.tags
    assert not page.tags & {"script", "img", "link", "iframe", "object", "base"}
    assert page.asked == []
    assert not re.search(r"https?://|url\(|@import", text)


@pytest.mark.parametrize("option", ["--html", "--failures", "--unknowns"])
@pytest.mark.parametrize("target", ["j", "posts.csv"])
def test_a_report_does_not_write_over_what_the_run_needs(
    command: Command, finished: Path, option: str, target: str
) -> None:
    before = (finished / target).read_bytes()
    ran = command("bulk", "report", "j", option, f"./{target}")
    assert ran.code == 1
    assert "written over" in ran.words
    assert (finished / target).read_bytes() == before


@pytest.mark.parametrize("option", ["--html", "--failures", "--unknowns", "--results"])
def test_a_report_does_not_write_over_corrections_or_a_file_of_another_kind(
    command: Command, finished: Path, option: str
) -> None:
    assert command("bulk", "report", "j", "--failures", "failed.csv").code == 0
    corrected = (finished / "failed.csv").read_text(encoding="utf-8").replace("x9", "9")
    (finished / "failed.csv").write_text(corrected, encoding="utf-8")
    refused = command("bulk", "report", "j", option, "failed.csv", "--html" if option != "--html" else "--results", "r")
    assert refused.code == 1
    assert "failed.csv is there already and " in refused.words
    assert (finished / "failed.csv").read_text(encoding="utf-8") == corrected
    assert not (finished / "r").exists()


@pytest.mark.parametrize("option", ["--html", "--failures", "--unknowns", "--results"])
def test_a_report_can_be_written_again(command: Command, finished: Path, option: str) -> None:
    (finished / "file").touch()
    for _ in range(2):
        assert command("bulk", "report", "j", option, "file").code == 0


@pytest.mark.parametrize("name", ["results.csv", "results.json"])
def test_older_results_are_written_over(command: Command, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    posts_file(tmp_path / "posts.csv", 3, BAD_LINE)
    sandbox.faults.add("unprocessable:times=2,endpoint=create-post")
    stopped = ("--skip-invalid", "--max-failures", "2", "--concurrency", "1")
    command("bulk", "run", "posts.csv", "--results", name, *stopped, *LIFTED)
    command("bulk", "report", "posts.csv", "--html", "report.html")
    older = (tmp_path / name).read_text(encoding="utf-8-sig")
    # As a spreadsheet saves it.
    (tmp_path / name).write_text(older.replace(",", ";") if name.endswith(".csv") else older, encoding="utf-8")
    resumed = command("bulk", "resume", "posts.csv", "--results", name, "--json", *LIFTED)
    assert resumed.json["done"] == 1
    assert (tmp_path / name).read_text(encoding="utf-8-sig") != older
    assert command("bulk", "report", "posts.csv", "--html", "report.html").code == 0


def test_a_run_does_not_write_its_results_over_posts(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    other = posts_file(tmp_path / "other.csv", 2).read_bytes()
    posts_file(tmp_path / "posts.csv", 1)
    for name in ("other.csv", "other.json"):
        (tmp_path / name).write_bytes(other)
        refused = command("bulk", "run", "posts.csv", "--results", name, *LIFTED)
        assert (refused.code, f"{name} is there already" in refused.words) == (1, True)
        assert (tmp_path / name).read_bytes() == other
    assert created(sandbox) == 0
    assert not (tmp_path / "posts.csv.journal").exists()


def test_a_report_into_a_folder_is_refused(command: Command, finished: Path) -> None:
    for option in ("--html", "--failures"):
        ran = command("bulk", "report", "j", option, finished)
        assert ran.code == 1
        assert "is a folder" in ran.words


def test_the_report_as_json(command: Command, finished: Path) -> None:
    del finished
    report = command("bulk", "report", "j", "--json").json
    assert [report[name] for name in COUNTS] == [4, 2, 2, 0, 0]
    assert report["errors"] == {"BadRequestError": 1, "InvalidRow": 1}
    assert [session["ending"] for session in report["sessions"]] == ["complete"]
    assert sum(step["done"] for step in report["timeline"]) == 2


def not_a_journal(path: Path) -> None:
    path.write_text("channel_type,channel_id\n")


@pytest.mark.parametrize("spoil", [not_a_journal, Path.unlink])
@pytest.mark.parametrize("name", ["status", "report", "resume"])
def test_what_is_no_journal_is_said_to_be_none(
    command: Command, finished: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    spoil(finished / "j")
    ran = command("bulk", name, "j", "--json")
    assert ran.code == 1, ran
    assert ran.json["error"]["type"] == "JournalError"
    assert "j" in ran.json["error"]["message"]


def test_a_journal_that_is_being_run(command: Command, finished: Path) -> None:
    lock = FileLock(finished / "j.lock")
    lock.acquire()
    try:
        assert command("bulk", "status", "j", "--json").json["state"] == "running"
        ran = command("bulk", "resume", "j", *LIFTED)
        assert ran.code == 1
        assert f"is being run by process {os.getpid()}" in ran.words
    finally:
        lock.release()


def test_names_that_are_no_text(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    name, journal = os.fsdecode(b"\xff posts.csv"), os.fsdecode(b"\xff.journal")
    posts_file(tmp_path / name, 2, BAD_LINE)
    run = ("bulk", "run", name, "--journal", journal, "--skip-invalid", "--rate", "0", "--json")
    assert command(*run).json["done"] == 2
    files = ("--html", os.fsdecode(b"\xff.html"), "--failures", os.fsdecode(b"\xff.csv"))
    ran = command("bulk", "report", journal, *files, "--json")
    assert (ran.code, ran.json["failed"]) == (0, 1)
    again = command(*run)
    assert (again.code, again.json["error"]["type"]) == (1, "JournalExistsError")
    people = process("bulk", "status", os.fsencode(journal), env=environment(sandbox), cwd=tmp_path).check()
    assert (people.code, "done     2" in people.out) == (0, True), people


CONTENTS: dict[str, str] = {
    "junk": "".join(map(chr, range(256))) * 10,
    "zeros": "\0" * 5000,
    "nothing": "",
    "a huge cell": f'{HEADER}\nfacebook,1,post,"{"x" * 1_000_000}",,now\nfacebook,{"9" * 1_000_000},post,x,,now\n',
    "an open quote": f'{HEADER}\nfacebook,1,post,"never closed,,now\n',
    "only a header": f"{HEADER}\n",
}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx", ".txt", ""])
@pytest.mark.parametrize("content", CONTENTS)
def test_files_that_are_none(command: Command, sandbox: Sandbox, tmp_path: Path, content: str, suffix: str) -> None:
    file = tmp_path / f"posts{suffix}"
    file.write_bytes(CONTENTS[content].encode("latin-1"))
    plan = command("bulk", "plan", file, "--json")
    assert plan.code in (0, 1, 2)
    assert len(plan.out) < 100_000
    assert (plan.code == 0) == ("error" not in plan.json and plan.json["invalid"] == 0 and plan.json["complete"])
    people = command("bulk", "plan", file)
    assert people.code == plan.code
    assert "\0" not in people.out + people.err
    ran = command("bulk", "run", file, "--journal", "j", "--rate", "0", "--json")
    assert (ran.code == 0) == (plan.code == 0)
    assert "�" not in str([commit.body for commit in sandbox.ledger.commits])
    if plan.code:
        assert sandbox.ledger.carried_out_at("create-post") == 0
        assert not (tmp_path / "j").exists()


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("make", [Path.mkdir, Path.exists, link_to_itself])
def test_paths_that_lead_to_no_file(command: Command, tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "posts.csv")
    for name in ("plan", "run"):
        assert command("bulk", name, "posts.csv", "--json").json["error"]["type"] == "SourceError"


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is readable to the superuser")
def test_files_that_cannot_be_read(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    del sandbox
    file = posts_file(tmp_path / "posts.csv")
    file.chmod(0)
    assert "Permission denied" in command("bulk", "plan", file).words
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    file.chmod(stat.S_IRUSR)
    try:
        assert command("bulk", "run", file, "--journal", "j", "--json").json["error"]["type"] == "JournalError"
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("place", ["nowhere/j", "", ".", "posts.csv", "/dev/null", "/proc/j", "x" * 300, "a\nb/\x1b"])
def test_journals_that_cannot_be_made(command: Command, sandbox: Sandbox, tmp_path: Path, place: str) -> None:
    posts_file(tmp_path / "posts.csv")
    ran = command("bulk", "run", "posts.csv", "--journal", place, "--json")
    assert ran.code == 1, ran
    assert ran.json["error"]["type"] == "JournalError"
    assert command("bulk", "run", "posts.csv", "--journal", place).err.count("╭") == 1
    assert sandbox.ledger.carried_out_at("create-post") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["posts.csv"]


def test_past_times_and_repetitions_stop_a_run_unless_they_are_allowed(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    header = f"{HEADER},schedule_time,time_zone"
    past = "facebook,1,post,Past,,scheduled,2020-01-01 10:00,Europe/Berlin"
    same = "facebook,1,post,Same,,now,,"
    (tmp_path / "posts.csv").write_text(f"{header}\n{past}\n{same}\n{same}\n")
    run = ("bulk", "run", "posts.csv", "--journal", "j", *LIFTED)
    for allowed, words in ((), "allow past"), (("--allow-past",), "allow duplicates"):
        refused = command(*run, *allowed)
        assert refused.code == 2
        assert words in refused.words
        # What "plan" shows, too.
        assert "are the same post (rows 2, 3 in lines 3, 4)" in refused.words
        assert created(sandbox) == 0
        assert not (tmp_path / "j").exists()
    ran = command(*run, "--allow-past", "--allow-duplicates")
    assert (ran.code, created(sandbox)) == (0, 3)
    assert "scheduled in the past (row 1 in line 2)" in ran.words


def test_a_resume_sends_no_row_whose_time_has_passed_meanwhile_unless_it_is_allowed(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    late = CreatePost(
        channel_type="facebook",
        channel_id=1,
        post_type="post",
        caption_text="Saturday",
        media_urls=[],
        publish_mode="scheduled",
        schedule_time="2020-01-04 10:00",
        time_zone="UTC",
    )
    friday = datetime(2020, 1, 3, tzinfo=UTC)
    asyncio.run(create_journal([late], tmp_path / "j", allow_past=False, now=friday))
    refused = command("bulk", "resume", "j", "--json", *LIFTED)
    assert (refused.code, created(sandbox)) == (2, 0)
    assert refused.json["error"]["type"] == "UnconfirmedRowsError"
    assert "passed since the run was planned (row 1)" in refused.json["error"]["message"]
    assert "allow them (--allow-past)" in refused.json["error"]["message"]
    # What else the message advises.
    assert "'bulk report --results' shows which" in refused.json["error"]["message"]
    command("bulk", "report", "j", "--results", "results.csv")
    assert "pending" in (tmp_path / "results.csv").read_text(encoding="utf-8-sig")
    ran = command("bulk", "resume", "j", "--allow-past", *LIFTED)
    assert (ran.code, created(sandbox)) == (0, 1)
    assert "Warning: 1 row has a schedule time that has passed" in ran.words


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("Late", "2020-01-04 10:00")], "2 posts have * (row 1 in line 2)"),
        ([("Next", "2100-01-01 10:00"), ("Late", "2020-01-04 10:00"), ("Later", "2020-01-04 11:00")],
         "4 posts have * (rows 2, 3 in lines 3, 4)"),
        ([("Late", "2020-01-04 10:00"), ("Late, too", "2020-01-04 10:00")],
         "4 posts have * (rows 1, ... in lines 2, ...)"),
    ],
)  # fmt: skip
def test_posts_are_not_counted_as_rows_by_a_resume(
    command: Command, sandbox: Sandbox, tmp_path: Path, rows: list[tuple[str, str]], told: str
) -> None:
    text = "\n".join(f'"{caption}",{time}' for caption, time in rows)
    (tmp_path / "posts.csv").write_text(f"Text,Date\n{text}\n")
    recipe = load_recipe("calendar").with_options(channels=["facebook:1", "linkedin:2"], fixed={"time_zone": "UTC"})
    friday = datetime(2020, 1, 3, tzinfo=UTC)
    asyncio.run(create_journal(tmp_path / "posts.csv", tmp_path / "j", now=friday, recipe=recipe))
    message = command("bulk", "resume", "j", "--json", *LIFTED).json["error"]["message"]
    assert told.replace("*", "a schedule time that has passed since the run was planned") in message
    assert created(sandbox) == 0


@pytest.mark.parametrize("as_json", [True, False])
def test_a_run_that_stops_names_options_as_the_command_line_does(
    command: Command, sandbox: Sandbox, tmp_path: Path, *, as_json: bool
) -> None:
    sandbox.faults.add("forbidden:endpoint=create-post")
    ran = command("bulk", "run", posts_file(tmp_path / "posts.csv", 3), *(["--json"] * as_json), *LIFTED)
    assert ran.code == 2
    assert "let them fail (--on-outage=fail)" in (ran.json["reason"] if as_json else ran.out)


def test_rows_that_became_unknown_under_skip_were_not_looked_for(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.faults.add("commit_then_drop:times=1,endpoint=create-post")
    posts_file(tmp_path / "posts.csv", 3)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", "--unknown", "skip", *LIFTED)
    assert ran.code == 3
    assert "They were not looked for yet." in ran.words
    assert "do not settle it" not in ran.words
    # Not with --unknown skip, which would leave it out without a look.
    assert "marketingblocks bulk resume j --timeout 5 --rate 0\n" in ran.err
    assert "not looked for yet" in command("bulk", "report", "j").words


def test_a_token_that_may_not_read_is_a_remark(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = sandbox.add_token("writer", permissions=["social-create-post"])
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", writer)
    posts_file(tmp_path / "posts.csv", 3)
    ran = command("bulk", "run", "posts.csv", "--journal", "j", *LIFTED)
    assert ran.code == 0
    assert ran.words.count("Warning: a row of unknown outcome cannot be looked for") == 1


def test_a_plan_says_that_the_file_has_a_run_already(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 1)
    assert "already" not in command("bulk", "plan", "posts.csv").words
    assert command("bulk", "run", "posts.csv", *LIFTED).code == 0
    planned = command("bulk", "plan", "posts.csv")
    assert planned.code == 0
    assert "posts.csv.journal has a run of posts.csv already" in planned.words
    assert "marketingblocks bulk status posts.csv.journal" in planned.words
    assert created(sandbox) == 1


def test_what_another_run_has_sent_is_not_sent_again_under_another_name(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    file = posts_file(tmp_path / "posts.csv", 2)
    assert command("bulk", "run", "posts.csv", *LIFTED).code == 0
    header, *rows = file.read_text().splitlines()
    (tmp_path / "again.csv").write_text("\n".join([header, rows[1], "facebook,1,post,New,,now", rows[0], ""]))
    told = (
        "posts of this file were sent already, may have been, or are pending in another run (rows 1, 3 in lines "
        "2, 4 by the run of posts.csv.journal)"
    )
    planned = command("bulk", "plan", "again.csv")
    assert planned.code == 0
    assert f"Warning: {told}; 'run' needs allow duplicates for them." in planned.words
    [found] = command("bulk", "plan", "again.csv", "--json").json["sent_earlier"]
    assert found == {"journal": "posts.csv.journal", "count": 2, "rows": [1, 3], "single_calls": False}
    refused = command("bulk", "run", "again.csv", *LIFTED)
    assert refused.code == 2
    assert refused.words.count(told) == 2
    assert created(sandbox) == 2
    assert not (tmp_path / "again.csv.journal").exists()
    assert command("bulk", "run", "again.csv", "--allow-duplicates", *LIFTED).code == 0
    assert created(sandbox) == 5


def test_plan_and_run_look_where_a_link_leads(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    for name in ("data", "today"):
        (tmp_path / name).mkdir()
    posts_file(tmp_path / "data" / "posts.csv", 2)
    assert command("bulk", "run", "data/posts.csv", *LIFTED).code == 0
    (tmp_path / "today" / "today.csv").symlink_to(tmp_path / "data" / "posts.csv")
    assert command("bulk", "plan", "today/today.csv", "--json").json["sent_earlier"]
    assert command("bulk", "run", "today/today.csv", *LIFTED).code == 2
    assert created(sandbox) == 2


def test_what_an_agent_has_sent_is_not_sent_again(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = posts_file(tmp_path / "posts.csv", 2)
    assert command("bulk", "run", "posts.csv", *LIFTED).code == 0
    of_agents = runs_folder(default_journal(sandbox.base_url)) / "run.journal"
    of_agents.parent.mkdir(parents=True)
    # Planned before an agent has sent the same.
    asyncio.run(create_journal(file, tmp_path / "late", now=datetime(2020, 1, 8, tzinfo=UTC)))
    (tmp_path / "posts.csv.journal").rename(of_agents)
    [found] = command("bulk", "plan", "posts.csv", "--json").json["sent_earlier"]
    assert found["journal"] == str(of_agents)
    for words in (("run", "posts.csv"), ("resume", "late")):
        refused = command("bulk", *words, "--json", *LIFTED)
        assert refused.code == 2
        assert re.search(rf"\(rows 1, 2 .*by the run of {of_agents}\)", refused.out)
    assert created(sandbox) == 2
    assert command("bulk", "run", "posts.csv", "--allow-duplicates", *LIFTED).code == 0
    assert created(sandbox) == 4


def test_an_account_without_a_home_has_no_runs_of_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError))
    assert runs_of_agents("https://one.example/api/v1") == []


def test_a_run_with_a_named_journal_looks_for_others_beside_it_and_beside_the_file(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "journals").mkdir()
    posts_file(tmp_path / "posts.csv", 2)
    assert command("bulk", "run", "posts.csv", *LIFTED).code == 0
    named = ("bulk", "run", "posts.csv", *LIFTED, "--journal", "journals/a.journal")
    refused = command(*named)
    assert refused.code == 2
    assert "rows 1, 2 in lines 2, 3 by the run of posts.csv.journal" in refused.words
    assert not (tmp_path / "journals" / "a.journal").exists()
    assert command(*named, "--allow-duplicates").code == 0
    (tmp_path / "posts.csv.journal").unlink()
    beside = command("bulk", "run", "posts.csv", *LIFTED, "--journal", "journals/b.journal")
    assert beside.code == 2
    assert "rows 1, 2 in lines 2, 3 by the run of journals/a.journal" in beside.words
    assert created(sandbox) == 4


def test_the_rest_of_a_stopped_run_is_not_sent_from_two_files(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults.add("expire_token:after=2,times=1,endpoint=create-post")
    header, *rows = posts_file(tmp_path / "posts.csv", 4).read_text().splitlines()
    assert command("bulk", "run", "posts.csv", "--concurrency", "1", *LIFTED).code == 1
    sent = created(sandbox)
    assert 0 < sent < 4
    monkeypatch.setenv("MARKETINGBLOCKS_API_TOKEN", sandbox.add_token("new"))
    (tmp_path / "rest.csv").write_text("\n".join([header, *rows[sent:], ""]))
    refused = command("bulk", "run", "rest.csv", *LIFTED)
    assert refused.code == 2
    assert "are pending in another run" in refused.words
    assert "resume a run that has them pending" in refused.words
    assert command("bulk", "run", "rest.csv", "--allow-duplicates", *LIFTED).code == 0
    assert created(sandbox) == 4
    resume = ("bulk", "resume", "posts.csv", "--accept-new-token", "--json", *LIFTED)
    for _ in range(2):
        refused = command(*resume)
        assert (refused.code, created(sandbox)) == (2, 4)
        message = refused.json["error"]["message"]
        assert "by the run of rest.csv.journal" in message
        assert "send them once more (--allow-duplicates)" in message
    assert command(*resume, "--allow-duplicates").code == 0
    assert created(sandbox) == 8 - sent


@pytest.mark.parametrize("root", ["https://another.example/api/v1", "no address"])
def test_a_plan_tells_what_was_sent_to_its_own_api_only(
    command: Command, sandbox: Sandbox, tmp_path: Path, root: str
) -> None:
    file = posts_file(tmp_path / "posts.csv", 2)
    assert command("bulk", "run", "posts.csv", *LIFTED).code == 0
    file.rename(tmp_path / "again.csv")
    assert command("bulk", "plan", "again.csv", "--json").json["sent_earlier"]
    planned = command("bulk", "plan", "again.csv", "--base-url", root, "--json")
    assert (planned.code, planned.json["sent_earlier"]) == (0, [])
    assert created(sandbox) == 2


def test_a_run_that_invalid_rows_stop_tells_what_was_sent_too(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    posts_file(tmp_path / "posts.csv", 2)
    assert command("bulk", "run", "posts.csv", *LIFTED).code == 0
    posts_file(tmp_path / "again.csv", 2, BAD_LINE)
    refused = command("bulk", "run", "again.csv", *LIFTED)
    assert refused.code == 2
    assert "rows 1, 2 in lines 2, 3 by the run of posts.csv.journal" in refused.words
    assert created(sandbox) == 2


def test_results_are_written_by_run_resume_and_report(command: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 2)
    command("bulk", "run", "posts.csv", "--journal", "j", "--results", "results.csv", *LIFTED)
    command("bulk", "resume", "j", "--results", "again.csv", *LIFTED)
    command("bulk", "report", "j", "--results", "results.json")
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [(row["row"], row["state"]) for row in found] == [(1, "done"), (2, "done")]
    assert all(row["post_id"] and row["sent_at"] for row in found)
    assert created(sandbox) == 2
    assert (tmp_path / "results.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    refused = command("bulk", "report", "j", "--results", "posts.csv")
    assert "would be written over" in refused.words


def test_the_file_of_posts_is_not_written_over_from_another_folder(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = posts_file(tmp_path / "posts.csv", 1)
    before = file.read_bytes()
    command("bulk", "run", "posts.csv", *LIFTED)
    command("bulk", "run", "posts.csv", "--journal", "j", "--allow-duplicates", *LIFTED)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for journal in ("../posts.csv", "../j"):
        for option in ("--failures", "--results", "--html"):
            refused = command("bulk", "report", journal, option, "../posts.csv")
            assert (refused.code, "would be written over" in refused.words) == (1, True)
    both = command("bulk", "report", "../j", "--results", "a.csv", "--failures", "a.csv")
    assert (both.code, "name of two files" in both.words) == (1, True)
    assert file.read_bytes() == before
    assert created(sandbox) == 2


def test_a_run_knows_its_file_from_another_folder_too(
    command: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("journals", "elsewhere"):
        (tmp_path / name).mkdir()
    file, journal = posts_file(tmp_path / "posts.csv", 1), tmp_path / "journals" / "j"
    assert command("bulk", "run", "posts.csv", "--journal", journal, *LIFTED).code == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    posts_file(tmp_path / "elsewhere" / "posts.csv", 2)
    told = "posts.csv has changed since the plan"
    assert told not in command("bulk", "resume", journal, *LIFTED).words
    posts_file(file, 3)
    assert told in command("bulk", "resume", journal, *LIFTED).words
    refused = command("bulk", "report", journal, "--results", file)
    assert (refused.code, "would be written over" in refused.words) == (1, True)
    monkeypatch.setattr(bulk_sending, "sha256_of", Mock(side_effect=PermissionError))
    unseen = command("bulk", "resume", journal, *LIFTED)
    assert (unseen.code, told in unseen.words) == (0, False)
    assert created(sandbox) == 1


@pytest.mark.parametrize("results", ["nowhere/r.csv", ".", "posts.csv", "posts.csv.journal"])
def test_a_place_for_results_is_checked_before_anything_is_sent(
    command: Command, sandbox: Sandbox, tmp_path: Path, results: str
) -> None:
    posts_file(tmp_path / "posts.csv", 1)
    assert command("bulk", "run", "posts.csv", "--results", results, *LIFTED).code == 1
    assert not (tmp_path / "posts.csv.journal").exists()
    assert created(sandbox) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_results_that_cannot_be_written_do_not_hide_what_was_sent(
    command: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    posts_file(tmp_path / "posts.csv", 1)
    ran = command("bulk", "run", "posts.csv", "--results", "/dev/full", "--json", *LIFTED)
    assert (ran.code, ran.json["done"], created(sandbox)) == (1, 1, 1)
    assert "marketingblocks bulk report posts.csv.journal --results FILE" in ran.err
