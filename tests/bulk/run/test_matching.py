"""What counts as proof that a row of unknown outcome exists or does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketingblocks_async import ChannelType, CreatePost, Post
from marketingblocks_async.bulk.run import matching
from marketingblocks_async.bulk.run.matching import ListedPost, SentRow, Verdicts, decide

NOW = 1_000_000.0


def post(text: str = "Hello", **changes: Any) -> CreatePost:
    fields: dict[str, Any] = {
        "channel_type": "facebook",
        "channel_id": 1,
        "post_type": "post",
        "caption_text": text,
        "media_urls": [],
        "publish_mode": "now",
    }
    return CreatePost(**(fields | changes))


def sent(
    number: int, what: CreatePost, *, ago: float = 500.0, highest_known_id: int | None = 100, **rest: Any
) -> SentRow:
    return SentRow(number, what, NOW - ago, highest_known_id, **rest)


def listed(post_id: int | str, text: str | None = "Hello", **fields: Any) -> ListedPost:
    extra = {} if text is None else {"caption_text": text}
    values = {"post_id": post_id, "channel_type": "facebook", "channel_id": "1"} | extra | fields
    found = ListedPost.of(Post.model_validate(values))
    assert found is not None
    return found


def judge(
    unknown: list[SentRow], posts: list[ListedPost], done: list[SentRow] | None = None, *, settle_after: float = 60.0
) -> Verdicts:
    done = done or []
    claimed = [row.post_id for row in done if row.post_id is not None]
    return decide(unknown, done, [posts], claimed=claimed, now=NOW, settle_after=settle_after)


# Rows sent before and after the one in question, done and listed: they show how far the listing reaches.
BEFORE = sent(1, post("before"), ago=600, post_id="101")
AFTER = sent(9, post("after"), ago=400, post_id="109")
ENCLOSING = [listed(101, "before"), listed(109, "after")]


def test_a_new_post_with_the_same_text_on_the_same_channel_is_the_row() -> None:
    assert judge([sent(5, post())], [listed(105)]).found == {5: "105"}


def test_ids_may_be_texts_of_digits() -> None:
    assert judge([sent(5, post())], [listed("105")]).found == {5: "105"}


@pytest.mark.parametrize(
    "other",
    [
        listed(105, "Hello!"),
        listed(105, channel_id="2"),
        listed(105, channel_type="instagram"),
    ],
)
def test_a_post_with_another_text_or_channel_is_not(other: ListedPost) -> None:
    assert judge([sent(5, post())], [other]) == Verdicts(undecided=(5,))


def test_white_space_that_the_api_may_have_changed_does_not_matter() -> None:
    assert judge([sent(5, post("Hello \r\n world"))], [listed(105, "Hello\nworld")]).found == {5: "105"}


def test_a_post_of_another_row_is_not_taken_twice() -> None:
    done = [sent(4, post(), post_id="105")]
    assert judge([sent(5, post())], [listed(105)], done) == Verdicts(undecided=(5,))


def test_an_equal_post_from_before_the_run_is_not_taken_for_it() -> None:
    """The same text every Monday: last week's post proves nothing."""
    assert judge([sent(5, post())], [listed(77)]) == Verdicts(undecided=(5,))
    assert judge([sent(5, post())], [listed(77), listed(105)]).found == {5: "105"}


@pytest.mark.parametrize("row", [sent(5, post(), highest_known_id=None)])
def test_without_knowing_what_was_there_before_nothing_is_found(row: SentRow) -> None:
    assert judge([row], [listed(105)]) == Verdicts(undecided=(5,))


def test_ids_that_are_no_numbers_prove_nothing() -> None:
    assert judge([sent(5, post())], [listed("abc-105")]) == Verdicts(undecided=(5,))


def test_more_equal_posts_than_rows_prove_nothing() -> None:
    """Somebody else published the same text meanwhile."""
    assert judge([sent(5, post())], [listed(105), listed(106)]) == Verdicts(undecided=(5,))


