"""Connecting social accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from .base import NonBlank, RequestModel, ResponseModel, Tolerant, is_object


class ConnectChannel(RequestModel):
    """Start a hosted sign-in for one of your own users (``POST connect-channel``, permission ``add-channels``)."""

    user_id: NonBlank = Field(alias="userId")
    """Your own id of that user (wire name ``userId``)."""
    redirect_url: NonBlank | None = Field(default=None, alias="redirectUrl")
    """URL or deep link to return to, optional (wire name ``redirectUrl``). Tools that poll need none."""

    if TYPE_CHECKING:
        # The Python names, where the fields' aliases are the wire's.
        def __init__(self, *, user_id: str, redirect_url: str | None = None) -> None: ...


_NAMES = {"connect_url", "connect_token"}


class ChannelConnection(ResponseModel):
    """A started connection.

    Only the names of these fields are documented; they are looked up at the top and under ``data`` (inferred).
    """

    connect_url: Tolerant[str | None] = None
    """Address to open in the user's browser."""
    connect_token: Tolerant[str | None] = None
    """Token to poll the connection's state with. The polling address is not documented."""
    channel_id: Any = None
    """The connected account, in later responses."""
    channel_ids: Any = None
    """The connected accounts, in later responses."""

    @model_validator(mode="before")
    @classmethod
    def _out_of_an_envelope(cls, value: Any) -> Any:
        if is_object(value) and is_object(inner := value.get("data")) and not _NAMES & value.keys():
            return {**value, **inner}
        return value

    @model_validator(mode="after")
    def _has_an_address_or_a_token(self) -> ChannelConnection:
        if self.connect_url is None and self.connect_token is None:
            msg = "the response has neither connect_url nor connect_token"
            raise ValueError(msg)
        return self
