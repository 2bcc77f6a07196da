"""Screens of bulk runs: the plan, the result, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from marketingblocks_async.bulk.journal.next_steps import bulk_command
from marketingblocks_async.bulk.numbers import listed_rows, noun_of, place_of, rows_that, sent_already
from marketingblocks_async.cli.output import Output

from .bulk_progress import duration

if TYPE_CHECKING:
    from marketingblocks_async.bulk import BulkReport, BulkResult, Counts, Plan
    from marketingblocks_async.bulk.plan import RowWarning

SHOWN_ERRORS = 20
SHOWN_GROUPS = 5
SHOWN_CHANNELS = 20

MIXED = "If only some of them were published"
"""Heading in the page about reconciliation."""


def show_plan(output: Output, plan: Plan) -> None:
    """Print what a run would do, and everything that is wrong."""
    seconds = plan.estimated_seconds
    at_rate = "" if plan.rate is None else f" at {plan.rate:g} per second"
    output.facts(
        f"Plan of {plan.source.file or 'the rows'}",
        [
            ("rows", _rows_and_posts(plan)),
            ("takes", None if seconds is None else f"{at_least(seconds)}{at_rate}"),
            ("permissions", ", ".join(plan.permissions)),
            ("first scheduled", _moment(plan, last=False)),
            ("last scheduled", _moment(plan, last=True)),
            ("not complete", None if plan.complete else "the file could not be read to its end"),
            *_how_it_was_read(plan),
        ],
    )
    if not plan.rows:
        why = "no row is chosen" if plan.source.filtered_rows else "the file has no rows"
        output.note(f"Warning: {why}; nothing would be sent.")
    if plan.channels:
        channels = [
            (each.channel_type, each.channel_id, each.publish_mode, f"{each.rows:,}")
            for each in plan.channels[:SHOWN_CHANNELS]
        ]
        output.table("Channels", ("platform", "channel", "mode", "rows"), channels, right=("channel", "rows"))
        _more(output, len(plan.channels) - SHOWN_CHANNELS, "channel")
    if plan.past_count:
        rows = rows_that(plan.past_count, "is", "are", noun_of(plan))
        which = listed_rows(plan.past_rows, plan.past_count, plan.lines)
        output.note(f"Warning: {rows} scheduled in the past ({which}); 'run' needs --allow-past for them.")
    for group in plan.duplicate_groups[:SHOWN_GROUPS]:
        which = listed_rows(group.rows, group.count, plan.lines)
        same = "rows are the same post" if noun_of(plan) == "row" else "posts are the same"
        output.note(f"Warning: {group.count:,} {same} ({which}); 'run' needs --allow-duplicates.")
    _more(output, plan.duplicate_group_count - SHOWN_GROUPS, "group", " of equal posts")
    if plan.sent_earlier:
        output.note(f"Warning: {sent_already(plan.sent_earlier, plan.lines)}; 'run' needs --allow-duplicates for them.")
    if plan.warnings:
        doubts = _doubts(plan.warnings)
        # Not a table: it would break the addresses that some of them end with.
        output.facts("Please check", doubts[:SHOWN_ERRORS])
        _more(output, len(doubts) - SHOWN_ERRORS, "warning", " (--json lists up to a thousand)")
        _more(output, plan.warning_count - len(plan.warnings), "warning", " beyond the first thousand")
    if plan.faults:
        faults = [
            (f"{each.rows:,}", each.first.line or "", each.column, each.first.value, each.message)
            for each in plan.faults[:SHOWN_ERRORS]
        ]
        output.table(
            "To be corrected", ("rows", "first line", "column", "value", "what to change"), faults,
            right=("rows", "first line"),
        )  # fmt: skip
        _more(output, len(plan.faults) - SHOWN_ERRORS, "fault", " (--json lists up to a thousand)")


def warn_of_run(output: Output, file: str, journal: str) -> None:
    """Say that a file has been sent already, or in part."""
    output.note(
        f"Warning: {journal} has a run of {file} already, and 'run' would stop. {bulk_command('status', journal)}"
    )


def _doubts(warnings: Sequence[RowWarning]) -> list[tuple[str, str]]:
    """Return column and words of the warnings, equal ones together."""
    groups: dict[tuple[str, str], list[RowWarning]] = {}
    for each in warnings:
        groups.setdefault((each.column, each.message), []).append(each)
    return [(column, f"{message}{_places(group)}") for (column, message), group in groups.items()]


def _places(warnings: Sequence[RowWarning]) -> str:
    first = warnings[0]
    if first.row is None:
        # About the file.
        return ""
    place = place_of(first.row, first.line)
    return f" ({place})" if len(warnings) == 1 else f" ({number_of_rows(len(warnings))}; the first is {place})"


def _rows_and_posts(plan: Plan) -> str:
    valid = f"{plan.valid:,} valid, {plan.invalid:,} not valid"
    if plan.source_rows == plan.rows:
        return f"{plan.rows:,}: {valid}"
    return f"{plan.source_rows:,}, which make {plan.rows:,} posts: {valid}"


def _how_it_was_read(plan: Plan) -> list[tuple[str, object]]:
    """Return what was understood of the file, and what of it is not sent."""
    source = plan.source
    left_out = [f"{name} (filled in {number_of_rows(rows)})" for name, rows in source.left_out.items()]
    delimiter = {"\t": "tab"}.get(source.delimiter or "", source.delimiter)
    return [
        ("recipe", source.recipe or None),
        ("sheet", source.sheet),
        ("other sheets", f"{', '.join(source.other_sheets)}; not read" if source.other_sheets else None),
        ("hidden rows", f"{source.hidden_rows:,}" if source.hidden_rows else None),
        (
            "hidden columns",
            f"{', '.join(source.hidden_columns)}; read like the others" if source.hidden_columns else None,
        ),
        ("not chosen", f"{number_of_rows(source.filtered_rows)}" if source.filtered_rows else None),
        ("dates", source.dates),
        ("encoding", source.encoding if source.encoding not in (None, "utf-8") else None),
        ("delimiter", delimiter if delimiter not in (None, ",") else None),
        ("columns not sent", ", ".join(left_out) or None),
        *(("note", note) for note in source.notes),
    ]


def show_result(
    output: Output,
    result: BulkResult,
    journal: str,
    *,
    resume: str,
    is_repeated: bool = False,
    failed: str = "failed.csv",
    looked_for: bool = True,
) -> None:
    """Print the result of a run, and the next step.

    Args:
        output: where to.
        result: the result.
        journal: path of the journal.
        resume: the command that goes on with the journal.
        is_repeated: whether that is the command which has just run.
        failed: name for a file of the failed rows.
        looked_for: whether the run looked for the rows that are unknown now.

    """
    found = result.reconciliation
    output.facts(
        f"{result.ending.value.capitalize()}: {journal}",
        [
            *_numbers(result.counts),
            ("looked for", f"{found.found:,} found, {found.absent:,} absent" if found.found or found.absent else None),
            ("took", f"{_length(result.seconds)} for {number_of_rows(result.sent)}" if result.sent else None),
            ("because", result.reason),
        ],
    )
    counts = result.counts
    if counts.unknown:
        _advise_on_unknown(output, result, journal, resume, is_repeated=is_repeated, looked_for=looked_for)
    if counts.pending:
        output.note(f"{rows_that(counts.pending, 'is', 'are')} still to be sent: {resume}")
    if counts.failed:
        output.note(
            f"Take out what failed, to correct and send it: {bulk_command('report', journal)} --failures {failed}"
        )


def _advise_on_unknown(
    output: Output, result: BulkResult, journal: str, resume: str, *, is_repeated: bool, looked_for: bool
) -> None:
    """Print what can be done about the rows of unknown outcome; never the command that was just run, as it was."""
    found = result.reconciliation
    may = f"{number_of_rows(result.counts.unknown)} may or may not have been published."
    look_again = "run the same command again" if is_repeated else f"look them up: {resume}"
    by_hand = f"{bulk_command('report', journal)} --unknowns unknown.csv"
    if not looked_for:
        output.note(f"{may} They were not looked for yet. Ask the API whether they are there: {resume}")
    elif found.trouble is not None:
        output.note(f"{may} The API's lists could not be read: {found.trouble}")
        output.note(f"When the API answers, {look_again}")
    elif found.undecided_until is not None:
        until = datetime.fromtimestamp(found.undecided_until + 1, UTC).astimezone()
        output.note(f"{may} The API may still list them. Look at the posts by hand: {by_hand}")
        output.note(f"Or wait until {_clock_time(until)}, then {look_again}")
    elif result.ending.value != "incomplete":
        output.note(f"{may} When nothing is in the way, {look_again}")
    else:
        output.note(f"{may} The API's lists do not settle it. See why, and look at the posts by hand: {by_hand}")
        output.note(f"If none of them was published, send them: {resume} --unknown resend")
        output.note(f"If they need not be sent, leave them out: {resume} --unknown skip")
        if result.counts.unknown > 1:
            output.note(f"{MIXED}, see the section of that name in docs/concepts/reconciliation.md")


def _clock_time(moment: datetime) -> str:
    """Return the time of day, with the date if that is not today's."""
    is_today = moment.date() == datetime.now(moment.tzinfo).date()
    return f"{moment:%H:%M:%S}" if is_today else f"{moment:%Y-%m-%d %H:%M:%S}"


