"""``client.channels``."""

from __future__ import annotations

from typing import Final, Unpack, overload

from marketingblocks_async.calls.options import CallOverrides
from marketingblocks_async.endpoints import CONNECT_CHANNEL
from marketingblocks_async.models import ChannelConnection, ConnectChannel

from .base import Resource, request_from
from .raw import RawForm, raw_form


class Channels(Resource):
    """Connected social accounts."""

    @property
    def with_raw_response(self) -> RawChannels:
        """The same methods; each returns the whole response, a ``RawResponse``, with the result in it."""
        return RawChannels(self._executor, type(self))

    @overload
    async def connect(self, request: ConnectChannel, /, **overrides: Unpack[CallOverrides]) -> ChannelConnection: ...

    @overload
    async def connect(
        self, /, *, user_id: str, redirect_url: str | None = None, **overrides: Unpack[CallOverrides]
    ) -> ChannelConnection: ...

    async def connect(
        self,
        request: ConnectChannel | None = None,
        /,
        *,
        user_id: str | None = None,
        redirect_url: str | None = None,
        **overrides: Unpack[CallOverrides],
    ) -> ChannelConnection:
        """Start the hosted sign-in by which one of your own users connects a social account.

        Args:
            request: a ready-made request, instead of the keyword arguments.
            user_id: your own id of that user.
            redirect_url: URL or deep link to return to; tools that poll need none.
            overrides: ``timeout``, ``max_retries``, ``extra_body`` and others for this call; see ``CallOverrides``.

        Returns:
            ``connect_url`` to open in the user's browser, and ``connect_token``. How the connection's state is polled
            is not documented.

        Raises:
            InvalidRequestError: the arguments make no valid request.
            OutcomeUnknownError: the sign-in may have been started; it was not sent again.
            MarketingBlocksError: the call failed otherwise.

        Documented on the page "Connect channel" of the API reference.

        """
        request = request_from(ConnectChannel, request, {"user_id": user_id, "redirect_url": redirect_url}, overrides)
        return await self._run(CONNECT_CHANNEL, request, overrides)


class RawChannels(RawForm[Channels]):
    """``with_raw_response``: the methods of ``Channels``; each returns a ``RawResponse``."""

    connect: Final = raw_form(Channels.connect)
