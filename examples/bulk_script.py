"""Post a spreadsheet without a journal, and write down what became of each row.

    MARKETINGBLOCKS_API_TOKEN=… python examples/bulk_script.py posts.csv results.csv

Do not start it again after a crash: it would send all rows once more. Files that matter are for
``marketingblocks bulk run posts.csv``, which continues where it was.

The columns are the fields of ``CreatePost``; several media addresses are separated by ``|``.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketingblocks_async import MarketingBlocks


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows as the fields of posts; they are checked when they are sent."""
    with file.open(newline="", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            fields: dict[str, Any] = {name: value for name, value in row.items() if value}
            fields["media_urls"] = fields["media_urls"].split("|") if "media_urls" in fields else []
            yield fields


async def main(source: Path, results: Path) -> int:
    """Send everything; return how many rows did not end well."""
    bad = 0
    with results.open("x", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(["row", "state", "post_id", "error"])
        async with MarketingBlocks() as client:
            async for outcome in client.posts.create_many(rows(source)):
                post_id = outcome.result.post_id if outcome.result is not None else ""
                if outcome.ok:
                    state = "done"
                else:
                    bad += 1
                    # An unknown row may have been published: look before it is sent again.
                    state = "unknown" if outcome.may_have_happened else "failed"
                writer.writerow([outcome.index + 1, state, post_id, outcome.error or ""])
    print(f"{results}: {bad} rows need a look")
    return bad


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(1 if asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]))) else 0)
