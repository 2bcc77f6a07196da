"""How many calls one turn of an event loop lets go, over all tokens.

Calls that go in one turn are also answered together, so the processor works on all of their objects at once. Where its
cache does not hold them, a call takes half as long again: with 40 tokens at their limit, turns of 100 calls took 726 µs
of processor time a call, and turns of 4 take 470 µs (medians of five interleaved rounds, ``benchmarks/tried.md``). The
other calls go in the next turns. A process that is not busy notices nothing of it, since its next turn begins at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

CALLS_PER_TURN = 4
"""How many calls a short turn lets go."""

CALLS_PER_SECOND = 1000
"""How many more a turn lets go for each second that the turn before took. So many go at least, however long the turns
of a program are."""


class TurnBudget:
    """What one turn of an event loop may still let go. Used in the loop's thread only.

    Args:
        loop: the event loop.

    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._renewal_is_due = False
        self._turn_began = 0.0
        self.left: int = CALLS_PER_TURN

    def take(self, number: int) -> None:
        """Let some calls go."""
        self.left -= number
        self._renew_soon()

    def wait(self, dispatch: Callable[[], None]) -> None:
        """Call ``dispatch`` in the next turn that has room, after those that wait already."""
        self._waiting.append(dispatch)
        self._renew_soon()

    def _renew_soon(self) -> None:
        if not self._renewal_is_due:
            self._renewal_is_due = True
            self._turn_began = self._loop.time()
            self._loop.call_soon(self._renew)

    def _renew(self) -> None:
        self._renewal_is_due = False
        took = max(0.0, self._loop.time() - self._turn_began)
        self.left = CALLS_PER_TURN + int(took * CALLS_PER_SECOND)
        try:
            while self._waiting and self.left:
                self._waiting.popleft()()
        finally:
            if self._waiting:
                self._renew_soon()


# Global, since the tokens of an event loop share nothing else. The newest closed loop stays until another one begins.
BUDGETS: dict[asyncio.AbstractEventLoop, TurnBudget] = {}


def turn_budget(loop: asyncio.AbstractEventLoop) -> TurnBudget:
    """Return the budget of an event loop, the same for all of its queues; called in the loop's thread."""
    budget = BUDGETS.get(loop)
    if budget is None:
        # Without a lock, which a fork could leave locked: each operation on the dictionary is atomic.
        for closed in [known for known in list(BUDGETS) if known.is_closed()]:
            BUDGETS.pop(closed, None)
        budget = BUDGETS[loop] = TurnBudget(loop)
    return budget
