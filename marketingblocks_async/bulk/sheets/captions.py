"""Find doubts about the texts and media of a valid post: damaged characters, texts that are too long, pages for files.

They are warnings, not errors: the API's own limits are not documented, and a platform may change its limits.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

from marketingblocks_async.models import ChannelType, CreatePost, PostType

from .display import visible
from .placeholders import placeholder_in

# Every address of these hosts shows a page, but for those behind (?!…), which give the file itself.
_PAGE = re.compile(
    r"""https?://(?:www\.)?(?:
    drive\.google\.com/(?!(?:u/\d+/|a/[^/?]+/)?(?:uc|thumbnail)\b)
    |docs\.google\.com/(?!(?:u/\d+/|a/[^/?]+/)?uc\b|[^?]*/export\b|drawings/[^?]*/pub\b|.*[?&]format=image\b)
    |photos\.google\.com/|photos\.app\.goo\.gl/
    |dropbox\.com/(?!s/(?:dl|raw)/|.*[?&](?:dl|raw)=1\b)
    |1drv\.ms/|onedrive\.live\.com/(?!download\b)
    |[\w-]+\.sharepoint\.com/(?![^?]*/download\.aspx|.*[?&]download=1\b)(?::\w:/|[^?]*\.aspx\b)
    |(?:share\.)?icloud\.com/
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_DROPBOX_FILE = re.compile(r"https?://(?:www\.)?dropbox\.com/(?:s|scl/fi)/", re.IGNORECASE)
_URL = re.compile(r"https?://\S+", re.IGNORECASE)


def _utf_16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _utf_8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _weight_on_x(text: str) -> int:
    """Return the length as X counts it: 2 for an emoji or a character beyond Latin script, 23 for an address."""
    without_urls, urls = _URL.subn("", unicodedata.normalize("NFC", text))
    weight, joined, half_flag = 23 * urls, False, False
    for character in without_urls:
        code = ord(character)
        if code == 0x200D or 0xFE00 <= code <= 0xFE0F or 0x1F3FB <= code <= 0x1F3FF:
            # Joiners, variation selectors and skin tones belong to the emoji before them.
            joined = code == 0x200D
            continue
        if joined:
            joined = False
            continue
        is_flag = 0x1F1E6 <= code <= 0x1F1FF
        half_flag = is_flag and not half_flag
        if is_flag and not half_flag:
            continue
        light = code <= 0x10FF or 0x2000 <= code <= 0x200D or 0x2010 <= code <= 0x201F or 0x2032 <= code <= 0x2037
        weight += 1 if light else 2
    return weight


class Limit(NamedTuple):
    """The longest text that a platform takes, what is counted, and where that is published."""

    size: int
    unit: str
    measure: Callable[[str], int]
    source: str


CAPTION_LIMITS: dict[ChannelType, Limit] = {
    ChannelType.TWITTER: Limit(
        280, "characters", _weight_on_x, "https://docs.x.com/fundamentals/counting-characters (more with X Premium)"
    ),
    ChannelType.THREADS: Limit(
        500, "characters", len, "https://developers.facebook.com/documentation/threads/posts"
    ),
    ChannelType.INSTAGRAM: Limit(
        2200, "characters", len,
        "https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media",
    ),
    ChannelType.TIKTOK: Limit(
        2200, "UTF-16 units", _utf_16_units,
        "https://developers.tiktok.com/doc/content-posting-api-reference-direct-post",
    ),
    ChannelType.LINKEDIN: Limit(
        3000, "characters", len, "other services' documentation, such as docs.zernio.com/platforms/linkedin"
    ),
    ChannelType.YOUTUBE: Limit(5000, "bytes", _utf_8_bytes, "https://developers.google.com/youtube/v3/docs/videos"),
    ChannelType.FACEBOOK: Limit(63_206, "characters", len, "often reported, not in Facebook's documentation"),
}  # fmt: skip
"""Platform → the longest caption."""


class MediaLimit(NamedTuple):
    """The fewest and the most media that a platform takes for one post, and where that is published."""

    least: int
    most: int | None
    source: str