def test_a_row_gets_no_post_that_an_equal_one_in_flight_needs() -> None:
    """That one would find only a post that is older than its session, count as not created, and be sent again."""
    rows = [sent(14, post(), ago=600, highest_known_id=None), sent(14, post(), ago=600, highest_known_id=100)]
    rival = sent(15, post(), ago=500, highest_known_id=115)
    assert judge([rows[1]], [listed(111), listed(121)], [rival]).found == {14: "111"}
    assert judge([rows[0]], [listed(111), listed(121)], [rival]).found == {}
    # The only post may be that of the other one.
    assert judge([rows[1]], [listed(121)], [rival]) == Verdicts(undecided=(14,))
    assert judge([rival], [listed(111), listed(121)], [rows[1]]) == Verdicts(undecided=(15,))


def test_the_post_of_a_later_session_is_not_given_to_a_row_of_an_earlier_one() -> None:
    """Else the other post, which is listed later, would be too old for the row that is left over."""
    rows = [sent(14, post(), ago=600, highest_known_id=100), sent(15, post(), ago=500, highest_known_id=115)]
    assert judge(rows, [listed(121)]).found == {15: "121"}
    for later in ([], [listed(112)], [listed(121)]):
        assert judge(rows, [listed(111), *later]) == Verdicts(undecided=(14, 15))


def test_equal_rows_are_interchangeable() -> None:
    rows = [sent(5, post()), sent(6, post()), sent(7, post())]
    verdicts = judge(rows, [*ENCLOSING, listed(105), listed(106)], [BEFORE, AFTER])
    assert verdicts == Verdicts(found={5: "105", 6: "106"}, absent=(7,))


@pytest.mark.parametrize(
    "other",
    [
        {"media_urls": ["https://example.com/b.jpg"]},
        {"hash_tags": "#two"},
        {"post_type": "story"},
    ],
)
def test_rows_that_differ_in_what_no_listing_shows_are_not_interchangeable(other: dict[str, Any]) -> None:
    """The post is of one of them; to take it for that of the first one would publish the second twice."""
    rows = [sent(5, post(media_urls=["https://example.com/a.jpg"])), sent(6, post(**other))]
    verdicts = judge(rows, [*ENCLOSING, listed(105)], [BEFORE, AFTER])
    assert verdicts == Verdicts(undecided=(5, 6))
    assert "does not show what tells them apart" in verdicts.reasons[5]
    assert judge(rows, [*ENCLOSING, listed(105), listed(106)], [BEFORE, AFTER]).found == {5: "105", 6: "106"}
    twin = replace(rows[0], post_id=None)
    assert judge(rows[1:], [*ENCLOSING, listed(105)], [BEFORE, AFTER, twin]) == Verdicts(undecided=(6,))


@pytest.mark.parametrize("stranger", [listed(105, "A long te…"), listed("a-1", "https://sho.rt/1"), listed(105, "")])
def test_a_row_is_not_absent_if_a_new_post_of_its_channel_belongs_to_no_row(stranger: ListedPost) -> None:
    """A listing may shorten long texts, or change links in them; the texts of the rows around need not show it."""
    row = sent(5, post("A long text with https://example.com/some/page"))
    verdicts = judge([row], [*ENCLOSING, stranger], [BEFORE, AFTER])
    assert verdicts == Verdicts(undecided=(5,))
    assert f"posts {stranger.post_id} of its channel are not known here" in verdicts.reasons[5]


@pytest.mark.parametrize("other", [listed(99, "An older one"), listed(105, "Elsewhere", channel_id="2")])
def test_older_posts_and_those_of_other_channels_do_not_keep_a_row_from_being_absent(other: ListedPost) -> None:
    assert judge([sent(5, post())], [*ENCLOSING, other], [BEFORE, AFTER]) == Verdicts(absent=(5,))


