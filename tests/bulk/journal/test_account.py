"""Which API a run belongs to."""

from __future__ import annotations

import pytest

from marketingblocks_async.bulk.errors import JournalError
from marketingblocks_async.bulk.journal.account import check_api


class Noted:
    """A journal of a run that was begun at an API."""

    title = "spring.journal"

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def noted(self, name: str, value: str) -> str:
        """Return what was recorded."""
        del value
        assert name == "base_url"
        return self._base_url

    async def replace_token(self, fingerprint: str, *, even_if_sent: bool) -> bool:
        """Do nothing."""
        del fingerprint, even_if_sent
        return False


@pytest.mark.parametrize(
    ("begun_at", "now"),
    [
        ("https://api.example/v1", "https://API.example/v1/"),
        # A server on this machine, which has another port each time.
        ("http://127.0.0.1:8000/api/v1", "http://localhost:9000/api/v1"),
        ("http://[::1]:8000/api/v1", "http://127.0.0.2/api/v2"),
    ],
)
async def test_a_run_goes_on_at_its_own_api(begun_at: str, now: str) -> None:
    await check_api(Noted(begun_at), now)


@pytest.mark.parametrize(
    "now",
    [
        "https://api.example/v2",
        "https://api.example",
        "https://api.example:8443/v1",
        "https://other.example/v1",
        "http://127.0.0.1/v1",
    ],
)
async def test_a_run_does_not_go_on_at_another_api(now: str) -> None:
    with pytest.raises(JournalError, match=r"spring\.journal is of a run at https://api\.example/v1, and this is"):
        await check_api(Noted("https://api.example/v1"), now)
