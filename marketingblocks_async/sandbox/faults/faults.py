"""Scripted faults: which requests a fault meets, and how many."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from marketingblocks_async.endpoints import ENDPOINTS
from marketingblocks_async.errors import InvalidArgumentError

from .kinds import FAULT_KINDS, FaultKind

ENDPOINT_NAMES = frozenset({endpoint.name for endpoint in ENDPOINTS})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that some requests meet.

    It meets requests that would otherwise have been carried out: within the limit, with a valid token, a valid
    body and the permission. (``slow`` meets every request of its endpoint and token, before it is counted.)

    Attributes:
        kind: a key of ``FAULT_KINDS``.
        endpoint: name of the operation that it meets, for example ``create-post``; ``None`` for all.
        times: number of requests that it meets, ``None`` for all.
        after: number of matching requests that pass before the first.
        rate: probability, from 0 to 1, that a request is met.
        token: label of the token that it meets, ``None`` for all.
        params: parameters of the kind, such as ``{"delay": 2}``.

    Raises:
        ValueError: an attribute is not allowed; the message says which values are.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: str
    endpoint: str | None = None
    times: int | None = None
    after: int = 0
    rate: float = 1.0
    token: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Check the attributes and fill in the parameters' defaults."""
        kind = FAULT_KINDS.get(self.kind)
        if kind is None:
            msg = f"{self.kind!r} is no kind of fault; there are {', '.join(FAULT_KINDS)}"
            raise InvalidArgumentError(msg)
        if self.endpoint is not None and self.endpoint not in ENDPOINT_NAMES:
            msg = f"{self.endpoint!r} is no endpoint; there are {', '.join(sorted(ENDPOINT_NAMES))}"
            raise InvalidArgumentError(msg)
        if kind.only is not None:
            if self.endpoint not in {None, kind.only}:
                msg = f"{self.kind} is only for {kind.only}, not for {self.endpoint}"
                raise InvalidArgumentError(msg)
            object.__setattr__(self, "endpoint", kind.only)
        if (self.times is not None and self.times < 1) or self.after < 0 or not 0 <= self.rate <= 1:
            msg = "a fault needs times of at least 1 (or none for always), after of at least 0, rate from 0 to 1"
            raise InvalidArgumentError(msg)
        object.__setattr__(self, "params", _complete(self.kind, kind, self.params))

    @property
    def commits(self) -> bool:
        """Whether the requests that it meets are carried out."""
        return bool(self.params.get("commit", FAULT_KINDS[self.kind].commits))

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read ``KIND[:key=value,...]``, for example ``commit_then_stall:endpoint=create-post,times=3,delay=2``.

        A comma that is not followed by ``key=`` belongs to the value.

        Raises:
            ValueError: it cannot be read.

        """
        kind, colon, rest = text.partition(":")
        pairs: dict[str, str] = {}
        for part in re.split(r",(?=\s*\w+=)", rest) if colon else ():
            key, equals, value = part.partition("=")
            if not equals:
                msg = f"{part!r} in the fault {text!r} is not key=value"
                raise InvalidArgumentError(msg)
            pairs[key.strip()] = value
        times = pairs.pop("times", "")
        return cls(
            kind=kind.strip(),
            endpoint=pairs.pop("endpoint", None),
            times=_convert("times", times, int) if times not in {"", "none"} else None,
            after=_convert("after", pairs.pop("after", "0"), int),
            rate=_convert("rate", pairs.pop("rate", "1"), float),
            token=pairs.pop("token", None),
            params=pairs,
        )


@dataclass(slots=True)
class ArmedFault:
    """A fault and its counts.

    Attributes:
        fault: the fault.
        seen: number of matching requests so far.
        fired: number of those that it met.

    """

    fault: Fault
    seen: int = 0
    fired: int = 0

    def meets(self, chance: float) -> bool:
        """Count one matching request, and return whether the fault meets it.

        Args:
            chance: a number from 0 to just below 1, drawn for this request.

        """
        self.seen += 1
        if self.seen <= self.fault.after or (self.fault.times is not None and self.fired >= self.fault.times):
            return False
        return chance < self.fault.rate


# Inside FaultPlan the name "list" is a method.
_ArmedFaults = list[ArmedFault]


class FaultPlan:
    """The faults of a sandbox, in the order in which they were added.

    A request meets at most one fault before it is counted and one after. If several are due the first one wins, and
    the others stay due.

    Args:
        faults: the faults that are on from the start.
        chance: returns a number from 0 to just below 1.

    """

    def __init__(self, faults: tuple[Fault, ...], chance: random.Random) -> None:
        self._initial = faults
        self._chance = chance
        self.restart()

    def restart(self) -> None:
        """Go back to the faults of the start, with nothing counted."""
        self._before: _ArmedFaults = []
        self._after: _ArmedFaults = []
        self._in_order: _ArmedFaults = []
        for fault in self._initial:
            self.add(fault)

    def add(self, fault: Fault | str) -> Fault:
        """Add a fault behind the others.

        Args:
            fault: the fault, or its text form (``Fault.parse``).

        Returns:
            the fault.

        Raises:
            ValueError: the text cannot be read.

        """
        if isinstance(fault, str):
            fault = Fault.parse(fault)
        armed = ArmedFault(fault)
        self._in_order.append(armed)
        (self._before if FAULT_KINDS[fault.kind].before_counting else self._after).append(armed)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self._before.clear()
        self._after.clear()
        self._in_order.clear()

    def list(self) -> tuple[ArmedFault, ...]:
        """Return the faults with their counts, in order."""
        return tuple(self._in_order)

    def before_counting(self, endpoint: str, token: str) -> Fault | None:
        """Return the fault that a request meets before it is counted."""
        return self._due(self._before, endpoint, token) if self._before else None

    def before_execution(self, endpoint: str, token: str) -> Fault | None:
        """Return the fault that a request meets when it would be carried out."""
        return self._due(self._after, endpoint, token) if self._after else None

    def _due(self, candidates: Sequence[ArmedFault], endpoint: str, token: str) -> Fault | None:
        met: ArmedFault | None = None
        for armed in candidates:
            fault = armed.fault
            if fault.endpoint not in {None, endpoint} or fault.token not in {None, token}:
                continue
            if armed.meets(self._chance.random()) and met is None:
                met = armed
        if met is None:
            return None
        met.fired += 1
        return met.fault


_HEADER_PARAMS = frozenset({"retry_after", "location"})


def _complete(name: str, kind: FaultKind, given: Mapping[str, Any]) -> Mapping[str, Any]:
    known: dict[str, Any] = {**kind.params, **({"commit": kind.commits} if kind.commit_is_free else {})}
    unknown = given.keys() - known.keys()
    if unknown:
        msg = f"{name} has no parameter {', '.join(sorted(unknown))}; it has {', '.join(known) or 'none'}"
        raise InvalidArgumentError(msg)
    return {key: _coerce(key, given[key], default) if key in given else default for key, default in known.items()}


def _coerce(key: str, value: Any, default: Any) -> Any:
    if default is None or key in _HEADER_PARAMS:
        text = None if value is None or value == "none" else str(value)
        if text is not None and not text.isprintable():
            msg = f"{key} is sent in a header and must be printable, not {value!r}"
            raise InvalidArgumentError(msg)
        return text
    if isinstance(default, bool):
        if str(value).lower() not in {"true", "false"}:
            msg = f"{key} is true or false, not {value!r}"
            raise InvalidArgumentError(msg)
        return str(value).lower() == "true"
    return _convert(key, value, float if isinstance(default, float) else int if isinstance(default, int) else str)


def _convert(key: str, value: Any, kind: type[Any]) -> Any:
    try:
        return kind(value)
    except (TypeError, ValueError):
        msg = f"{key} is of type {kind.__name__}, not {value!r}"
        raise InvalidArgumentError(msg) from None
