"""Make the pictures of the sandbox's page that the documentation shows: ``python tools/dashboard_screenshots.py``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from marketingblocks_async import CreatePost, MarketingBlocks
from marketingblocks_async.sandbox import Sandbox
from tests.support.browser import chromium

ASSETS = Path(__file__).resolve().parent.parent / "docs" / "assets"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
POSTS = 1500


async def main() -> None:
    """Publish posts, of which two meet a fault, and take the pictures."""
    async with Sandbox(
        port=8080, tokens=["careful"], faults=["commit_then_drop:endpoint=create-post,times=2"]
    ) as sandbox:
        posts = (
            CreatePost(
                channel_type="twitter",
                channel_id=7,
                post_type="tweet",
                caption_text=f"Tip no. {number}",
                media_urls=[],
                publish_mode="now" if number % 3 else "queued",
            )
            for number in range(POSTS)
        )
        async with (
            MarketingBlocks(sandbox.tokens["careful"], base_url=sandbox.base_url) as client,
            chromium() as browser,
        ):
            async for outcome in client.posts.create_many(posts):
                if outcome.index == POSTS // 2:
                    sandbox.faults.add("slow_answer:endpoint=find-post,delay=2")
            for scheme in SCHEMES:
                page = await browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 1100})
                await page.goto(sandbox.base_url.removesuffix("/api/v1"))
                await page.get_by_role("img").first.wait_for()
                await page.screenshot(path=ASSETS / f"dashboard-{scheme}.png", full_page=True)


if __name__ == "__main__":
    asyncio.run(main())
