"""The received bodies, and the calls that wait for them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .payload import GenerationResult, ids_in, is_final, parse, status_of

REMEMBERED_BYTES = 32 * 2**20
"""Bytes of results to keep until a call waits for them. The oldest are dropped first."""

REMEMBERED_DIGESTS = 10_000
"""Number of bodies that are recognised when they are delivered again."""

_OVERHEAD = 1024


@dataclass(frozen=True, slots=True)
class _Hint:
    value: Any
    ids: frozenset[str]
    digest: bytes
    size: int
    at: datetime

    def result_for(self, generation_id: int | str) -> GenerationResult:
        return GenerationResult(generation_id, status_of(self.value), self.value, self.at)


class Inbox:
    """Keeps results until a call waits for them, in bounded memory, and wakes the calls that wait already."""

    def __init__(self) -> None:
        self._hints: deque[_Hint] = deque()
        self._size = 0
        self._digests: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: dict[str, set[asyncio.Future[_Hint]]] = {}

    @property
    def waiting(self) -> int:
        """Number of generations that calls wait for."""
        return len(self._waiting)

    def put(self, body: bytes) -> bool:
        """Add a body; return whether it is new. Raise ``NotJSONError`` if it is not JSON."""
        value = parse(body)
        digest = hashlib.sha256(body).digest()
        if digest in self._digests:
            return False
        self._digests[digest] = None
        if len(self._digests) > REMEMBERED_DIGESTS:
            self._digests.popitem(last=False)
        hint = _Hint(value, ids_in(value), digest, len(body) + _OVERHEAD, datetime.now(UTC))
        if not is_final(value):
            return True
        self._hints.append(hint)
        self._size += hint.size
        while self._size > REMEMBERED_BYTES:
            dropped = self._hints.popleft()
            self._size -= dropped.size
            # If it is delivered again, it is kept again.
            self._digests.pop(dropped.digest, None)
        for name in hint.ids & self._waiting.keys():
            for future in self._waiting[name]:
                if not future.done():
                    future.set_result(hint)
        return True

    def find(self, generation_id: int | str) -> GenerationResult | None:
        """Return the first result of a generation, or ``None`` if none has come."""
        name = str(generation_id)
        hint = next((hint for hint in self._hints if name in hint.ids), None)
        return None if hint is None else hint.result_for(generation_id)

    async def wait(self, generation_id: int | str) -> GenerationResult:
        """Wait for the result of a generation, without a deadline."""
        found = self.find(generation_id)
        if found is not None:
            return found
        name = str(generation_id)
        future: asyncio.Future[_Hint] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(name, set())
        waiting.add(future)
        try:
            return (await future).result_for(generation_id)
        finally:
            waiting.discard(future)
            if not waiting:
                self._waiting.pop(name, None)