def show_status(output: Output, journal: str, status: Mapping[str, object]) -> None:
    """Print how far a run is."""
    numbers = [(name, f"{value:,}") for name, value in status.items() if isinstance(value, int)]
    shown = [(name.replace("_", " "), number) for name, number in numbers if name != "in_flight" or status[name]]
    output.facts(f"{journal}: {status['state']}", [*shown, ("damaged", status["damage"])])


def show_report(output: Output, report: BulkReport) -> None:
    """Print the report of a run."""
    output.facts(
        f"Report of {report.journal}",
        [
            ("file", report.source or None),
            *_numbers(report.counts),
            ("ran for", duration(report.running_seconds) if report.running_seconds else None),
            ("at most", f"{report.peak_rate:.1f} rows per second" if report.timeline else None),
            ("damaged", report.damage),
        ],
    )
    output.table(
        "Sessions",
        ("began", "ended", "how"),
        [(each.began, each.ended or "", each.ending or "killed, or running") for each in report.sessions],
    )
    if report.rows:
        columns = ("row", *(("line",) if _has_lines(report) else ()), "key", "state", "why")
        output.table("Rows that are not done", columns, _by_reason(report), right=("row", "line"))
        rest = report.counts.failed + report.counts.unknown - len(report.rows)
        _more(output, rest, "row", " (--failures and --unknowns write all)")
        _more(output, len({(each.state, each.error) for each in report.rows}) - SHOWN_ERRORS, "reason")


