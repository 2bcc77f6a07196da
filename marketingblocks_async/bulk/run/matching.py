"""Decide which rows of unknown outcome exist at the API, from what the listings show; no input or output here.

The documentation gives no idempotency key and no way to ask for "my" post, so what exists has to be recognised in the
listings (``upcoming-posts``, ``get-posts``), whose completeness, delay and fields are not documented either. A wrong
"it exists" would lose a post, a wrong "it does not" would publish one twice. So both need positive evidence, and a row
without any stays unknown.

**It exists** when the listings hold as many matching posts as there are rows with that content, and these posts

* belong to no other row of the run,
* are newer than the run: their ids are higher than every id that the listings showed before the session began that sent
  the row (*inferred*: ids are numbers that grow). An equal post of last week is therefore not taken for this one;
* have the row's channel, and its text where the listings show texts; where they do not (they are not documented to), a
  scheduled row can still be recognised by channel and time, any other cannot. Times are compared only if the listings
  show those of rows that are done exactly as they were sent: their zone and notation are not documented.

**It does not exist** when no listed post could be it, and all of this holds:

* both listings could be read in full: a post leaves ``upcoming-posts`` when it is published;
* ``settle_after`` seconds have passed since it was sent: a slow server may carry a request out long after its sender
  died, and listings may lag. The same holds around the time at which it is due: a post that is just being published may
  be in no listing;
* the same listing shows two rows of the run with the same channel, type and way of publishing (both with media or
  both without, if they go out at once), one sent before it and one sent after it, with exactly the channel and text
  that were sent and with ids that have grown. So the listing reaches over the row's time, is fresh enough, includes
  posts of this kind, and its channels, texts and ids can be compared. For scheduled rows the two also lie on either
  side of it in the order of the schedule, since ``upcoming-posts`` lists the nearest first and breaks off;
* if a listing has a round number of posts, it may have been cut off there, and an API may carry out requests that are
  in flight at once in any order. Then the two rows must not have been in flight together with it: one had ended before
  it was sent, the other was sent when it had settled;
* the listings show no post of its channel that is newer than the run and belongs to no row. It could be this one: an
  API may shorten long texts in listings, or change links and hashtags in them, and those of the two rows need not show
  it.

Two rows of exactly one request are interchangeable: if one post of two exists, one row is done and the other is judged
by the second rule. But if another of them is in flight, or done without a known id, they are only matched if there is a
post for each. Rows of different requests are not interchangeable: where a listing hides what tells them apart (media,
for example), they, too, are only matched if there is a post for each (in the order of sending, so the ids of two may be
exchanged).
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from marketingblocks_async import CreatePost, Post, PublishMode

NOT_SETTLED = "it is not listed yet, and a slow server may still publish it"
"""Why a row is undecided that was sent a moment ago."""

NOT_LISTED = "it is not listed, but the listing does not reach far enough to prove that it was not published"
"""Why a row is undecided that no listed post could be."""

_UNREAD = "a listing could not be read, or not in full, so it is not proven that it was not published"

_CHANGED = (
    "its text is not listed, but posts {} of its channel are not known here, and one could be it with another text"
)

_ContentT = TypeVar("_ContentT")

_ROUND = frozenset({12, 15, 16, 24, 32, 36, 48, 64, 128})
"""Lengths at which a listing may be cut off, besides the multiples of 10 and 25."""

TEXT_FIELDS = ("caption_text", "caption", "text", "message", "content")
"""Fields in which a listed post may hold its text (not documented)."""


@dataclass(frozen=True, slots=True)
class SentRow:
    """A row that was sent, as the journal knows it.

    Attributes:
        number: its number.
        post: what was sent.
        sent_at: Unix time of the last intent.
        highest_known_id: the highest post id that the listings showed before the session that sent it; ``None`` if
            that is not known.
        post_id: the id of its post, for a row that is done.
        ended_at: Unix time at which its success was recorded; infinity if there is no such record.

    """

    number: int
    post: CreatePost
    sent_at: float
    highest_known_id: int | None = None
    post_id: str | None = None
    ended_at: float = math.inf


@dataclass(frozen=True, slots=True)
class ListedPost:
    """A post of a listing, as far as it can be understood."""

    post_id: str
    channel: tuple[str, str]
    text: str | None
    schedule_time: str | None

    @classmethod
    def of(cls, post: Post) -> ListedPost | None:
        """Return what a listing says of a post; ``None`` if it cannot be told apart from others."""
        if post.post_id is None or post.channel_type is None or post.channel_id is None:
            return None
        extra: Mapping[str, Any] = post.model_extra or {}
        texts = [value for name in TEXT_FIELDS if isinstance(value := extra.get(name), str)]
        return cls(
            str(post.post_id),
            (str(post.channel_type), str(post.channel_id)),
            _same_white_space(texts[0]) if texts else None,
            _same_time(post.schedule_time),
        )

    @property
    def number(self) -> int | None:
        """The id as a number, if it is one."""
        return int(self.post_id) if self.post_id.isascii() and self.post_id.isdigit() else None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The decision about each row.

    Attributes:
        found: rows that exist, with the ids of their posts.
        absent: rows that do not exist.
        undecided: rows without evidence for either.
        reasons: why each of them is undecided.

    """

    found: dict[int, str] = field(default_factory=dict[int, str])
    absent: tuple[int, ...] = ()
    undecided: tuple[int, ...] = ()
    reasons: dict[int, str] = field(default_factory=dict[int, str], compare=False)


