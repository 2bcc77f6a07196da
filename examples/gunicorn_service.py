r"""A service for several gunicorn workers that share the limit of one token through Redis.

    pip install 'marketingblocks-async[redis]' gunicorn
    export MARKETINGBLOCKS_API_TOKEN=… REDIS_URL=redis://127.0.0.1:6379/0
    gunicorn --chdir examples --workers 4 --bind 127.0.0.1:8092 --worker-class aiohttp.GunicornWebWorker \
      gunicorn_service:make_app
    curl localhost:8092/upcoming

Each worker is a process with a client of its own. Without Redis each of them would send up to 100 requests per second.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

from aiohttp import web

from marketingblocks_async import MarketingBlocks, NotSentError
from marketingblocks_async.redis import RedisRateLimit

CLIENT = web.AppKey("client", MarketingBlocks)


async def client_context(app: web.Application) -> AsyncIterator[None]:
    """Open a client in the worker, which is after the fork."""
    limit = RedisRateLimit(os.environ["REDIS_URL"])
    # Less than gunicorn's graceful_timeout (30 s), so that a worker that stops cuts no call off.
    async with MarketingBlocks(rate_limit=limit, deadline=20.0) as app[CLIENT]:
        yield


async def upcoming(request: web.Request) -> web.Response:
    """Return the ids of the posts that are about to be published, and the process that answers."""
    try:
        posts = await request.app[CLIENT].posts.upcoming()
    except NotSentError as error:
        return web.json_response({"error": str(error)}, status=503)
    return web.json_response({"posts": [post.post_id for post in posts], "worker": os.getpid()})


async def make_app() -> web.Application:
    """Return the service. gunicorn calls this in each worker."""
    app = web.Application()
    app.cleanup_ctx.append(client_context)
    app.add_routes([web.get("/upcoming", upcoming)])
    return app
