"""Send the rows of a journal: the options of ``bulk run`` and ``bulk resume``, and the run itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from marketingblocks_async.cli import signals
from marketingblocks_async.cli.command import TakesOptions, takes_options
from marketingblocks_async.cli.errors import ExitCode, code_of, with_options
from marketingblocks_async.cli.settings import BASE_URL_VARIABLE, Settings

from .bulk_targets import check_results, check_target, sha256_of

if TYPE_CHECKING:
    from marketingblocks_async import MarketingBlocks
    from marketingblocks_async.bulk import BulkResult


class Unknown(StrEnum):
    """Ways to treat rows of unknown outcome."""

    REPORT = "report"
    RESEND = "resend"
    SKIP = "skip"


class OnOutage(StrEnum):
    """Reactions to an API that seems to be down."""

    STOP = "stop"
    WAIT = "wait"
    FAIL = "fail"


def _not_negative(seconds: float | None) -> float | None:
    """Check before a journal is made: afterwards it would have to be resumed."""
    if seconds is not None and not 0 <= seconds < float("inf"):
        msg = f"{seconds} is not 0 or more seconds"
        raise typer.BadParameter(msg)
    return seconds


Results = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the result of each row: .json for JSON, any other name for CSV."),
]
AllowPast = Annotated[bool, typer.Option("--allow-past", help="Send rows whose schedule time is past.")]
NewToken = Annotated[
    bool,
    typer.Option(
        "--accept-new-token", help="The account has got a new access token since the run began; go on with this one."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The options of sending rows, one a field."""

    results: Results = None
    unknown: Annotated[
        Unknown,
        typer.Option(
            help="Rows that are of unknown outcome when the run begins. report: look for them, and leave those that "
            "cannot be decided. resend: look for them, and send those again (this may publish twice). skip: count them "
            "as failed, without a look."
        ),
    ] = Unknown.REPORT
    max_failures: Annotated[int | None, typer.Option(min=1, help="Stop after this number of failed rows.")] = None
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Largest number of rows in flight; by default as many as the rate needs.")
    ] = None
    timeout: Annotated[float, typer.Option(help="Seconds for one attempt.")] = 30.0
    settle_after: Annotated[
        float | None,
        typer.Option(
            callback=_not_negative,
            help="How many seconds to wait before a post that is not listed counts as not created; by default 60, or "
            "twice --timeout if that is more.",
        ),
    ] = None
    on_outage: Annotated[
        OnOutage,
        typer.Option(
            help="When several consecutive rows get no usable response: stop, or wait until the API is well again. A "
            "run that waits sends a row on trial, and ends after 5 such rows without a success. fail: like stop, but "
            "rows that the API itself refuses (403, 404, ...) fail, however many there are, and the run goes on."
        ),
    ] = OnOutage.STOP


takes_sending: TakesOptions = takes_options(Sending, "sending")


