"""Check the addresses of media: http(s) addresses that a server on the internet could fetch.

The API gets addresses and fetches the files itself. A path on a computer or a placeholder such as ``TBD`` makes
a post that fails, or one that is published without its picture. Whether the file exists is not checked here.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

_EXAMPLE = "https://example.com/picture.jpg"
_LONGEST_SHOWN = 80

_ADDRESS = re.compile(
    r"https?://(?:[^\s/?#@\\\"<>]*@)?(\[[0-9a-f:.]+\]|[^\s/?#@:\\\"<>\[\]]+)(?::[0-9]{1,5})?(?:[/?#][^\s\\\"<>]*)?",
    re.IGNORECASE,
)
_SECOND_ADDRESS = re.compile(r"(?<![/=:&?%(#+!@~.-])https?://", re.IGNORECASE)
"""An address inside another one is often meant, as in ``…?url=https://…``; after a letter or a comma it is not."""

_TYPOGRAPHIC = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_INNER_ADDRESS = re.compile(rf"https?://[^\s\"'<>()\[\]/{_TYPOGRAPHIC}][^\s\"'<>()\[\]{_TYPOGRAPHIC}]*", re.IGNORECASE)
_PRIVATE = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")

_FAULTS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), message)
    for pattern, message in (
        (r"https?://", f"is only the beginning of an address; write all of it, such as {_EXAMPLE}"),
        (
            r"https?://[^/].*",
            "is not an address: white space in it is written %20, and quotes or brackets do not belong to it",
        ),
        (
            r"(?:[htps]{2,7}[:;]/{0,3}|[htps]{3,7}/{2,}|:?//)(?P<rest>[^/\s]+\..*)",
            "does not begin with https://; write https://{rest}",
        ),
        (
            r"(?:[a-z]:[\\/]|[/~.\\]|file:).*",
            f"is a file on a computer; upload it and write its address, such as {_EXAMPLE}",
        ),
        (
            r"(?P<rest>[a-z][a-z0-9+-]*):.*",
            f"begins with {{rest}}:, and only http and https can be fetched; write one such as {_EXAMPLE}",
        ),
        (
            r"(?P<rest>www\..*|(?:[\w-]+\.)+[a-z]{2,}(?::[0-9]+)?/\S*)",
            "does not begin with https://; write https://{rest}",
        ),
        (
            r".*[^\s/]\.(?:jpe?g|png|gif|webp|heic|bmp|tiff?|svg|mp4|mov|avi|mkv|webm|m4v|pdf|mp3|wav).*",
            f"is the name of a file; upload the file and write its address, such as {_EXAMPLE}",
        ),
    )
)
"""Pattern of a text that is not an address → what is wrong, and what to write."""


def check_media_url(value: str) -> str:
    """Return ``value`` if it is the http(s) address of one file.

    Raises:
        ValueError: it is not; the message says what to write.

    """
    found = _ADDRESS.fullmatch(value)
    is_one = found is not None and not _SECOND_ADDRESS.search(value, 1) and value[-1] not in _TYPOGRAPHIC
    problem = _host_problem(found[1].lower()) if found and is_one else _explain(value)
    if problem is not None:
        text = " ".join(value.split())
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
        msg = f'"{shown}" {problem}'
        raise ValueError(msg)
    return value


@lru_cache(maxsize=1024)
def _host_problem(host: str) -> str | None:
    """Return why a server on the internet cannot fetch from ``host``; ``None`` if it can, as far as its name says."""
    name = host.strip("[].")
    try:
        is_private = not ipaddress.ip_address(name).is_global
    except ValueError:
        is_private = name.endswith(_PRIVATE)
        labels = name.split(".")
        if not is_private and (len(labels) == 1 or not all(labels) or labels[-1].isdecimal()):
            return f"names no server that exists; write the file's public address, such as {_EXAMPLE}"
    if is_private:
        return f"is on your own computer or network; upload the file and write its public address, such as {_EXAMPLE}"
    return None


def _explain(value: str) -> str:
    """Return what is wrong with a text that is not one address, and what to write."""
    text = value.strip()
    inner = _INNER_ADDRESS.findall(text)
    if len(inner) > 1 or len(_SECOND_ADDRESS.findall(text)) > 1:
        return "holds several addresses; give each address an entry of its own"
    if text != value and _ADDRESS.fullmatch(text):
        return f"has white space around it; write {text}"
    if inner and (not text.startswith(inner[0][:8]) or text[-1] in _TYPOGRAPHIC):
        return f"is more than an address; write {inner[0]} alone"
    for pattern, message in _FAULTS:
        if fault := pattern.fullmatch(text):
            return message.format(**fault.groupdict())
    return f"is not an address; write one such as {_EXAMPLE}, or leave the field empty if there is no media"
