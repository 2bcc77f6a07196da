"""Posts that are the same for their readers are alike, and others are not."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from marketingblocks_async.bulk import content_hash
from marketingblocks_async.bulk.likeness import likeness, likeness_of
from marketingblocks_async.bulk.sheets.cells import BLANKS
from marketingblocks_async.bulk.sheets.rows import canonical_json, canonical_text
from marketingblocks_async.models import CreatePost

POST: dict[str, Any] = {
    "channel_type": "facebook",
    "channel_id": 1,
    "post_type": "post",
    "caption_text": "Hello",
    "media_urls": [],
    "publish_mode": "queued",
}
_EMPTY: list[Any] = ["", " ", ",", []]
_MEDIA: list[dict[str, Any]] = [{}, {"media_urls": []}]
_TWEETS: dict[str, Any] = POST | {"channel_type": "twitter", "post_type": "thread"}
_TIMED: dict[str, Any] = POST | {"publish_mode": "scheduled", "schedule_time": "2030-01-01 10:00", "time_zone": "UTC"}

_SAME: list[list[dict[str, Any]]] = [
    [POST, *(POST | {"hash_tags": empty} for empty in _EMPTY)],
    [POST, POST | {"twitter_threads": []}],
    [POST, *(POST | {"time_zone": zone} for zone in ("UTC", "Africa/Lagos"))],
    [_TWEETS | {"twitter_threads": [{"message": "a"}, more]} for more in ({"message": ""}, {"message": " "})],
    [_TWEETS | {"twitter_threads": [{"message": "a"} | more]} for more in _MEDIA],
    [POST | {"hash_tags": tags} for tags in (["a", "b"], "a,b", "a, b", "a b", "a\nb", " a,,b,", ",a b")],
    [POST | {"hash_tags": tags} for tags in (['"a"'], '"a"', '"a" ')],
    [
        _TIMED,
        _TIMED | {"time_zone": "Etc/UTC"},
        _TIMED | {"schedule_time": "2030-01-01T11:00+01:00", "time_zone": None},
        _TIMED | {"schedule_time": "2030-01-01T10:00Z", "time_zone": "Europe/Berlin"},
        *(
            _TIMED | {"schedule_time": "2030-01-01 11:00", "time_zone": zone}
            for zone in ("Europe/Berlin", "Africa/Lagos")
        ),
    ],
    # There twice, so it goes out in UTC.
    [
        _TIMED | {"schedule_time": "2030-10-27T02:30+01:00", "time_zone": zone}
        for zone in (None, "Europe/Berlin", "Africa/Lagos")
    ],
]


def _like(fields: dict[str, Any]) -> str:
    post = CreatePost.checked(fields)
    found = likeness(content_hash(post), canonical_json(post))
    # The search for what may be more than content overlooks nothing.
    assert found == likeness_of(canonical_json(post)) == likeness_of(post.wire_json().decode())
    return found


@pytest.mark.parametrize("same", _SAME)
def test_what_readers_do_not_see_makes_no_other_post(same: list[dict[str, Any]]) -> None:
    assert len({_like(fields) for fields in same}) == 1


def test_what_readers_see_makes_another_post() -> None:
    posts: list[dict[str, Any]] = [
        POST,
        POST | {"caption_text": ""},
        POST | {"caption_text": 'a:"",:[],"hash_tags":"a b"'},
        POST | {"media_urls": ["https://example.com/a.jpg"]},
        POST | {"publish_mode": "now"},
        *(POST | {"hash_tags": tags} for tags in ("a", "b", "a b", "b a", "#a #b")),
        _TIMED,
        _TIMED | {"time_zone": "Africa/Lagos"},
        _TIMED | {"schedule_time": "2030-07-01 10:00", "time_zone": "Africa/Lagos"},
        _TIMED | {"schedule_time": "2030-07-01 10:00", "time_zone": "Europe/Berlin"},
        *(_TWEETS | {"twitter_threads": [{"message": "a"}] + [{"message": ""}] * more} for more in range(3)),
        _TWEETS | {"twitter_threads": [{"message": "a", "media_urls": ["https://example.com/a.jpg"]}]},
    ]
    assert len({_like(fields) for fields in posts}) == len(posts)


def test_most_posts_are_known_by_their_hash() -> None:
    for fields in (POST, POST | {"hash_tags": ["a", "b"]}, POST | {"post_type": "reel"}, _TIMED):
        post = CreatePost.checked(fields)
        assert likeness(content_hash(post), "") == _like(fields)


@pytest.mark.parametrize("schedule_time", ["2030-10-27 02:30", "2030-03-31 02:30", "tomorrow", "0001-01-01 00:00"])
def test_a_time_that_is_no_one_moment_stays_as_it_is(schedule_time: str) -> None:
    # Earlier versions could send such ones.
    request = canonical_text({**POST, "schedule_time": schedule_time, "time_zone": "Europe/Berlin"})
    assert likeness("h", request) == likeness_of(request) == hashlib.sha256(request.encode()).hexdigest()


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_at_either_end_makes_no_other_post(blank: str) -> None:
    plain = json.dumps({"caption_text": "a"})
    for text in (f"{blank}a", f"a{blank}"):
        assert likeness("h", json.dumps({"caption_text": text}, ensure_ascii=False)) == likeness_of(plain)


@pytest.mark.parametrize("text", ["a b", "a\nb", "", 'a"b', "\\", "\\\\n\\x"])
def test_without_one_it_is_the_hash_of_the_request(text: str) -> None:
    request = json.dumps({"caption_text": text}, separators=(",", ":"))
    content_hash = hashlib.sha256(request.encode()).hexdigest()
    assert likeness(content_hash, request) == content_hash == likeness_of(request)


def test_a_damaged_line_has_its_own_hash() -> None:
    assert likeness("h", '{" ') == "h"
