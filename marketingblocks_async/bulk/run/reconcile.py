"""Finding out what became of rows of unknown outcome: asks the API's listings and lets ``matching.py`` decide."""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from marketingblocks_async import (
    APIError,
    CallError,
    ChannelType,
    CreatePost,
    MarketingBlocks,
    MarketingBlocksError,
    Post,
)
from marketingblocks_async.bulk.journal.journal import Journal
from marketingblocks_async.bulk.journal.states import RowState, StoredRow

from .matching import ListedPost, SentRow, decide

SETTLE_AFTER = 60.0
"""Seconds after which a request that was sent is taken to be carried out and listed, or never: twice the default
timeout of an attempt."""

LARGEST_LISTING = 10_000
"""How many posts are asked for at most."""

LISTING_DEADLINE = 15.0
"""Seconds that a listing may take, retries included."""

SPARE = 200
"""How many posts more than the run sent since are asked for, in case others post too."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found out about rows of unknown outcome.

    Attributes:
        found: how many exist; they are done.
        absent: how many do not exist; they are pending again.
        undecided: how many stay unknown.
        undecided_until: Unix time after which asking again may decide more, ``None`` if time would not help.
        trouble: why a listing could not be read, in words; ``None`` if all could.

    """

    found: int = 0
    absent: int = 0
    undecided: int = 0
    undecided_until: float | None = None
    trouble: str | None = None


async def note_floor(client: MarketingBlocks, journal: Journal) -> None:
    """Keep the highest post id that is listed before this session sends anything.

    Later it tells posts of this run from older ones. If it cannot be read nothing is noted, and unknown rows of this
    session cannot be found.
    """
    platforms = [platform for platform in ChannelType if platform is not ChannelType.THREADS]
    listings, trouble = await ask_listings(client, platforms, SPARE)
    if trouble is None:
        numbers = [post.number for listing in listings for post in listing if post.number is not None]
        await journal.note_floor(max(numbers, default=0))


async def reconcile(client: MarketingBlocks, journal: Journal, *, settle_after: float = SETTLE_AFTER) -> Reconciliation:
    """Look for the rows of unknown outcome, and write down what was found.

    Args:
        client: of the token that sent them; it needs the permission ``social-read-posts``.
        journal: the run.
        settle_after: seconds after which a request that was sent is certainly carried out and listed, or never.

    """
    unknown = await asyncio.to_thread(lambda: list(journal.rows([RowState.UNKNOWN])))
    sent = [row for row in unknown if row.sent_at is not None and row.request]
    if not sent:
        return Reconciliation(undecided=len(unknown))
    floors = _Floors(journal)
    earliest = min(row.sent_at for row in sent if row.sent_at is not None)
    done = await asyncio.to_thread(journal.done_around, earliest)
    rows = [_sent_row(row, floors) for row in sent]
    platforms = sorted({ChannelType(row.post.channel_type) for row in rows})
    size = min(len(done) + len(sent) + SPARE, LARGEST_LISTING)
    now = time.time()
    listings, trouble = await ask_listings(client, platforms, size)
    verdicts = decide(
        rows,
        [_sent_row(row, floors) for row in done],
        listings,
        claimed=(await asyncio.to_thread(journal.known_post_ids)).keys(),
        now=now,
        settle_after=settle_after,
    )
    for number, post_id in verdicts.found.items():
        journal.end(number, RowState.DONE, post_id=post_id)
    for number in verdicts.absent:
        journal.end(number, RowState.PENDING)
    await journal.flush()
    waiting = [row.sent_at + settle_after for row in rows if row.number in set(verdicts.undecided)]
    later = [moment for moment in waiting if moment > now]
    return Reconciliation(
        found=len(verdicts.found),
        absent=len(verdicts.absent),
        undecided=len(verdicts.undecided) + len(unknown) - len(sent),
        undecided_until=max(later, default=None),
        trouble=trouble,
    )


class _Floors:
    """Which id was the highest before the session that sent a row."""

    def __init__(self, journal: Journal) -> None:
        self._began = [began for began, _, _ in journal.sessions()]
        self._floors: dict[str, int] = json.loads(journal.meta.get("floors", "{}"))

    def at(self, sent_at: float) -> int | None:
        session = bisect_right(self._began, sent_at)
        return self._floors.get(str(session))


def _sent_row(row: StoredRow, floors: _Floors) -> SentRow:
    sent_at = row.sent_at or 0.0
    post = CreatePost.model_validate_json(row.request)
    return SentRow(row.number, post, sent_at, floors.at(sent_at), row.post_id)


async def ask_listings(
    client: MarketingBlocks, platforms: Sequence[ChannelType], size: int
) -> tuple[list[list[ListedPost]], str | None]:
    """Return what is listed, and why something could not be read."""
    listings: list[list[ListedPost]] = []
    trouble: str | None = None
    # Without an answer the run goes on, so it does not wait for one as long as a post would.
    client = client.with_options(deadline=LISTING_DEADLINE)
    # Whether the listing takes "threads" is not documented; a refusal must not cost the others.
    others = [platform for platform in platforms if platform is not ChannelType.THREADS]
    groups = (others, [platform for platform in platforms if platform not in others])
    questions: list[Callable[[], Awaitable[Iterable[Post]]]] = [
        partial(client.posts.upcoming, limit=size),
        *(partial(client.posts.list, channels=group, limit=size) for group in groups if group),
    ]
    for ask in questions:
        try:
            posts = await ask()
        except MarketingBlocksError as error:
            trouble = str(error)
            if isinstance(error, CallError) and not isinstance(error, APIError):
                # Nothing answers; the next question would only take its time as well.
                break
            continue
        listings.append([listed for post in posts if (listed := ListedPost.of(post)) is not None])
    return listings, trouble
