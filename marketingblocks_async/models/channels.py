"""Connecting social accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from .base import NonBlank, RequestModel, ResponseModel, Tolerant


class ConnectChannel(RequestModel):
    """Start a hosted sign-in for one of your own users (``POST connect-channel``, permission ``add-channels``).

    Args:
        user_id: your own id of that user (wire name ``userId``).
        redirect_url: URL or deep link to return to (wire name ``redirectUrl``), optional; tools that poll need none.

    """

    user_id: NonBlank = Field(alias="userId")
    redirect_url: NonBlank | None = Field(default=None, alias="redirectUrl")

    if TYPE_CHECKING:
        # The Python names, where the fields' aliases are the wire's.
        def __init__(self, *, user_id: str, redirect_url: str | None = None) -> None: ...


class ChannelConnection(ResponseModel):
    """A started connection. The documentation gives only the names of these fields.

    Attributes:
        connect_url: address to open in the user's browser.
        connect_token: token to poll the connection's state with; the polling address is not documented.
        channel_id: the connected account, in later answers.
        channel_ids: the connected accounts, in later answers.

    """

    connect_url: Tolerant[str | None] = None
    connect_token: Tolerant[str | None] = None
    channel_id: Any = None
    channel_ids: Any = None

    @model_validator(mode="after")
    def _has_an_address_or_a_token(self) -> ChannelConnection:
        if self.connect_url is None and self.connect_token is None:
            msg = "the answer has neither connect_url nor connect_token"
            raise ValueError(msg)
        return self