def test_a_row_is_absent_if_the_listing_certainly_reaches_over_its_time() -> None:
    assert judge([sent(5, post())], ENCLOSING, [BEFORE, AFTER]) == Verdicts(absent=(5,))


@pytest.mark.parametrize(
    ("posts", "done"),
    [
        ([], []),
        (ENCLOSING, []),
        (ENCLOSING, [BEFORE]),
        (ENCLOSING, [AFTER]),
        (ENCLOSING[:1], [BEFORE, AFTER]),
        (ENCLOSING[1:], [BEFORE, AFTER]),
        ([listed(101, "rewritten"), ENCLOSING[1]], [BEFORE, AFTER]),
        ([*ENCLOSING, listed(105, None)], [BEFORE, AFTER]),
        ([listed(101, None), listed(109, None)], [BEFORE, AFTER]),
        (ENCLOSING, [BEFORE, replace(AFTER, post=post("after", channel_id=2))]),
        (ENCLOSING, [BEFORE, replace(AFTER, post=post("after", publish_mode="queued"))]),
        (ENCLOSING, [BEFORE, replace(AFTER, post=post("after", post_type="story"))]),
        (ENCLOSING, [BEFORE, replace(AFTER, post=post("after", media_urls=["https://example.com/a.mp4"]))]),
        ([ENCLOSING[0], listed(109, "after", channel_id="page-1")], [BEFORE, AFTER]),
        ([ENCLOSING[0], listed(109, "after", channel_type="Facebook")], [BEFORE, AFTER]),
        (ENCLOSING, [BEFORE, replace(AFTER, highest_known_id=109)]),
    ],
    ids=[
        "an empty listing",
        "no row of the run is known",
        "nothing later",
        "nothing earlier",
        "the later one is not listed",
        "the earlier one is not listed",
        "texts come back changed",
        "one post without a text could be it",
        "no texts at all",
        "the later one is on another channel",
        "the later one was published in another way",
        "the later one is of another type",
        "only the later one has media",
        "the channel is listed under another id",
        "the platform is listed under another name",
        "ids do not grow",
    ],
)
def test_otherwise_it_is_not_proven_absent(posts: list[ListedPost], done: list[SentRow]) -> None:
    assert judge([sent(5, post())], posts, done) == Verdicts(undecided=(5,))


def test_a_request_that_may_still_be_on_its_way_is_not_absent() -> None:
    late = sent(5, post(), ago=30)
    enclosing = [BEFORE, replace(AFTER, sent_at=NOW - 10)]
    assert judge([late], ENCLOSING, enclosing) == Verdicts(undecided=(5,))
    assert judge([late], ENCLOSING, enclosing, settle_after=20) == Verdicts(absent=(5,))
    assert judge([late], [*ENCLOSING, listed(105)], enclosing).found == {5: "105"}


def test_media_do_not_matter_to_what_waits_in_the_queue() -> None:
    done = [
        replace(BEFORE, post=post("before", publish_mode="queued", media_urls=["https://example.com/a.mp4"])),
        replace(AFTER, post=post("after", publish_mode="queued")),
    ]
    assert judge([sent(5, post(publish_mode="queued"))], ENCLOSING, done) == Verdicts(absent=(5,))


@pytest.mark.parametrize(("due", "absent"), [("13:46", False), ("13:47", False), ("13:45", True), ("13:49", True)])
def test_a_row_that_is_due_now_may_be_in_no_listing(due: str, absent: bool) -> None:
    """NOW is 13:46:40 UTC on 12 January 1970."""

    def at(time: str, text: str = "Hello") -> CreatePost:
        return post(text, publish_mode="scheduled", schedule_time=f"1970-01-12 {time}", time_zone="UTC")

    done = [replace(BEFORE, post=at("12:00", "before")), replace(AFTER, post=at("15:00", "after"))]
    assert (judge([sent(5, at(due))], ENCLOSING, done).absent == (5,)) is absent


