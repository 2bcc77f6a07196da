"""``client.comment_automations``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Unpack, overload

from marketingblocks_async.calls.options import CallOverrides
from marketingblocks_async.endpoints import CREATE_COMMENT_AUTOMATION, UPDATE_COMMENT_AUTOMATION
from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models import (
    CommentAutomation,
    CreateCommentAutomation,
    TargetType,
    TargetTypeName,
    TriggerType,
    TriggerTypeName,
    UpdateCommentAutomation,
)

from .base import Resource, request_from
from .raw import RawForm, raw_form

_Numbers = Sequence[int] | str
_Words = Sequence[str] | str


class CommentAutomations(Resource):
    """Bots that answer comments on published posts."""

    @property
    def with_raw_response(self) -> RawCommentAutomations:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawCommentAutomations(self._executor, type(self))

    @overload
    async def create(
        self, request: CreateCommentAutomation, /, **overrides: Unpack[CallOverrides]
    ) -> CommentAutomation: ...

    @overload
    async def create(
        self,
        /,
        *,
        name: str,
        channels: _Numbers,
        target_type: TargetType | TargetTypeName | None = None,
        post_ids: _Numbers | None = None,
        campaign_ids: _Numbers | None = None,
        trigger_type: TriggerType | TriggerTypeName | None = None,
        keywords: _Words | None = None,
        response_type: str | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> CommentAutomation: ...

    async def create(
        self,
        request: CreateCommentAutomation | None = None,
        /,
        *,
        name: str | None = None,
        channels: _Numbers | None = None,
        target_type: TargetType | TargetTypeName | None = None,
        post_ids: _Numbers | None = None,
        campaign_ids: _Numbers | None = None,
        trigger_type: TriggerType | TriggerTypeName | None = None,
        keywords: _Words | None = None,
        response_type: str | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> CommentAutomation:
        """Create a comment automation.

        Args:
            request: a ready-made request, instead of the keyword arguments.
            name: name of the automation.
            channels: ids of the channels, as a list or one comma-separated string.
            target_type: ``all`` (the API's default), ``posts`` or ``campaigns``.
            post_ids: required for ``target_type="posts"``.
            campaign_ids: required for ``target_type="campaigns"``.
            trigger_type: ``any`` (the API's default) or ``keywords``.
            keywords: required for ``trigger_type="keywords"``.
            response_type: optional; its values are not documented.
            overrides: ``timeout``, ``max_retries`` and others for this call; see ``CallOverrides``. Fields that exist
                and are not documented (reply method, timing, AI settings) go in ``extra_body``.

        Returns:
            The response; its shape is not documented.

        Raises:
            InvalidRequestError: the arguments make no valid request.
            OutcomeUnknownError: the automation may have been created; it was not sent again.
            MarketingBlocksError: the call failed otherwise.

        Documented on the page "Create comment automation" of the API reference.

        """
        fields = {
            "name": name,
            "channels": channels,
            "target_type": target_type,
            "post_ids": post_ids,
            "campaign_ids": campaign_ids,
            "trigger_type": trigger_type,
            "keywords": keywords,
            "response_type": response_type,
        }
        request = request_from(CreateCommentAutomation, request, fields, overrides)
        return await self._run(CREATE_COMMENT_AUTOMATION, request, overrides)

    @overload
    async def update(
        self, request: UpdateCommentAutomation, /, **overrides: Unpack[CallOverrides]
    ) -> CommentAutomation: ...

    @overload
    async def update(
        self,
        /,
        *,
        comment_bot_id: int,
        name: str | None = None,
        target_type: TargetType | TargetTypeName | None = None,
        post_ids: _Numbers | None = None,
        campaign_ids: _Numbers | None = None,
        trigger_type: TriggerType | TriggerTypeName | None = None,
        keywords: _Words | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> CommentAutomation: ...

    async def update(
        self,
        request: UpdateCommentAutomation | None = None,
        /,
        *,
        comment_bot_id: int | None = None,
        name: str | None = None,
        target_type: TargetType | TargetTypeName | None = None,
        post_ids: _Numbers | None = None,
        campaign_ids: _Numbers | None = None,
        trigger_type: TriggerType | TriggerTypeName | None = None,
        keywords: _Words | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> CommentAutomation:
        """Change a comment automation. Exactly what is given is sent, and at least one field has to be.

        The documentation prints the defaults of creation for this call too, so the API may reset an omitted
        ``target_type`` or ``trigger_type`` (inferred); give both to be safe.

        Args:
            request: a ready-made request, instead of the keyword arguments.
            comment_bot_id: id of the automation.
            name: new name.
            target_type: ``all``, ``posts`` or ``campaigns``.
            post_ids: posts to watch.
            campaign_ids: campaigns to watch.
            trigger_type: ``any`` or ``keywords``.
            keywords: words to react to.
            overrides: ``timeout``, ``max_retries``, ``extra_body`` and others for this call; see ``CallOverrides``.

        Returns:
            The response; its shape is not documented.

        Raises:
            InvalidRequestError: the arguments make no valid request.
            InvalidArgumentError: there is nothing to change.
            OutcomeUnknownError: it is not known whether the change was made; setting the same fields again does no
                harm, and was tried as often as the retry policy allows.
            MarketingBlocksError: the call failed otherwise.

        Documented on the page "Update comment automation" of the API reference.

        """
        fields = {
            "comment_bot_id": comment_bot_id,
            "name": name,
            "target_type": target_type,
            "post_ids": post_ids,
            "campaign_ids": campaign_ids,
            "trigger_type": trigger_type,
            "keywords": keywords,
        }
        request = request_from(UpdateCommentAutomation, request, fields, overrides)
        further = overrides.get("extra_body") or overrides.get("extra_fields")
        if not further and request.wire().keys() == {"comment_bot_id"}:
            msg = (
                "nothing was sent: there is nothing to change, and the API might reset the automation's target and "
                "trigger; give at least one field, such as the name"
            )
            raise InvalidArgumentError(msg)
        return await self._run(UPDATE_COMMENT_AUTOMATION, request, overrides)


class RawCommentAutomations(RawForm[CommentAutomations]):
    """``with_raw_response``: the methods of ``CommentAutomations``; each returns a ``RawResponse``."""

    create: Final = raw_form(CommentAutomations.create)
    update: Final = raw_form(CommentAutomations.update)
