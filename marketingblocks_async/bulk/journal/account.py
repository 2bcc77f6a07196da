"""The account that a run belongs to, as far as a journal can tell: the API's address, and a keyed hash of the token."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

from marketingblocks_async.bulk.errors import JournalError, OtherTokenError

BASE_URL = "base_url"
"""Name of the fact which API the run posts to."""


class AccountJournal(Protocol):
    """The methods of a journal that remember the account; the journals in SQLite and in Redis have them."""

    @property
    def title(self) -> str:
        """The journal's name in error messages."""
        ...

    async def noted(self, name: str, value: str) -> str:
        """Record a fact about the run, unless it is known; return the one that is recorded now."""
        ...

    async def replace_token(self, fingerprint: str, *, even_if_sent: bool) -> bool:
        """Record another token's hash, unless a row may have been published with the former; return whether it did."""
        ...


async def check_api(journal: AccountJournal, base_url: str) -> None:
    """Record the API that the run posts to, or refuse another one: post ids of one API mean nothing at another.

    Args:
        journal: the run.
        base_url: API root. The port of a server on this machine does not matter, since it changes.

    Raises:
        JournalError: the run belongs to another API.

    """
    noted = await journal.noted(BASE_URL, base_url)
    if _place(noted) != _place(base_url):
        msg = f"{journal.title} is of a run at {noted}, and this is {base_url}; set the base URL to the former"
        raise JournalError(msg)


async def token_hash(journal: AccountJournal, fingerprint: Callable[[bytes], str]) -> str:
    """Return the hash of a token with the run's key."""
    return fingerprint(bytes.fromhex(await journal.noted("token_key", secrets.token_hex(16))))


async def check_token(
    journal: AccountJournal, fingerprint: Callable[[bytes], str], *, accept_new: bool = False
) -> None:
    """Record the access token that the run sends with, as a keyed hash, or refuse another one.

    As long as no row can have been published, any token will do.

    Args:
        journal: the run.
        fingerprint: returns the keyed hash of the token, see ``MarketingBlocks.token_fingerprint()``.
        accept_new: whether to record another token from now on, since the account has got a new one.

    Raises:
        OtherTokenError: the run was begun with another token.

    """
    found = await token_hash(journal, fingerprint)
    if await journal.noted("token_hash", found) == found:
        return
    if not await journal.replace_token(found, even_if_sent=accept_new):
        raise other_token(journal.title)


def other_token(title: str) -> OtherTokenError:
    """Return the error of a run that was begun with another token."""
    return OtherTokenError(
        f"{title} was begun with another access token, and another token may be that of another account; "
        "nothing was sent; set the former token, or, if the same account has got a new one, accept it "
        "(accept_new_token)"
    )


def _place(base_url: str) -> tuple[str, str]:
    parts = urlsplit(base_url)
    is_here = parts.hostname in ("localhost", "::1") or (parts.hostname or "").startswith("127.")
    return ("this machine" if is_here else parts.netloc.lower(), "" if is_here else parts.path.rstrip("/"))
