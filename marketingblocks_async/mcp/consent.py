"""A person's consent to publish: asked through the client where it can ask, decided by a setting where it cannot."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp_types import CallToolRequestParams, ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from .results import Outcome, ToolResult, clean, result

_QUESTION = "consent"
_NO_FIELDS: dict[str, Any] = {"type": "object", "properties": {}}
"""Nothing is to be filled in: the person accepts or declines."""


class Confirm(StrEnum):
    """The calls that are refused if the client cannot ask the person.

    ``writes``: posts that go out at once, and bulk runs. ``bulk``: bulk runs. ``never``: nothing is held back.
    """

    NEVER = "never"
    WRITES = "writes"
    BULK = "bulk"


class InputRequired(Exception):  # noqa: N818 - it is no error
    """Ends a call with a question; the client makes it again with the answer (protocol 2026-07-28)."""

    def __init__(self, answer: InputRequiredResult) -> None:
        super().__init__("the person has to be asked")
        self.answer: InputRequiredResult = answer


@dataclass(frozen=True)
class Consent:
    """Gets consent; ``confirm`` says what is not sent when the client cannot ask."""

    confirm: Confirm
    # The client carries the question's state: with this it can only be one of ours, for the same content.
    _secret: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    async def ask(
        self,
        context: ServerRequestContext[Any, Any],
        params: CallToolRequestParams,
        question: str,
        content: str,
        *,
        is_bulk: bool,
    ) -> ToolResult | None:
        """Ask whether something may be published.

        Args:
            context: of the tool call.
            params: the tool call.
            question: what the person is asked.
            content: identifies what would be published.
            is_bulk: whether it is a bulk run.

        Returns:
            Why nothing is sent; ``None`` if it may be sent.

        Raises:
            InputRequired: the call ends with the question, and the client makes it again with the answer.

        """
        if not can_ask(context):
            return self._without_asking(is_bulk=is_bulk)
        if context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            answer = self._answer_of(params, question, content)
        else:
            form = context.session.elicit_form
            try:
                answer = await form(clean(question), _NO_FIELDS, related_request_id=context.request_id)
            except (MCPError, ValidationError):
                # The client says that it can ask, but it rejected the question, or nobody answered in time.
                return result(
                    Outcome.REFUSED,
                    "The client did not put the question to the person, or got no answer. Nothing was sent. The person "
                    "has to answer the question: repeat the call when they are there, or they can use another client.",
                )
        if answer.action == "accept":
            return None
        return result(
            Outcome.REFUSED,
            "The person was asked and did not agree. Nothing was sent. Do not send it unless they ask for it again.",
        )

    def is_given(self, context: ServerRequestContext[Any, Any], *, is_bulk: bool) -> bool:
        """Return whether ``ask()`` agrees without a person."""
        return not can_ask(context) and self._without_asking(is_bulk=is_bulk) is None

    def _without_asking(self, *, is_bulk: bool) -> ToolResult | None:
        held_back = self.confirm is Confirm.WRITES or (self.confirm is Confirm.BULK and is_bulk)
        if not held_back:
            return None
        # Only those that let this call pass.
        others = Confirm.NEVER if is_bulk else f"{Confirm.BULK} or {Confirm.NEVER}"
        return result(
            Outcome.REFUSED,
            "This needs a person's consent, and this client has no way to ask for it (elicitation). Nothing was sent. "
            f"The person can use another client, or restart the server with --confirm {others}.",
        )

    def _answer_of(self, params: CallToolRequestParams, question: str, content: str) -> ElicitResult:
        """Return the answer that the call carries, or end the call with the question."""
        state = hmac.new(self._secret, content.encode(), hashlib.sha256).hexdigest()
        answer = (params.input_responses or {}).get(_QUESTION)
        if isinstance(answer, ElicitResult) and hmac.compare_digest(state, params.request_state or ""):
            return answer
        form = ElicitRequestFormParams(message=clean(question), requested_schema=_NO_FIELDS)
        raise InputRequired(
            InputRequiredResult(input_requests={_QUESTION: ElicitRequest(params=form)}, request_state=state)
        )


def can_ask(context: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the client can ask the person."""
    capabilities = context.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    # A bare {} is a form; it was the only kind once.
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS or context.session.can_send_request