def decide(
    unknown: Sequence[SentRow],
    done: Sequence[SentRow],
    listings: Sequence[Sequence[ListedPost]],
    *,
    claimed: Iterable[str],
    now: float,
    settle_after: float,
    unread: Collection[str] = (),
) -> Verdicts:
    """Judge rows of unknown outcome.

    Args:
        unknown: the rows.
        done: rows of the run that are done or in flight, and were sent around the time of the unknown ones.
        listings: posts that the API listed, one sequence for each response.
        claimed: ids of the posts of all rows that are done.
        now: Unix time at which the listings were asked for.
        settle_after: seconds to wait before an unlisted post counts as not created.
        unread: platforms of which a listing could not be read in full.

    """
    taken = set(claimed)
    posts = _merged(listings)
    free: defaultdict[tuple[str, str], list[ListedPost]] = defaultdict(list)
    for post in posts.values():
        if post.post_id not in taken:
            free[post.channel].append(post)
    texts_are_shown = bool(posts) and all(post.text is not None for post in posts.values())
    controls = _Controls(done, listings, settle_after)
    groups = _by_content(unknown)
    # These may own a listed post, too: rows in flight, and rows that are done whose response did not tell the id.
    rivals = _by_content([row for row in done if row.post_id is None])
    for content in rivals:
        # What only they may have sent is compared with the listed posts as well.
        groups.setdefault(content, [])
    requests = {_content(row.post): row.post for row in (*unknown, *done)}
    candidates = _candidates(groups, requests, free, times_compare=controls.times_compare)
    explained = {post.post_id for each in candidates.values() for post in each}
    strangers = {channel: [post for post in each if post.post_id not in explained] for channel, each in free.items()}
    found: dict[int, str] = {}
    absent: list[int] = []
    reasons: dict[int, str] = {}
    for contents in sharing_candidates(candidates):
        rows = sorted((row for content in contents for row in groups[content]), key=_when_sent)
        mine = sorted({p.post_id: p for each in contents for p in candidates[each]}.values(), key=_by_number)
        rivals_here = [row for content in contents for row in rivals[content]]
        expected = len(rows) + len(rivals_here)
        certain = all(
            _is_certainly(post, requests[content], groups[content], times_compare=controls.times_compare)
            for content in contents
            for post in candidates[content]
        )
        # Rows of different content: only if there is a post for each, since it cannot be told whose is missing.
        is_ambiguous = len(contents) > 1 and len(mine) < expected
        clear = certain and len(mine) <= expected and not is_ambiguous
        owned = _owned(rows, rivals_here, mine) if clear else {}
        found |= owned
        for row in _others(rows, owned):
            settled = now >= settled_at(row, now, settle_after)
            if clear and not rivals_here and texts_are_shown and settled and controls.enclose(row):
                doubt = _UNREAD if row.post.channel_type in unread else _may_be_changed(row, strangers)
                if doubt is None:
                    absent.append(row.number)
                else:
                    reasons[row.number] = doubt
            elif mine and (not clear or rivals_here):
                reasons[row.number] = _why_unclear(mine, expected, is_ambiguous=is_ambiguous or clear)
            else:
                reasons[row.number] = NOT_LISTED if settled else NOT_SETTLED
    return Verdicts(found, tuple(sorted(absent)), tuple(sorted(reasons)), reasons)


