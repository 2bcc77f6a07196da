"""Ask for a generated post and wait for the call to the web hook.

    MARKETINGBLOCKS_API_TOKEN=… python examples/generation_with_webhook.py "flower sales"

The API calls ``web_hook`` when the job has finished; what it posts there is not documented, so the body is treated as a
hint and printed as it is. In real life the address must be public; here it is on this machine, for the sandbox.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Any

from aiohttp import web

from marketingblocks_async import MarketingBlocks

LONGEST_WAIT = 120.0
"""Seconds."""


async def main(subject: str) -> None:
    """Generate a post about ``subject``."""
    result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def receive(request: web.Request) -> web.Response:
        if not result.done():
            result.set_result(await request.json())
        return web.Response()

    app = web.Application(client_max_size=2**20)
    # Whoever knows the path can post to it, so it is not to be guessed.
    path = f"/generations/{secrets.token_urlsafe(32)}"
    app.add_routes([web.post(path, receive)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with MarketingBlocks() as client:
            job = await client.generations.create(
                post_type="breel", input=subject, web_hook=f"http://127.0.0.1:{port}{path}"
            )
            print(f"job {job.id}: {job.status}")
            async with asyncio.timeout(LONGEST_WAIT):
                print(f"the web hook received: {await result}")
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "flower sales"))