MEDIA_LIMITS: dict[ChannelType, MediaLimit] = {
    ChannelType.INSTAGRAM: MediaLimit(
        1, 10, "https://developers.facebook.com/docs/instagram-platform/content-publishing"
    ),
    ChannelType.TIKTOK: MediaLimit(
        1, None, "https://developers.tiktok.com/doc/content-posting-api-get-started"
    ),
    ChannelType.YOUTUBE: MediaLimit(1, None, "https://developers.google.com/youtube/v3/docs/videos/insert"),
    ChannelType.TWITTER: MediaLimit(0, 4, "https://docs.x.com/x-api/media/quickstart/best-practices"),
    ChannelType.LINKEDIN: MediaLimit(
        0, 20,
        "https://learn.microsoft.com/linkedin/marketing/community-management/shares/multiimage-post-api",
    ),
}  # fmt: skip
"""Platform → how many media a post has, where the platform's documentation says so."""

TITLE_LIMIT = Limit(100, "characters", len, "https://developers.google.com/youtube/v3/docs/videos")
"""The longest title of a YouTube video."""

_CONTINUATION = "\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"  # noqa: E501 - one list of characters
_NO_QUOTE = "\u00a0-\u00aa\u00ac-\u00ba\u00bc-\u00bf\u0192\u02c6\u2030\u0160\u0152\u017d\u02dc\u2122\u0161\u0153\u017e\u0178\u20ac\u2020\u2021"  # noqa: E501 - one list of characters
_MOJIBAKE = re.compile(
    f"\u00e2\u20ac[{_CONTINUATION}]|\u00f0\u0178[{_CONTINUATION}]{{2}}|\u00ef[\u00b8\u00bf\u00bb][{_CONTINUATION}]"
    f"|[\u00c2-\u00c5][{_NO_QUOTE}]|(?:[\u00d0\u00d1][{_CONTINUATION}]){{2}}"
)
"""UTF-8 that was read as cp1252 or Latin-1. Pairs that occur in real words, such as É and ”, are left out."""


_MARKUP = re.compile(
    r"\\n(?=\\n|\s|(?-i:[A-Z#])|\Z)|(?<=[.!?,])\\n|</?(?:p|br|b|i|strong|em|div|span|a|ul|li)\b[^<>]{0,200}>|&(?:amp|lt|gt|quot|nbsp|#\d{1,6});"
    r"|\*\*\w[^*\n]{0,200}\*\*|\[[^\[\]\n]{1,200}\]\(https?:|\A=[A-Z]{2,20}\(|\A'(?=[=@+#-])|\{\{[^{}]{1,100}\}\}",
    re.IGNORECASE,
)
"""Signs of HTML, Markdown, templates and spreadsheets, which platforms show as they are."""


_EMPTY_CELLS = frozenset({
    "nan", "nat", "none", "null", "<na>", "undefined", "n/a", "na", "n.a.", "-", "--", "\u2013", "\u2014", "?", "tbd",
    "tba", "tbc", "/", ".", "*", "^", "\u2191", '"', "''", "\u3003", "+",
})  # fmt: skip
"""Texts that programs and people write into empty cells."""


def stands_for_nothing(text: str) -> bool:
    """Tell whether a text stands for an empty cell."""
    return text.strip().casefold() in _EMPTY_CELLS


def text_doubts(post: CreatePost) -> Iterator[tuple[str, str]]:
    """Yield (target, message) for each doubt about a post's texts and media."""
    texts = [("caption_text", post.caption_text), ("hash_tags", post.hash_tags or "")]
    tweets = [(f"twitter_threads.{n}.message", each.message) for n, each in enumerate(post.twitter_threads or (), 1)]
    title = [] if post.post_extra is None else [("post_extra.title", post.post_extra.title)]
    for target, text in (*texts, *tweets, *title):
        if not text.isascii() and (message := _damage(text)) is not None:
            yield target, message
        if text and (message := _emptiness(target, text)) is not None:
            yield target, message
        if (message := _template(text)) is not None:
            yield target, message
    is_thread = post.post_type is PostType.THREAD
    limit = CAPTION_LIMITS.get(post.channel_type)
    for target, text in tweets if is_thread else texts[:1]:
        if limit is not None and (message := _too_long(text, limit, post.channel_type.value)) is not None:
            yield target, message
    for target, text in title:
        if (message := _too_long(text, TITLE_LIMIT, "youtube")) is not None:
            yield target, message
    yield from _media_doubts(post, is_thread=is_thread)
    if tweets and not is_thread:
        yield (
            tweets[0][0],
            f'post_type is "{post.post_type}", and only a "thread" has tweets; they may not be published',
        )


