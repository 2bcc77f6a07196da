from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.models import CreatePost
from marketingblocks_async.sandbox import NO_ANSWER, Commit, Ledger
from marketingblocks_async.sandbox.ledger import REPORTED_DUPLICATES
from tests.support.sandbox import create_request


def filled(*requests: dict[str, object]) -> Ledger:
    ledger = Ledger()
    for number, request in enumerate(requests, start=1):
        ledger.committed(Commit("create-post", "default", float(number), str(number), json.dumps(request).encode()))
    return ledger


def test_tokens_are_kept_apart() -> None:
    ledger = Ledger()
    for time in (1.0, 1.1, 1.2):
        ledger.arrived("a", "create-post", time)
    for time in (1.05, 1.15):
        ledger.arrived("b", "get-posts", time)
    assert ledger.worst_window() == 3
    assert ledger.worst_window("b") == 2
    assert ledger.worst_window("b", 0.05) == 1
    assert ledger.worst_window("nobody") == 0
    assert ledger.arrivals().tolist() == [1.0, 1.05, 1.1, 1.15, 1.2]
    assert ledger.arrivals("b").tolist() == [1.05, 1.15]
    assert ledger.rate("a") == pytest.approx(10.0)
    assert ledger.rate() == pytest.approx(20.0)


def test_what_it_hands_out_is_a_copy() -> None:
    ledger = Ledger()
    ledger.arrived("a", "create-post", 1.0)
    ledger.arrivals("a").append(2.0)
    assert ledger.arrivals("a").tolist() == [1.0]


def test_attempts_and_commits() -> None:
    ledger = Ledger()
    for endpoint in ("create-post", "create-post", "create-post", "get-posts"):
        ledger.arrived("a", endpoint, 1.0)
    ledger.carried_out("a", "create-post")
    ledger.carried_out("a", "get-posts")
    ledger.answered("a", "create-post", 200)
    ledger.answered("a", "create-post", 429)
    ledger.answered("a", "create-post", NO_ANSWER)
    ledger.refused_by_limit("a")
    assert (ledger.attempts(), ledger.carried_out_at(), ledger.uncommitted()) == (4, 2, 2)
    assert (ledger.attempts("create-post"), ledger.carried_out_at("create-post")) == (3, 1)
    assert ledger.uncommitted("create-post") == 2
    assert ledger.uncommitted("find-post") == 0
    assert ledger.too_many_requests() == ledger.too_many_requests("a") == 1
    assert ledger.too_many_requests("b") == 0
    report = ledger.report()
    assert report.tokens["a"].statuses == {200: 1, 429: 1, 0: 1}
    assert report.tokens["a"].over_limit == 1
    assert report.endpoints["create-post"].uncommitted == 2


def test_duplicates() -> None:
    ledger = filled(create_request("a"), create_request("b"), {**create_request("a"), "attempt": 2})
    (duplicate,) = ledger.duplicates()
    assert duplicate.post_ids == (1, 3)
    assert duplicate.request == create_request("a")


def test_duplicates_see_what_came_since_the_last_question() -> None:
    ledger = filled(create_request("a"))
    assert ledger.duplicates() == ()
    ledger.committed(Commit("create-post", "x", 9.0, "9", json.dumps(create_request("a")).encode()))
    assert [duplicate.post_ids for duplicate in ledger.duplicates()] == [(1, 9)]
    ledger.clear()
    assert ledger.duplicates() == ()


def test_only_posts_can_be_duplicates() -> None:
    ledger = Ledger()
    for number in range(2):
        ledger.committed(Commit("create-post-generation", "a", 1.0, f"uuid-{number}", b'{"input": "x"}'))
    assert ledger.duplicates() == ()
    assert ledger.compare([]).exact


def test_a_report_shows_the_first_duplicates_and_counts_all() -> None:
    requests = [create_request(str(number)) for number in range(REPORTED_DUPLICATES + 5)]
    report = filled(*requests, *requests, requests[0]).report()
    assert len(report.duplicates) == REPORTED_DUPLICATES
    assert report.duplicate_posts == REPORTED_DUPLICATES + 6


CAPTIONS = st.lists(st.sampled_from("abcdef"), max_size=20)


@given(expected=CAPTIONS, made=CAPTIONS, by_request=st.booleans())
def test_compare_is_arithmetic_of_multisets(expected: list[str], made: list[str], *, by_request: bool) -> None:
    ledger = filled(*map(create_request, made))
    comparison = ledger.compare(map(create_request, expected) if by_request else expected)

    def caption(item: object) -> str:
        return str(item["caption_text"] if isinstance(item, dict) else item)  # pyright: ignore[reportUnknownArgumentType] - narrowed to dict[Unknown]

    want, have = Counter(expected), Counter(made)
    if expected:
        assert Counter(map(caption, comparison.lost)) == want - have
        assert {caption(each.item): (each.expected, each.committed) for each in comparison.duplicated} == {
            key: (count, have[key]) for key, count in want.items() if have[key] > count
        }
    assert sorted(map(caption, comparison.unexpected)) == sorted(set(made) - set(expected))
    assert comparison.exact == (want == have)


def test_compare_takes_request_objects() -> None:
    post = CreatePost.model_validate(create_request("a"))
    ledger = filled(post.wire())
    assert ledger.compare([post]).exact
    assert ledger.compare([post, post]).lost == (post.wire(),)


def test_compare_refuses_a_mixture() -> None:
    with pytest.raises(ValueError, match="either captions or whole requests"):
        Ledger().compare(["a", create_request("b")])
