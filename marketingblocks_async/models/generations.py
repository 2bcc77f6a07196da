"""AI post generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .base import Identifier, NonBlank, RequestId, RequestModel, ResponseModel, Tolerant
from .enums import GenerationPostType, OpenGenerationStatus


class CreateGeneration(RequestModel):
    """Ask for a generated post (``POST create-post-generation``, permission ``social-post-generation``).

    Args:
        post_type: ``text_only``, ``ai_image_post``, ``ai_banner_post``, ``breel``, ``talking_reel`` or
            ``faceless_reel``.
        input: theme or subject.
        web_hook: address that receives the result, optional; what is posted there is not documented.
        brand_id: inferred from the answer, which echoes it; optional.

    """

    post_type: GenerationPostType
    input: NonBlank
    web_hook: NonBlank | None = None
    brand_id: RequestId | None = None

    if TYPE_CHECKING:
        # What may be written, where the fields' own types say what is read.
        def __init__(
            self,
            *,
            post_type: GenerationPostType | str,
            input: str,
            web_hook: str | None = None,
            brand_id: RequestId | None = None,
        ) -> None: ...


ResultT_co = TypeVar("ResultT_co", covariant=True)


class ReceivesResults(Protocol[ResultT_co]):
    """Where the results of generations arrive, such as a ``WebhookReceiver``."""

    async def wait_for(self, generation: Generation, /, *, deadline: float) -> ResultT_co:
        """Wait for the result of a generation, for so many seconds at most."""
        ...


class Generation(ResponseModel):
    """A generation job. It runs in the background; how its result is fetched by id is not documented.

    :meth:`wait` waits for what the API posts to the job's web hook.

    Attributes:
        id: id of the job.
        status: ``queued``, ``success`` or ``failed``; unknown values arrive as strings.
        message: the API's own words.
        request_body: the request as the API understood it.

    """

    id: Identifier
    status: Tolerant[OpenGenerationStatus | None] = None
    message: Tolerant[str | None] = None
    request_body: Any = None

    async def wait(self, receiver: ReceivesResults[ResultT_co], *, deadline: float) -> ResultT_co:
        """Wait until the result has come to the web hook that the job was created with.

        Args:
            receiver: where it arrives: the ``WebhookReceiver`` whose address was given as ``web_hook``.
            deadline: how long to wait, in seconds.

        Returns:
            What the receiver makes of it: a ``GenerationResult``. What the API posts is not documented, so all of it is
            in ``raw``.

        Raises:
            NoResultError: nothing came until the deadline.

        """
        return await receiver.wait_for(self, deadline=deadline)
