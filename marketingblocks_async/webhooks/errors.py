"""What waiting for a result raises."""

from __future__ import annotations

from marketingblocks_async.errors import MarketingBlocksError


class NoResultError(MarketingBlocksError):
    """No result of the generation came until the deadline. It may still come; waiting again is fine.

    Attributes:
        generation_id: the generation.

    """

    def __init__(self, message: str, generation_id: int | str = "") -> None:
        """Keep both, so that it pickles."""
        super().__init__(message, generation_id)
        self.generation_id = generation_id

    def __str__(self) -> str:
        return str(self.args[0])
