"""``client.generations``."""

from __future__ import annotations

from typing import Final, Unpack, overload

from marketingblocks_async.calls.options import CallOverrides
from marketingblocks_async.endpoints import CREATE_POST_GENERATION
from marketingblocks_async.models import (
    CreateGeneration,
    Generation,
    GenerationPostType,
    GenerationPostTypeName,
    Identifier,
)

from .base import Resource, request_from
from .raw import RawForm, raw_form


class Generations(Resource):
    """AI post generation."""

    @property
    def with_raw_response(self) -> RawGenerations:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawGenerations(self._executor, type(self))

    @overload
    async def create(self, request: CreateGeneration, /, **overrides: Unpack[CallOverrides]) -> Generation: ...

    @overload
    async def create(
        self,
        /,
        *,
        post_type: GenerationPostType | GenerationPostTypeName,
        input: str,
        web_hook: str | None = None,
        brand_id: Identifier | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> Generation: ...

    async def create(
        self,
        request: CreateGeneration | None = None,
        /,
        *,
        post_type: GenerationPostType | GenerationPostTypeName | None = None,
        input: str | None = None,
        web_hook: str | None = None,
        brand_id: Identifier | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> Generation:
        """Ask for a generated post; the job runs in the background.

        Args:
            request: a ready-made request, instead of the keyword arguments.
            post_type: ``text_only``, ``ai_image_post``, ``ai_banner_post``, ``breel``, ``talking_reel`` or
                ``faceless_reel``.
            input: theme or subject.
            web_hook: address that receives the result; what is posted there is not documented.
            brand_id: brand to write for; inferred from the response, which echoes it.
            overrides: ``timeout``, ``max_retries``, ``extra_body`` and others for this call; see ``CallOverrides``.

        Returns:
            The job, usually ``queued``. How its result is fetched by id is not documented.

        Raises:
            InvalidRequestError: the arguments make no valid request.
            OutcomeUnknownError: the job may have been created; it was not sent again.
            MarketingBlocksError: the call failed otherwise.

        Documented on the page "Create post generation" of the API reference.

        """
        fields = {"post_type": post_type, "input": input, "web_hook": web_hook, "brand_id": brand_id}
        request = request_from(CreateGeneration, request, fields, overrides)
        return await self._run(CREATE_POST_GENERATION, request, overrides)


class RawGenerations(RawForm[Generations]):
    """``with_raw_response``: the methods of ``Generations``; each returns a ``RawResponse``."""

    create: Final = raw_form(Generations.create)
