"""JSON documents that are lists of objects, read entry by entry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketingblocks_async.bulk.sheets.formats.jsonl_file import list_items
from marketingblocks_async.bulk.sheets.rows import Row
from tests.support.workbooks import failure, fields, parsed, written

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "posts.json"


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_objects_is_read(file: Path, indent: int | None) -> None:
    items = [fields(caption_text=f'Text "{number}" [,]{{}}') for number in range(50)]
    rows = parsed(written(file, json.dumps(items, indent=indent)))
    assert [row.post.caption_text for row in rows if isinstance(row, Row)] == [item["caption_text"] for item in items]


def test_an_empty_list_has_no_rows(file: Path) -> None:
    assert parsed(written(file, " [ \n ] ")) == []


def test_an_entry_that_is_no_object_is_a_row_that_cannot_be_read(file: Path) -> None:
    rows = parsed(written(file, f"[1,\n{json.dumps(fields())},\n" + '{"a": 1, "a": 2}]'))
    assert [isinstance(row, Row) for row in rows] == [False, True, False]
    first, _, last = rows
    assert isinstance(first, list)
    assert isinstance(last, list)
    assert (first[0].line, last[0].line) == (1, 3)
    assert "must be an object" in first[0].message
    assert "there twice" in last[0].message


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("", "not a list of objects", None),
        ('{"a": 1}', "not a list of objects", 1),
        ("[", "never closed", 1),
        ('[{"a": "', "never closed", 1),
        ("[{}\n{}]", "a comma or ] is missing", 2),
        ("[{}]\n[", "after the end", 2),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(file: Path, text: str, words: str, line: int | None) -> None:
    error = failure(written(file, text))
    assert words in error.message
    assert line is None or error.line == line


@given(st.lists(any_json, max_size=5), st.sampled_from([None, 1]), st.integers(1, 7))
def test_any_list_comes_back_whatever_the_pieces_are(items: list[object], indent: int | None, size: int) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=False)
    pieces = iter([text[start : start + size] for start in range(0, len(text), size)])
    assert [item for _, item, _ in list_items(pieces, "")] == items
