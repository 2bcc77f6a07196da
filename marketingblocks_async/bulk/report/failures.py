"""The file of failures: rows as CSV, to be corrected and fed in again."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from marketingblocks_async.bulk.journal.journal import JournalReader
from marketingblocks_async.bulk.journal.states import RowState, StoredRow
from marketingblocks_async.bulk.sheets.columns import KEY, QUOTED, TO_CHECK, is_note
from marketingblocks_async.bulk.sheets.flat import FLAT_COLUMNS, copy_of_key, copy_of_post, safe_text
from marketingblocks_async.models import CreatePost


def write_failures(journal: JournalReader, path: Path, states: Sequence[RowState] = (RowState.FAILED,)) -> int:
    """Write rows as a CSV file that can be corrected and fed in again; return how many there are.

    Read with default options, the file gives exactly the rows that it was written from, whatever source they came from:
    a valid row makes the same request, and an invalid one is invalid until its wrong cells are corrected. The columns
    ``_row``, ``_state`` and ``_error`` say what went wrong. Columns whose names begin with an underscore fill no field;
    among them are those that were ignored in the source.

    Args:
        journal: the run.
        path: where to write; an existing file is replaced.
        states: the states of the rows to write.

    Raises:
        OSError: it cannot be written there.

    """
    columns: dict[str, None] = dict.fromkeys((KEY, *FLAT_COLUMNS))
    notes: dict[str, None] = {}
    count = 0
    # The columns are known only after the last row, so the rows wait in a file.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        running = journal.is_running()
        for row in journal.rows(states):
            if running and row.state is RowState.SENDING:
                # In flight, so its outcome is about to come.
                continue
            cells = _failure_cells(row, running=running)
            for name in cells:
                (notes if is_note(name) else columns)[name] = None
            waiting.write(f"{json.dumps(cells)}\n")
            count += 1
        waiting.seek(0)
        ours = (TO_CHECK, QUOTED, "_row", "_state", "_error")
        names = [*_in_order(columns), *(name for name in notes if name not in ours), *ours]
        # With the byte order mark that tells spreadsheets the encoding.
        with path.open("w", newline="", encoding="utf-8-sig") as lines:
            writer = csv.DictWriter(lines, names, restval="")
            writer.writeheader()
            writer.writerows(map(json.loads, waiting))
    return count


def _failure_cells(row: StoredRow, *, running: bool) -> dict[str, str]:
    if row.content_hash:
        cells = copy_of_post(CreatePost.model_validate_json(row.request))
        key = copy_of_key(row.key)
        quoted = ", ".join(filter(None, (cells.get(QUOTED), key.get(QUOTED))))
        cells |= key | ({QUOTED: quoted} if quoted else {})
    else:
        cells = json.loads(row.request)
        cells.setdefault(KEY, safe_text(row.key))
    word, why = row.told(running=running)
    notes = {"_row": str(row.row), "_state": word, "_error": why or ""}
    return cells | {name: safe_text(text) for name, text in notes.items()}


def _in_order(columns: Iterable[str]) -> list[str]:
    """Return the columns with those of tweets in the order of their numbers, which a header needs."""

    def place(name: str) -> tuple[int, int]:
        number = name.split(".")[1] if name.startswith("twitter_threads.") else ""
        return (1, int(number)) if number.isdecimal() else (0, 0)

    return sorted(columns, key=place)
