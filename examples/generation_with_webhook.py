"""Ask for a generated post and wait for the call to the web hook.

    MARKETINGBLOCKS_API_TOKEN=… python examples/generation_with_webhook.py "flower sales"

The API calls ``web_hook`` when the job has finished; what it posts there is not documented, so the body is treated as a
hint and printed as it is. In real life the address must be public; here it is on this machine, for the sandbox.
"""

from __future__ import annotations

import asyncio
import socket
import sys

from aiohttp import web

from marketingblocks_async import MarketingBlocks
from marketingblocks_async.webhooks import WebhookReceiver

LONGEST_WAIT = 120.0
"""Seconds."""


async def main(subject: str) -> None:
    """Generate a post about ``subject``."""
    listening = socket.create_server(("127.0.0.1", 0))
    receiver = WebhookReceiver(f"http://127.0.0.1:{listening.getsockname()[1]}/generations")
    app = web.Application()
    app.router.add_post("/generations/{secret}", receiver.aiohttp_handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        async with MarketingBlocks() as client:
            job = await client.generations.create(post_type="breel", input=subject, web_hook=receiver.url)
            print(f"job {job.id}: {job.status}")
            result = await job.wait(receiver, deadline=LONGEST_WAIT)
            print(f"the web hook received: {result.raw}")
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "flower sales"))
