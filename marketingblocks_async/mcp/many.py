"""``create_many_posts``: plan, then run what was planned against a journal, in the background if it takes long."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from marketingblocks_async import MarketingBlocks
from marketingblocks_async.bulk import (
    BulkProgress,
    BulkResult,
    BulkRun,
    Counts,
    InvalidRowsError,
    Journal,
    JournalError,
    JournalExistsError,
    JournalInUseError,
    OtherTokenError,
    Plan,
    Recipe,
    RowState,
    SourceError,
    UnconfirmedRowsError,
    amake_plan,
    create_journal,
)
from marketingblocks_async.bulk.journal.account import check_api
from marketingblocks_async.bulk.journal.files import lock_journal
from marketingblocks_async.bulk.sheets.words import COMMAND_LINE
from marketingblocks_async.errors import InvalidArgumentError

from .failures import advice_for, outcome_of, said_by
from .journal import Order, SentPost
from .many_results import (
    ENDED_EARLIER,
    LISTED_ERRORS,
    being_stored,
    file_changed,
    is_repetition,
    other_content,
    other_numbers,
    other_token,
    planned,
    question_before,
    repetition,
    shown,
    steps_after,
    still_running,
    times_passed,
)
from .results import Outcome, ToolResult, key_of, result
from .stored import KEY_NAME, Hashes, Stored, look, rows_not_done, runs_with
from .tools import CREATE_MANY
from .writes import Writes

ANSWER_AFTER = 40.0
"""Seconds after which a run that goes on is reported; clients give up on a call after 60."""

PROGRESS_EVERY = 1.0

# Errors name the options of the command line, since the tool has none and a person can use those.
_RECIPE = Recipe(words=COMMAND_LINE)

_OPTIONS = (
    "Options named there are those of marketingblocks bulk run, which the person can use. Here give corrected rows as "
    "posts. Leave out rows that are not ready to be published, and not only the column that says so."
)

Report = Callable[[BulkProgress], Awaitable[None]]
Ask = Callable[[str, str], Awaitable[ToolResult | None]]


class ManyArguments(BaseModel):
    """The arguments of the tool."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    action: Literal["plan", "run", "status"]
    posts: list[dict[str, Any]] | None = None
    file: str | None = None
    request_key: Annotated[str, BeforeValidator(key_of)] | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.action == "plan" and (self.posts is None) == (self.file is None):
            msg = "plan needs either posts or file"
            raise InvalidArgumentError(msg)
        if self.action != "plan" and (self.request_key is None or self.posts is not None or self.file is not None):
            msg = f"{self.action} takes the request_key that plan returned, and neither posts nor file"
            raise InvalidArgumentError(msg)
        return self


@dataclass(eq=False)
class Running:
    """A run in this process, and how far it is.

    Attributes:
        task: the run.
        begun: set when other runs can see in its journal that it has begun, or when it has ended.
        run: the same as an object, from the task's first step on.
        progress: how far it is; ``None`` before the first report.
        remarks: sentences about what does not stop it.

    """

    task: asyncio.Task[BulkResult]
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    run: BulkRun | None = None
    progress: BulkProgress | None = None
    remarks: list[str] = field(default_factory=list[str])


