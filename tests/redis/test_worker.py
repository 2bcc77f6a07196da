"""The thread that exchanges permits with Redis."""

from __future__ import annotations

import threading

from marketingblocks_async.redis import RedisRateLimit, RedisRateLimiter
from marketingblocks_async.testing.redis_server import PrivateRedis
from tests.support.limits import use
from tests.support.polling import until


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "marketingblocks redis"}


async def test_the_thread_ends_with_the_last_limiter(server: PrivateRedis) -> None:
    setting = RedisRateLimit(server.url)
    before = threads()
    limiter = RedisRateLimiter(setting, "https://api.example/v1", "token")
    use(await limiter.acquire())
    (thread,) = threads() - before
    limiter.close()
    await until(lambda: thread not in threads())
    # And a new one begins with the next.
    limiter = RedisRateLimiter(setting, "https://api.example/v1", "token")
    use(await limiter.acquire())
    assert threads() - before
    limiter.close()
    await until(lambda: not threads() - before)
