"""The server's tools: a call's arguments are checked, its consent is asked for, and its outcome becomes a result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from mcp.server import Server, ServerRequestContext
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from marketingblocks_async import (
    CreatePost,
    MarketingBlocks,
    MarketingBlocksError,
    PublishMode,
    RateLimit,
    UpdateCommentAutomation,
    __version__,
)
from marketingblocks_async.bulk import BulkProgress, RowState
from marketingblocks_async.bulk.likeness import content_of
from marketingblocks_async.bulk.sheets.cells import CellError, check_characters
from marketingblocks_async.models import RequestModel
from marketingblocks_async.models.schedule import explain_ambiguity, explain_past, read_moment

from .calls import read, write
from .consent import Confirm, Consent, InputRequired, can_ask
from .failures import advice_for, outcome_of, pause_of, problems_of, said_by
from .journal import Order, derived_key, hash_of
from .many import ManyArguments, ManyPosts
from .results import Outcome, ToolResult, hidden_in, key_of, result
from .tools import ASK, CREATE_MANY, INSTRUCTIONS, KEY_FIELD, ToolSpec, all_tools, choose_tools
from .writes import Writes

_NOT_VALID = "The arguments are not valid. Nothing was sent. Correct the fields that untrusted_data names."

LONGEST_QUESTION = 2_000
"""Characters of a post's texts that the person is shown; enough for most posts and threads."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of a server.

    Attributes:
        journal: file that binds request keys to outcomes; journals of bulk runs are in a folder beside it.
        base_url: API root; ``None`` for ``MARKETINGBLOCKS_BASE_URL`` or the documented one.
        docs_url: documentation to ask; ``None`` for the public one.
        rate_limit: limit of the token.
        tools: names of the tools to offer; ``None`` for all.
        read_only: whether to leave out the tools that write.
        confirm: what is not sent when the client cannot ask the person.
        folder: folder from which files of posts may be read; ``None`` for no files.

    """

    journal: Path
    base_url: str | None = None
    docs_url: str | None = None
    rate_limit: RateLimit = RateLimit()  # noqa: RUF009 - frozen
    tools: Sequence[str] | None = None
    read_only: bool = False
    confirm: Confirm = Confirm.BULK
    folder: Path | None = None


class _AskArguments(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    question: str
    page: str | None = None


class MarketingBlocksServer:
    """The tools over one client and one journal.

    Args:
        settings: its settings.
        client: the open client; its middleware and observer are those of ``writes``.
        writes: carries single writes out.
        many: carries bulk runs out.

    Attributes:
        client: the open client.
        writes: the single writes.
        many: the bulk runs.
        mcp: the protocol's server, to be run on a transport.

    Raises:
        ConfigurationError: the settings name a tool that does not exist, or leave none.

    """

    def __init__(self, settings: ServerSettings, client: MarketingBlocks, writes: Writes, many: ManyPosts) -> None:
        self.client: MarketingBlocks = client
        self.writes: Writes = writes
        self.many: ManyPosts = many
        self._consent = Consent(settings.confirm)
        self._read_only = settings.read_only
        chosen = choose_tools(settings.tools, read_only=settings.read_only)
        self._tools: Mapping[str, ToolSpec] = {spec.name: spec for spec in chosen}
        self.mcp: Server[Any] = Server(
            "marketingblocks",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._answer,
        )

    async def _list(
        self, _context: ServerRequestContext[Any, Any], _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=[spec.tool for spec in self._tools.values()])

    async def _answer(
        self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        try:
            found = await self._call(context, params)
        except InputRequired as question:
            return question.answer
        except ValidationError as error:
            found = result(
                Outcome.REFUSED,
                _NOT_VALID,
                data={"problems": problems_of(error)},
            )
        except (MarketingBlocksError, ValueError) as error:
            advice = advice_for(error, pause_of(self.client))
            found = result(outcome_of(error, RowState.PENDING), advice, data=said_by(error))
        return CallToolResult(
            content=[TextContent(text=json.dumps(found, ensure_ascii=False))],
            structured_content=found,
            is_error=found["outcome"] not in (Outcome.DONE, Outcome.PLANNED, Outcome.RUNNING),
        )

    async def _call(self, context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> ToolResult:
        spec = self._tools.get(params.name)
        arguments = dict(params.arguments or {})
        if spec is None:
            return result(Outcome.REFUSED, self._why_not(params.name))
        if spec.name == ASK:
            return await self._ask(_AskArguments.model_validate(arguments))
        ask = partial(self._consent.ask, context, params)
        if spec.name == CREATE_MANY:
            return await self.many.call(
                self.client,
                ManyArguments.model_validate(arguments),
                partial(ask, is_bulk=True),
                partial(_report, context),
                can_ask=can_ask(context),
            )
        assert spec.request is not None  # noqa: S101 - all other tools are endpoints
        if not spec.writes:
            data, way_to_the_rest = await read(self.client, spec.request.model_validate(arguments))
            return result(Outcome.DONE, way_to_the_rest, data=data)
        return await self._write(context, spec.name, spec.request, arguments, ask)

    async def _write(
        self,
        context: ServerRequestContext[Any, Any],
        tool: str,
        model: type[RequestModel],
        arguments: dict[str, Any],
        ask: Callable[..., Awaitable[ToolResult | None]],
    ) -> ToolResult:
        request_key = arguments.pop(KEY_FIELD, None)
        if request_key is not None:
            try:
                request_key = key_of(request_key)
            except ValueError as error:
                # Its text is this server's own.
                return result(Outcome.REFUSED, f"{error}. Nothing was sent. Give such a request_key, or none.")
        request = model.model_validate(arguments)
        if isinstance(request, CreatePost) and (problems := _forbidden_characters(request)):
            return result(Outcome.REFUSED, _NOT_VALID, data={"problems": problems})
        remarks = _remarks(request, arguments) if isinstance(request, CreatePost) else []
        order = _order(tool, request, request_key)
        if request_key is None and isinstance(request, UpdateCommentAutomation):
            # What was set before another update can be meant again after it.
            other = await asyncio.to_thread(self.writes.journal.last_other_update, request.comment_bot_id, order)
            if other is not None:
                order = replace(order, request_key=f"{order.request_key}-{other}")

        check = partial(self.many.refuse_write, order, self.client.base_url)

        async def consent() -> ToolResult | None:
            question = _question(request) if isinstance(request, CreatePost) else None
            if question is None or self._consent.is_given(context, is_bulk=False):
                return None
            # Check first: a person is only asked about what can be sent.
            return await check() or await ask(question, order.content_hash, is_bulk=False)

        found = await self.writes.once(self.client, order, partial(write, request=request), consent, check)
        if found["outcome"] == Outcome.DONE and not found.get("repeated") and remarks:
            found["what_to_do"] = f"It was sent. Tell the person: {' '.join(remarks)}"
        return found

    def _why_not(self, name: str) -> str:
        """Return why there is no such tool; its name is not repeated, since it comes from outside."""
        tools = f"The tools are {', '.join(self._tools)}."
        known = {spec.name: spec for spec in all_tools()}.get(name)
        if known is None:
            return f"There is no such tool. {tools}"
        if self._read_only and known.writes:
            return f"This server only reads (--read-only), so {known.name} is not offered. Nothing was sent. {tools}"
        return f"This server does not offer {known.name} (--tools). Nothing was sent. {tools}"

    async def _ask(self, arguments: _AskArguments) -> ToolResult:
        docs, question, page = self.client.docs, arguments.question, arguments.page
        answer = await (docs.ask(question) if page is None else docs.ask(question, page=page))
        return result(Outcome.DONE, data=answer)


def _order(tool: str, request: RequestModel, request_key: str | None) -> Order:
    """Return the write that a call asks for; its key is made from the content if the call has none."""
    body = request.wire_json().decode()
    content_hash = hash_of(tool, content_of(body, is_post=isinstance(request, CreatePost)))
    request_key = derived_key(content_hash) if request_key is None else request_key
    channel = f"{request.channel_type.value}:{request.channel_id}" if isinstance(request, CreatePost) else None
    return Order(request_key, tool, content_hash, body, channel)


def _forbidden_characters(post: CreatePost) -> dict[str, str]:
    """Return field → what is wrong with it, for the characters that the plan of a bulk run refuses too."""
    problems: dict[str, str] = {}
    for name, value in post.wire().items():
        try:
            check_characters(value)
        except CellError as error:
            problems[name] = str(error)
    return problems


def _remarks(post: CreatePost, arguments: Mapping[str, Any]) -> list[str]:
    """Return what a program is warned of: a time that is past, and one that the clocks show twice."""
    remarks: list[str] = []
    if (past := explain_past(post.scheduled_at)) is not None:
        remarks.append(f"{past}.")
    text, time_zone = arguments.get("schedule_time"), arguments.get("time_zone")
    local = read_moment(text) if isinstance(text, str) and text else None
    if isinstance(local, str) and isinstance(time_zone, str):
        # At the ends of the calendar no zone changes its clocks.
        with suppress(OverflowError):
            twice = explain_ambiguity(datetime.fromisoformat(local), time_zone)
            remarks += [] if twice is None else [f"schedule_time {twice}."]
    return remarks


def _question(post: CreatePost) -> str | None:
    """Return what the person is asked about a post; ``None`` if it does not go out at once."""
    channel = f"{post.channel_type.value}, channel {post.channel_id}"
    moment = post.scheduled_at
    if post.publish_mode is PublishMode.NOW:
        question = f"Publish this now on {channel}?"
    elif moment is not None and moment <= datetime.now(UTC):
        question = (
            f"Publish this on {channel}? Its time, {post.schedule_time} {post.time_zone}, is past, so the API may "
            "publish it at once."
        )
    else:
        return None
    tweets = post.twitter_threads or []
    texts = [
        f"Title: {post.post_extra.title}" if post.post_extra is not None else "",
        post.caption_text,
        *(f"{number}/{len(tweets)}: {tweet.message}" for number, tweet in enumerate(tweets, 1)),
        f"Hash tags: {post.hash_tags}" if post.hash_tags else "",
    ]
    text = "\n\n".join(filter(None, texts))
    more = len(text) - LONGEST_QUESTION
    media = len(post.media_urls) + sum(len(tweet.media_urls or ()) for tweet in tweets)
    hidden = ", ".join(f"{kind}: {count}" for kind, count in sorted(hidden_in(post.wire()).items()))
    parts = [
        question,
        # Before the text, which may be long or pretend to be the end of the question.
        f"It holds invisible characters, which are not shown here and are published with it ({hidden})."
        if hidden
        else "",
        text if more <= 0 else f"{text[:LONGEST_QUESTION]}\n… {more:,} more characters",
        f"Media files: {media}" if media else "",
    ]
    return "\n\n".join(filter(None, parts))


async def _report(context: ServerRequestContext[Any, Any], progress: BulkProgress) -> None:
    """Tell a client that asked for progress how far a bulk run is."""
    counts = progress.counts
    await context.session.report_progress(counts.ended, counts.total, f"{counts.done} done, {counts.pending} to go")
