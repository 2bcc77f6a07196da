"""A bulk run while it runs: progress on a terminal and in a pipe, Ctrl-C once and twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from marketingblocks_async.bulk import JournalReader
from marketingblocks_async.bulk.journal.states import Counts
from marketingblocks_async.bulk.run.progress import BulkProgress
from marketingblocks_async.cli.commands import bulk_progress as progress
from marketingblocks_async.cli.output import Output
from marketingblocks_async.sandbox import Sandbox
from tests.cli.conftest import Command
from tests.support.command import COUNTS, HEADER, MODULE, Ran, Terminal, environment, posts_file, process, wait_for


def test_live_progress_on_a_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow:endpoint=create-post,delay=0.6,times=1")
    posts_file(tmp_path / "posts.csv", 60)
    words = ["bulk", "run", str(tmp_path / "posts.csv"), "--journal", str(tmp_path / "j")]
    with Terminal(words, environment(sandbox, TERM="xterm"), columns=80) as terminal:
        assert terminal.finish() == 0
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.output)
        assert re.search(r"\d+%  \d+/60  \d+\.\d/s of 100  ETA ", plain)
        assert re.search(r"done \d+  failed 0  unknown 0  in flight \d+  queued \d+", plain)
        # It is taken away at the end, and the cursor comes back.
        assert "\x1b[?25h" in terminal.output
        assert "done     60" in plain.split("Complete:")[1]
        assert "Traceback" not in plain


def test_with_json_a_terminal_still_shows_progress_and_the_pipe_gets_one_line(sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 5)
    words = ["bulk", "run", str(tmp_path / "posts.csv"), "--journal", str(tmp_path / "j"), "--rate", "0", "--json"]
    with (tmp_path / "out").open("w+") as out:
        with Terminal(words, environment(sandbox, TERM="xterm"), stdout=out.fileno()) as terminal:
            assert terminal.finish() == 0
            assert "5/5" in terminal.output
        assert Ran(0, (tmp_path / "out").read_text(), "").json["done"] == 5


def test_a_dumb_terminal_and_a_pipe_get_plain_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    posts_file(tmp_path / "posts.csv", 5)
    words = ["bulk", "run", str(tmp_path / "posts.csv"), "--journal", str(tmp_path / "j"), "--rate", "0"]
    with Terminal(words, environment(sandbox, TERM="dumb")) as terminal:
        assert terminal.finish() == 0
        assert "\x1b" not in terminal.output
    piped = process("bulk", "resume", str(tmp_path / "j"), "--json", env=environment(sandbox))
    assert (piped.json["done"], "\x1b" in piped.err) == (5, False)


def test_plain_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    made = BulkProgress(Counts(2000, 10, 1, 1988, 1), 7, 20, 98.25, 100.0, 2.4, 3725.0, 60.0)
    with progress.shown_progress(Output(as_json=False)) as show:
        for _ in range(40):
            now += 0.5
            show(made)
    lines = capsys.readouterr().err.splitlines()
    states = "done 10  failed 1  unknown 1  in flight 7  queued 20"
    assert lines == [f"12/2,000  98.2/s (cap 100)  {states}  paused for 2 s  ETA 1:02:05"] * 4


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3599.7, "1:00:00"), (11100, "3:05:00")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert progress.duration(seconds) == words


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_live_lines_fit_with_room_for_ctrl_c(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts(total=1_000_000, done=123_456, failed=7_890, pending=868_654, unknown=0)
    shown = BulkProgress(counts, 250, 10_000, 99.5, 100.0, 30.0, 8_800.0, 60.0)
    Console(width=width, force_terminal=True, color_system=None).print(progress.live_lines(shown, width))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= max(width - 6, 20)
    if width >= 40:
        text = " ".join(lines)
        for word in ("131,346/1,000,000", "99.5/s of 100", "ETA 2:26:40", "in flight 250", "paused for 30 s"):
            assert word in text


class Running:
    """A bulk run in its own process, whose requests are held by the sandbox."""

    def __init__(self, sandbox: Sandbox, folder: Path, *words: str) -> None:
        posts_file(folder / "posts.csv", 200)
        self.sandbox, self.folder = sandbox, folder
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [*MODULE, "bulk", "run", "posts.csv", "--journal", "j", "--json", "--concurrency", "4", *words],
            cwd=folder,
            env=environment(sandbox),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def interrupt(self, number: int = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def ended(self) -> Ran:
        out, err = self.process.communicate(timeout=60)
        return Ran(self.process.returncode, out.decode(), err.decode()).check()

    def said(self, words: str) -> None:
        """Wait until it said something on its standard error."""
        assert self.process.stderr is not None
        assert words in self.process.stderr.readline().decode()


@pytest.fixture
def running(sandbox: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*words: str) -> Running:
        started.append(Running(sandbox, tmp_path, *words))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_once_finishes_what_is_in_flight(
    running: Callable[..., Running], command: Command, sandbox: Sandbox, number: signal.Signals
) -> None:
    sandbox.faults.add("slow_answer:after=20,delay=0.5,endpoint=create-post")
    run = running("--rate", "0")
    wait_for(lambda: sandbox.ledger.carried_out_at("create-post") >= 24)
    run.interrupt(number)
    run.said("press Ctrl-C again to stop at once")
    ended = run.ended()
    assert ended.code == 130
    assert list(ended.json)[:5] == COUNTS
    assert (ended.json["ending"], ended.json["unknown"], ended.json["failed"]) == ("interrupted", 0, 0)
    assert ended.json["done"] == sandbox.ledger.carried_out_at("create-post")
    assert ended.json["pending"] == 200 - ended.json["done"] > 0
    sandbox.faults.clear()
    again = command("bulk", "resume", "j", "--rate", "0", "--json")
    assert (again.code, again.json["done"]) == (0, 200)
    assert len(sandbox.ledger.commits) == 200
    assert not sandbox.ledger.duplicates()


def in_foreground(words: list[str], sandbox: Sandbox, folder: Path | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, *words], cwd=folder, env=environment(sandbox), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def in_background(words: list[str], sandbox: Sandbox, folder: Path | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, *words], cwd=folder, env=environment(sandbox), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # noqa: PLW1509 - "&" of a shell does the same
    )  # fmt: skip


@pytest.mark.parametrize("start", [in_foreground, in_background])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_file_is_read_says_that_nothing_was_sent(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    os.mkfifo(tmp_path / "posts.csv")
    run = start(["bulk", "run", "posts.csv", "--json"], sandbox, tmp_path)
    # It returns when the command has opened the pipe, too.
    with (tmp_path / "posts.csv").open("wb") as pipe:
        pipe.write(f"{HEADER}\nfacebook,1,post,One,,now\n".encode())
        pipe.flush()
        wait_for((tmp_path / "posts.csv.journal.importing").exists)
        run.send_signal(number)
    out, err = run.communicate(timeout=60)
    ran = Ran(run.returncode, out.decode(), err.decode()).check()
    assert (ran.code, ran.json["error"]["type"]) == (130, "Interrupted")
    assert "nothing was sent, and there is no journal" in ran.json["error"]["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["posts.csv"]
    assert sandbox.ledger.attempts() == 0


def test_a_terminal_that_is_closed_ends_the_run_in_order(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow_answer:after=20,delay=0.3,endpoint=create-post")
    file = posts_file(tmp_path / "posts.csv", 200)
    words = ["bulk", "run", str(file), "--rate", "0", "--concurrency", "4"]
    with Terminal(words, environment(sandbox, TERM="xterm")) as terminal:
        wait_for(lambda: sandbox.ledger.carried_out_at("create-post") >= 24)
        assert terminal.hang_up() == 130
    with JournalReader(f"{file}.journal") as journal:
        assert [ending for _, _, ending in journal.sessions()] == ["interrupted"]
        assert journal.counts().done == sandbox.ledger.carried_out_at("create-post")
        assert journal.counts().unknown == 0


def test_nohup_goes_on(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add("slow_answer:after=20,delay=0.3,times=4,endpoint=create-post")
    file = posts_file(tmp_path / "posts.csv", 60)
    run = subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, "bulk", "run", str(file), "--rate", "0", "--concurrency", "4", "--json"],
        env=environment(sandbox), stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # noqa: PLW1509 - nohup does the same
    )  # fmt: skip
    wait_for(lambda: sandbox.ledger.carried_out_at("create-post") >= 24)
    run.send_signal(signal.SIGHUP)
    out, _ = run.communicate(timeout=60)
    assert (run.returncode, json.loads(out)["done"]) == (0, 60)


def test_ctrl_c_twice_stops_at_once(running: Callable[..., Running], command: Command, sandbox: Sandbox) -> None:
    sandbox.faults.add("commit_then_stall:after=20,endpoint=create-post")
    run = running("--rate", "0")
    wait_for(lambda: sandbox.ledger.carried_out_at("create-post") >= 24)
    run.interrupt()
    run.said("press Ctrl-C again to stop at once")
    run.interrupt()
    ended = run.ended()
    assert ended.code == 130
    assert (ended.json["ending"], ended.json["unknown"], ended.json["done"]) == ("aborted", 4, 20)
    status = command("bulk", "status", "j", "--json").json
    assert {name: status[name] for name in COUNTS} == {name: ended.json[name] for name in COUNTS}
    assert status["state"] == "aborted"
    assert not list(run.folder.glob("j.lock"))


def test_a_killed_run_is_said_to_be_killed(running: Callable[..., Running], command: Command, sandbox: Sandbox) -> None:
    sandbox.faults.add("commit_then_stall:after=20,endpoint=create-post")
    run = running("--rate", "0")
    wait_for(lambda: sandbox.ledger.carried_out_at("create-post") >= 24)
    alive = command("bulk", "status", "j", "--json").json
    assert (alive["state"], alive["in_flight"], alive["unknown"]) == ("running", 4, 0)
    report = command("bulk", "report", "j", "--json").json
    assert (report["unknown"], report["pending"], report["rows"]) == (0, alive["pending"], [])
    run.process.kill()
    run.process.communicate()
    status = command("bulk", "status", "j", "--json").json
    assert (status["state"], status["unknown"]) == ("killed", 4)


@pytest.mark.parametrize(
    ("start", "number"),
    [
        (in_foreground, signal.SIGINT),
        (in_foreground, signal.SIGTERM),
        (in_foreground, signal.SIGHUP),
        (in_background, signal.SIGTERM),
    ],
)
def test_ctrl_c_during_a_call_says_what_is_known(
    sandbox: Sandbox, start: Callable[..., subprocess.Popen[bytes]], number: signal.Signals
) -> None:
    sandbox.faults.add("commit_then_stall")
    words = ["posts", "create", "--channel-type", "facebook", "--channel-id", "1", "--caption-text", "x", "--json"]
    call = start(words, sandbox)
    wait_for(lambda: sandbox.ledger.carried_out_at("create-post") == 1)
    call.send_signal(number)
    out, err = call.communicate(timeout=60)
    ran = Ran(call.returncode, out.decode(), err.decode()).check()
    assert (ran.code, ran.json["error"]["type"]) == (130, "Interrupted")
    assert "may or may not" in ran.json["error"]["message"]


def test_the_sandbox_runs_until_ctrl_c() -> None:
    server = subprocess.Popen(  # noqa: S603 - our own command
        [*MODULE, "sandbox", "--json", "--fault", "error_500"], env=environment(), stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    assert b'"base_url"' in server.stdout.readline()
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=60)
    assert server.returncode == 0
    assert process("sandbox", "--port", "nonsense", env=environment()).code == 1
