"""A memory of what was seen, small enough for millions of rows."""

from __future__ import annotations

from array import array
from hashlib import blake2b

_ROW_BITS = 31
_REPEATED = 1 << _ROW_BITS


class SeenRows:
    """Remembers 8-byte digests and the row of each: an open hash table in two flat arrays.

    It costs 12 bytes a slot and is between a third and two thirds full: 18 to 36 bytes a row, half as much again while
    it grows (a ``dict`` takes about 150). Two different texts have the same 8 bytes of a good hash with a probability
    of 3 in 100 million among a million rows.
    """

    __slots__ = ("_count", "_digests", "_mask", "_rows")

    def __init__(self) -> None:
        self._count = 0
        self._allocate(1 << 10)

    def __len__(self) -> int:
        return self._count

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._digests = array("Q", bytes(8 * slots))
        self._rows = array("I", bytes(4 * slots))

    def add(self, digest: int, row: int) -> tuple[int, bool] | None:
        """Remember a row.

        Args:
            digest: 64 bits of a good hash of what the row holds.
            row: its number, from 1 to 2³¹ - 1.

        Returns:
            ``None`` if nothing with this digest was seen before; else the first row that has it, and whether this is
            its first repetition.

        """
        # Zero marks a free slot.
        digest = digest or 1
        digests, mask = self._digests, self._mask
        slot = digest & mask
        while found := digests[slot]:
            if found == digest:
                first = self._rows[slot]
                self._rows[slot] = first | _REPEATED
                return first & (_REPEATED - 1), not first & _REPEATED
            slot = (slot + 1) & mask
        digests[slot] = digest
        self._rows[slot] = row
        self._count += 1
        if self._count * 3 > (mask + 1) * 2:
            self._grow()
        return None

    def first(self, digest: int) -> int | None:
        """Return the first row with this digest, ``None`` if there is none."""
        digest = digest or 1
        slot = digest & self._mask
        while found := self._digests[slot]:
            if found == digest:
                return self._rows[slot] & (_REPEATED - 1)
            slot = (slot + 1) & self._mask
        return None

    def _grow(self) -> None:
        old_digests, old_rows = self._digests, self._rows
        self._allocate((self._mask + 1) * 2)
        digests, rows, mask = self._digests, self._rows, self._mask
        for digest, row in zip(old_digests, old_rows, strict=True):
            if digest:
                slot = digest & mask
                while digests[slot]:
                    slot = (slot + 1) & mask
                digests[slot] = digest
                rows[slot] = row


class RowKeys:
    """Tells whether two rows have the same key. A row without one has its number as key, which costs one byte."""

    __slots__ = ("_numbered", "_seen")

    def __init__(self) -> None:
        self._seen = SeenRows()
        self._numbered = bytearray(1)

    def add(self, number: int, key: str | None) -> int | None:
        """Remember the key of a row.

        Args:
            number: the row's number; each comes once, and they rise.
            key: its key, ``None`` if it has none and goes by its number.

        Returns:
            The first row with the same key, ``None`` if it is new.

        """
        own = str(number)
        numbered = self._numbered
        numbered.extend(bytes(number + 1 - len(numbered)))
        if key is None or key == own:
            first = self._seen.first(_digest(own)) if self._seen else None
            numbered[number] = first is None
            return first
        if key.isdecimal() and key.isascii() and len(key) <= len(own):
            earlier = int(key)
            if earlier < number and str(earlier) == key and numbered[earlier]:
                return earlier
        repeated = self._seen.add(_digest(key), number)
        return None if repeated is None else repeated[0]


def _digest(key: str) -> int:
    # A key that will be refused may hold half a surrogate pair.
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
