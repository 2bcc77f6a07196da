"""``create_many_posts``: plan, then run what was planned against a journal, in the background if it takes long."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from marketingblocks_async import MarketingBlocks, PublishMode
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
    JournalReader,
    Plan,
    Row,
    SourceError,
    StoredRow,
    amake_plan,
    create_journal,
)
from marketingblocks_async.errors import InvalidArgumentError

from .results import Outcome, ToolResult, key_of, result

ANSWER_AFTER = 40.0
"""Seconds after which a run that goes on is reported; clients give up on a call after 60."""

LISTED_ERRORS = 5
"""Errors of a plan that a result lists."""

PROGRESS_EVERY = 1.0

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
    """A run in this process, and how far it is."""

    task: asyncio.Task[BulkResult]
    run: BulkRun | None = None
    progress: BulkProgress | None = None


@dataclass(eq=False)
class ManyPosts:
    """The bulk runs of one server.

    Args:
        journals: folder of their journals.
        files: folder from which files may be read; ``None`` for no files.
        running: the runs of this process, by their request keys.

    """

    journals: Path
    files: Path | None
    running: dict[str, Running] = field(default_factory=dict[str, Running])

    async def call(
        self,
        client: MarketingBlocks,
        arguments: ManyArguments,
        consent: Ask,
        report: Report,
    ) -> ToolResult:
        """Answer one call of the tool; ``consent`` takes the question and what identifies the content."""
        if arguments.action == "plan":
            return await self._plan(arguments)
        request_key = arguments.request_key or ""
        if not self._path(request_key).is_file():
            return result(
                Outcome.REFUSED,
                "There is no plan with this request_key. Call with action plan first.",
                request_key=request_key,
            )
        if arguments.action == "status":
            return await self._status(request_key)
        return await self._run(client, request_key, consent, report)

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

    async def _plan(self, arguments: ManyArguments) -> ToolResult:
        source = self._source(arguments)
        if not isinstance(source, Path | list):
            return source
        hashes = _Hashes()
        try:
            plan = await amake_plan(source, on_row=hashes.add, max_errors=LISTED_ERRORS)
        except SourceError as error:
            return result(Outcome.REFUSED, "The file cannot be read. Nothing was sent.", data={"error": str(error)})
        request_key = arguments.request_key or f"many-{hashes.digest()[:16]}"
        if not plan.ok or not plan.rows:
            return result(
                Outcome.REFUSED,
                "Rows are not valid or missing. Nothing was sent. Correct what untrusted_data lists and plan again.",
                request_key=request_key,
                data=_shown(plan),
            )
        path = self._path(request_key)
        try:
            self.journals.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot make the folder {self.journals} for journals: {error.strerror or error}"
            raise JournalError(msg) from error
        try:
            await create_journal(source, path, max_errors=LISTED_ERRORS)
        except JournalExistsError:
            pass
        except (InvalidRowsError, SourceError):
            return _changed(request_key)
        stored = await asyncio.to_thread(_look, path)
        if stored.digest != hashes.digest():
            return _other_content(request_key)
        data = _shown(plan) | {"counts": stored.counts.to_dict()}
        return result(
            Outcome.PLANNED,
            "Show the plan to the person. If they agree, call with action run and this request_key.",
            request_key=request_key,
            repeated=stored.counts.pending < stored.counts.total,
            data=data,
        )

    async def _status(self, request_key: str) -> ToolResult:
        stored = await asyncio.to_thread(_look, self._path(request_key))
        if stored.is_running:
            return _still_running(request_key, stored.counts)
        return _ended(request_key, stored.counts, None)

    async def _run(
        self,
        client: MarketingBlocks,
        request_key: str,
        consent: Ask,
        report: Report,
    ) -> ToolResult:
        running = self.running.get(request_key)
        if running is None:
            stored = await asyncio.to_thread(_look, self._path(request_key))
            if stored.is_running:
                return _still_running(request_key, stored.counts)
            if stored.counts.done + stored.counts.failed == stored.counts.total:
                return _ended(request_key, stored.counts, None)
            question = (
                f"Publish {stored.counts.pending} posts ({stored.now} of them now)? "
                f"{stored.counts.done} of {stored.counts.total} are done already."
            )
            if (refusal := await consent(question, request_key)) is not None:
                return refusal
            running = self.running.get(request_key) or self._begin(client, request_key)
        return await self._wait(request_key, running, report)

    def _begin(self, client: MarketingBlocks, request_key: str) -> Running:
        running = self.running[request_key] = Running(
            asyncio.create_task(self._send(client, request_key), name=f"bulk run {request_key}")
        )
        running.task.add_done_callback(lambda _: self.running.pop(request_key))
        return running

    async def _send(self, client: MarketingBlocks, request_key: str) -> BulkResult:
        # Before the first await nothing else runs, so this finds itself.
        running = self.running[request_key]

        def note(progress: BulkProgress) -> None:
            running.progress = progress

        journal = Journal(self._path(request_key))
        # Before the journal is opened, so that it can be stopped meanwhile.
        run = running.run = BulkRun(client, journal, on_progress=note)
        async with journal:
            return await run.run()

    async def _wait(self, request_key: str, running: Running, report: Report) -> ToolResult:
        loop = asyncio.get_running_loop()
        until = loop.time() + ANSWER_AFTER
        try:
            while not running.task.done() and loop.time() < until:
                await asyncio.wait([running.task], timeout=PROGRESS_EVERY)
                if running.progress is not None:
                    await report(running.progress)
        except asyncio.CancelledError:
            # The person stops it: rows in flight finish, the rest stays pending.
            if running.run is not None:
                running.run.stop()
            raise
        if not running.task.done():
            counts = running.progress.counts if running.progress is not None else Counts(0, 0, 0, 0, 0)
            return _still_running(request_key, counts)
        try:
            ended = running.task.result()
        except JournalInUseError:
            stored = await asyncio.to_thread(_look, self._path(request_key))
            return _still_running(request_key, stored.counts)
        except JournalError as error:
            return result(
                Outcome.UNKNOWN,
                "The run's journal cannot be written. Posts may have been published. The person has to look at the "
                "disk. Then call with action run and this request_key: it goes on and sends nothing twice.",
                request_key=request_key,
                data={"error": str(error)},
            )
        return _ended(request_key, ended.counts, ended.reason)

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


def _inside(folder: Path, name: str) -> Path | None:
    """Return the file of that name in the folder; ``None`` if there is none, or if it leads out of the folder."""
    folder = folder.resolve()
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder) and path.is_file() else None


class _Hashes:
    """The content of all rows, in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, row: Row | StoredRow) -> None:
        self._hash.update(f"{row.key}\0{row.content_hash}\n".encode())

    def digest(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class _Stored:
    """A run's journal, as it is now."""

    digest: str
    counts: Counts
    is_running: bool
    now: int


def _look(path: Path) -> _Stored:
    hashes, now = _Hashes(), 0
    with JournalReader(path) as journal:
        for row in journal.rows():
            hashes.add(row)
            now += json.loads(row.request).get("publish_mode") == PublishMode.NOW
        return _Stored(hashes.digest(), journal.counts(), journal.is_running(), now)


def _shown(plan: Plan) -> dict[str, Any]:
    """Return what a person has to know of a plan."""
    whole = plan.to_dict()
    names = (
        "rows",
        "valid",
        "invalid",
        "error_count",
        "warning_count",
        "channels",
        "duplicates",
        "schedule",
        "estimated_seconds",
    )
    shown = {name: whole[name] for name in names}
    errors: Sequence[Mapping[str, Any]] = whole["errors"]
    return shown | {"errors": [dict(error) for error in errors]}


def _other_content(request_key: str) -> ToolResult:
    return result(
        Outcome.REFUSED,
        "This request_key belongs to a plan with other rows. Nothing was sent. Give a new request_key.",
        request_key=request_key,
    )


def _changed(request_key: str) -> ToolResult:
    return result(Outcome.REFUSED, "The file changed while it was read. Plan again.", request_key=request_key)


def _still_running(request_key: str, counts: Counts) -> ToolResult:
    return result(
        Outcome.RUNNING,
        "It goes on. Call with action run or status and this request_key for news.",
        request_key=request_key,
        data={"counts": counts.to_dict()},
    )


def _ended(request_key: str, counts: Counts, reason: str | None) -> ToolResult:
    data: dict[str, Any] = {"counts": counts.to_dict()}
    if reason is not None:
        data["reason"] = reason
    tell = partial(result, request_key=request_key, data=data)
    if counts.unknown:
        return tell(
            Outcome.UNKNOWN,
            f"{counts.unknown} posts may have been published and were not sent again. Call with action run and this "
            "request_key in a minute: it looks for them and never sends one twice. Otherwise look at the channels.",
        )
    if counts.pending:
        return tell(
            Outcome.NOT_SENT,
            f"{counts.pending} posts were not sent. Call with action run and this request_key to go on. What is done "
            "is not sent again.",
        )
    if counts.failed:
        return tell(
            Outcome.REFUSED,
            f"The API refused {counts.failed} posts; the others are done. Correct those and plan them as a new run.",
        )
    return tell(Outcome.DONE)
