"""Schedule a post for each of the next seven mornings, and look at what is coming.

MARKETINGBLOCKS_API_TOKEN=… python examples/schedule_week.py "Africa/Lagos"
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from marketingblocks_async import MarketingBlocks

TEXTS = ("Monday motivation", "Tip of the day", "Behind the scenes", "A customer's story", "Ask us", "Weekend!", "Rest")


async def main(zone: ZoneInfo) -> None:
    """Schedule seven posts at nine in the morning, local time."""
    tomorrow = (datetime.now(zone) + timedelta(days=1)).replace(hour=9, minute=0)
    async with MarketingBlocks() as client:
        for day, text in enumerate(TEXTS):
            # An aware datetime carries its zone: the client sends both as the API wants them.
            created = await client.posts.create(
                channel_type="instagram",
                channel_id=22,
                post_type="post",
                caption_text=text,
                media_urls=[f"https://example.com/week/{day}.jpg"],
                publish_mode="scheduled",
                schedule_time=tomorrow + timedelta(days=day),
            )
            print(f"{(tomorrow + timedelta(days=day)):%a %d %b %H:%M}  {text}  ->  post {created.post_id}")
        upcoming = await client.posts.upcoming(limit=20)
        print(f"{len(upcoming)} posts ahead, the next one: {next(iter(upcoming)).schedule_time}")


if __name__ == "__main__":
    asyncio.run(main(ZoneInfo(sys.argv[1] if len(sys.argv) > 1 else "Europe/London")))