def test_both_controls_must_be_in_one_listing() -> None:
    verdicts = decide(
        [sent(5, post())],
        [BEFORE, AFTER],
        [ENCLOSING[:1], ENCLOSING[1:]],
        claimed=["101", "109"],
        now=NOW,
        settle_after=60,
    )
    assert verdicts == Verdicts(undecided=(5,))


class TestListingsThatMayBeCutOff:
    """Ten posts: the row may be the eleventh, and of requests in flight at once any may have become the eleventh."""

    ROUND = (*ENCLOSING, *(listed(number, "older") for number in range(8)))
    ENDED = replace(BEFORE, ended_at=NOW - 501)

    def test_rows_that_were_not_in_flight_with_it_enclose_it(self) -> None:
        assert judge([sent(5, post())], [*self.ROUND], [self.ENDED, AFTER]) == Verdicts(absent=(5,))

    @pytest.mark.parametrize(
        "done",
        [
            [replace(ENDED, ended_at=NOW - 499), AFTER],
            [BEFORE, AFTER],
            [ENDED, replace(AFTER, sent_at=NOW - 441)],
        ],
        ids=[
            "the earlier one ended later",
            "it is not known when it ended",
            "the later one was sent before it settled",
        ],
    )
    def test_others_do_not(self, done: list[SentRow]) -> None:
        assert judge([sent(5, post())], [*self.ROUND], done) == Verdicts(undecided=(5,))
        assert judge([sent(5, post())], [*self.ROUND, listed(8, "older")], done) == Verdicts(absent=(5,))

    @pytest.mark.parametrize("count", [10, 12, 16, 25, 30, 64, 75, 100, 110, 128])
    def test_round_numbers(self, count: int) -> None:
        posts = [*ENCLOSING, *(listed(number, "older", channel_id="2") for number in range(200, 198 + count))]
        assert judge([sent(5, post())], posts, [BEFORE, AFTER]) == Verdicts(undecided=(5,))
        one_more = [*posts, listed(500, "older", channel_id="2")]
        assert judge([sent(5, post())], one_more, [BEFORE, AFTER]) == Verdicts(absent=(5,))

    def test_one_is_enough(self) -> None:
        """A post may have left the other listing."""
        queue = [listed(number, "queued", channel_id="2") for number in range(200, 210)]
        verdicts = decide(
            [sent(5, post())], [BEFORE, AFTER], [queue, ENCLOSING], claimed=["101", "109"], now=NOW, settle_after=60
        )
        assert verdicts == Verdicts(undecided=(5,))

    def test_posts_that_are_shared_next_overtake_others(self) -> None:
        row = sent(5, post(publish_mode="share_next"))
        done = [
            replace(each, post=post(each.post.caption_text, publish_mode="share_next")) for each in (self.ENDED, AFTER)
        ]
        assert judge([row], [*self.ROUND], done) == Verdicts(undecided=(5,))
        assert judge([row], ENCLOSING, done) == Verdicts(absent=(5,))

    @pytest.mark.parametrize(("due", "absent"), [("10:00", True), ("09:00", False), ("11:00", False)])
    def test_scheduled_rows_lie_between_others_in_the_schedule(self, due: str, absent: bool) -> None:
        def at(time: str, text: str = "Hello") -> CreatePost:
            return post(text, publish_mode="scheduled", schedule_time=f"2099-01-01 {time}", time_zone="Europe/Berlin")

        done = [replace(self.ENDED, post=at("09:00", "before")), replace(AFTER, post=at("11:00", "after"))]
        assert (judge([sent(5, at(due))], [*self.ROUND], done).absent == (5,)) is absent