def _by_content(rows: Iterable[SentRow]) -> defaultdict[bytes, list[SentRow]]:
    groups: defaultdict[bytes, list[SentRow]] = defaultdict(list)
    for row in rows:
        groups[_content(row.post)].append(row)
    return groups


def _others(rows: Iterable[SentRow], numbers: Collection[int]) -> list[SentRow]:
    return [row for row in rows if row.number not in numbers]


def _owned(rows: Sequence[SentRow], rivals: Sequence[SentRow], posts: Sequence[ListedPost]) -> dict[int, str]:
    """Return which rows exist, with the ids of their posts; each rival owns one of the posts, too.

    Each post goes to the row of the latest session that it fits. The rows left over are then those of the earliest
    sessions, which fit any post that is listed later. A row that fits none would count as not created.
    """
    if rivals and len(posts) < len(rows) + len(rivals):
        return {}
    left = sorted((*rows, *rivals), key=lambda row: (-(row.highest_known_id or 0), *_when_sent(row)))
    owners: list[SentRow] = []
    for post in reversed(posts):
        owner = next((row for row in left if not _is_older(post.number, row)), None)
        if owner is None:
            return {}
        left.remove(owner)
        owners.append(owner)
    owners.sort(key=lambda row: (row.highest_known_id or 0, *_when_sent(row)))
    numbers = {row.number for row in rows}
    return {row.number: post.post_id for row, post in zip(owners, posts, strict=True) if row.number in numbers}


def settled_at(row: SentRow, now: float, settle_after: float) -> float:
    """Return the Unix time from which on a row that is in no listing may count as not created."""
    latest, due = row.sent_at, row.post.scheduled_at
    if due is not None and abs(due.timestamp() - now) < settle_after:
        latest = max(latest, due.timestamp())
    return latest + settle_after


def _candidates(
    groups: Mapping[bytes, Sequence[SentRow]],
    requests: Mapping[bytes, CreatePost],
    free: Mapping[tuple[str, str], Sequence[ListedPost]],
    *,
    times_compare: bool,
) -> dict[bytes, list[ListedPost]]:
    """Return for each content the posts that may be of its rows."""
    # By their texts, since thousands of rows may be compared with as many posts.
    by_text: defaultdict[tuple[tuple[str, str], str | None], list[ListedPost]] = defaultdict(list)
    for post in itertools.chain.from_iterable(free.values()):
        by_text[post.channel, post.text].append(post)
    return {
        content: [
            post
            for text in (_same_white_space(requests[content].caption_text), None)
            for post in by_text[_channel(requests[content]), text]
            if could_be(post, requests[content], rows, times_compare=times_compare)
        ]
        for content, rows in groups.items()
    }


def sharing_candidates(candidates: Mapping[_ContentT, Sequence[ListedPost]]) -> list[list[_ContentT]]:
    """Return the contents in groups, so that contents of two groups share no candidate."""
    alone: list[list[_ContentT]] = []
    group_of: dict[str, list[_ContentT]] = {}
    for content, posts in candidates.items():
        ids = {post.post_id for post in posts}
        touching = {id(group): group for each in ids if (group := group_of.get(each)) is not None}
        if not touching:
            group = [content]
            group_of |= dict.fromkeys(ids, group)
            if not ids:
                alone.append(group)
            continue
        # The others move into the largest.
        largest, *others = sorted(touching.values(), key=len, reverse=True)
        for contents in others:
            largest += contents
            ids.update(post.post_id for each in contents for post in candidates[each])
        largest.append(content)
        group_of |= dict.fromkeys(ids, largest)
    return [*alone, *{id(group): group for group in group_of.values()}.values()]


