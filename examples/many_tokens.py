"""Many customers, each with an access token of its own, over one connection pool.

    MARKETINGBLOCKS_TOKENS="token-of-anna token-of-ben" python examples/many_tokens.py

Every token has its own limit of 100 requests per second; none waits for another.
"""

from __future__ import annotations

import asyncio
import os
import sys

from marketingblocks_async import MarketingBlocks, MarketingBlocksError


async def upcoming_of(client: MarketingBlocks, customer: int) -> str:
    """Return a line about one customer."""
    try:
        posts = await client.posts.upcoming(limit=3)
    except MarketingBlocksError as error:
        return f"customer {customer}: {error}"
    return f"customer {customer}: {len(posts)} posts ahead"


async def main(tokens: list[str]) -> None:
    """Ask for all customers at once."""
    async with MarketingBlocks(tokens[0]) as client:
        # A copy with another token costs next to nothing and lives as long as the client.
        clients = [client.with_token(token) for token in tokens]
        for line in await asyncio.gather(*(upcoming_of(each, number) for number, each in enumerate(clients, 1))):
            print(line)


if __name__ == "__main__":
    words = os.environ.get("MARKETINGBLOCKS_TOKENS", "").split()
    if not words:
        sys.exit(__doc__)
    asyncio.run(main(words))
