"""Bots that answer comments on published posts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from .base import (
    CommaSeparated,
    Identifier,
    NonBlank,
    OpenRequestModel,
    UndocumentedResponse,
    WholeNumber,
    first_identifier,
    is_object,
)
from .enums import TargetType, TriggerType

Numbers = Annotated[list[WholeNumber], CommaSeparated]


class CreateCommentAutomation(OpenRequestModel):
    """A new comment automation (``POST create-comment-automation``, permission ``create-comment-automation``).

    The API has further fields (reply method, timing, frequency, AI settings) whose names are not documented, so unknown
    fields are passed on as given.

    Args:
        name: name of the automation.
        channels: ids of the channels, as a list or one comma-separated string; at least one.
        target_type: ``all`` (default), ``posts`` or ``campaigns``.
        post_ids: required for ``target_type="posts"``.
        campaign_ids: required for ``target_type="campaigns"``.
        trigger_type: ``any`` (default) or ``keywords``.
        keywords: required for ``trigger_type="keywords"``.
        response_type: optional; its values are not documented.

    """

    name: NonBlank
    channels: Annotated[list[WholeNumber], CommaSeparated, Field(min_length=1)]
    target_type: TargetType = TargetType.ALL
    post_ids: Numbers | None = None
    campaign_ids: Numbers | None = None
    trigger_type: TriggerType = TriggerType.ANY
    keywords: Annotated[list[NonBlank] | None, CommaSeparated] = None
    response_type: NonBlank | None = None

    if TYPE_CHECKING:
        # What may be written, where the fields' own types say what is read.
        def __init__(
            self,
            *,
            name: str,
            channels: Sequence[int] | str,
            target_type: TargetType | str = TargetType.ALL,
            post_ids: Sequence[int] | str | None = None,
            campaign_ids: Sequence[int] | str | None = None,
            trigger_type: TriggerType | str = TriggerType.ANY,
            keywords: Sequence[str] | str | None = None,
            response_type: str | None = None,
            **further: Any,
        ) -> None: ...

    @model_validator(mode="after")
    def _check_fields_together(self) -> Self:
        if self.target_type is TargetType.POSTS and not self.post_ids:
            msg = "target_type 'posts' needs post_ids: a list of at least one post id"
            raise ValueError(msg)
        if self.target_type is TargetType.CAMPAIGNS and not self.campaign_ids:
            msg = "target_type 'campaigns' needs campaign_ids: a list of at least one campaign id"
            raise ValueError(msg)
        if self.trigger_type is TriggerType.KEYWORDS and not self.keywords:
            msg = "trigger_type 'keywords' needs keywords: a list of at least one word"
            raise ValueError(msg)
        return self


class UpdateCommentAutomation(OpenRequestModel):
    """A change of an automation (``PUT update-comment-automation``, permission ``update-comment-automation``).

    Exactly the fields that are given are sent. The documentation prints the defaults of creation for this call too, so
    an omitted ``target_type`` or ``trigger_type`` may be reset by the API rather than kept (inferred); to be safe, give
    both. Unknown fields are passed on as given.

    Args:
        comment_bot_id: id of the automation.
        name: new name.
        target_type: ``all``, ``posts`` or ``campaigns``.
        post_ids: posts to watch.
        campaign_ids: campaigns to watch.
        trigger_type: ``any`` or ``keywords``.
        keywords: words to react to.

    """

    comment_bot_id: WholeNumber
    name: NonBlank | None = None
    target_type: TargetType | None = None
    post_ids: Numbers | None = None
    campaign_ids: Numbers | None = None
    trigger_type: TriggerType | None = None
    keywords: Annotated[list[NonBlank] | None, CommaSeparated] = None

    if TYPE_CHECKING:
        # What may be written, where the fields' own types say what is read.
        def __init__(
            self,
            *,
            comment_bot_id: int,
            name: str | None = None,
            target_type: TargetType | str | None = None,
            post_ids: Sequence[int] | str | None = None,
            campaign_ids: Sequence[int] | str | None = None,
            trigger_type: TriggerType | str | None = None,
            keywords: Sequence[str] | str | None = None,
            **further: Any,
        ) -> None: ...


class CommentAutomation(UndocumentedResponse):
    """Answer of creating or updating an automation, whose shape is not documented: whatever came is in ``raw``."""

    @property
    def comment_bot_id(self) -> Identifier | None:
        """Id of the automation, or ``None`` when the answer holds none that can be recognised (inferred places)."""
        root = self.root
        if not is_object(root):
            return None
        places = [root, root.get("data"), root.get("comment_bot"), root.get("comment_automation")]
        objects = [place for place in places if is_object(place)]
        ids = (first_identifier(place, name) for name in ("comment_bot_id", "id") for place in objects)
        return next((found for found in ids if found is not None), None)
