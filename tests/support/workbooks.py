"""Small files of posts, and what comes out of them."""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from marketingblocks_async.bulk.errors import SourceError
from marketingblocks_async.bulk.plan import RowError
from marketingblocks_async.bulk.sheets.rows import Row, parse_row
from marketingblocks_async.bulk.sheets.sources import SyncSource, read_rows
from marketingblocks_async.models import CreatePost

# It has no types.
openpyxl: Any = importlib.import_module("openpyxl")

FIELDS: dict[str, str] = {
    "channel_type": "facebook",
    "channel_id": "11",
    "post_type": "post",
    "caption_text": "Hello",
    "media_urls": "https://example.com/a.jpg",
    "publish_mode": "now",
}
"""The cells of a row that is fine."""

HEADER = ",".join(FIELDS)
LINE = ",".join(FIELDS.values())


def cells(**changes: str | None) -> dict[str, str]:
    """Return the cells of a row that is fine, changed; ``None`` leaves a column out."""
    return {name: text for name, text in (FIELDS | changes).items() if text is not None}


def fields(**changes: Any) -> dict[str, Any]:
    """Return the fields of an object that is fine, changed."""
    return {
        "channel_type": "facebook",
        "channel_id": 11,
        "post_type": "post",
        "caption_text": "Hello",
        "media_urls": ["https://example.com/a.jpg"],
        "publish_mode": "now",
        **changes,
    }


def scheduled(**changes: Any) -> dict[str, Any]:
    """Return the cells of a scheduled row, changed."""
    return cells(publish_mode="scheduled", schedule_time="2027-01-08 14:30", time_zone="Africa/Lagos") | changes


def as_csv(*rows: Mapping[str, str], delimiter: str = ",", end: str = "\r\n") -> str:
    """Return a CSV file with these rows; the first one has the header's names."""
    buffer = io.StringIO(newline="")
    # Before Python 3.13 the writer does not quote a line break that is not its own.
    writer = csv.writer(
        buffer, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    )
    writer.writerow(rows[0])
    writer.writerows(list(row.values()) for row in rows)
    return buffer.getvalue()


def written(path: Path, content: str | bytes) -> Path:
    """Write a file; text is written as UTF-8."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parsed(source: SyncSource, **options: Any) -> list[Row | list[RowError]]:
    """Read a source to its end."""
    with read_rows(source, **options) as stream:
        return [parse_row(raw) for raw in stream]


def posts(source: SyncSource, **options: Any) -> list[CreatePost]:
    """Return the posts of a source whose rows are all fine."""
    found: list[CreatePost] = []
    for row in parsed(source, **options):
        assert isinstance(row, Row), row
        found.append(row.post)
    return found


def post(source: SyncSource, **options: Any) -> CreatePost:
    """Return the post of a source with one row, which is fine."""
    (found,) = posts(source, **options)
    return found


def post_of(item: Mapping[str, Any], **options: Any) -> CreatePost:
    """Return the post of one object, which is fine."""
    return post([item], **options)


def errors(source: SyncSource, **options: Any) -> list[RowError]:
    """Return the errors of all rows of a source."""
    return [error for row in parsed(source, **options) if isinstance(row, list) for error in row]


def errors_of(item: Mapping[str, Any], **options: Any) -> dict[str, str]:
    """Return column → message for one object."""
    found = errors([item], **options)
    assert len({error.column for error in found}) == len(found), found
    return {error.column: error.message for error in found}


def error_of(item: Mapping[str, Any], **options: Any) -> RowError:
    """Return the only error of one object."""
    (found,) = errors([item], **options)
    return found


def failure(source: SyncSource, **options: Any) -> SourceError:
    """Return the error that ends the reading of a source."""
    try:
        rows = parsed(source, **options)
    except SourceError as error:
        return error
    message = f"it was read to its end: {rows!r:.300}"
    raise AssertionError(message)


def workbook(
    path: Path,
    *rows: Sequence[object],
    formats: Mapping[str, str] | None = None,
    merged: Iterable[str] = (),
    title: str = "Sheet",
) -> Path:
    """Write an XLSX file with one sheet; ``formats`` gives cells their number formats."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    for cell, number_format in (formats or {}).items():
        sheet[cell].number_format = number_format
    for area in merged:
        sheet.merge_cells(area)
    book.save(path)
    return path
