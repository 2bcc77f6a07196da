"""A web service with aiohttp. One client serves all its handlers, which only await it.

export MARKETINGBLOCKS_API_TOKEN=…
python examples/service.py --port 8090
curl -d '{"channel_type": "facebook", "channel_id": 1, "text": "We are open"}' localhost:8090/announcements

``fastapi_service.py`` is the same with FastAPI, ``gunicorn_service.py`` is for several workers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator

from aiohttp import web
from pydantic import ValidationError

from marketingblocks_async import (
    BadRequestError,
    CreatePost,
    MarketingBlocks,
    MarketingBlocksError,
    NotSentError,
    OutcomeUnknownError,
)

CLIENT = web.AppKey("client", MarketingBlocks)


async def client_context(app: web.Application) -> AsyncIterator[None]:
    """Open one client for the life of the service; all requests share it and its limiter."""
    async with MarketingBlocks(deadline=20.0) as client:
        app[CLIENT] = client
        yield


async def announce(request: web.Request) -> web.Response:
    """Publish an announcement at once."""
    try:
        body = await request.json()
        post = CreatePost.model_validate(
            {
                "channel_type": body["channel_type"],
                "channel_id": body["channel_id"],
                "post_type": "post",
                "caption_text": body["text"],
                "media_urls": body.get("media_urls", []),
                "publish_mode": "now",
            }
        )
    except (json.JSONDecodeError, KeyError, TypeError, ValidationError) as error:
        return web.json_response({"error": str(error)}, status=422)
    try:
        created = await request.app[CLIENT].posts.create(post)
    except NotSentError as error:
        # It did not happen, so the caller can try again.
        return web.json_response({"error": str(error), "published": False}, status=503)
    except OutcomeUnknownError as error:
        return web.json_response({"error": str(error), "published": None}, status=502)
    except BadRequestError as error:
        return web.json_response({"error": str(error), "published": False}, status=422)
    except MarketingBlocksError as error:
        return web.json_response({"error": str(error), "published": False}, status=502)
    return web.json_response({"post_id": created.post_id}, status=201)


async def health(request: web.Request) -> web.Response:
    """Say what the limiter is doing."""
    snapshot = request.app[CLIENT].rate_limiter.snapshot()
    return web.json_response({"queued": snapshot.queued, "rate": snapshot.rate, "wait": snapshot.estimated_wait})


def make_app() -> web.Application:
    """Return the service."""
    app = web.Application()
    app.cleanup_ctx.append(client_context)
    app.add_routes([web.post("/announcements", announce), web.get("/health", health)])
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8090)
    web.run_app(make_app(), host="127.0.0.1", port=parser.parse_args().port)
