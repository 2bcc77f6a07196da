"""Posts that differ in white space at the ends of texts only are alike."""

from __future__ import annotations

import hashlib
import json

import pytest

from marketingblocks_async.bulk.likeness import likeness, likeness_of
from marketingblocks_async.bulk.sheets.cells import BLANKS


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