def _when_sent(row: SentRow) -> tuple[float, int]:
    return row.sent_at, row.number


def _by_number(post: ListedPost) -> int:
    return post.number or 0


def _merged(listings: Sequence[Sequence[ListedPost]]) -> dict[str, ListedPost]:
    """Return each post with what any listing shows of it; a field that two listings show differently is not used."""
    posts: dict[str, ListedPost] = {}
    for post in (post for listing in listings for post in listing):
        known = posts.get(post.post_id, post)
        posts[post.post_id] = replace(
            known,
            text=_either(known.text, post.text),
            schedule_time=_either(known.schedule_time, post.schedule_time),
        )
    return posts


def _either(first: str | None, second: str | None) -> str | None:
    if first is None or second is None:
        return first if second is None else second
    return first if first == second else None


def _may_be_changed(row: SentRow, strangers: Mapping[tuple[str, str], Sequence[ListedPost]]) -> str | None:
    changed = [post for post in strangers.get(_channel(row.post), ()) if not _is_older(post.number, row)]
    return _CHANGED.format(_ids(changed)) if changed else None


def _ids(posts: Sequence[ListedPost]) -> str:
    return ", ".join(post.post_id for post in posts[:5]) + (", ..." if len(posts) > 5 else "")


def _why_unclear(posts: Sequence[ListedPost], expected: int, *, is_ambiguous: bool) -> str:
    ids = _ids(posts)
    if is_ambiguous:
        return f"posts {ids} could be this one or another: the listing does not show what tells them apart"
    if len(posts) > expected:
        return f"{len(posts)} posts could be this one ({ids}), more than were sent like it"
    which, of_it = ("post", "it") if len(posts) == 1 else ("posts", "them")
    return f"{which} {ids} could be this one, but the listing shows too little of {of_it} to be sure"


def could_be(post: ListedPost, sent: CreatePost, rows: Sequence[SentRow], *, times_compare: bool) -> bool:
    """Return whether a listed post may be that of one of these equal rows, apart from its channel and text."""
    if rows and all(_is_older(post.number, row) for row in rows):
        # Older than the run: of another program, or of an earlier run with the same content.
        return False
    if times_compare and None not in (sent.schedule_time, post.schedule_time):
        # Only if they compare: otherwise a difference may be one of zone or notation.
        return post.schedule_time == sent.schedule_time
    return True


def _is_older(post_id: int | None, row: SentRow) -> bool:
    return post_id is not None and row.highest_known_id is not None and post_id <= row.highest_known_id


def _is_certainly(post: ListedPost, sent: CreatePost, rows: Sequence[SentRow], *, times_compare: bool) -> bool:
    """Return whether there is evidence that a post which may be one of theirs is one."""
    if post.number is None or any(row.highest_known_id is None or _is_older(post.number, row) for row in rows):
        return False
    same_time = times_compare and post.schedule_time is not None and post.schedule_time == sent.schedule_time
    return post.text is not None or same_time


