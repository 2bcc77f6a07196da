"""Make the files to send: rows of every kind, most of them unique, some equal, and some with a cell to be corrected."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

RECIPE = """
title = "A file for several channels"
other_columns = "refuse"

[columns]
"Message" = "caption_text"
"Picture" = "media_urls"
"When" = "schedule_time"

[set]
post_type = "post"
publish_mode = "scheduled"
time_zone = "Europe/Berlin"

[dates]
format = "DD/MM/YYYY hh:mm a"
"""
"""Reads a file of three columns; the channels are given to the command, so that each row makes two posts."""

_CHANNELS = (("facebook", "1"), ("linkedin", "2"))
_EQUAL = 0.1
"""Share of rows that repeat an earlier one."""
_SPOILT = 0.08
"""Share of rows with a wrong cell, if there are any."""

_NO_SCHEME = "cdn.example.com/"


@dataclass(frozen=True, slots=True)
class Source:
    """A file of posts, and what has to come of it.

    Attributes:
        lines: the cells of the file, the header first.
        requests: what the server has to receive for each post, in the order of the posts' numbers.
        recipe: the recipe that reads the file, as TOML; empty for none.
        options: options of ``bulk run`` that belong to it.

    """

    lines: Sequence[Sequence[str]]
    requests: Sequence[dict[str, Any]]
    recipe: str = ""
    options: Sequence[str] = ()

    def write(self, path: Path) -> None:
        """Write the file for ``bulk run``."""
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self.lines)


def make_source(chance: Random, count: int, label: str, *, spoilt: bool) -> Source:
    """Return one file, in a third of the cases one whose rows make several posts.

    Args:
        chance: source of the choices.
        count: number of posts, about.
        label: part of every caption, so that no other file has it.
        spoilt: whether some rows have a wrong cell.

    """
    if chance.random() < 1 / 3:
        return _for_several_channels(chance, max(1, count // 2), label, spoilt=spoilt)
    rows = make_rows(chance, count, label)
    cells = [[_spoil(chance, name, row[name]) if spoilt else row[name] for name in COLUMNS] for row in rows]
    return Source([COLUMNS, *cells], [request_of(row) for row in rows])


def _for_several_channels(chance: Random, count: int, label: str, *, spoilt: bool) -> Source:
    lines: list[Sequence[str]] = [("Message", "Picture", "When")]
    requests: list[list[dict[str, Any]]] = [[] for _ in _CHANNELS]
    for number in range(1, count + 1):
        day, minute, hour = number % 28 + 1, number % 60, chance.randint(1, 12)
        message = f"{label} row {number}" + chance.choice(("", "\nsecond line", " ünïcode 🎈", ' "quoted", with comma'))
        picture = "https://cdn.example.com/a.png"
        shown = _spoil(chance, "media_urls", picture) if spoilt else picture
        lines.append((message, shown, f"{day:02}/01/2090 {hour:02}:{minute:02} pm"))
        for requests_of_channel, (platform, channel) in zip(requests, _CHANNELS, strict=True):
            row = {
                "channel_type": platform,
                "channel_id": channel,
                "post_type": "post",
                "caption_text": message,
                "media_urls": picture,
                "publish_mode": "scheduled",
                "schedule_time": f"2090-01-{day:02} {hour % 12 + 12:02}:{minute:02}",
                "time_zone": "Europe/Berlin",
            }
            requests_of_channel.append(request_of(row))
    # The first posts of all rows have the lowest numbers.
    channels = [word for platform, channel in _CHANNELS for word in ("--channel", f"{platform}:{channel}")]
    return Source(lines, [request for of_channel in requests for request in of_channel], RECIPE, channels)


def _spoil(chance: Random, column: str, value: str) -> str:
    """Return a cell, perhaps made wrong in a way that ``correct()`` mends."""
    if column == "channel_id" and chance.random() < _SPOILT / 2:
        return f"x{value}"
    if column == "media_urls" and chance.random() < _SPOILT / 2:
        return value.removeprefix("https://")
    return value


def correct(path: Path) -> int:
    """Correct the wrong cells of a file of failures, as a person would; return its number of rows."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    for row in rows:
        for place, cell in enumerate(row):
            if header[place] == "channel_id":
                row[place] = cell.removeprefix("x")
            elif header[place] == "media_urls" and cell.startswith(_NO_SCHEME):
                row[place] = f"https://{cell}"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([header, *rows])
    return len(rows)


def make_rows(chance: Random, count: int, label: str) -> list[dict[str, str]]:
    """Return rows whose columns are the fields of posts.

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