def _has_lines(report: BulkReport) -> bool:
    return any(each.line is not None for each in report.rows)


def _by_reason(report: BulkReport) -> list[tuple[str, ...]]:
    """Return the lines of the table of rows that are not done, equal reasons in one line."""
    groups: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    has_lines = _has_lines(report)
    for each in report.rows:
        line = (str(each.line or ""),) if has_lines else ()
        groups.setdefault((each.state, each.error), []).append((str(each.row), *line, each.key))
    lines: list[tuple[str, ...]] = []
    for (state, why), rows in list(groups.items())[:SHOWN_ERRORS]:
        more = f"\nand {len(rows) - SHOWN_GROUPS} more" if len(rows) > SHOWN_GROUPS else ""
        *numbers, keys = ("\n".join(column[:SHOWN_GROUPS]) for column in zip(*rows, strict=True))
        lines.append((*numbers, f"{keys}{more}", state, why))
    return lines


def _numbers(counts: Counts) -> list[tuple[str, object]]:
    return [(name, f"{number:,}") for name, number in counts.to_dict().items()]


def number_of_rows(count: int) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def at_least(seconds: float) -> str:
    """Return how long something takes, in words."""
    return _length(seconds) if seconds < 1 else f"at least {duration(seconds)}"


def _length(seconds: float) -> str:
    return "less than a second" if seconds < 1 else duration(seconds)


def _moment(plan: Plan, *, last: bool) -> str | None:
    found = plan.last_scheduled if last else plan.first_scheduled
    if found is None:
        return None
    return f"{found.schedule_time} {found.time_zone} ({place_of(found.row, plan.lines.of(found.row))})"


def _more(output: Output, count: int, noun: str, rest: str = "") -> None:
    if count > 0:
        output.note(f"and {count:,} more {noun}{'' if count == 1 else 's'}{rest}")
