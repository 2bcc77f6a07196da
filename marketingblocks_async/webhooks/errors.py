"""The error of waiting for a result."""

from __future__ import annotations

from marketingblocks_async.errors import MarketingBlocksError


class NoResultError(MarketingBlocksError):
    """No result of the generation came before the deadline. It may still come, so you can wait again.

    Attributes:
        generation_id: id of the generation.

    """

    def __init__(self, message: str, generation_id: int | str = "") -> None:
        """Keep both arguments, so that it pickles."""
        super().__init__(message, generation_id)
        self.generation_id = generation_id

    def __str__(self) -> str:
        return str(self.args[0])
