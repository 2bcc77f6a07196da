"""Bots that answer comments on published posts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from .base import (
    CommaSeparated,
    Identifier,
    NonBlank,
    OpenRequestModel,
    Requirements,
    UndocumentedResponse,
    WholeNumber,
    first_identifier,
    is_object,
)
from .enums import TargetType, TargetTypeName, TriggerType, TriggerTypeName

Numbers = Annotated[list[WholeNumber], CommaSeparated]

_REQUIRED_WHEN: Requirements = (
    ("target_type", "posts", ("post_ids",)),
    ("target_type", "campaigns", ("campaign_ids",)),
    ("trigger_type", "keywords", ("keywords",)),
)


class CreateCommentAutomation(OpenRequestModel):
    """A new comment automation (``POST create-comment-automation``, permission ``create-comment-automation``).

    The API has further fields (reply method, timing, frequency, AI settings) whose names are not documented, so unknown
    fields are sent as given.
    """

    required_when: ClassVar[Requirements] = _REQUIRED_WHEN

    name: NonBlank
    """Name of the automation."""
    channels: Annotated[list[WholeNumber], CommaSeparated, Field(min_length=1)]
    """Ids of the channels, as a list or one comma-separated string. At least one."""
    target_type: TargetType = TargetType.ALL
    """``all`` (default), ``posts`` or ``campaigns``."""
    post_ids: Numbers | None = None
    """Required for ``target_type="posts"``."""
    campaign_ids: Numbers | None = None
    """Required for ``target_type="campaigns"``."""
    trigger_type: TriggerType = TriggerType.ANY
    """``any`` (default) or ``keywords``."""
    keywords: Annotated[list[NonBlank] | None, CommaSeparated] = None
    """Required for ``trigger_type="keywords"``."""
    response_type: NonBlank | None = None
    """Optional. Its values are not documented."""

    if TYPE_CHECKING:
        # The types that callers may pass; the fields have those that they read.
        def __init__(
            self,
            *,
            name: str,
            channels: Sequence[int] | str,
            target_type: TargetType | TargetTypeName = TargetType.ALL,
            post_ids: Sequence[int] | str | None = None,
            campaign_ids: Sequence[int] | str | None = None,
            trigger_type: TriggerType | TriggerTypeName = TriggerType.ANY,
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

    Only the fields that are given are sent. The documentation prints the defaults of creation for this call too, so the
    API may reset an omitted ``target_type`` or ``trigger_type`` instead of keeping it (inferred). To be safe, give
    both. Unknown fields are sent as given.
    """

    # "As above, all optional": what creation needs for a target is needed to change to it.
    required_when: ClassVar[Requirements] = _REQUIRED_WHEN

    comment_bot_id: WholeNumber
    """Id of the automation."""
    name: NonBlank | None = None
    """New name."""
    target_type: TargetType | None = None
    """``all``, ``posts`` or ``campaigns``."""
    post_ids: Numbers | None = None
    """Posts to watch."""
    campaign_ids: Numbers | None = None
    """Campaigns to watch."""
    trigger_type: TriggerType | None = None
    """``any`` or ``keywords``."""
    keywords: Annotated[list[NonBlank] | None, CommaSeparated] = None
    """Words to react to."""

    if TYPE_CHECKING:
        # The types that callers may pass; the fields have those that they read.
        def __init__(
            self,
            *,
            comment_bot_id: int,
            name: str | None = None,
            target_type: TargetType | TargetTypeName | None = None,
            post_ids: Sequence[int] | str | None = None,
            campaign_ids: Sequence[int] | str | None = None,
            trigger_type: TriggerType | TriggerTypeName | None = None,
            keywords: Sequence[str] | str | None = None,
            **further: Any,
        ) -> None: ...


class CommentAutomation(UndocumentedResponse):
    """Response to creating or updating an automation. Its shape is not documented; ``raw`` has all of it."""

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield from (("comment_bot_id", self.comment_bot_id), ("raw", self.root))

    @property
    def comment_bot_id(self) -> Identifier | None:
        """Id of the automation, or ``None`` if none can be recognised (the places are inferred)."""
        root = self.root
        if not is_object(root):
            return None
        places = [root, root.get("data"), root.get("comment_bot"), root.get("comment_automation")]
        objects = [place for place in places if is_object(place)]
        ids = (first_identifier(place, name) for name in ("comment_bot_id", "id") for place in objects)
        return next((found for found in ids if found is not None), None)