def test_a_listing_that_was_not_read_in_full_proves_nothing() -> None:
    def judged(unread: ChannelType) -> Verdicts:
        return decide(
            [sent(5, post())],
            [BEFORE, AFTER],
            [ENCLOSING],
            claimed=["101", "109"],
            now=NOW,
            settle_after=60.0,
            unread={unread},
        )

    assert judged(ChannelType.FACEBOOK) == Verdicts(undecided=(5,))
    assert "could not be read" in judged(ChannelType.FACEBOOK).reasons[5]
    assert judged(ChannelType.THREADS) == Verdicts(absent=(5,))


class TestScheduled:
    NINE = post("tip", publish_mode="scheduled", schedule_time="2027-01-01 09:00", time_zone="Africa/Lagos")
    TEN = post("tip", publish_mode="scheduled", schedule_time="2027-01-01 10:00", time_zone="Africa/Lagos")
    EIGHT = post("tip", publish_mode="scheduled", schedule_time="2027-01-01 08:00", time_zone="Africa/Lagos")
    CONTROL = sent(1, EIGHT, ago=600, post_id="101")

    def test_without_texts_channel_and_time_tell_rows_apart(self) -> None:
        shown = [
            listed(101, None, schedule_time="2027-01-01 08:00"),
            listed(105, None, schedule_time="2027-01-01 09:00"),
        ]
        verdicts = judge([sent(5, self.NINE), sent(6, self.TEN)], shown, [self.CONTROL])
        assert verdicts == Verdicts(found={5: "105"}, undecided=(6,))

    def test_times_in_another_zone_or_notation_are_not_compared(self) -> None:
        """Listed in UTC, an hour earlier: the nine o'clock post would be taken for one at eight."""
        shown = [
            listed(101, None, schedule_time="2027-01-01 07:00"),
            listed(105, None, schedule_time="2027-01-01 09:00"),
        ]
        assert judge([sent(5, self.NINE)], shown, [self.CONTROL]) == Verdicts(undecided=(5,))

    @pytest.mark.parametrize(
        ("first", "last", "absent"),
        [
            ("2026-12-31 09:00", "2027-01-02 09:00", (5,)),
            ("2027-01-02 09:00", "2026-12-31 09:00", (5,)),
            ("2027-01-01 09:00", "2027-01-01 09:00", (5,)),
            ("2026-12-31 09:00", "2026-12-30 09:00", ()),
            ("2027-01-02 09:00", "2027-01-03 09:00", ()),
            ("2026-12-31 09:00", "2027-01-01 09:00", ()),
        ],
    )
    def test_a_listing_in_order_of_the_schedule_has_to_reach_over_the_time_of_the_row(
        self, first: str, last: str, absent: tuple[int, ...]
    ) -> None:
        """It begins with the nearest and breaks off, so it tells nothing of a row that is due later than all in it."""
        done = [
            replace(control, post=self.NINE.model_copy(update={"caption_text": text, "schedule_time": time}))
            for control, text, time in ((BEFORE, "before", first), (AFTER, "after", last))
        ]
        shown = [listed(101, "before", schedule_time=first), listed(109, "after", schedule_time=last)]
        assert judge([sent(5, self.NINE)], shown, done).absent == absent

    def test_the_same_text_every_hour(self) -> None:
        shown = [
            listed(101, "tip", schedule_time="2027-01-01 08:00"),
            listed(106, "tip", schedule_time="2027-01-01T10:00"),
        ]
        verdicts = judge([sent(5, self.NINE), sent(6, self.TEN)], shown, [self.CONTROL])
        assert verdicts == Verdicts(found={6: "106"}, undecided=(5,))

    def test_the_same_text_every_hour_with_times_that_cannot_be_compared(self) -> None:
        shown = [listed(101, "tip", schedule_time="07:00"), listed(106, "tip", schedule_time="09:00")]
        verdicts = judge([sent(5, self.NINE), sent(6, self.TEN)], shown, [self.CONTROL])
        assert not verdicts.absent


