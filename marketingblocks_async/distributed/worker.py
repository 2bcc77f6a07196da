"""Send a row that a queue delivers, whichever queue it is."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from marketingblocks_async import ConfigurationError, CreatePost, MarketingBlocks, PostOutcome
from marketingblocks_async.bulk import JournalError, OutagePolicy, RowState
from marketingblocks_async.bulk.journal.account import check_api, token_hash
from marketingblocks_async.bulk.journal.states import is_intact
from marketingblocks_async.bulk.run.outcomes import state_after
from marketingblocks_async.bulk.run.signs import Sign, is_refused_token, may_be_own_fault, sign_of, way_on
from marketingblocks_async.resources.create_many import StoredPost

from .journal import RowTakenError, SharedJournal

logger: logging.Logger = logging.getLogger("marketingblocks_async")


class RowSender:
    """Sends rows of a shared journal, each at most once.

    Args:
        client: an open client with the run's token. All workers should share its limit (``RedisRateLimit``). Its calls
            queue behind ordinary calls.
        journal: the run.
        on_outage: what to do with rows that are refused for a reason that may concern all rows, such as a 404.
            ``stop``: five of them in succession stop the run, and stay pending. ``fail``: those that the API itself
            refuses fail, and the run goes on; it is for runs in which many rows have a fault of their own, such as a
            channel that is gone. An outage stops the run in both cases. Give all workers the same value.

    Raises:
        ConfigurationError: ``on_outage`` is neither ``stop`` nor ``fail``.

    """

    def __init__(
        self, client: MarketingBlocks, journal: SharedJournal, *, on_outage: OutagePolicy | str = OutagePolicy.STOP
    ) -> None:
        if on_outage not in (OutagePolicy.STOP, OutagePolicy.FAIL):
            msg = (
                f"RowSender(on_outage={str(on_outage)!r}): give 'stop' or 'fail'. Workers cannot wait for the API: an "
                "outage stops the run, and DistributedRun goes on with it when it is started again"
            )
            raise ConfigurationError(msg)
        self._client = client
        self._journal = journal
        self._lets_fail = on_outage == OutagePolicy.FAIL
        # The keyed hash of the client's token; unknown until the first row.
        self._token: str | None = None

    async def send(self, number: int) -> RowState:
        """Send a row, if it is pending.

        Call it for every delivery, and acknowledge the delivery when it returns or raises. A row that is not done then
        is pending or unknown in the journal, and ``DistributedRun`` takes care of it.

        Args:
            number: the row.

        Returns:
            The state of the row now; also if an earlier delivery has already sent it.

        Raises:
            OtherTokenError: the run was begun with another access token; nothing was sent.
            JournalError: the run was stopped or belongs to another API, and nothing was sent; or the journal cannot
                be used. A row that was sent and whose outcome could not be recorded is looked for later.
            ConfigurationError: the client cannot work as it was set up, for example because its shared limit differs
                from that of other workers; nothing was sent.

        """
        row = await self._journal.row(number)
        if row.state is not RowState.PENDING:
            return row.state
        if self._token is None:
            await check_api(self._journal, self._client.base_url)
            self._token = await token_hash(self._journal, self._client.token_fingerprint)
        token = self._token
        if not is_intact(row.request, row.content_hash):
            msg = f"{self._journal.title} is damaged: post {number} is not as it was written; it was not sent"
            raise JournalError(msg)
        delivery = secrets.token_hex(8)

        async def intend(_index: int, _post: CreatePost | Mapping[str, Any]) -> None:
            await self._journal.intend(number, delivery, token)

        many = self._client.posts.create_many([StoredPost(row.request)], concurrency=1, before_send=intend)
        async with many:
            async for outcome in many:
                return await self._note(number, delivery, outcome)
        msg = "a row has one outcome"
        raise AssertionError(msg)

    async def _note(self, number: int, delivery: str, outcome: PostOutcome) -> RowState:
        error = outcome.error
        if isinstance(error, RowTakenError):
            return (await self._journal.row(number)).state
        if isinstance(error, JournalError):
            raise error
        state, sign = state_after(error), sign_of(error)
        if sign is Sign.DOWN and not self._client.is_open:
            # Closing it ended the call, which says nothing of the API.
            sign = Sign.NONE
        if self._lets_fail and may_be_own_fault(error):
            state, sign = RowState.FAILED, Sign.WELL
        elif is_refused_token(error, created=sign is Sign.REFUSED and (await self._journal.counts()).done > 0):
            # It concerns all rows, so no other worker has to find out by itself.
            await self._journal.stop(
                f"{error}. The row is pending; start the run again when the token is right{way_on(error)}"
            )
            sign = Sign.NONE
        if sign is Sign.REFUSED:
            state = RowState.PENDING
        post_id = outcome.result.post_id if outcome.result is not None else None
        noted = await self._journal.end(
            number,
            state,
            delivery=delivery,
            post_id=None if post_id is None else str(post_id),
            permalink=None if outcome.result is None else outcome.result.permalink,
            error=error,
            sign=sign,
        )
        if not noted and state is not RowState.PENDING:
            # A pending call never had an intent, so there is nothing to take back.
            logger.error("row %d became %s, but another worker has sent it meanwhile", number, state.word)
        if isinstance(error, ConfigurationError):
            # It concerns this worker, which would get nothing done.
            raise error
        return state
