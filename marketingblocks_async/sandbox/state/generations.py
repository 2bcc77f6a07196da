"""AI generations: queued, then success after a while, then a delivery to the web hook.

The payload of a web hook is not documented. The one sent here is a guess: the documented response to
create-post-generation with ``"status": "success"`` and a ``posts`` array added.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models import GenerationStatus
from marketingblocks_async.sandbox.ledger import WebHookDelivery
from marketingblocks_async.urls import is_loopback

from .clock import SandboxClock

WEB_HOOK_TIMEOUT = 10.0
"""Seconds that a web hook has to respond."""


@dataclass(slots=True)
class SandboxGeneration:
    """A generation job.

    Attributes:
        id: its id.
        post_type: kind of post.
        input: theme or subject.
        brand_id: as given.
        web_hook: address that gets the result, or ``None``.
        done_at: when it succeeds, in seconds since 1970.
        called: whether its web hook was called.

    """

    id: str
    post_type: str
    input: str
    brand_id: int | str | None
    web_hook: str | None
    done_at: float
    called: bool = False

    def to_json(self, status: GenerationStatus, message: str) -> dict[str, Any]:
        """Return the documented object about the job."""
        return {
            "id": self.id,
            "status": status.value,
            "message": message,
            "request_body": {
                "post_type": self.post_type,
                "input": self.input,
                "brand_id": self.brand_id,
                "web_hook": self.web_hook,
            },
        }


@dataclass(slots=True)
class Generations:
    """All generation jobs of a sandbox.

    Args:
        clock: the sandbox's time.
        delay: seconds of world time from the request to the success.
        chance: source of the ids.
        delivered: called with each attempted delivery.
        allow_external_web_hooks: whether web hooks outside this machine are called.

    """

    clock: SandboxClock
    delay: float
    chance: random.Random
    delivered: Callable[[WebHookDelivery], None]
    allow_external_web_hooks: bool = False
    jobs: dict[str, SandboxGeneration] = field(default_factory=dict[str, SandboxGeneration])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    _session: aiohttp.ClientSession | None = None

    def create(self, request: dict[str, Any]) -> SandboxGeneration:
        """Start the job of a valid create-post-generation request."""
        job = SandboxGeneration(
            id=str(uuid.UUID(int=self.chance.getrandbits(128), version=4)),
            post_type=request["post_type"],
            input=request["input"],
            brand_id=request.get("brand_id"),
            web_hook=request.get("web_hook"),
            done_at=self.clock.world() + self.delay,
        )
        self.jobs[job.id] = job
        self._deliver(job)
        return job

    def dump(self) -> list[dict[str, Any]]:
        """Return all jobs as JSON values."""
        return [asdict(job) for job in self.jobs.values()]

    def restore(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        """Take over what ``dump()`` returned."""
        self.jobs = {job["id"]: SandboxGeneration(**job) for job in jobs}

    def start(self) -> None:
        """Call the web hooks of restored jobs when they are due."""
        for job in self.jobs.values():
            self._deliver(job)

    def _deliver(self, job: SandboxGeneration) -> None:
        if job.web_hook is not None and not job.called:
            task = asyncio.create_task(self._finish(job, job.web_hook), name=f"web hook of {job.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def status(self, job: SandboxGeneration) -> GenerationStatus:
        """Return the state of a job at this moment."""
        return GenerationStatus.SUCCESS if self.clock.world() >= job.done_at else GenerationStatus.QUEUED

    @property
    def pending(self) -> int:
        """Number of web hooks that are still to be called."""
        return len(self._tasks)

    async def clear(self) -> None:
        """Cancel the pending deliveries and remove all jobs."""
        await self._cancel_deliveries()
        self.jobs.clear()

    async def _cancel_deliveries(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Cancel the pending deliveries and close the connections to web hooks; the jobs stay."""
        await self._cancel_deliveries()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _finish(self, job: SandboxGeneration, web_hook: str) -> None:
        await self.clock.until(job.done_at)
        status: int | None = None
        problem: str | None = None
        try:
            self._check(web_hook)
            status = await self._post(web_hook, _payload(job))
        except (aiohttp.ClientError, ValueError, OSError) as exc:
            problem = f"{type(exc).__name__}: {exc}"
        job.called = True
        self.delivered(WebHookDelivery(job.id, web_hook, status, problem))

    def _check(self, web_hook: str) -> None:
        url = URL(web_hook)
        if url.scheme not in {"http", "https"} or not url.host:
            msg = "a web hook is an http or https address"
            raise InvalidArgumentError(msg)
        if not self.allow_external_web_hooks and not is_loopback(url.host):
            msg = "not called: the sandbox calls web hooks on this machine only"
            raise InvalidArgumentError(msg)

    async def _post(self, web_hook: str, payload: dict[str, Any]) -> int:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WEB_HOOK_TIMEOUT))
        # A redirection could lead away from this machine.
        async with self._session.post(web_hook, json=payload, allow_redirects=False) as response:
            return response.status


def _payload(job: SandboxGeneration) -> dict[str, Any]:
    return {
        **job.to_json(GenerationStatus.SUCCESS, "post generation is completed."),
        "posts": [{"caption_text": f"A post about {job.input}", "media_urls": [], "post_type": job.post_type}],
    }
