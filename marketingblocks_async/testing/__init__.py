"""For the tests of programs that use this package: fake time, assertions, and the fixtures of a pytest plugin.

pytest finds the plugin by itself where pytest-asyncio is installed:

    async def test_the_campaign_is_published_once(marketingblocks_sandbox, marketingblocks_client, fake_time):
        marketingblocks_sandbox.faults.add("commit_then_drop:endpoint=create-post,times=1")
        await publish_campaign(marketingblocks_client)
        assert_published(marketingblocks_sandbox, "Monday", "Tuesday")

Without pytest: ``FakeTime`` and ``Sandbox`` are context managers.
"""

from .fake_time import FakeTime, FakeTimeError
from .published import assert_published

__all__ = ["FakeTime", "FakeTimeError", "assert_published"]
