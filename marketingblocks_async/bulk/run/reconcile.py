"""Find out what became of rows of unknown outcome: ask the API's listings and let ``matching.py`` decide."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, cast

from marketingblocks_async import (
    APIError,
    CallError,
    ChannelType,
    ConfigurationError,
    CreatePost,
    MarketingBlocks,
    MarketingBlocksError,
    PostList,
    UpcomingPosts,
)
from marketingblocks_async.bulk.journal.states import LOOKED_FOR, StoredRow
from marketingblocks_async.bulk.threads import in_thread

from .matching import NOT_SETTLED, ListedPost, SentRow, decide, settled_at
from .signs import is_refused_token

SETTLE_AFTER = 60.0
"""Seconds to wait before an unlisted post counts as not created, unless the client's timeout needs more."""

LARGEST_LISTING = 10_000
"""Posts that are asked for at most."""

LISTING_DEADLINE = 15.0
"""Seconds that a listing may take, retries included."""

SPARE = 200
"""Posts that are asked for beyond those that the run has sent since, in case other programs post too."""


class RunJournal(Protocol):
    """The methods of a journal that reconciliation uses; the journals in SQLite and in Redis have them."""

    async def now(self) -> float:
        """Return the Unix time, by the clock that stamps the journal's rows."""
        ...

    async def sent_rows(self) -> tuple[list[StoredRow], list[StoredRow]]:
        """Return the rows of unknown outcome, and those whose post may be taken for one of theirs, as of one moment.

        The second are rows that are done and were sent around and after the first of the others, and rows in flight.
        """
        ...

    async def claimed_post_ids(self) -> Collection[str]:
        """Return the ids of the posts of all rows that are done."""
        ...

    async def note_highest_id(self, post_id: int) -> None:
        """Record the highest post id that the API listed before this session sent anything."""
        ...

    async def highest_ids(self) -> list[tuple[float, int | None]]:
        """Return (beginning, highest post id listed then) of each session, in order."""
        ...

    async def settle(
        self, found: Mapping[int, str], absent: Iterable[int], attempts: Mapping[int, int]
    ) -> tuple[int, list[int]]:
        """Record rows that exist (number → post id) as done, and absent ones as pending.

        ``attempts`` are those of each row when it was looked for. A row that was sent again since stays as it is, since
        nothing is known of its last attempt.

        Returns:
            The number of rows that are done now, and the numbers of those that are pending again.

        """
        ...

    async def explain(self, reasons: Mapping[int, str]) -> None:
        """Record why rows (number → text) stay unknown, in place of their error."""
        ...


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of looking for rows of unknown outcome.

    Attributes:
        found: rows that exist; they are done.
        absent: rows that do not exist; they are pending again.
        undecided: rows that stay unknown.
        undecided_until: Unix time after which asking again may decide more; ``None`` if time would not help.
        trouble: why a listing could not be read, in words; ``None`` if all could.

    """

    found: int = 0
    absent: int = 0
    undecided: int = 0
    undecided_until: float | None = None
    trouble: str | None = None


def settling_time(client: MarketingBlocks, seconds: float | None) -> float:
    """Return the seconds to wait before an unlisted post counts as not created.

    Args:
        client: what sends the posts.
        seconds: what the caller asks for. ``None`` stands for 60, or twice the client's timeout if that is more: an
            attempt begins to be written at most half of its timeout after its intent was recorded, and ends a timeout
            later.

    Raises:
        ConfigurationError: ``seconds`` is no number of seconds.

    """
    if seconds is None:
        return max(SETTLE_AFTER, 2 * client.timeout) if math.isfinite(client.timeout) else SETTLE_AFTER
    if not 0 <= seconds < math.inf:
        msg = f"settle_after={seconds}: give seconds, 0 or more"
        raise ConfigurationError(msg)
    return seconds


async def note_highest_id(client: MarketingBlocks, journal: RunJournal) -> str | None:
    """Record the highest post id that is listed before this session sends anything.

    It tells posts of this run from older ones later. If the listings cannot be read nothing is recorded, and unknown
    rows of this session cannot be found.

    Returns:
        A sentence if the token may not read the listings, since it never will by itself; else ``None``.

    """
    listings = await ask_listings(client, list(ChannelType), SPARE)
    # It is not documented whether there is a listing of Threads.
    if listings.unread <= {ChannelType.THREADS}:
        numbers = [post.number for listing in listings.posts for post in listing if post.number is not None]
        await journal.note_highest_id(max(numbers, default=0))
    elif listings.denied:
        return f"a row of unknown outcome cannot be looked for, and would stay unknown: {listings.trouble}"
    return None


async def reconcile(
    client: MarketingBlocks,
    journal: RunJournal,
    *,
    settle_after: float = SETTLE_AFTER,
    on_absent: Callable[[Sequence[int]], Awaitable[None]] | None = None,
) -> Reconciliation:
    """Look for the rows of unknown outcome, and record what was found.

    Args:
        client: a client with the token that sent them; the token needs the permission ``social-read-posts``.
        journal: the run.
        settle_after: seconds to wait before an unlisted post counts as not created.
        on_absent: called with the numbers of the rows that are pending again.

    """
    # Before the rows: one that is sent after they are read has not settled, and nothing is concluded from its absence.
    now = await journal.now()
    unknown, done = await journal.sent_rows()
    sent = _looked_for(unknown)
    if not sent:
        return Reconciliation(undecided=len(unknown))
    platforms = await in_thread(lambda: sorted({_post(row).channel_type for row in sent}))
    # A multiple of ten: a listing of a round length counts as one that may have been cut off.
    size = min(math.ceil((len(done) + len(sent) + SPARE) / 10) * 10, LARGEST_LISTING)
    listings = await ask_listings(client, platforms, size)
    # Once more: a listed post may be that of a row which another process has sent since.
    unknown, done = await journal.sent_rows()
    sent = _looked_for(unknown)
    highest_ids = await journal.highest_ids()
    rows, others = await in_thread(lambda: [[_sent_row(row, highest_ids) for row in each] for each in (sent, done)])
    verdicts = await in_thread(
        decide,
        rows,
        others,
        listings.posts,
        claimed=await journal.claimed_post_ids(),
        now=now,
        settle_after=settle_after,
        unread=listings.unread,
    )
    found, absent = await journal.settle(verdicts.found, verdicts.absent, {row.number: row.attempts for row in sent})
    texts = {row.number: (row.error or "").split(LOOKED_FOR)[0] for row in sent}
    settling = {row.number: settled_at(row, now, settle_after) for row in rows}
    await journal.explain(
        {
            number: f"{texts[number]}{LOOKED_FOR}{_advice(reason, settling[number], listings.trouble)}"
            for number, reason in verdicts.reasons.items()
        }
    )
    if absent and on_absent is not None:
        await on_absent(absent)
    later = [settling[number] for number in verdicts.undecided if settling[number] > now]
    return Reconciliation(
        found=found,
        absent=len(absent),
        undecided=len(verdicts.undecided) + len(unknown) - len(sent),
        undecided_until=max(later, default=None),
        trouble=listings.trouble,
    )


def _advice(reason: str, settled: float, trouble: str | None) -> str:
    """Return why a row stays unknown, with the next step for a person."""
    if trouble is not None:
        return f"{trouble}; look again when the API answers"
    if reason == NOT_SETTLED:
        return f"{reason}; look again after {datetime.fromtimestamp(settled, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{reason}; look at the channel, and have the post sent again only if it is not there"


def _looked_for(unknown: Sequence[StoredRow]) -> list[StoredRow]:
    return [row for row in unknown if row.sent_at is not None and row.request]


def _post(row: StoredRow) -> CreatePost:
    return CreatePost.model_validate_json(row.request)


def _sent_row(row: StoredRow, highest_ids: Sequence[tuple[float, int | None]]) -> SentRow:
    sent_at = row.sent_at or 0.0
    session = bisect_right(highest_ids, sent_at, key=lambda each: each[0])
    highest = highest_ids[session - 1][1] if session else None
    # A row that is sent again keeps the time of its former outcome until it has a new one.
    ended_at = row.ended_at if row.ended_at is not None and row.ended_at >= sent_at else math.inf
    return SentRow(row.number, _post(row), sent_at, highest, row.post_id, ended_at)


@dataclass(slots=True)
class Listings:
    """The posts that the API lists.

    Attributes:
        posts: one list for each response.
        unread: platforms of which a listing could not be read, or not in full.
        trouble: why a listing could not be had, in words.
        denied: whether the reason is that the token may not read.

    """

    posts: list[list[ListedPost]]
    unread: set[ChannelType]
    trouble: str | None = None
    denied: bool = False


async def ask_listings(client: MarketingBlocks, platforms: Sequence[ChannelType], size: int) -> Listings:
    """Ask for the listings of some platforms, up to ``size`` posts each."""
    found = Listings([], set())
    # The run goes on without a listing, so it does not wait for one as long as a post would.
    client = client.with_options(deadline=LISTING_DEADLINE)
    # It is not documented whether the listing takes "threads"; a refusal must not cost the other platforms.
    others = [platform for platform in platforms if platform is not ChannelType.THREADS]
    groups = (others, [platform for platform in platforms if platform not in others])
    questions: list[tuple[Sequence[ChannelType], Callable[[], Awaitable[UpcomingPosts | PostList]]]] = [
        (platforms, partial(client.posts.upcoming, limit=size)),
        *((group, partial(client.posts.list, channels=group, limit=size)) for group in groups if group),
    ]
    for concerned, ask in questions:
        try:
            posts = await ask()
        except MarketingBlocksError as error:
            found.trouble = str(error)
            found.denied = is_refused_token(error, created=False)
            if isinstance(error, CallError) and not isinstance(error, APIError):
                # The server does not answer; the next question would only take its time as well.
                found.unread.update(platforms)
                break
            found.unread.update(concerned)
            continue
        listed = [ListedPost.of(post) for post in posts]
        if None in listed or (isinstance(posts, PostList) and not posts and not _is_empty_list(posts.raw)):
            found.unread.update(concerned)
        found.posts.append([post for post in listed if post is not None])
    return found


def _is_empty_list(value: Any) -> bool:
    """Return whether a response without a post says that there is none: by an empty list or ``null``, and no other."""
    pending, says_so = [value], False
    while pending:
        item = pending.pop()
        if isinstance(item, Mapping):
            pending += cast("Mapping[str, Any]", item).values()
        elif isinstance(item, list) and item:
            return False
        else:
            says_so |= item in ([], None)
    return says_so
