"""Any JSON is taken, ids are found wherever they are, and nothing in a body breaks anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.webhooks.inbox import Inbox
from marketingblocks_async.webhooks.payload import NotJSONError, ids_in, parse, status_of

ID = "842c8151-8f9d-4eab-ae81-6690730b8b02"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize(
    "value",
    [
        {"id": ID, "status": "success"},
        {"data": {"generation": {"uuid": ID}}},
        [{"posts": [], "generation_id": ID}],
        {"event": "done", "payload": [[["x", ID]]]},
        ID,
    ],
)
def test_an_id_is_found_in_any_shape(value: Any) -> None:
    assert ID in ids_in(value)


def test_a_short_id_counts_only_where_it_is_called_so() -> None:
    assert ids_in({"id": 7}) == {"7"}
    assert ids_in({"count": 7, "name": "7"}) == frozenset()
    assert ids_in({"postIds": 3, "ID": [4, "5"]}) == {"4", "5"}


def test_truth_is_no_id() -> None:
    assert ids_in({"valid": True, "id": 10**100}) == frozenset()


@given(value=JSON)
def test_no_json_breaks_anything(value: Any) -> None:
    body = json.dumps(value).encode()
    inbox = Inbox()
    assert inbox.put(body) is True
    assert inbox.put(body) is False
    ids_in(parse(body))
    status_of(parse(body))


@pytest.mark.parametrize("body", [b"", b"post generation is completed", b"\xff\xfe", b"{", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJSONError):
        parse(body)


def test_a_huge_body_is_looked_at_as_far_as_is_reasonable() -> None:
    assert len(ids_in([{"id": number} for number in range(100_000)])) <= 10_000


@pytest.mark.parametrize(
    "value", [{"id": ID, "posts": [{"text": "x"}] * 10_000}, {"posts": list(range(10_000)), "data": {"id": ID}}]
)
def test_a_long_list_does_not_hide_the_id(value: Any) -> None:
    assert ID in ids_in(value)


def test_the_case_of_a_name_does_not_make_news_a_result() -> None:
    inbox = Inbox()
    inbox.put(json.dumps({"id": ID, "STATUS": "processing"}).encode())
    assert inbox.find(ID) is None
    inbox.put(json.dumps({"id": ID, "STATUS": "SUCCESS"}).encode())
    result = inbox.find(ID)
    assert result is not None
    assert result.ok


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"status": "success"}, "success"),
        ({"status": "later"}, "later"),
        ({"status": True}, None),
        ([], None),
        ({"STATUS": "Success"}, "success"),
        ({"Data": {"Status": "Later"}}, "Later"),
        ({"status": None, "generation": {"status": "failed"}}, "failed"),
    ],
)
def test_the_status_is_read_where_it_probably_is(value: Any, status: str | None) -> None:
    assert status_of(value) == status
