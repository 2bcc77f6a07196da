"""Results are small, and text from outside can neither hide nor pose as something else."""

from __future__ import annotations

import json

from marketingblocks_async.mcp.results import LONGEST_DATA, Outcome, bounded, clean, result


def test_characters_that_a_person_does_not_see_are_removed() -> None:
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all")
    hidden = f"a\u202eb\u200b{tags}\x1b[31m\x00c"
    assert clean({"x": [hidden]}) == {"x": ["ab[31mc"]}


def test_text_of_all_writing_systems_stays() -> None:
    text = "नमस्ते\t你好\n👩\u200d💻 क्\u200cष é"
    assert clean(text) == text


def test_long_data_is_cut() -> None:
    found = result(Outcome.DONE, data=["x" * 100] * 1000)
    assert len(json.dumps(found)) < LONGEST_DATA + 2500
    assert "untrusted_data" in found
    assert found["untrusted_data"]["cut_after"] == LONGEST_DATA
    assert found["untrusted_data"]["left_off"] == len(json.dumps(["x" * 100] * 1000)) - LONGEST_DATA


def test_what_was_cut_is_not_cut_again() -> None:
    # As JSON text it is longer than before, since its quotes are escaped.
    once = bounded(["x"] * 5000)
    assert bounded(json.loads(json.dumps(once))) == once
    posing = once | {"json": "x" * (LONGEST_DATA + 1)}
    assert bounded(posing) != posing


def test_what_has_no_value_is_left_out() -> None:
    assert result(Outcome.DONE) == {"outcome": "done"}
