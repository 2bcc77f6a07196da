"""Numbers of rows and posts, and their words: a row of a spreadsheet that goes to several channels makes several posts.

The first post of a row has the row's number, so that rows and posts are the same where each row makes one post. The
other posts of a row stand far above all rows. They are sent after the first posts, those of each channel in the order
of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .plan import Lines, Plan, SentEarlier

_MOST_LISTED = 5

FIRST_OTHER = 2**40
"""More rows than any file has; with up to 8,000 channels the numbers stay exact in Lua and JavaScript."""


def post_number(row: int, part: int) -> int:
    """Return the number of a post: of the ``part`` (from 1; 0 if the row makes one post) of a data row (from 1)."""
    return row + FIRST_OTHER * max(part - 1, 0)


def rows_that(count: int, one: str, many: str, noun: str = "row") -> str:
    """Return ``1 row is`` or ``2 rows are`` for the verbs ``is`` and ``are``."""
    return f"1 {noun} {one}" if count == 1 else f"{count:,} {noun}s {many}"


def listed_rows(rows: Sequence[int], count: int, lines: Lines | None = None) -> str:
    """Return ``row 3`` or ``rows 1, 2, ...`` for the first of ``count`` posts, with their lines as far as known."""
    # A row that goes to several channels makes several posts.
    different = list(dict.fromkeys(rows))
    shown = different[:_MOST_LISTED]
    more = ", ..." if len(different) > len(shown) or count > len(rows) else ""
    are_many = len(different) > 1 or bool(more)
    listed = f"{'rows' if are_many else 'row'} {', '.join(map(str, shown))}{more}"
    found = [None if lines is None else lines.of(row) for row in shown]
    if not found or None in found:
        return listed
    return f"{listed} in {'lines' if are_many else 'line'} {', '.join(map(str, found))}{more}"


def noun_of(plan: Plan) -> str:
    """Return what a plan counts: rows, or posts if a row of the file makes several."""
    return "row" if plan.rows == plan.source_rows else "post"


def place_of(row: int, line: int | None) -> str:
    """Return ``row 3 in line 8``, or the row alone if its line is not known."""
    return f"row {row}" if line is None else f"row {row} in line {line}"


@dataclass(frozen=True, slots=True)
class Passed:
    """Posts whose schedule time has passed since the plan.

    Attributes:
        posts: number of posts.
        first: the first row of each time, in order.
        more: whether there are further rows.
        split: whether one of the posts may be one of several of its row.

    """

    posts: int
    first: tuple[int, ...]
    more: bool
    split: bool

    def told(self, lines: Lines) -> str:
        """Return ``1 row has a schedule time that has passed since the run was planned (row 3 in line 8)``."""
        have = rows_that(self.posts, "has", "have", "post" if self.split else "row")
        which = listed_rows(self.first, len(self.first) + self.more, lines)
        return f"{have} a schedule time that has passed since the run was planned ({which})"


def sent_already(sent: Sequence[SentEarlier], lines: Lines) -> str:
    """Return in words what other runs have sent, or have pending."""
    by = by_runs(sent, lines)
    return f"posts of this file were sent already, may have been, or are pending in another run ({by})"


def by_runs(sent: Sequence[SentEarlier], lines: Lines) -> str:
    """Return ``row 3 in line 8 by the run of posts.csv.journal``, for each run and for the calls of each MCP server."""
    return "; ".join(
        f"{listed_rows(each.rows, each.count, lines)} by "
        f"{'single calls of the MCP server with the journal' if each.single_calls else 'the run of'} "
        f"{each.journal}"
        for each in sent
    )


def row_of(number: int) -> int:
    """Return the data row of the post with this number."""
    return number % FIRST_OTHER
