"""Make the files to send: rows of every kind, most of them unique and some equal."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from marketingblocks_async import CreatePost

COLUMNS = (
    "channel_type",
    "channel_id",
    "post_type",
    "caption_text",
    "media_urls",
    "publish_mode",
    "schedule_time",
    "time_zone",
)

_EQUAL = 0.1
"""Share of rows that repeat an earlier one."""


def make_rows(chance: Random, count: int, label: str) -> list[dict[str, str]]:
    """Return the rows of one file.

    Args:
        chance: source of the choices.
        count: number of rows.
        label: part of every caption, so that no other file has it.

    """
    rows: list[dict[str, str]] = []
    for number in range(1, count + 1):
        if rows and chance.random() < _EQUAL:
            rows.append(dict(chance.choice(rows)))
            continue
        mode = chance.choice(("now", "now", "now", "scheduled", "queued"))
        caption = f"{label} row {number}" + chance.choice(("", "\nsecond line", " ünïcode 🎈", ' "quoted", with comma'))
        rows.append(
            {
                "channel_type": chance.choice(("facebook", "facebook", "linkedin")),
                "channel_id": str(chance.randint(1, 2)),
                "post_type": "post",
                "caption_text": caption,
                "media_urls": "https://cdn.example.com/a.png",
                "publish_mode": mode,
                "schedule_time": f"2090-01-{number % 28 + 1:02} 12:{number % 60:02}" if mode == "scheduled" else "",
                "time_zone": "Europe/Berlin" if mode == "scheduled" else "",
            }
        )
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows as a file for ``bulk run``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([row[name] for name in COLUMNS] for row in rows)


def request_of(row: Mapping[str, str]) -> dict[str, Any]:
    """Return the request that the server has to receive for a row, made without the code of bulk runs."""
    fields: dict[str, Any] = {name: value for name, value in row.items() if value}
    return CreatePost.model_validate({**fields, "media_urls": row["media_urls"].split("|")}).wire()


def identity(request: Mapping[str, Any]) -> str:
    """Return the content of a request as text that can be compared."""
    return json.dumps({name: value for name, value in request.items() if value is not None}, sort_keys=True)
