"""AI post generation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import AfterValidator

from .base import Identifier, NonBlank, RequestId, RequestModel, ResponseModel, Tolerant
from .enums import GenerationPostType, GenerationPostTypeName, OpenGenerationStatus

# Also of this machine: the sandbox calls them.
_ADDRESS = re.compile(r"https?://[^\s/?#]+([/?#]\S*)?", re.IGNORECASE)


def _check_address(value: str) -> str:
    if _ADDRESS.fullmatch(value) is None:
        msg = f"{value!r:.80} is not an http(s) address; write all of it, such as https://example.com/hook"
        raise ValueError(msg)
    return value


class CreateGeneration(RequestModel):
    """Ask for a generated post (``POST create-post-generation``, permission ``social-post-generation``)."""

    post_type: GenerationPostType
    """``text_only``, ``ai_image_post``, ``ai_banner_post``, ``breel``, ``talking_reel`` or ``faceless_reel``."""
    input: NonBlank
    """Theme or subject."""
    web_hook: Annotated[NonBlank, AfterValidator(_check_address)] | None = None
    """http(s) address that receives the result, optional. The body that is posted there is not documented."""
    brand_id: RequestId | None = None
    """Optional. Inferred from the response, which echoes it."""

    if TYPE_CHECKING:
        # The types that callers may pass; the fields have those that they read.
        def __init__(
            self,
            *,
            post_type: GenerationPostType | GenerationPostTypeName,
            input: str,
            web_hook: str | None = None,
            brand_id: RequestId | None = None,
        ) -> None: ...


ResultT_co = TypeVar("ResultT_co", covariant=True)


class ReceivesResults(Protocol[ResultT_co]):
    """A receiver of the results of generations, such as a ``WebhookReceiver``."""

    async def wait_for(self, generation: Generation, /, *, deadline: float) -> ResultT_co:
        """Wait at most ``deadline`` seconds for the result of a generation."""
        ...


class Generation(ResponseModel):
    """A generation job, which runs in the background. A way to fetch its result by id is not documented.

    ``wait()`` waits for the result that the API posts to the job's web hook.
    """

    id: Identifier
    """Id of the job."""
    status: Tolerant[OpenGenerationStatus | None] = None
    """``queued``, ``success`` or ``failed``; unknown values arrive as strings."""
    message: Tolerant[str | None] = None
    """The API's own words."""
    request_body: Any = None
    """The request as the API understood it."""

    async def wait(self, receiver: ReceivesResults[ResultT_co], *, deadline: float) -> ResultT_co:
        """Wait for the result that the API posts to the job's web hook.

        Args:
            receiver: the ``WebhookReceiver`` whose address was given as ``web_hook``.
            deadline: seconds to wait at most.

        Returns:
            The receiver's ``GenerationResult``. What the API posts is not documented, so ``raw`` has all of it.

        Raises:
            NoResultError: no result came before the deadline.

        """
        return await receiver.wait_for(self, deadline=deadline)
