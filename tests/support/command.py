"""The command as its users have it: in this process, in one of its own, and on a terminal."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from marketingblocks_async.sandbox import Sandbox

MODULE = [sys.executable, "-W", "error", "-m", "marketingblocks_async.cli"]
SCRIPT = [str(Path(sys.executable).with_name("marketingblocks"))]

HEADER = "channel_type,channel_id,post_type,caption_text,media_urls,publish_mode"
COUNTS = ["total", "done", "failed", "pending", "unknown"]


@dataclass(frozen=True)
class Ran:
    """What a command came to.

    Attributes:
        code: its exit code.
        out: what it wrote to the standard output.
        err: what it wrote to the standard error.

    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The standard output, which must be exactly one line of JSON."""
        assert self.out.endswith("\n"), self
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """Everything that was written, without the frames and line breaks of panels and tables."""
        return " ".join("".join(" " if sign in "│╭╮╰╯─┃|+-" else sign for sign in self.out + self.err).split())

    def check(self) -> Self:
        """Fail if there is a traceback or an unexpected error."""
        for text in (self.out, self.err):
            assert "Traceback" not in text, self
            assert "Unexpected error" not in text, self
            assert "Exception ignored" not in text, self
        return self


class LocalSandbox:
    """A sandbox on an event loop of its own, so that a command can use this thread's."""

    def __init__(self, **options: Any) -> None:
        self.sandbox = Sandbox(**options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Sandbox:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.sandbox.start(), self._loop).result()
        return self.sandbox

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.sandbox.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def environment(sandbox: Sandbox | None = None, /, **variables: str | None) -> dict[str, str]:
    """Return the environment of a command: this one's, what ``sandbox`` needs, and ``variables`` (``None`` unsets)."""
    values: dict[str, str | None] = {**os.environ}
    for name in ("MARKETINGBLOCKS_API_TOKEN", "MARKETINGBLOCKS_BASE_URL", "MARKETINGBLOCKS_DOCS_URL", "COLUMNS"):
        values.pop(name, None)
    if sandbox is not None:
        values |= {
            "MARKETINGBLOCKS_API_TOKEN": sandbox.token,
            "MARKETINGBLOCKS_BASE_URL": sandbox.base_url,
            "MARKETINGBLOCKS_DOCS_URL": sandbox.docs_url,
        }
    return {name: value for name, value in (values | variables).items() if value is not None}


def process(
    *words: str | bytes,
    env: Mapping[str, str],
    command: Iterable[str] = tuple(MODULE),
    stdin: bytes = b"",
    cwd: Path | None = None,
) -> Ran:
    """Run the command in a process of its own."""
    ended = subprocess.run(  # noqa: S603 - our own command
        [*command, *words], env=env, input=stdin, capture_output=True, timeout=60, check=False, cwd=cwd
    )
    return Ran(ended.returncode, ended.stdout.decode("utf-8", "replace"), ended.stderr.decode("utf-8", "replace"))


def shell(line: str, env: Mapping[str, str], cwd: Path | None = None) -> Ran:
    """Run a line of a shell in which ``mb`` is the command."""
    start = " ".join(MODULE)
    return process("-c", f'mb() {{ {start} "$@"; }}; {line}', command=["/bin/bash"], env=env, cwd=cwd)


def posts_file(path: Path, count: int = 3, *lines: str) -> Path:
    """Write ``count`` good rows, and ``lines`` after them."""
    rows = [f"facebook,{1 + number % 2},post,Row {number},,now" for number in range(1, count + 1)]
    path.write_text("\n".join([HEADER, *rows, *lines, ""]), encoding="utf-8")
    return path


BAD_LINE = "facebook,x9,post,Bad one,,now"


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something that will happen; the time is only there so that a test ends if it does not."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        # Another process is waited for, which gives no sign of its own; asking again is the only way.
        time.sleep(0.01)


@dataclass
class Terminal:
    """A command on a terminal.

    Attributes:
        output: what it has written so far.

    """

    words: list[str]
    env: Mapping[str, str]
    columns: int = 100
    stdout: int | None = None
    output: str = ""
    code: int | None = None
    # What is read may end within a character.
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    _master: int = field(default=-1)
    _process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        with contextlib.suppress(ImportError):
            import fcntl  # noqa: PLC0415 - beside pty
            import struct  # noqa: PLC0415 - beside fcntl
            import termios  # noqa: PLC0415 - beside fcntl

            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.columns, 0, 0))
        # A session of its own, of which this is the terminal: getpass asks there, and Ctrl-C comes from there.
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", _ON_TERMINAL, *self.words],
            env=self.env,
            stdin=slave,
            stdout=slave if self.stdout is None else self.stdout,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._master >= 0:
            os.close(self._master)

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def read_until(self, wanted: str) -> str:
        """Read until something was written; return everything that was."""
        while wanted not in self.output:
            if not self._read(30.0):
                msg = f"{wanted!r} was not written, but: {self.output}"
                raise AssertionError(msg)
        return self.output

    def finish(self) -> int:
        """Read to the end; return the exit code."""
        assert self._process is not None
        while self._read(30.0):
            pass
        self.code = self._process.wait(30)
        return self.code

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    def hang_up(self) -> int:
        """Close the window; return the exit code."""
        assert self._process is not None
        os.close(self._master)
        self._master = -1
        self.code = self._process.wait(30)
        return self.code

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            msg = f"nothing more was written after: {self.output}"
            raise AssertionError(msg)
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False  # what Linux says when the last process has closed its side
        self.output += self._decoder.decode(data)
        return bool(data)


_ON_TERMINAL = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
runpy.run_module("marketingblocks_async.cli", run_name="__main__", alter_sys=True)
"""
