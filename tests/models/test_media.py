"""Addresses of media: what could be fetched is accepted, anything else is refused with what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.models import CreatePost, TwitterThreadItem
from marketingblocks_async.models.media import check_media_url
from tests.support.examples import post_fields, refusal


@pytest.mark.parametrize(
    "address",
    [
        "https://cdn.example.com/a.jpg",
        "http://cdn.example.com/a.jpg",
        "HTTPS://CDN.Example.com:8443/a.jpg?x=1|2#top",
        "https://example.com",
        "https://example.com/a,b.jpg",
        "https://example.com/ä.jpg",
        "https://bücher.example/a.jpg",
        "https://user:secret@example.com/a.jpg",
        "https://8.8.8.8/a.jpg",
        "https://images.example.com/?url=https://other.example.com/a.jpg",
        "https://web.archive.example/web/2020/https://example.com/a.jpg",
    ],
)
def test_an_address_that_could_be_fetched_goes_out_as_it_is(address: str) -> None:
    assert check_media_url(address) == address


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("C:\\Users\\Me\\a.jpg", "is a file on a computer; upload it"),
        ("d:/pictures/a.jpg", "is a file on a computer"),
        ("/home/me/a.jpg", "is a file on a computer"),
        ("~/a.jpg", "is a file on a computer"),
        ("\\\\server\\share\\a.jpg", "is a file on a computer"),
        ("file:///C:/a.jpg", "is a file on a computer"),
        ("a.jpg", "is the name of a file; upload the file"),
        ("images/a.jpg", "is the name of a file"),
        ("n/a", "leave the field empty if there is no media"),
        ("TBD", "leave the field empty if there is no media"),
        ("-", "leave the field empty if there is no media"),
        ("see folder", "leave the field empty if there is no media"),
        ("www.example.com/a.jpg", "write https://www.example.com/a.jpg"),
        ("cdn.example.com/a.jpg", "write https://cdn.example.com/a.jpg"),
        ("cdn.example.com:8080/a.jpg", "write https://cdn.example.com:8080/a.jpg"),
        ("//cdn.example.com/a.jpg", "write https://cdn.example.com/a.jpg"),
        ("htps://example.com/a.jpg", "write https://example.com/a.jpg"),
        ("https:/example.com/a.jpg", "write https://example.com/a.jpg"),
        ("https//example.com/a.jpg", "write https://example.com/a.jpg"),
        ("https;//example.com/a.jpg", "write https://example.com/a.jpg"),
        ("https:///example.com/a.jpg", "write https://example.com/a.jpg"),
        ("ftp://example.com/a.jpg", "begins with ftp:, and only http and https"),
        ("data:image/png;base64,AAAA", "begins with data:"),
        ("https://", "only the beginning of an address"),
        ("https://localhost/a.jpg", "on your own computer or network"),
        ("http://nas.local/a.jpg", "on your own computer or network"),
        ("http://192.168.1.5/a.jpg", "on your own computer or network"),
        ("http://[::1]/a.jpg", "on your own computer or network"),
        ("https://TBD", "names no server"),
        ("https://example..com/a.jpg", "names no server"),
        ("https://example.com/a b.jpg", "white space in it is written %20"),
        (" https://example.com/a.jpg", "write https://example.com/a.jpg"),
        ("<https://example.com/a.jpg>", "write https://example.com/a.jpg alone"),
        ("a.jpg (https://example.com/a.jpg)", "write https://example.com/a.jpg alone"),
        ("“https://example.com/a.jpg”", "write https://example.com/a.jpg alone"),
        ("https://example.com/a.jpg”", "write https://example.com/a.jpg alone"),
        ("https://a.example/1.jpghttps://b.example/2.jpg", "holds several addresses"),
        ("https://a.example/1.jpg,https://b.example/2.jpg", "holds several addresses"),
        ("https://a.example/1.jpg https://b.example/2.jpg", "holds several addresses"),
        ("x (https://a.example/1.jpg), y (https://b.example/2.jpg)", "holds several addresses"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match='"') as caught:
        check_media_url(text)
    assert advice in str(caught.value)


def test_the_rule_is_that_of_posts_and_of_tweets() -> None:
    assert "media_urls.0" in refusal(CreatePost, post_fields(media_urls=["TBD"]))
    assert "media_urls.0" in refusal(TwitterThreadItem, {"message": "m", "media_urls": ["TBD"]})


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(ValueError, match="…"):
        check_media_url("x" * 100_000)


@given(st.text() | st.text("htps:/.w,; \\x", max_size=30))
def test_any_text_is_accepted_as_it_is_or_refused_in_words(text: str) -> None:
    try:
        assert check_media_url(text) == text
    except ValueError as error:
        refused = str(error)
    else:
        return
    assert any(advice in refused for advice in ("write", "upload", "give", "not an address"))
