"""The header of a file: found, understood, or refused with what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from marketingblocks_async.bulk.facts import SourceFacts

from .columns import LISTED_IN_MESSAGES, ColumnRules, Layout, compile_layout
from .display import RowError, SourceError, visible

HINT_ROWS = 10
"""How many rows below a first row without known names are looked at, to say which one looks like the header."""


def checked_header(names: Sequence[str], line: int, facts: SourceFacts, rules: ColumnRules) -> Layout:
    """Return how the rows below a header are read.

    Args:
        names: the header's cells.
        line: where it is in the file, from 1.
        facts: takes the columns.
        rules: what the caller says about columns.

    Raises:
        SourceError: a column is not known, a field has two columns, or the mapping names a column that is not there;
            ``errors`` has all of them.

    """
    layout = compile_layout(names, rules)
    facts.columns = layout.fields
    problems = [(problem.column, problem.message) for problem in layout.problems]
    problems += [
        (visible(name), f'the mapping names the column "{visible(name)}", which is not in the header')
        for name in rules.missing_from(each.strip() for each in names)
    ]
    if problems:
        errors = [RowError(None, column, "", message, facts.file, line) for column, message in problems]
        listed = "; ".join(message for _, message in problems[:LISTED_IN_MESSAGES])
        more = len(problems) - LISTED_IN_MESSAGES
        msg = f"{listed}; and {more} more" if more > 0 else listed
        raise SourceError(msg, file=facts.file, line=line, errors=errors)
    return layout


def no_header(names: Sequence[str], line: int, later: Iterable[tuple[int, int]], facts: SourceFacts) -> SourceError:
    """Return the error for a first row that has no known column name.

    Args:
        names: the first row's cells.
        line: where it is.
        later: line → how many known names it has, for some rows below it.
        facts: which file.

    """
    found, known = max(later, key=lambda pair: (pair[1], -pair[0]), default=(0, 0))
    first = visible(next((name for name in names if name.strip()), ""))
    if first.startswith(("{", "[")):
        msg = "this is JSON; write one object a line and name the file .jsonl"
    elif first.startswith("<"):
        msg = "this is a web page or an XML file, not a table; export the sheet as CSV"
    elif known > 1:
        msg = f'the first row ("{first}") is not the header, but line {found} looks like it; delete the rows above that'
    else:
        msg = (
            f'the first row ("{first}") has no known column name; its cells must be the names of the columns: '
            "channel_type, channel_id, post_type, caption_text, media_urls, publish_mode, …"
        )
    return SourceError(msg, file=facts.file, line=line)
