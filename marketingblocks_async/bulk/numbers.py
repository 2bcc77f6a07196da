"""Numbers of rows and posts, and their words: a row of a spreadsheet that goes to several channels makes several posts.

The first post of a row has the row's number, so that rows and posts are the same where each row makes one post. The
other posts of a row stand far above all rows. They are sent after the first posts, those of each channel in the order
of the file.
"""

from __future__ import annotations

from collections.abc import Sequence

from .plan import SentEarlier

_MOST_LISTED = 5

_FIRST_OTHER = 2**40
"""More rows than any file has; with up to 8,000 channels the numbers stay exact in Lua and JavaScript."""


def post_number(row: int, part: int) -> int:
    """Return the number of a post: of the ``part`` (from 1; 0 if the row makes one post) of a data row (from 1)."""
    return row + _FIRST_OTHER * max(part - 1, 0)


def rows_that(count: int, one: str, many: str) -> str:
    """Return ``1 row is`` or ``2 rows are`` for the verbs ``is`` and ``are``."""
    return f"1 row {one}" if count == 1 else f"{count:,} rows {many}"


def listed_rows(rows: Sequence[int], count: int) -> str:
    """Return ``row 3`` or ``rows 1, 2, ...`` for the first of ``count`` rows."""
    shown = rows[:_MOST_LISTED]
    more = ", ..." if count > len(shown) else ""
    return f"{'row' if count == 1 else 'rows'} {', '.join(map(str, shown))}{more}"


def sent_already(sent: Sequence[SentEarlier]) -> str:
    """Return in words what other runs have sent, or have pending."""
    return f"posts of this file were sent already, may have been, or are pending in another run ({by_runs(sent)})"


def by_runs(sent: Sequence[SentEarlier]) -> str:
    """Return ``row 3 by the run of posts.csv.journal``, for each run."""
    return "; ".join(f"{listed_rows(each.rows, each.count)} by the run of {each.journal}" for each in sent)


def row_of(number: int) -> int:
    """Return the data row of the post with this number."""
    return number % _FIRST_OTHER
