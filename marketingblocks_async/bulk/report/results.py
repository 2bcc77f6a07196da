"""The result file of a run: what became of each row, for other people and programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketingblocks_async.bulk.journal.journal import JournalReader
from marketingblocks_async.bulk.sheets.flat import safe_text

from .report import utc_text

COLUMNS = ("row", "key", "state", "post_id", "permalink", "sent_at", "error")


def write_results(journal: JournalReader, path: Path) -> int:
    """Write the result of every row as CSV, or as a JSON array if the file's name ends in ``.json``; return how many.

    The columns: ``row`` (number of the data row), ``key``, ``state`` (``done``, ``failed``, ``unknown``, ``pending``
    or, while the run is going on, ``in flight``), ``post_id`` and ``permalink`` as far as they are known, ``sent_at``
    (ISO 8601 in UTC, of the last attempt) and ``error``. In a CSV file, a text that a spreadsheet would take for a
    formula is between quotes.

    Args:
        journal: the run; it may be going on meanwhile.
        path: where to write; an existing file is replaced.

    Raises:
        OSError: it cannot be written there.

    """
    count = 0
    if path.suffix.lower() == ".json":
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            for count, result in enumerate(_results(journal), 1):
                file.write(f"{',' if count > 1 else '['}\n{json.dumps(result, ensure_ascii=False)}")
            file.write("\n]\n" if count else "[]\n")
        return count
    # With the byte order mark that tells spreadsheets the encoding.
    with path.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for count, result in enumerate(_results(journal), 1):  # noqa: B007 - it is returned
            writer.writerow(["" if value is None else safe_text(str(value)) for value in result.values()])
    return count


def _results(journal: JournalReader) -> Iterator[dict[str, Any]]:
    running = journal.is_running()
    for row in journal.rows():
        sent_at = None if row.sent_at is None else utc_text(row.sent_at)
        word, why = row.told(running=running)
        values = (row.row, row.key, word, row.post_id, row.permalink, sent_at, why)
        yield dict(zip(COLUMNS, values, strict=True))
