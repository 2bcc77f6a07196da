"""A cap on connections over all tokens that starves none of them.

Every attempt takes a *slot* after its permit and returns it at its end. There are as many slots as there may be
connections. The one token of a client may have all of them. With several tokens and a plain queue, one with slow
responses would fill all of them. So a token then gets another slot only while it has fewer than there are free: one
greedy token gets half of them, two get a third each, and the same number stays free for the others. (Switches share
their buffers by this rule, called "dynamic thresholds".) Waiting tokens are served in turn, and each token's calls in
order: ordinary calls before bulk calls, as at the limiter.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import Callable

from marketingblocks_async.configuration import is_number
from marketingblocks_async.errors import ConfigurationError

from .settings import Lane

_Waiting = dict[Lane, OrderedDict[asyncio.Future[None], object]]


class ConnectionSlots:
    """The connection slots of one client and its copies; used on one event loop at a time.

    Args:
        limit: number of slots, 1 or more.

    Raises:
        ConfigurationError: ``limit`` is less than 1.

    """

    def __init__(self, limit: int) -> None:
        if not is_number(limit, whole=True) or limit < 1:
            msg = f"max_connections={limit!r}: give a whole number, 1 or more, or None for no cap"
            raise ConfigurationError(msg)
        self.limit: int = limit
        self._used: Counter[object] = Counter()
        self._free = limit
        # Tokens in the order of their turns, with their waiting attempts.
        self._waiting: OrderedDict[object, _Waiting] = OrderedDict()
        self._of_parent: list[OrderedDict[object, _Waiting]] = []
        # How often they were cleared: a slot of before is none of these.
        self.generation: int = 0
        # Whether there is more than one token, so that none may have all slots.
        self.is_shared: bool = False

    @property
    def in_use(self) -> int:
        """Number of slots in use."""
        return self.limit - self._free

    @property
    def waiting(self) -> int:
        """Number of attempts that wait for a slot."""
        return sum(len(lane) for waiting in self._waiting.values() for lane in waiting.values())

    def used_by(self, key: object) -> int:
        """Return the number of slots that a token uses."""
        return self._used[key]

    async def take(self, key: object, owner: object, lane: Lane = Lane.ORDINARY) -> ConnectionSlot:
        """Wait for a slot.

        Args:
            key: identifies the token.
            owner: the object that may ``abort()`` the waiting.
            lane: the queue of the token to wait in; a bulk call gets one only when no ordinary call of it waits.

        Returns:
            The slot, which must be released.

        """
        if key not in self._waiting and self._may_have(key):
            self._grant(key)
            return ConnectionSlot(self, key)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if key not in self._waiting:
            self._waiting[key] = {each: OrderedDict() for each in Lane}
        self._waiting[key][lane][future] = owner
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                # Granted and cancelled in the same turn.
                self.give_back(key)
            else:
                self._remove(key, future)
                # A slot that came back in the same turn found this attempt, and not the next one.
                self._serve()
            raise
        return ConnectionSlot(self, key)

    def give_back(self, key: object) -> None:
        """Return a slot."""
        self._free += 1
        self._used[key] -= 1
        if not self._used[key]:
            del self._used[key]
        self._serve()

    def clear(self) -> None:
        """Free all slots: the calls that have them do not go on, since their event loop is gone."""
        # Kept in a forked child, since asyncio complains of waiting tasks that are destroyed.
        if self._waiting:
            self._of_parent.append(self._waiting)
        self._waiting = OrderedDict()
        self.generation += 1
        self._used.clear()
        self._free = self.limit

    def abort(self, owner: object, error: Callable[[], Exception]) -> int:
        """End the waiting of all attempts of ``owner`` with ``error()``; return their number."""
        count = 0
        for key, waiting in list(self._waiting.items()):
            futures = [future for queue in waiting.values() for future, whose in queue.items() if whose is owner]
            for future in futures:
                self._remove(key, future)
                if not future.done():
                    # A loop that is closed has no calls that could hear of it.
                    with contextlib.suppress(RuntimeError):
                        future.set_exception(error())
                    count += 1
        return count

    def _may_have(self, key: object) -> bool:
        return self._free > (self._used[key] if self.is_shared and key in self._used else 0)

    def _grant(self, key: object) -> None:
        self._free -= 1
        self._used[key] += 1

    def _remove(self, key: object, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None:
            for queue in waiting.values():
                queue.pop(future, None)
            if not any(waiting.values()):
                del self._waiting[key]

    def _serve(self) -> None:
        """Give free slots to the waiting tokens in turn, at most one each."""
        for key in list(self._waiting):
            if not self._free:
                return
            if self._may_have(key):
                # Ordinary calls are the first lane.
                future = next(future for queue in self._waiting[key].values() for future in queue)
                self._remove(key, future)
                if not future.done():
                    self._grant(key)
                    # On a loop that is closed nothing can be woken.
                    with contextlib.suppress(RuntimeError):
                        future.set_result(None)
                with contextlib.suppress(KeyError):
                    self._waiting.move_to_end(key)


class ConnectionSlot:
    """A slot that was taken."""

    __slots__ = ("_generation", "_key", "_slots")

    def __init__(self, slots: ConnectionSlots, key: object) -> None:
        self._slots: ConnectionSlots | None = slots
        self._key = key
        self._generation = slots.generation

    def release(self) -> None:
        """Return it; once is enough."""
        slots, self._slots = self._slots, None
        if slots is not None and slots.generation == self._generation:
            slots.give_back(self._key)
