"""``marketingblocks bulk``: files of posts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.errors import ExitCode, Interrupted
from marketingblocks_async.cli.settings import Settings, run_async
from marketingblocks_async.cli.signals import ended_like_ctrl_c

from .bulk_journals import JournalOption, JournalPath, beside, find_journal, find_sent, new_journal, runs_of_agents
from .bulk_reading import File, Reading, opened, takes_reading
from .bulk_recipes import app as recipe_app
from .bulk_sending import AllowPast, NewToken, Results, Sending, send, takes_sending
from .bulk_targets import check_page, check_results, check_rows, check_target

if TYPE_CHECKING:
    from marketingblocks_async.bulk import BulkReport, JournalReader, Plan

app: typer.Typer = new_app("Post a spreadsheet: plan it, run it, and resume it after a crash or a stop.")
app.add_typer(recipe_app, name="recipe")


CheckMedia = Annotated[
    bool, typer.Option("--check-media", help="Ask the addresses of media whether there is a file (HEAD requests).")
]


@command(
    app,
    "plan",
    examples="""
    marketingblocks bulk plan posts.csv
    marketingblocks bulk plan posts.xlsx --sheet January --map "Text=caption_text" --map "Notes=" --json
    marketingblocks bulk plan hootsuite.csv --recipe hootsuite --channel facebook:11 --set time_zone=Europe/Berlin
    """,
    shared=("base_url", "rate", "limit", "as_json"),
)
@takes_reading
def plan(
    settings: Settings,
    *,
    file: File,
    reading: Reading,
    check_media: CheckMedia = False,
) -> ExitCode:
    """Check a file and show the posts that it would create. Nothing is sent, and no access token is needed.

    Exit code 2 means that rows are not valid.
    """
    from marketingblocks_async.bulk import SourceError, amake_plan

    from .bulk_screens import show_plan, warn_of_run

    try:
        with opened(file, reading.options()) as (path, how):
            find = find_sent(file, settings.base_url)
            made: Plan = run_async(amake_plan(path, rate=settings.rate, check_media=check_media, find_sent=find, **how))
    except SourceError as error:
        if error.plan is None or not error.plan.rows:
            raise
        # What was read until then is worth showing; the plan ends with the error.
        made = error.plan
    settings.output.result(made.to_dict(), lambda: show_plan(settings.output, made))
    if (journal := beside(file)).is_file():
        warn_of_run(settings.output, file.name, str(journal))
    return ExitCode.DONE if made.ok else ExitCode.FAILED


@command(
    app,
    "run",
    examples="""
    marketingblocks bulk run posts.csv
    marketingblocks bulk run posts.xlsx --journal may.journal --skip-invalid --max-failures 10
    """,
)
@takes_sending
@takes_reading
def run(
    settings: Settings,
    *,
    file: File,
    reading: Reading,
    sending: Sending,
    journal: JournalOption = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the valid rows even if others are not.")
    ] = False,
    allow_past: AllowPast = False,
    allow_duplicates: Annotated[
        bool,
        typer.Option(
            "--allow-duplicates",
            help="Send rows that are the same post as an earlier one, or as one of another run in the folder or of an "
            "agent.",
        ),
    ] = False,
    check_media: CheckMedia = False,
) -> ExitCode:
    """Send the rows of a file, each once.

    Each row is written to the journal before it is sent, so 'bulk resume' can continue after a crash at any instant.
    The journal of posts.csv is posts.csv.journal, unless you choose another.
    Ctrl-C lets the rows in flight finish; a second Ctrl-C stops at once. SIGTERM and SIGHUP (a terminal that is closed)
    do the same.
    """
    from marketingblocks_async.bulk import InvalidRowsError, UnconfirmedRowsError, create_journal
    from marketingblocks_async.bulk.numbers import noun_of, rows_that

    from .bulk_screens import show_plan

    # Before the file is read: a missing token or a wrong setting should not cost a minute.
    client = settings.client(timeout=sending.timeout)
    if sending.results is not None:
        check_target(sending.results, journal or beside(file), {"source": str(file)})
        check_results(sending.results)
    try:
        with (
            ended_like_ctrl_c(),
            new_journal(file, journal) as made_at,
            opened(file, reading.options()) as (path, how),
        ):
            made: Plan = run_async(
                create_journal(
                    path, made_at, skip_invalid=skip_invalid, allow_past=allow_past, allow_duplicates=allow_duplicates,
                    base_url=client.base_url, also_in=runs_of_agents(client.base_url), check_media=check_media,
                    rate=settings.rate, **how,
                )
            )  # fmt: skip
    except (InvalidRowsError, UnconfirmedRowsError) as error:
        if not settings.output.as_json and error.plan is not None:
            show_plan(settings.output, error.plan)
        raise
    except (Interrupted, KeyboardInterrupt):
        msg = "interrupted while the file was being read; nothing was sent, and there is no journal"
        raise Interrupted(msg) from None
    if not settings.output.as_json:
        show_plan(settings.output, made)
    if made.invalid:
        rows = rows_that(made.invalid, "is", "are", noun_of(made))
        settings.output.note(f"{rows} not valid and left out; counted as failed.")
    return send(settings, client, made_at, sending, allow_past=allow_past)


@command(
    app,
    "resume",
    examples="""
    marketingblocks bulk resume posts.csv
    marketingblocks bulk resume posts.csv --unknown resend
    """,
)
@takes_sending
def resume(
    settings: Settings,
    *,
    journal: JournalPath,
    sending: Sending,
    allow_past: AllowPast = False,
    allow_duplicates: Annotated[
        bool,
        typer.Option(
            "--allow-duplicates",
            help="Send rows that another run in the folder, or an agent, has sent since this one was planned.",
        ),
    ] = False,
    accept_new_token: NewToken = False,
) -> ExitCode:
    """Continue a run that was killed, stopped or interrupted. Rows that are done are never sent again.

    Rows of unknown outcome are looked up at the API first: those that exist are done, those that certainly do not are
    sent, and the others stay unknown.
    If the schedule time of a row has passed since the file was checked, nothing is sent without --allow-past.
    If another run in the folder has sent one of its rows since then, nothing is sent without --allow-duplicates.
    That holds for what agents have sent by 'marketingblocks mcp', too.
    """
    journal = find_journal(journal)
    client = settings.client(timeout=sending.timeout)
    return send(
        settings, client, journal, sending, allow_past=allow_past, allow_duplicates=allow_duplicates, resumed=True,
        accept_new_token=accept_new_token,
    )  # fmt: skip


@command(app, "status", examples="marketingblocks bulk status posts.csv --json", shared=("as_json",))
def status(settings: Settings, *, journal: JournalPath) -> None:
    """Show the progress of a run, which may be running."""
    from marketingblocks_async.bulk import JournalReader

    from .bulk_screens import show_status

    journal = find_journal(journal)
    with JournalReader(journal) as reader:
        state = _state_of(reader)
        counts, sending = reader.counts_and_sending()
        in_flight = sending if state == "running" else 0
        counts = counts.without_in_flight(in_flight)
        data = {**counts.to_dict(), "in_flight": in_flight, "state": state, "damage": reader.damage}
    settings.output.result(data, lambda: show_status(settings.output, str(journal), data))


@command(
    app,
    "report",
    examples="""
    marketingblocks bulk report posts.csv --html report.html
    marketingblocks bulk report posts.csv --failures failed.csv
    marketingblocks bulk report posts.csv --results results.csv
    """,
    shared=("as_json",),
)
def report(
    settings: Settings,
    *,
    journal: JournalPath,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with a chart of the run.")] = None,
    failures: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the failed rows as CSV, to be corrected and sent.")
    ] = None,
    unknowns: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the rows of unknown outcome as CSV, to look them up.")
    ] = None,
    results: Results = None,
) -> None:
    """Report on a run: for people, as JSON, as an HTML page, as CSV files of the rows that failed or are unknown."""
    from marketingblocks_async.bulk import (
        JournalReader,
        RowState,
        make_report,
        write_failures,
        write_results,
    )

    from .bulk_screens import show_report

    journal = find_journal(journal)
    with JournalReader(journal) as reader:
        made = make_report(reader)
        failed = partial(write_failures, reader)
        unknown = partial(write_failures, reader, states=[RowState.UNKNOWN, RowState.SENDING])
        files: tuple[tuple[Path | None, Callable[[Path], object], Callable[[Path], object]], ...] = (
            (html, check_page, partial(_write_page, report=made)),
            (failures, partial(check_rows, write=failed), failed),
            (unknowns, partial(check_rows, write=unknown), unknown),
            (results, check_results, partial(write_results, reader)),
        )
        targets = [(path, check, write) for path, check, write in files if path is not None]
        for number, (path, check, _) in enumerate(targets):
            check_target(path, journal, reader.meta)
            if path in (other for other, _, _ in targets[:number]):
                msg = f"{path} is the name of two files; give each its own"
                raise ValueError(msg)
            check(path)
        # Nothing is written before all of them are checked.
        for path, _, write in targets:
            write(path)
    settings.output.result(made.to_dict(), lambda: show_report(settings.output, made))


def _write_page(path: Path, report: BulkReport) -> None:
    from marketingblocks_async.bulk import html_report

    path.write_text(html_report(report), encoding="utf-8", errors="backslashreplace")


def _state_of(reader: JournalReader) -> str:
    if reader.is_running():
        return "running"
    sessions = reader.sessions()
    if not sessions:
        return "not begun"
    return sessions[-1][2] or "killed"
