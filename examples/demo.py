"""Send thousands of posts from a spreadsheet to a local sandbox, at the full rate of the token.

The sandbox runs in a process of its own. It refuses every request beyond 100 of a token in any second, and its ledger
says at the end what it counted.

    python examples/demo.py [--count 3000] [--tokens 1] [--file posts.csv] [--policy sliding_log] [--jitter 0]
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from marketingblocks_async import AttemptEvent, CreatePost, MarketingBlocks
from marketingblocks_async.sandbox import LedgerReport, PolicyName, SandboxProcess

BAR = 12
NEXT_STEPS = """\
  What to do next:
    start the API on your machine:
      .venv/bin/marketingblocks sandbox --port 8080
    check a spreadsheet:
      .venv/bin/marketingblocks bulk plan examples/data/posts.csv
    send your first post: "One post" in README.md
"""
BUNDLED_FILE = Path(__file__).parent / "data" / "posts.csv"


def read_posts(file: Path, count: int) -> Iterator[CreatePost]:
    """Yield ``count`` posts from a CSV file whose columns are the fields of ``CreatePost``.

    A file that is too short is read again; then the captions get a number, so that no two posts are the same.
    """
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    for number, row in enumerate(islice(cycle(rows), count)):
        fields: dict[str, object] = {name: value for name, value in row.items() if value}
        fields["media_urls"] = row["media_urls"].split("|") if row["media_urls"] else []
        if number >= len(rows):
            fields["caption_text"] = f"{row['caption_text']} ({number // len(rows) + 1})"
        yield CreatePost.model_validate(fields)


@dataclass
class Progress:
    """The figures of the live line."""

    total: int
    done: int = 0
    failed: int = 0
    attempts: int = 0
    in_flight: int = 0

    def on_attempt(self, _event: AttemptEvent) -> None:
        """Count the attempts that have ended."""
        self.attempts += 1

    def line(self, rate: float, columns: int) -> str:
        """Return the line, cut to a terminal of so many columns."""
        finished = self.done + self.failed
        share = finished / self.total
        bar = ("█" * round(share * BAR)).ljust(BAR, "░")
        left = f", {(self.total - finished) / rate:.0f} s left" if rate else ""
        now = f", {self.in_flight:,} in flight{left}" if finished < self.total else ""
        text = f"  {bar} {share:4.0%}  {rate:.1f}/s  {self.done:,} sent, {self.failed:,} failed{now}"
        # A line that reaches the last column would be continued on the next one, and stay there.
        return text[: columns - 1].ljust(min(columns, 80) - 1)


async def show(progress: Progress, clients: Sequence[MarketingBlocks]) -> None:
    """Draw the live line until cancelled; a plain line every five seconds when this is no terminal."""
    live = sys.stdout.isatty()
    interval = 0.1 if live else 5.0
    # The rate is that of the last second (of the last five between plain lines).
    samples = deque([(time.perf_counter(), 0)], maxlen=11 if live else 2)
    while True:
        await asyncio.sleep(interval)
        granted = sum(client.rate_limiter.snapshot().granted for client in clients)
        samples.append((time.perf_counter(), granted))
        progress.in_flight = granted - progress.attempts
        rate = (granted - samples[0][1]) / (samples[-1][0] - samples[0][0])
        print(shown(progress, rate), end="" if live else "\n", flush=True)


def shown(progress: Progress, rate: float) -> str:
    """Return the live line for the terminal as wide as it is now, or a plain line if there is none."""
    if not sys.stdout.isatty():
        return progress.line(rate, 80).rstrip()
    return "\r" + progress.line(rate, shutil.get_terminal_size().columns)


async def send(client: MarketingBlocks, posts: Sequence[CreatePost], progress: Progress) -> None:
    """Send posts over one token."""
    async for outcome in client.posts.create_many(posts):
        if outcome.ok:
            progress.done += 1
        else:
            progress.failed += 1
            print(f"\r{f'  post {outcome.index}: {outcome.error}':<79}", file=sys.stderr)


def summarise(report: LedgerReport, lost: int, seconds: float) -> bool:
    """Print what the server counted; return whether it is what was promised."""
    tokens = [token for token in report.tokens.values() if token.arrivals]
    requests = sum(token.arrivals for token in tokens)
    refused = sum(token.too_many_requests for token in tokens)
    print(
        f"\n  What the server counted ({'one token' if len(tokens) == 1 else f'{len(tokens)} tokens'}):\n"
        f"    requests        {requests}\n"
        f"    seconds         {seconds:.1f}\n"
        f"    worst second    {report.worst_window} requests of a token (allowed: 100)\n"
        f"    429s            {refused}\n"
        f"    duplicates      {report.duplicate_posts}\n"
        f"    lost            {lost}\n"
    )
    return report.worst_window <= 100 and not refused and not report.duplicate_posts and not lost


async def main(arguments: argparse.Namespace) -> bool:
    """Run the demo; return whether everything went as promised."""
    posts = list(read_posts(arguments.file, arguments.count))
    progress = Progress(total=len(posts))
    async with (
        SandboxProcess(policy=arguments.policy, jitter=arguments.jitter, tokens=arguments.tokens - 1) as sandbox,
        MarketingBlocks(sandbox.token, base_url=sandbox.base_url, on_attempt=progress.on_attempt) as client,
    ):
        secrets = list(sandbox.tokens.values())[1:]
        clients = [client, *(client.with_token(secret) for secret in secrets)]
        print(f"  {len(posts):,} posts from {arguments.file.name} to {sandbox.base_url}\n")
        reporter = asyncio.create_task(show(progress, clients))
        began = time.perf_counter()
        shares = [posts[number :: len(clients)] for number in range(len(clients))]
        await asyncio.gather(*(send(each, share, progress) for each, share in zip(clients, shares, strict=True)))
        seconds = time.perf_counter() - began
        reporter.cancel()
        await asyncio.gather(reporter, return_exceptions=True)
        print(shown(progress, len(posts) / seconds))
        comparison = await sandbox.compare(posts)
        kept = summarise(await sandbox.ledger(), len(comparison.lost), seconds) and not progress.failed
    print(NEXT_STEPS)
    return kept


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Send posts through a local sandbox at the full rate.")
    parser.add_argument("--count", type=int, default=3000, help="how many posts (default 3000)")
    parser.add_argument("--tokens", type=int, default=1, help="over how many access tokens (default 1)")
    parser.add_argument("--file", type=Path, default=BUNDLED_FILE, help="CSV file (default: the bundled one)")
    parser.add_argument("--policy", choices=[each.value for each in PolicyName], default="sliding_log")
    parser.add_argument("--jitter", type=float, default=0.0, help="seconds of network jitter (default 0)")
    arguments = parser.parse_args(words)
    if arguments.count < 1 or arguments.tokens < 1:
        parser.error("--count and --tokens need 1 or more")
    return arguments


if __name__ == "__main__":
    try:
        sys.exit(0 if asyncio.run(main(parse())) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
