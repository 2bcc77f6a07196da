"""Compare posts by what their readers see.

White space at the ends of texts makes no other post. Neither does an empty text or list in place of a field that may be
left out, nor the time zone of a post without a time, nor that in which a moment is written, nor whether commas or
spaces separate the hash tags.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from marketingblocks_async.models import CreatePost
from marketingblocks_async.models.base import is_array, is_object
from marketingblocks_async.models.schedule import plain_moment

from .sheets.cells import BLANKS
from .sheets.rows import canonical_text

_REQUIRED = frozenset(name for name, field in CreatePost.model_fields.items() if field.is_required())

_BLANK = f"(?:[{BLANKS}]|\\\\[nrt])"
# It begins with the quote, since a search for one character is about ten times as fast.
_MAY_HAVE_MORE = re.compile(
    f'"(?:{_BLANK}|(?<=[{BLANKS}]")|(?<=\\\\[nrt]")'
    # Names are sorted. Most posts without media have an empty list of them, which is required and stands before these.
    '|:""|:\\[\\](?!,"post_)|publish_mode":"\\w*","time_zone"|hash_tags":"(?:,|[^"]*(?:[\\s\\\\]|,[,"]))'
    '|schedule_time":"[^"]*","time_zone":"(?!UTC"))'
)
"""What the canonical JSON of a post may have beside what ``content_of()`` returns.

These are a blank beside a quote, as in a text with white space at an end; an empty text or list; a time zone that does
not follow a time; hash tags that not only single commas separate; and a time that is not in UTC.
"""

_BETWEEN_TAGS = re.compile(r"[,\s]+")


def content_of(request: str, *, is_post: bool = True) -> Any:
    """Return what a request asks for, as parsed JSON: equal for those that are the same.

    Args:
        request: its JSON text.
        is_post: whether it creates a post. In the others an empty field may have a meaning: an update may delete one.

    """
    content = _without_ends(json.loads(request))
    if not is_post or not is_object(content):
        return content
    schedule_time, time_zone = content.get("schedule_time"), content.get("time_zone")
    if not schedule_time:
        content.pop("time_zone", None)
    elif (
        isinstance(schedule_time, str)
        and isinstance(time_zone, str)
        # A local time that is there twice or never, as the first versions could send it, stays as it is.
        and (moment := plain_moment(schedule_time, time_zone)) is not None
    ):
        content["schedule_time"] = moment.replace(tzinfo=None).isoformat(" ", "minutes")
        content["time_zone"] = "UTC"
    if isinstance(tags := content.get("hash_tags"), str):
        # Documented: commas or spaces separate them. Lists are sent with commas.
        content["hash_tags"] = _BETWEEN_TAGS.sub(",", tags).strip(",")
    return {name: _without_empty(value) for name, value in content.items() if name in _REQUIRED or not _is_empty(value)}


def _without_ends(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip(BLANKS)
    if is_array(value):
        return [_without_ends(each) for each in value]
    if is_object(value):
        return {name: _without_ends(each) for name, each in value.items()}
    return value


def _without_empty(value: Any) -> Any:
    if is_array(value):
        # A tweet without a text is still one of the thread.
        return [_without_empty(each) for each in value]
    if is_object(value):
        return {name: _without_empty(each) for name, each in value.items() if not _is_empty(each)}
    return value


def _is_empty(value: Any) -> bool:
    return value in ("", [])


def likeness(content_hash: str, request: str) -> str:
    """Return a hash that is the same for posts that are the same for their readers, see ``content_of()``.

    Args:
        content_hash: of the request.
        request: its canonical JSON text, as rows and journals have it.

    Returns:
        ``content_hash`` itself, unless the request has more than its content.

    """
    if not content_hash or _MAY_HAVE_MORE.search(request) is None:
        return content_hash
    try:
        return likeness_of(request)
    except ValueError:
        # A damaged line of a journal.
        return content_hash


def likeness_of(request: str, *, is_post: bool = True) -> str:
    """Return the ``likeness()`` of a request, whatever the form of its JSON text. See ``content_of()``."""
    return hashlib.sha256(canonical_text(content_of(request, is_post=is_post)).encode()).hexdigest()
