"""A limiter in fake time."""

from __future__ import annotations

import pytest

from marketingblocks_async.limits.limiter import RateLimiter
from marketingblocks_async.testing import FakeTime
from tests.support.limits import limiter_of


@pytest.fixture
def limiter(fake_time: FakeTime) -> RateLimiter:
    """Make a limiter with the documented limit, on the fake clock."""
    del fake_time
    return limiter_of()
