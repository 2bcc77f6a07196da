"""``marketingblocks bulk``: files of posts."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.errors import ExitCode, Interrupted, code_of
from marketingblocks_async.cli.settings import Settings, run_async

from .bulk_reading import File, Reading, opened, takes_reading
from .bulk_recipes import app as recipe_app

if TYPE_CHECKING:
    from marketingblocks_async import MarketingBlocks
    from marketingblocks_async.bulk import BulkResult, JournalReader, Plan

app: typer.Typer = new_app("Post a spreadsheet: plan it, run it, resume it after whatever happened.")
app.add_typer(recipe_app, name="recipe")


class Unknown(StrEnum):
    """What to do with rows whose outcome stays unknown."""

    REPORT = "report"
    RESEND = "resend"
    SKIP = "skip"


JournalPath = Annotated[Path, typer.Argument(metavar="JOURNAL", help="Journal of the run.")]
UnknownOption = Annotated[
    Unknown,
    typer.Option(
        help="Rows that may have been published and cannot be found out about: report them, resend them (at the risk "
        "of publishing twice), or skip them."
    ),
]
MaxFailures = Annotated[int | None, typer.Option(min=1, help="Stop after so many rows failed.")]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Rows in flight at most; by default what the rate needs.")]
Timeout = Annotated[float, typer.Option(help="Seconds for one attempt.")]


def _not_negative(seconds: float) -> float:
    """Check before a journal is made: afterwards it would have to be resumed."""
    if not 0 <= seconds < float("inf"):
        msg = f"{seconds} is not 0 or more seconds"
        raise typer.BadParameter(msg)
    return seconds


SettleAfter = Annotated[
    float,
    typer.Option(
        callback=_not_negative, help="Seconds after which a request that was sent is carried out and listed, or never."
    ),
]


@dataclass(frozen=True, slots=True)
class _RunOptions:
    unknown: str
    max_failures: int | None
    concurrency: int | None
    settle_after: float


@command(
    app,
    "plan",
    examples="""
    marketingblocks bulk plan posts.csv
    marketingblocks bulk plan posts.xlsx --sheet January --map "Text=caption_text" --map "Notes=" --json
    marketingblocks bulk plan hootsuite.csv --recipe hootsuite --channel facebook:11 --set time_zone=Europe/Berlin
    """,
)
@takes_reading
def plan(
    settings: Settings,
    *,
    file: File,
    reading: Reading,
) -> ExitCode:
    """Check a file and say what sending it would do. Nothing is sent, and no access token is needed.

    Exit code 2 says that rows are not valid.
    """
    from marketingblocks_async.bulk import SourceError, make_plan

    from .bulk_screens import show_plan

    try:
        with opened(file, reading.options()) as (path, how):
            made: Plan = make_plan(path, rate=settings.rate, **how)
    except SourceError as error:
        if error.plan is None or not error.plan.rows:
            raise
        # What was read until then is worth showing; the plan ends with the error.
        made = error.plan
    settings.output.result(made.to_dict(), lambda: show_plan(settings.output, made))
    return ExitCode.DONE if made.ok else ExitCode.FAILED


@command(
    app,
    "run",
    examples="""
    marketingblocks bulk run posts.csv --journal posts.journal
    marketingblocks bulk run posts.xlsx --journal posts.journal --skip-invalid --max-failures 10
    """,
)
@takes_reading
def run(
    settings: Settings,
    *,
    file: File,
    reading: Reading,
    journal: Annotated[Path, typer.Option(metavar="JOURNAL", help="File that will remember what became of each row.")],
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the valid rows even if others are not.")
    ] = False,
    unknown: UnknownOption = Unknown.REPORT,
    max_failures: MaxFailures = None,
    concurrency: Concurrency = None,
    timeout: Timeout = 30.0,
    settle_after: SettleAfter = 60.0,
) -> ExitCode:
    """Send the rows of a file, each once.

    What is about to be sent is on the disk before it is sent, so after a crash at any instant 'bulk resume' goes on.
    Ctrl-C finishes what is in flight; a second one stops at once.
    """
    from marketingblocks_async.bulk import InvalidRowsError, create_journal

    from .bulk_screens import rows_are, show_plan

    # Before the file is read: a missing token or a wrong setting should not cost a minute.
    client = settings.client(timeout=timeout)
    try:
        with opened(file, reading.options()) as (path, how):
            made: Plan = run_async(create_journal(path, journal, skip_invalid=skip_invalid, rate=settings.rate, **how))
    except InvalidRowsError as error:
        if not settings.output.as_json and error.plan is not None:
            show_plan(settings.output, error.plan)
        raise
    except Interrupted:
        msg = "interrupted while the file was being read; nothing was sent, and there is no journal"
        raise Interrupted(msg) from None
    if made.invalid:
        settings.output.note(f"{rows_are(made.invalid)} not valid and left out; counted as failed.")
    return _send(settings, client, journal, _RunOptions(unknown, max_failures, concurrency, settle_after))


@command(
    app,
    "resume",
    examples="""
    marketingblocks bulk resume posts.journal
    marketingblocks bulk resume posts.journal --unknown resend
    """,
)
def resume(
    settings: Settings,
    *,
    journal: JournalPath,
    unknown: UnknownOption = Unknown.REPORT,
    max_failures: MaxFailures = None,
    concurrency: Concurrency = None,
    timeout: Timeout = 30.0,
    settle_after: SettleAfter = 60.0,
) -> ExitCode:
    """Go on with a run that was killed, stopped or interrupted. What is done is never sent again.

    Rows of unknown outcome are looked for at the API first: those that exist are done, those that certainly do not are
    sent, and the others stay unknown.
    """
    client = settings.client(timeout=timeout)
    return _send(settings, client, journal, _RunOptions(unknown, max_failures, concurrency, settle_after))


@command(app, "status", examples="marketingblocks bulk status posts.journal --json")
def status(settings: Settings, *, journal: JournalPath) -> None:
    """Say how far a run is; it may be going on meanwhile."""
    from marketingblocks_async.bulk import JournalReader

    from .bulk_screens import show_counts

    with JournalReader(journal) as reader:
        counts, state = reader.counts(), _state_of(reader)
    data = {**counts.to_dict(), "state": state}
    settings.output.result(data, lambda: show_counts(settings.output, counts, str(journal), state))


@command(
    app,
    "report",
    examples="""
    marketingblocks bulk report posts.journal --html report.html
    marketingblocks bulk report posts.journal --failures failed.csv
    """,
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
) -> None:
    """Say what became of a run: for people, as JSON, as an HTML page, as CSV files of the rows that are not done."""
    from marketingblocks_async.bulk import JournalReader, RowState, html_report, make_report, write_failures

    from .bulk_screens import show_report

    with JournalReader(journal) as reader:
        made = make_report(reader)
        for path in (html, failures, unknowns):
            if path is not None:
                _check_target(path, (journal, Path(made.source) if made.source else None))
        if html is not None:
            html.write_text(html_report(made), encoding="utf-8", errors="backslashreplace")
        if failures is not None:
            write_failures(reader, failures)
        if unknowns is not None:
            write_failures(reader, unknowns, (RowState.UNKNOWN, RowState.SENDING))
    settings.output.result(made.to_dict(), lambda: show_report(settings.output, made))


def _send(
    settings: Settings,
    client: MarketingBlocks,
    journal: Path,
    options: _RunOptions,
) -> ExitCode:
    from marketingblocks_async.bulk import BulkRun, Ending, Journal

    from .bulk_progress import interrupts, shown_progress
    from .bulk_screens import show_result

    async def send() -> BulkResult:
        async with client, Journal(journal) as opened:
            with shown_progress(settings.output) as show:
                bulk_run = BulkRun(client, opened, **asdict(options), on_progress=show)

                def first() -> None:
                    bulk_run.stop()
                    settings.output.note("Finishing what is in flight; Ctrl-C again to stop at once.")

                with interrupts(first, bulk_run.abort):
                    return await bulk_run.run()

    result = asyncio.run(send())
    settings.output.result(result.to_dict(), lambda: show_result(settings.output, result, str(journal)))
    if result.ending in (Ending.INTERRUPTED, Ending.ABORTED):
        return ExitCode.INTERRUPTED
    return code_of(result.counts)


def _state_of(reader: JournalReader) -> str:
    if reader.is_running():
        return "running"
    sessions = reader.sessions()
    if not sessions:
        return "not begun"
    return sessions[-1][2] or "killed"


def _check_target(path: Path, precious: tuple[Path | None, ...]) -> None:
    """Refuse to write over the journal or the file that its rows came from.

    Raises:
        ValueError: it is one of them.

    """
    for each in precious:
        if each is not None and path.exists() and each.exists() and path.samefile(each):
            msg = f"{path} would be written over, and the run needs it; give another name"
            raise ValueError(msg)