def send(
    settings: Settings,
    client: MarketingBlocks,
    path: Path,
    how: Sending,
    *,
    allow_past: bool,
    allow_duplicates: bool = True,
    resumed: bool = False,
    accept_new_token: bool = False,
) -> ExitCode:
    """Send what is pending in a journal, and show progress, result and next step."""
    from marketingblocks_async import AuthenticationError, ConfigurationError
    from marketingblocks_async.bulk import BulkRun, Ending, Journal
    from marketingblocks_async.bulk.journal.earlier import refuse_sent_meanwhile
    from marketingblocks_async.bulk.journal.next_steps import name_for_failures

    from .bulk_journals import runs_of_agents
    from .bulk_progress import shown_progress
    from .bulk_screens import show_result

    async def run() -> tuple[BulkResult, str]:
        async with client, Journal(path) as journal:
            source = journal.meta.get("source", "")
            if resumed and _has_changed(journal.meta):
                settings.output.note(f"Warning: {source} has changed since the plan; its rows are sent as planned.")
            if how.results is not None:
                check_target(how.results, path, journal.meta)
                check_results(how.results)
            if not allow_duplicates:
                # A row that is only looked for is not sent as long as the other run's post is listed.
                resends = how.unknown is Unknown.RESEND
                folders = runs_of_agents(client.base_url)
                await asyncio.to_thread(
                    refuse_sent_meanwhile, journal, client.base_url, unknown=resends, folders=folders
                )
            with shown_progress(settings.output) as show:
                bulk_run = BulkRun(
                    client,
                    journal,
                    unknown=how.unknown,
                    max_failures=how.max_failures,
                    concurrency=how.concurrency,
                    settle_after=how.settle_after,
                    on_outage=how.on_outage,
                    allow_past=allow_past,
                    accept_new_token=accept_new_token,
                    on_progress=show,
                    on_remark=lambda text: settings.output.note(f"Warning: {with_options(text)}"),
                )

                def first() -> None:
                    bulk_run.stop()
                    settings.output.note("Finishing the rows in flight; press Ctrl-C again to stop at once.")

                with signals.interrupts(first, bulk_run.abort):
                    return await bulk_run.run(), source

    result, source = signals.run(run())
    if result.reason is not None:
        result = replace(result, reason=with_options(result.reason))
    settings.output.result(
        {**result.to_dict(), "journal": str(path)},
        lambda: show_result(
            settings.output,
            result,
            str(path),
            resume=_resume_command(settings, path, how),
            # With --unknown resend the same command would send rows of unknown outcome once more.
            is_repeated=resumed and how.unknown is Unknown.REPORT,
            failed=name_for_failures(source),
            looked_for=how.unknown is not Unknown.SKIP,
        ),
    )
    is_written = how.results is None or _is_written(settings, path, how.results)
    if result.ending in (Ending.INTERRUPTED, Ending.ABORTED):
        return ExitCode.INTERRUPTED
    code = code_of(result.counts)
    if code is ExitCode.DONE and not is_written:
        return ExitCode.USAGE
    if code is ExitCode.FAILED and isinstance(result.cause, AuthenticationError | ConfigurationError):
        return ExitCode.USAGE
    return code


def _resume_command(settings: Settings, path: Path, how: Sending) -> str:
    """Return the command that goes on with a journal as this one did; a row of unknown outcome is only looked for."""
    from marketingblocks_async.bulk.journal.next_steps import bulk_command

    default = Sending()
    given = {
        "--max-failures": how.max_failures,
        "--concurrency": how.concurrency,
        "--timeout": None if how.timeout == default.timeout else f"{how.timeout:g}",
        "--on-outage": None if how.on_outage is default.on_outage else how.on_outage.value,
        # A base URL of the environment is there the next time, too.
        "--base-url": None if settings.base_url == os.environ.get(BASE_URL_VARIABLE) else settings.base_url,
        "--token-file": settings.token_file,
        "--rate": settings.given_rate,
    }
    options = [f"{name} {quote(str(value))}" for name, value in given.items() if value is not None]
    return " ".join([bulk_command("resume", path), *options])


def _has_changed(meta: Mapping[str, str]) -> bool:
    """Return whether the file that a run was planned from is there and holds something else now."""
    from marketingblocks_async.bulk.journal.journal import SOURCE_PATH

    planned, source = meta.get("source_sha256"), Path(meta.get(SOURCE_PATH, meta.get("source", "")))
    # It may be where this account may not look.
    with suppress(OSError):
        return bool(planned) and source.is_file() and sha256_of(source) != planned
    return False


def _is_written(settings: Settings, path: Path, results: Path) -> bool:
    """Write the results of a run to a file; return whether that succeeded."""
    from marketingblocks_async.bulk import JournalReader, write_results

    try:
        with JournalReader(path) as reader:
            write_results(reader, results)
    except OSError as exc:
        settings.output.note(
            f"{results} could not be written: {exc.strerror or exc}. The run itself is as shown; "
            f"write its results with: marketingblocks bulk report {quote(str(path))} --results FILE"
        )
        return False
    return True
