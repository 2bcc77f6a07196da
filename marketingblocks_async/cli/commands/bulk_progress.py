"""Progress of a bulk run: a live line on a terminal, a line of text or JSON now and then when piped."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from marketingblocks_async.cli.output import Output

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from marketingblocks_async.bulk import BulkProgress

PLAIN_LINE_EVERY = 5.0
"""Seconds between two lines when the output is not a terminal."""

JSON_LINE_EVERY = 1.0
"""Seconds between two lines of JSON, which programs read."""


@contextmanager
def shown_progress(output: Output) -> Generator[Callable[[BulkProgress], None]]:
    """Yield a function that shows the progress of a run, on the standard error, so that results can be piped.

    At the end the live line is gone.
    """
    if not output.notes.is_terminal or output.notes.is_dumb_terminal:
        yield _plain(output)
        return
    from rich.live import Live

    with Live(console=output.notes, transient=True, auto_refresh=False) as live:
        yield lambda progress: live.update(live_lines(progress, output.notes.width), refresh=True)


def _plain(output: Output) -> Callable[[BulkProgress], None]:
    shown_at = time.monotonic()
    every = JSON_LINE_EVERY if output.as_json else PLAIN_LINE_EVERY

    def show(progress: BulkProgress) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if now - shown_at < every:
            return
        shown_at = now
        if output.as_json:
            output.event("progress", progress_json(progress))
        else:
            output.notes.print(line(progress), markup=False, soft_wrap=True)

    return show


def progress_json(progress: BulkProgress) -> dict[str, Any]:
    """Return the progress as JSON values; the counts stand at the top."""
    values = asdict(progress)
    del values["counts"]
    return {**progress.counts.to_dict(), **values}


def line(progress: BulkProgress) -> str:
    """Return the progress as one line of text."""
    counts = progress.counts
    words = [
        f"{counts.ended:,}/{counts.total:,}",
        f"{progress.rate:.1f}/s" + ("" if progress.cap is None else f" (cap {progress.cap:.0f})"),
        f"done {counts.done:,}",
        f"failed {counts.failed:,}",
        f"unknown {counts.unknown:,}",
        f"in flight {progress.in_flight:,}",
        f"queued {progress.queued:,}",
    ]
    if progress.paused_for > 0:
        words.append(f"paused for {progress.paused_for:.0f} s")
    if progress.eta is not None:
        words.append(f"ETA {duration(progress.eta)}")
    return "  ".join(words)


def duration(seconds: float) -> str:
    """Return a length of time as people write it: ``0:07``, ``12:30``, ``3:05:00``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# A terminal writes "^C" behind the live lines. A full line would break then, and a part of it would never be erased.
_MARGIN = 6
_WIDEST = 100


def live_lines(progress: BulkProgress, width: int) -> RenderableType:
    """Return the progress as lines that fit a terminal of this width, with room for ``^C`` behind the last one."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar

    room = max(1, min(width - _MARGIN, _WIDEST))
    counts = progress.counts
    share = counts.ended / counts.total if counts.total else 1.0
    speed = [
        (f"{share:4.0%}", "bold"),
        (f"{counts.ended:,}/{counts.total:,}", ""),
        (f"{progress.rate:.1f}/s" + ("" if progress.cap is None else f" of {progress.cap:.0f}"), "bold cyan"),
        *([] if progress.eta is None else [(f"ETA {duration(progress.eta)}", "")]),
        *([(f"paused for {progress.paused_for:.0f} s", "yellow")] if progress.paused_for > 0 else []),
    ]
    states = [
        (f"done {counts.done:,}", "green"),
        (f"failed {counts.failed:,}", "red" if counts.failed else "dim"),
        (f"unknown {counts.unknown:,}", "yellow" if counts.unknown else "dim"),
        (f"in flight {progress.in_flight:,}", ""),
        (f"queued {progress.queued:,}", ""),
    ]
    bar = ProgressBar(total=max(counts.total, 1), completed=counts.ended, width=room)
    return Group(*_flow(speed, room), *_flow(states, room), bar)


def _flow(parts: list[tuple[str, str]], room: int) -> list[Text]:
    """Return the parts on as many lines as they need."""
    from rich.text import Text

    lines = [Text(no_wrap=True, overflow="ellipsis")]
    for text, style in parts:
        if lines[-1].cell_len and lines[-1].cell_len + 2 + len(text) > room:
            lines.append(Text(no_wrap=True, overflow="ellipsis"))
        lines[-1].append("  " if lines[-1].cell_len else "").append(text, style)
    return lines