def test_a_post_that_cannot_be_identified_is_left_out() -> None:
    assert ListedPost.of(Post.model_validate({"post_id": 1})) is None
    assert ListedPost.of(Post.model_validate({"channel_type": "facebook", "channel_id": 1})) is None


# Listings that hide texts or times.


def at_nine(text: str) -> CreatePost:
    return post(text, publish_mode="scheduled", schedule_time="2027-03-01 09:00", time_zone="Europe/Berlin")


OTHER_TIME = post("other", publish_mode="scheduled", schedule_time="2027-03-02 10:00", time_zone="Europe/Berlin")
CONTROL = sent(1, OTHER_TIME, ago=600, post_id="101")
CONTROL_LISTED = listed(101, None, schedule_time="2027-03-02 10:00")


def hidden(post_id: int) -> ListedPost:
    return listed(post_id, None, schedule_time="2027-03-01 09:00")


def test_rows_that_only_differ_in_a_hidden_text_are_not_taken_for_each_other() -> None:
    rows = [sent(5, at_nine("one")), sent(6, at_nine("two"))]
    verdicts = judge(rows, [CONTROL_LISTED, hidden(105)], [CONTROL])
    assert verdicts == Verdicts(undecided=(5, 6))
    assert all("105 could be this one or another" in reason for reason in verdicts.reasons.values())


def test_rows_that_only_differ_in_a_hidden_text_are_found_if_there_is_a_post_for_each() -> None:
    rows = [sent(5, at_nine("one")), sent(6, at_nine("two"), ago=499)]
    assert judge(rows, [CONTROL_LISTED, hidden(105), hidden(106)], [CONTROL]).found == {5: "105", 6: "106"}


def test_a_row_that_is_done_without_a_known_id_may_own_the_post() -> None:
    row = sent(5, at_nine("one"))
    for twin in (sent(4, at_nine("one")), sent(4, at_nine("two"))):
        assert judge([row], [CONTROL_LISTED, hidden(105)], [CONTROL, twin]) == Verdicts(undecided=(5,))
        assert judge([row], [CONTROL_LISTED, hidden(105), hidden(106)], [CONTROL, twin]).found == {5: "106"}


def test_a_listing_without_times_takes_nothing_from_one_with_times() -> None:
    upcoming = [CONTROL_LISTED, hidden(105)]
    posts = [listed(101, "other"), listed(105, "one")]
    row = sent(5, at_nine("one"))
    for listings in ([upcoming, posts], [posts, upcoming]):
        verdicts = decide([row], [CONTROL], listings, claimed=["101"], now=NOW, settle_after=60.0)
        assert verdicts.found == {5: "105"}


def test_every_row_that_stays_unknown_has_a_reason() -> None:
    young = sent(5, post(), ago=1.0)
    assert "may still publish it" in judge([young], []).reasons[5]
    assert "does not reach far enough" in judge([sent(5, post())], []).reasons[5]
    assert "2 posts could be this one (105, 106)" in judge([sent(5, post())], [listed(105), listed(106)]).reasons[5]
    hidden_posts = [listed(105, None), listed(106, None)]
    one = "post 105 could be this one, but the listing shows too little of it to be sure"
    assert judge([sent(5, post())], hidden_posts[:1]).reasons[5] == one
    two = "posts 105, 106 could be this one, but the listing shows too little of them to be sure"
    assert judge([sent(5, post()), sent(6, post())], hidden_posts).reasons[5] == two


def test_a_post_whose_time_is_listed_in_another_zone_is_not_absent() -> None:
    row = sent(5, at_nine("one"))
    done = [sent(1, at_nine("before"), ago=600, post_id="101"), sent(9, at_nine("after"), ago=400, post_id="109")]
    in_utc = {"schedule_time": "2027-03-01 08:00"}
    shown = [listed(101, "before", **in_utc), listed(109, "after", **in_utc)]
    assert judge([row], [*shown, listed(105, "one", **in_utc)], done).found == {5: "105"}
    # Without it, these controls prove that the row is absent.
    assert judge([row], shown, done) == Verdicts(absent=(5,))