class _Controls:
    """Rows that are done and listed, which show how far a listing reaches and what in it can be compared."""

    def __init__(self, done: Sequence[SentRow], listings: Sequence[Sequence[ListedPost]], settle_after: float) -> None:
        sent_at = {row.post_id: row.post.schedule_time for row in done if row.post.schedule_time is not None}
        scheduled = [
            (post.schedule_time, sent_at[post.post_id])
            for listing in listings
            for post in listing
            if post.post_id in sent_at and post.schedule_time is not None
        ]
        self.times_compare: bool = bool(scheduled) and all(shown == sent for shown, sent in scheduled)
        self._settle_after = settle_after
        self._may_be_cut: bool = any(
            size % 10 == 0 or size % 25 == 0 or size in _ROUND for size in map(len, listings) if size
        )
        # For each listing, by kind.
        self._spans: list[dict[tuple[object, ...], _Span]] = []
        for listing in listings:
            listed = {post.post_id: post for post in listing}
            shown: defaultdict[tuple[object, ...], list[SentRow]] = defaultdict(list)
            for row in done:
                post = listed.get(row.post_id or "")
                if post is not None and _is_as_sent(post, row):
                    shown[_kind(row.post)].append(row)
            self._spans.append({kind: _Span(rows) for kind, rows in shown.items()})

    def enclose(self, row: SentRow) -> bool:
        """Return whether one listing shows rows of this kind on both sides of this one, in whatever order it is."""
        kind = _kind(row.post)
        return any(
            spans[kind].encloses(row)
            and (not self._may_be_cut or spans[kind].certainly_encloses(row, row.sent_at + self._settle_after))
            for spans in self._spans
            if kind in spans
        )


def _is_as_sent(post: ListedPost, row: SentRow) -> bool:
    """Return whether the listed post of a row that is done could be recognised without its id."""
    return (
        post.channel == _channel(row.post)
        and post.text == _same_white_space(row.post.caption_text)
        and not _is_older(post.number, row)
    )


class _Span:
    """How far the rows of one kind reach that one listing shows."""

    def __init__(self, rows: Sequence[SentRow]) -> None:
        # The first and the last of them in each of the orders.
        self._ends = [(min(map(place, rows)), max(map(place, rows))) for place in _ORDERS]
        self._first_ended = min(row.ended_at for row in rows)
        self._last_sent = max(row.sent_at for row in rows)
        due = [row.post.schedule_time or "" for row in rows]
        self._due = min(due), max(due)

    def encloses(self, row: SentRow) -> bool:
        """Return whether there are rows on both sides of this one, in the order of sending."""
        return all(first < place(row) < last for place, (first, last) in zip(_ORDERS, self._ends, strict=True))

    def certainly_encloses(self, row: SentRow, settled_at: float) -> bool:
        """Return whether there are such rows that were carried out before and after this one, if it was at all."""
        if row.post.publish_mode is PublishMode.SHARE_NEXT:
            # It is published before those that were there first.
            return False
        due = row.post.schedule_time
        apart = due is None or self._due[0] < due < self._due[1]
        return apart and self._first_ended <= row.sent_at and self._last_sent >= settled_at


_Place: TypeAlias = tuple[str, float]

_ORDERS: tuple[Callable[[SentRow], _Place], ...] = (
    lambda row: ("", row.sent_at),
    lambda row: (row.post.schedule_time or "", row.sent_at),
    lambda row: (row.post.schedule_time or "", -row.sent_at),
)
"""Orders in which a listing may be, ascending or descending: that of sending, and that of the schedule, where posts of
one time may be in either order of sending."""


def _channel(post: CreatePost) -> tuple[str, str]:
    return str(post.channel_type), str(post.channel_id)


def _kind(post: CreatePost) -> tuple[object, ...]:
    # With the zone, since only the times of one zone have an order; with the type, since a listing may leave out
    # stories; with the media of what goes out at once, since a listing may show a video only when it was processed.
    has_media = bool(post.media_urls) and post.publish_mode in (PublishMode.NOW, PublishMode.SHARE_NEXT)
    return (*_channel(post), post.publish_mode, post.time_zone, post.post_type, has_media)


def _content(post: CreatePost) -> bytes:
    return post.wire_json()


def _same_white_space(text: str) -> str:
    return " ".join(text.split())


def _same_time(value: object) -> str | None:
    """Return a listed time in the form of requests, if it is written so or as ISO 8601 without a zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    # With an offset it would have to be converted to the row's zone; it is not documented, so it is not guessed.
    return None if moment.tzinfo is not None else moment.strftime("%Y-%m-%d %H:%M")