def _media_doubts(post: CreatePost, *, is_thread: bool) -> Iterator[tuple[str, str]]:
    for target, address in _media(post):
        if (message := _page_for_file(address)) is not None:
            yield target, message
    limit = MEDIA_LIMITS.get(post.channel_type)
    if limit is None:
        return
    platform = post.channel_type.value
    tweets = [
        (f"twitter_threads.{n}.media_urls", each.media_urls) for n, each in enumerate(post.twitter_threads or (), 1)
    ]
    for target, media in tweets if is_thread else [("media_urls", post.media_urls)]:
        if len(media or ()) < limit.least:
            yield target, f"it is empty, and {platform} takes only posts with media ({limit.source})"
        if limit.most is not None and len(media or ()) > limit.most:
            yield target, f"it has {len(media or ())} media, and {platform} takes {limit.most} ({limit.source})"


def _emptiness(target: str, text: str) -> str | None:
    """Return a doubt about a text (links aside) or a hash tag that stands for an empty cell."""
    parts = text.split(",") if target == "hash_tags" else [_URL.sub("", text) if "://" in text else text]
    for part in parts:
        shown = part.strip().removeprefix("#")
        if shown.casefold() in _EMPTY_CELLS:
            return f'"{shown}" often stands for an empty cell; it would be published'
    return None


def _template(text: str) -> str | None:
    """Return a doubt about a text that is a placeholder as a whole, or that has signs of another format."""
    if (message := placeholder_in(text)) is not None or (found := _MARKUP.search(text)) is None:
        return message
    return f'it holds "{visible(found.group())}", which would be published as it is written here'


def _media(post: CreatePost) -> Iterator[tuple[str, str]]:
    for address in post.media_urls:
        yield "media_urls", address
    for number, tweet in enumerate(post.twitter_threads or (), 1):
        for address in tweet.media_urls or ():
            yield f"twitter_threads.{number}.media_urls", address


def _damage(text: str) -> str | None:
    if "\ufffd" in text:
        place = text.index("\ufffd")
        around = visible(text[max(0, place - 10) : place + 10])
        return f'a character of "{around}" was lost when the file was saved or read; type it again in place of \ufffd'
    found = _MOJIBAKE.search(text)
    if found is None:
        return None
    damaged = found.group()
    try:
        meant = f' (probably "{damaged.encode("cp1252").decode()}")'
    except UnicodeError:
        meant = ""
    return f'it holds "{visible(damaged)}"{meant}: the text was read in the wrong encoding; export it again as UTF-8'


def _too_long(text: str, limit: Limit, platform: str) -> str | None:
    # No measure counts more than 4 for a character.
    if len(text) * 4 <= limit.size or (size := limit.measure(text)) <= limit.size:
        return None
    return f"it has {size:,} {limit.unit}, and {platform} takes {limit.size:,} ({limit.source})"


def _page_for_file(address: str) -> str | None:
    """Return a doubt about an address that leads to a web page with the file, not to the file itself."""
    if not _PAGE.match(address):
        return None
    advice = "use an address of the file itself"
    if _DROPBOX_FILE.match(address):
        end = "&dl=1" if "?" in address else "?dl=1"
        advice = "write dl=1 instead of dl=0" if "dl=0" in address else f"write {end} at its end"
    return f'"{visible(address)}" leads to a page that shows the file, not to the file; {advice}'