@dataclass(eq=False)
class ManyPosts:
    """The bulk runs of one server.

    Args:
        journals: folder of their journals.
        files: folder from which files may be read; ``None`` for no files.
        writes: the single writes of the server.
        running: the runs of this process, by their request keys.

    """

    journals: Path
    files: Path | None
    writes: Writes
    running: dict[str, Running] = field(default_factory=dict[str, Running])
    # Those that were stopped in this process, by their request keys: a run may end after the answer to its call.
    _stopped: dict[str, BulkResult] = field(default_factory=dict[str, BulkResult], init=False)

    async def call(
        self,
        client: MarketingBlocks,
        arguments: ManyArguments,
        consent: Ask,
        report: Report,
        *,
        can_ask: bool,
    ) -> ToolResult:
        """Answer one call of the tool.

        Args:
            client: the open client.
            arguments: those of the call.
            consent: takes the question and what identifies the content.
            report: is told how far a run is.
            can_ask: whether ``consent`` asks a person; otherwise a setting decides.

        """
        if arguments.action == "plan":
            return await self._plan(arguments, client.base_url)
        request_key = arguments.request_key or ""
        path = self._path(request_key)
        if not path.is_file():
            return result(
                Outcome.REFUSED,
                "There is no plan with this request_key. Call with action plan first.",
                request_key=request_key,
            )
        try:
            if arguments.action == "status":
                return await self._status(request_key)
            return await self._run(client, request_key, consent, report, can_ask=can_ask)
        except OtherTokenError:
            return other_token(request_key, path)
        except JournalError as error:
            return result(
                Outcome.UNKNOWN,
                "The run's journal cannot be used; untrusted_data says why. Posts may have been published. The person "
                "has to look at the disk. Then call with action run and this request_key: it goes on and sends nothing "
                "twice.",
                request_key=request_key,
                data={"error": str(error)},
            )

    def _source(self, arguments: ManyArguments) -> Path | list[dict[str, Any]] | ToolResult:
        """Return the posts, or why they are not read."""
        if arguments.file is None:
            return arguments.posts or []
        if self.files is None:
            return result(
                Outcome.REFUSED,
                "This server may not read files. Give the rows as posts, or the person can restart the server with "
                "--folder set to the folder of the file.",
            )
        return _inside(self.files, arguments.file) or result(
            Outcome.REFUSED,
            f"There is no such file in {self.files}, the folder that this server may read. Give the name of a file "
            "there, or the rows as posts.",
        )

    async def _plan(self, arguments: ManyArguments, base_url: str) -> ToolResult:
        source = self._source(arguments)
        if not isinstance(source, Path | list):
            return source
        hashes = Hashes()
        try:
            plan = await amake_plan(source, on_row=hashes.add, max_errors=LISTED_ERRORS, recipe=_RECIPE)
        except SourceError as error:
            return result(
                Outcome.REFUSED,
                f"The file cannot be read as it is; untrusted_data says why. Nothing was sent. {_OPTIONS}",
                data={"error": str(error)},
            )
        request_key = arguments.request_key or hashes.derived_key()
        if (refusal := await self._refuse_key(request_key)) is not None:
            return refusal
        if not plan.ok or not plan.rows:
            return result(
                Outcome.REFUSED,
                "Rows are not valid or missing. Nothing was sent. Correct what untrusted_data lists and plan again. "
                f"{_OPTIONS}",
                request_key=request_key,
                data=shown(plan),
            )
        return await self._store(source, request_key, plan, hashes.digest(), base_url)

    async def _store(
        self, source: Path | list[dict[str, Any]], request_key: str, plan: Plan, digest: str, base_url: str
    ) -> ToolResult:
        """Store the rows of a plan, unless they are stored already."""
        path = self._path(request_key)
        try:
            self.journals.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot make the folder {self.journals} for journals: {error.strerror or error}"
            raise JournalError(msg) from error
        is_new = False
        try:
            await create_journal(source, path, max_errors=LISTED_ERRORS, recipe=_RECIPE)
            is_new = True
        except (JournalExistsError, JournalInUseError):
            if not path.is_file():
                return being_stored(request_key)
        except (InvalidRowsError, SourceError):
            return file_changed(request_key)
        stored = await asyncio.to_thread(look, path, base_url, await self._singles())
        if stored.digest == digest:
            return (
                still_running(request_key, stored.counts) if stored.is_running else planned(request_key, plan, stored)
            )
        if not is_new:
            return other_content(request_key)
        # It holds what was in the file at the second reading, which no plan has shown.
        await asyncio.to_thread(_remove, path)
        return file_changed(request_key)

    async def _singles(self) -> list[SentPost]:
        return await asyncio.to_thread(self.writes.journal.sent_posts)

    async def _singles_or_refusal(self, request_key: str) -> list[SentPost] | ToolResult:
        """Return the posts of single calls, or why the run of a key does not begin."""
        try:
            return await self._refuse_key(request_key) or await self._singles()
        except JournalError as error:
            # It is not the run's journal that is in the way, so nothing is unknown.
            return result(
                outcome_of(error, RowState.PENDING), advice_for(error), request_key=request_key, data=said_by(error)
            )

    async def _refuse_key(self, request_key: str) -> ToolResult | None:
        """Return why a key cannot be that of a plan; ``None`` if it can."""
        if await asyncio.to_thread(self.writes.journal.find, request_key) is None:
            return None
        return result(
            Outcome.REFUSED,
            "This request_key belongs to a call of another tool. Nothing was sent. Plan with a new request_key.",
            request_key=request_key,
        )

    async def refuse_write(self, order: Order, base_url: str) -> ToolResult | None:
        """Return why a single write is not sent because of a plan or a run; ``None`` if it may be sent."""
        if self._path(order.request_key).is_file():
            return result(
                Outcome.REFUSED,
                f"This request_key belongs to a plan of {CREATE_MANY}. Nothing was sent. Give a new request_key.",
                request_key=order.request_key,
            )
        if order.channel is None or not order.has_derived_key:
            return None
        runs = await asyncio.to_thread(runs_with, self.journals, base_url, order.likeness)
        if not runs:
            return None
        return result(
            Outcome.REFUSED,
            f"A run of {CREATE_MANY} has sent this same post, or may have sent it, or has it pending; sent_earlier in "
            "untrusted_data names the run. Nothing was sent now. Only if the person wants it published once more, give "
            "a new request_key of your own.",
            request_key=order.request_key,
            data={"sent_earlier": {"runs": runs}},
        )

    async def _status(self, request_key: str) -> ToolResult:
        stored = await asyncio.to_thread(look, self._path(request_key))
        if stored.is_running:
            return still_running(request_key, stored.counts)
        stopped = self._stopped.get(request_key)
        if stopped is not None and stopped.counts != stored.counts:
            # Another process has gone on with it.
            stopped = None
        return await self._ended(request_key, stored.counts, stopped)

    async def _run(
        self,
        client: MarketingBlocks,
        request_key: str,
        consent: Ask,
        report: Report,
        *,
        can_ask: bool,
    ) -> ToolResult:
        running = self.running.get(request_key)
        if running is None:
            asked_at = datetime.now(UTC)
            stored = await self._to_send(client, request_key, can_ask=can_ask)
            if not isinstance(stored, Stored):
                return stored
            question = question_before(stored)
            # Consent counts for these numbers only.
            if (refusal := await consent(question, f"{request_key}\n{question}")) is not None:
                return refusal
            # Of runs that begin at once, each has to see the posts of the one before.
            async with self.writes.beginning:
                running = self.running.get(request_key)
                if running is None:
                    # Another run may have begun meanwhile.
                    again = await self._to_send(client, request_key, can_ask=can_ask)
                    if not isinstance(again, Stored):
                        return again
                    if question_before(again) != question:
                        return other_numbers(request_key)
                    running = self._begin(client, request_key, asked_at if again.late else None)
                    with _stopped_if_cancelled(running):
                        await running.begun.wait()
        return await self._wait(request_key, running, report)

    async def _to_send(self, client: MarketingBlocks, request_key: str, *, can_ask: bool) -> Stored | ToolResult:
        """Return the run that a person is asked about, or why it does not begin."""
        singles = await self._singles_or_refusal(request_key)
        if not isinstance(singles, list):
            return singles
        stored = await asyncio.to_thread(look, self._path(request_key), client.base_url, singles)
        if stored.is_running:
            return still_running(request_key, stored.counts)
        if not stored.remaining:
            return await self._ended(request_key, stored.counts, repeated=True)
        if is_repetition(stored, request_key):
            return repetition(request_key, stored)
        if stored.late and not can_ask:
            return times_passed(request_key, stored, self._path(request_key))
        return stored

    def _begin(self, client: MarketingBlocks, request_key: str, late_at: datetime | None) -> Running:
        running = self.running[request_key] = Running(
            asyncio.create_task(self._send(client, request_key, late_at), name=f"bulk run {request_key}")
        )

        def ended(_: object) -> None:
            self.running.pop(request_key)
            running.begun.set()

        running.task.add_done_callback(ended)
        return running

    async def _send(self, client: MarketingBlocks, request_key: str, late_at: datetime | None) -> BulkResult:
        """Send what is pending; a person has agreed to the posts that were late at ``late_at``, and to no others."""
        # Before the first await nothing else runs, so this finds itself.
        running = self.running[request_key]

        def note(progress: BulkProgress) -> None:
            running.progress = progress

        journal = Journal(self._path(request_key))
        # Before the journal is opened, so that it can be stopped meanwhile.
        run = running.run = BulkRun(
            # The deadline is that of one tool call. A run may wait for the end of a pause.
            client.with_options(deadline=None),
            journal,
            allow_past=False,
            on_progress=note,
            on_remark=running.remarks.append,
        )
        async with journal:
            # Later plans name this run by it.
            await journal.noted(KEY_NAME, request_key)
            await check_api(journal, client.base_url)
            if late_at is not None:
                passed = await asyncio.to_thread(journal.past_posts, late_at)
                running.remarks.append(
                    f"{passed.told(journal.lines)}, as the question said, and the API may publish such posts at once"
                )
                journal.allow_late(late_at)
            running.begun.set()
            self._stopped.pop(request_key, None)
            result = await run.run()
            if result.reason is not None:
                self._stopped[request_key] = result
            return result

    async def _wait(self, request_key: str, running: Running, report: Report) -> ToolResult:
        loop = asyncio.get_running_loop()
        until = loop.time() + ANSWER_AFTER
        with _stopped_if_cancelled(running):
            while not running.task.done() and loop.time() < until:
                await asyncio.wait([running.task], timeout=PROGRESS_EVERY)
                if running.progress is not None:
                    await report(running.progress)
        if not running.task.done():
            return still_running(request_key, None if running.progress is None else running.progress.counts)
        try:
            ended = running.task.result()
        except JournalInUseError:
            stored = await asyncio.to_thread(look, self._path(request_key))
            return still_running(request_key, stored.counts)
        except UnconfirmedRowsError:
            return other_numbers(request_key)
        return await self._ended(request_key, ended.counts, ended, remarks=running.remarks)

    async def _ended(
        self,
        request_key: str,
        counts: Counts,
        run: BulkResult | None = None,
        *,
        repeated: bool = False,
        remarks: Sequence[str] = (),
    ) -> ToolResult:
        """Return how a run is that nothing is running: the outcome of its worst rows, and a step for each kind."""
        path = self._path(request_key)
        data: dict[str, Any] = {"counts": counts.to_dict()}
        if run is not None and run.reason is not None:
            data["reason"] = run.reason
        if remarks:
            data["remarks"] = list(remarks)
        if counts.failed or counts.unknown:
            data["rows"] = await asyncio.to_thread(rows_not_done, path)
        outcome, steps = steps_after(counts, path, None if run is None else run.cause)
        if repeated:
            steps.insert(0, ENDED_EARLIER)
        return result(outcome, " ".join(steps) or None, request_key=request_key, repeated=repeated, data=data)

    async def aclose(self, patience: float) -> None:
        """Stop the runs, which a later server continues; posts in flight are unknown after ``patience`` seconds."""
        tasks = [running.task for running in self.running.values()]
        if not tasks:
            return
        runs = [running.run for running in self.running.values() if running.run is not None]
        for run in runs:
            run.stop()
        await asyncio.wait(tasks, timeout=patience)
        for run in runs:
            run.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _path(self, request_key: str) -> Path:
        return self.journals / f"{hashlib.sha256(request_key.encode()).hexdigest()[:24]}.journal"


@contextmanager
def _stopped_if_cancelled(running: Running) -> Generator[None]:
    """Stop a run if the person cancels the call: rows in flight finish, the rest stays pending."""
    try:
        yield
    except asyncio.CancelledError:
        if running.run is not None:
            running.run.stop()
        raise


def _remove(path: Path) -> None:
    """Remove a journal unless a run has it."""
    with suppress(JournalInUseError):
        lock = lock_journal(path)
        try:
            path.unlink(missing_ok=True)
        finally:
            lock.release()


def _inside(folder: Path, name: str) -> Path | None:
    """Return the file of that name in the folder; ``None`` if there is none, or if it leads out of the folder."""
    # A name may be too long, hold a null character, or lead through links in a circle.
    with suppress(OSError, ValueError, RuntimeError):
        folder = folder.resolve()
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    return None