def test_a_post_with_the_highest_id_from_before_the_run_is_not_the_row() -> None:
    assert judge([sent(5, post(), highest_known_id=105)], [listed(105)]).found == {}
    assert judge([sent(5, post(), highest_known_id=104)], [listed(105)]).found == {5: "105"}


def test_a_post_that_can_be_only_one_of_two_equal_rows_leaves_both_open() -> None:
    rows = [sent(5, post(), ago=500, highest_known_id=104), sent(6, post(), ago=450, highest_known_id=105)]
    assert judge(rows, [*ENCLOSING, listed(105)], [BEFORE, AFTER]) == Verdicts(undecided=(5, 6))


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.floats(1, 1000), st.sampled_from([None, 100, 102, 104])),
        min_size=1,
        max_size=5,
    ),
    st.lists(
        st.tuples(st.integers(100, 107), st.sampled_from(["a", "b", None]), st.booleans()),
        max_size=8,
        unique_by=lambda each: each[0],
    ),
)
def test_no_post_is_given_to_two_rows_or_to_one_that_cannot_have_it(
    sendings: list[tuple[str, float, int | None]], listing: list[tuple[int, str | None, bool]]
) -> None:
    rows = [
        sent(number, post(text), ago=ago, highest_known_id=highest)
        for number, (text, ago, highest) in enumerate(sendings)
    ]
    claimed = {str(number) for number, _, is_claimed in listing if is_claimed}
    posts = [listed(number, text) for number, text, _ in listing]
    verdicts = decide(rows, [], [posts], claimed=claimed, now=NOW, settle_after=60.0)
    taken = list(verdicts.found.values())
    assert len(set(taken)) == len(taken)
    assert not claimed & set(taken)
    assert {*verdicts.found, *verdicts.absent, *verdicts.undecided} == {row.number for row in rows}
    texts = {str(number): text for number, text, _ in listing}
    for row in rows:
        if (post_id := verdicts.found.get(row.number)) is not None:
            assert texts[post_id] == row.post.caption_text
            assert row.highest_known_id is not None
            assert int(post_id) > row.highest_known_id


@given(st.lists(st.sets(st.integers(1, 8), max_size=3), max_size=8))
def test_contents_are_together_exactly_if_candidates_lead_from_one_to_the_other(wanted: list[set[int]]) -> None:
    groups = matching.sharing_candidates({place: [listed(each) for each in ids] for place, ids in enumerate(wanted)})
    assert sorted(place for group in groups for place in group) == list(range(len(wanted)))
    # The slow way: merge what touches until nothing does.
    expected = [({place}, set(ids)) for place, ids in enumerate(wanted)]
    while pair := next(((a, b) for a in expected for b in expected if a is not b and a[1] & b[1]), None):
        expected = [each for each in expected if each not in pair] + [
            (pair[0][0] | pair[1][0], pair[0][1] | pair[1][1])
        ]
    assert sorted(sorted(group) for group in groups) == sorted(sorted(places) for places, _ in expected)


def test_rows_are_compared_with_posts_of_their_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the API tells no ids, thousands of rows that are done meet as many posts: each with each took minutes."""
    compared = 0
    real = matching.could_be

    def counting(*args: Any, **options: Any) -> bool:
        nonlocal compared
        compared += 1
        return real(*args, **options)

    monkeypatch.setattr(matching, "could_be", counting)
    done = [sent(number, post(f"Row {number}"), highest_known_id=0) for number in range(100)]
    posts = [listed(1 + number, f"Row {number}") for number in range(100)]
    assert judge([sent(100, post("Lost"), highest_known_id=0)], posts, done) == Verdicts(undecided=(100,))
    assert compared == 100
