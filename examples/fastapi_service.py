"""A FastAPI service with one client for all its requests.

    pip install fastapi uvicorn
    export MARKETINGBLOCKS_API_TOKEN=…
    uvicorn --app-dir examples --port 8091 fastapi_service:app
    curl localhost:8091/posts --json '{"channel_type": "facebook", "channel_id": 1, "post_type": "post",
      "caption_text": "We are open", "media_urls": [], "publish_mode": "now"}'

http://localhost:8091/docs documents it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request

from marketingblocks_async import APIError, CreatePost, MarketingBlocks, NotSentError, OutcomeUnknownError


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Open the client when the service starts, and close it when it stops."""
    # A caller waits ten seconds at most. If the queue for the limit is longer, the call fails at once.
    async with MarketingBlocks(deadline=10.0) as app.state.client:
        yield


def client_of(request: Request) -> MarketingBlocks:
    """Return the client, for handlers that depend on it."""
    client: MarketingBlocks = request.app.state.client
    return client


Client = Annotated[MarketingBlocks, Depends(client_of)]
app = FastAPI(title="Posts", lifespan=lifespan)


@app.post("/posts", status_code=201)
async def publish(post: CreatePost, client: Client) -> dict[str, object]:
    """Publish a post. FastAPI checks it: ``CreatePost`` is a pydantic model."""
    try:
        created = await client.posts.create(post)
    except NotSentError as error:
        # It did not happen, so the caller can try again.
        raise HTTPException(503, {"published": False, "reason": str(error)}, {"Retry-After": "5"}) from error
    except OutcomeUnknownError as error:
        # Not a plain failure: trying again could publish the post twice.
        raise HTTPException(502, {"published": None, "reason": str(error)}) from error
    except APIError as error:
        raise HTTPException(502, {"published": False, "reason": str(error)}) from error
    return {"post_id": created.post_id}


@app.get("/health")
async def health(client: Client) -> dict[str, float]:
    """Return the state of the rate limiter."""
    snapshot = client.rate_limiter.snapshot()
    return {"queued": snapshot.queued, "expected_wait": snapshot.estimated_wait}
