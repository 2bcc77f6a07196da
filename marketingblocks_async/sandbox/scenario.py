"""Record what happens in a sandbox, and play it again.

A recording is a file of JSON lines. The first has the settings, the seeds and the state at the start. Each request has
a line: when it arrived, what was decided about it (refused by the limit, held, met by a fault), and the status of its
response. Each change from outside has one, too: faults, tokens, ``advance`` and ``reset``.

In a replay the n-th request of a token to an operation meets what the n-th of the recording met, at any
speed and without chance. Changes of tokens and time are made again after as many requests as before;
a program under test that makes the same change itself makes it once. Requests beyond the recording are served as usual.

Of a request's content only a hash is written, and no token.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TextIO, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .faults import Fault
from .settings import SandboxOptions, SandboxSettings, readable
from .state.files import StateFileError, read_object

VERSION = 1

_LISTED = 10
"""Requests that a report names."""

_OF_THIS_MACHINE = ("host", "port", "seeds", "state_file", "record_file", "replay_file")
"""Settings that are not recorded."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a sandbox decided about a request.

    Attributes:
        valid: whether its token was valid.
        limited: seconds until a place was free, if the limit refused it; ``None`` if it did not.
        slow: the fault that held it before it was counted.
        fault: the fault that it met when it would be carried out.

    """

    valid: bool = True
    limited: float | None = None
    slow: Fault | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request of a recording.

    Attributes:
        request: name of the operation.
        token: label of its token.
        number: 1 for the first request of this token to this operation.
        at: seconds since the start at which it was counted.
        content: hash of its path, query and body.
        status: status of its response, 0 for none.
        decision: what was decided about it.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    request: str
    token: str
    number: int
    at: float
    content: str
    status: int
    decision: Decision = Decision()


@dataclass(frozen=True, slots=True)
class Change:
    """A change from outside.

    Attributes:
        change: ``advance``, ``reset``, ``tokens`` or ``faults``.
        value: what was sent.
        after: number of requests that had arrived.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    change: str
    value: Any
    after: int


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """How far a replay is.

    Attributes:
        recorded: requests of the recording.
        replayed: those that have come again.
        beyond: requests that the recording does not have.
        different: number of those that came again with another content.
        first_different: the first of those, as ``token operation number``.

    """

    recorded: int
    replayed: int
    beyond: int
    different: int
    first_different: tuple[str, ...]


@dataclass(slots=True)
class Ticket:
    """A request on its way through the sandbox, named and numbered like an ``Arrival``.

    ``played`` is the recorded decision about it, ``None`` if the sandbox decides; ``decision`` is the one of now.
    """

    request: str
    token: str
    number: int
    content: str
    played: Decision | None
    decision: Decision = field(default_factory=Decision)


class Recording:
    """A recording, read from a file.

    Raises:
        StateFileError: it is no recording.

    """

    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_bytes().splitlines(keepends=True)
        except OSError as exc:
            msg = f"{path} cannot be read: {exc.strerror or exc}"
            raise StateFileError(msg) from None
        if lines and not lines[-1].endswith(b"\n"):
            # The sandbox was killed while it wrote.
            lines.pop()
        self.settings: dict[str, Any] = {}
        self.seeds: dict[str, Any] | None = None
        self.state: dict[str, Any] = {}
        self.arrivals: list[Arrival] = []
        self.changes: list[Change] = []
        try:
            head = json.loads(lines[0])
            if head["scenario"] != VERSION:
                msg = f"{path} was recorded by another version of the sandbox"
                raise StateFileError(msg)
            self.settings, self.seeds, self.state = dict(head["settings"]), head["seeds"], dict(head["state"])
            for number, line in enumerate(lines[1:], 2):
                self._add(line, number, path)
        except (ValueError, LookupError, TypeError) as exc:
            if isinstance(exc, StateFileError):
                raise
            msg = f"{path} is no recording of a sandbox ({type(exc).__name__}: {exc})"
            raise StateFileError(msg) from None

    def _add(self, line: bytes, number: int, path: Path) -> None:
        value = json.loads(line)
        try:
            if "change" in value:
                self.changes.append(TypeAdapter(Change).validate_python(value))
            else:
                self.arrivals.append(TypeAdapter(Arrival).validate_python(value))
        except ValidationError as exc:
            msg = f"{path}, line {number}: {readable(exc)}"
            raise StateFileError(msg) from None


def settings_of(options: SandboxOptions) -> SandboxSettings:
    """Return the settings that ``options`` describe; a replay takes those that they leave out from its recording.

    Raises:
        ValueError: an option is unknown or its value is not allowed, or the recording cannot be read.

    """
    settings = SandboxSettings.of(options)
    if settings.replay_file is None:
        return settings
    recorded = Recording(Path(settings.replay_file)).settings
    # Beyond the recording nothing goes wrong, unless it is asked for.
    kept = {name: value for name, value in recorded.items() if name not in {*_OF_THIS_MACHINE, "faults"}}
    return SandboxSettings.of(cast("SandboxOptions", {**kept, **options}))


class Scenario:
    """Counts the requests, writes what is to be recorded, and knows what a recording says.

    Attributes:
        seeds: what the sandbox begins with after a reset.
        state: the state at the start of the recording that is played, if one is.

    Raises:
        StateFileError: the recording to be played or the seeds cannot be read.

    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._arrived = 0
        self._file: TextIO | None = None
        self._began = 0.0
        replay = None if settings.replay_file is None else Recording(Path(settings.replay_file))
        self.seeds: dict[str, Any] | None = None
        if settings.seeds is not None:
            self.seeds = read_object(Path(settings.seeds))
        elif replay is not None:
            self.seeds = replay.seeds
        self.state: dict[str, Any] | None = None if replay is None else replay.state
        self._recorded: dict[tuple[str, str, int], Arrival] = {}
        self._changes: deque[Change] = deque()
        self._made_before: list[tuple[str, Any]] = []
        self._replayed = 0
        self._beyond = 0
        self._different: list[str] = []
        if replay is not None:
            self._recorded = {(each.token, each.request, each.number): each for each in replay.arrivals}
            # Faults are played request by request.
            self._changes.extend(change for change in replay.changes if change.change != "faults")

    @property
    def is_on(self) -> bool:
        """Whether anything is recorded or played."""
        return self._settings.record_file is not None or self._settings.replay_file is not None

    def begin(self, clock_start: float, monotonic: float, seed: int, state: Mapping[str, Any]) -> None:
        """Begin the file, if there is to be one, with the time, the seed and the state at the start.

        Raises:
            StateFileError: it cannot be written, for example because it is there already.

        """
        self._began = monotonic
        if self._settings.record_file is None:
            return
        # A sandbox that was closed may be started again.
        path, is_new = Path(self._settings.record_file), self._file is None
        try:
            self._file = path.open("x" if is_new else "a", encoding="utf-8", buffering=1)
        except FileExistsError:
            msg = f"{path} is there already and is not overwritten; name a new file for the recording"
            raise StateFileError(msg) from None
        except OSError as exc:
            msg = f"{path} cannot be written: {exc.strerror or exc}"
            raise StateFileError(msg) from None
        if is_new:
            settings = asdict(self._settings) | {"clock_start": clock_start, "seed": seed}
            settings = {name: value for name, value in settings.items() if name not in _OF_THIS_MACHINE}
            settings["tokens"] = [without_secret(spec) for spec in settings["tokens"]]
            tokens = [token | {"spec": without_secret(token["spec"])} for token in state["tokens"]]
            head = {"scenario": VERSION, "settings": settings, "seeds": self.seeds}
            # The settings have the clock, so that an option can override it in a replay.
            kept = {name: value for name, value in state.items() if name != "world"}
            self._write({**head, "state": {**kept, "tokens": tokens}})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def arrive(self, request: str, token: str, content: bytes) -> Ticket:
        """Count a request of a token to an operation; its content is path, query and body."""
        self._arrived += 1
        self._numbers[token, request] += 1
        number = self._numbers[token, request]
        digest = hashlib.sha256(content).hexdigest()[:16]
        found = self._recorded.get((token, request, number))
        if found is not None:
            self._replayed += 1
            if found.content != digest:
                self._different.append(f"{token} {request} {number}")
        elif self._recorded:
            self._beyond += 1
        return Ticket(request, token, number, digest, None if found is None else found.decision)

    def decided(self, ticket: Ticket, at: float, status: int) -> None:
        """Record a request that was counted ``at`` this time, on the monotonic clock."""
        if self._file is not None:
            arrival = Arrival(
                ticket.request,
                ticket.token,
                ticket.number,
                round(at - self._began, 6),
                ticket.content,
                status,
                ticket.decision,
            )
            self._write(asdict(arrival))

    def due(self) -> Change | None:
        """Return a recorded change that is to be made before the next request, ``None`` if there is none."""
        if not self._changes or self._changes[0].after > self._arrived:
            return None
        change = self._changes.popleft()
        self._made_before.append((change.change, change.value))
        self._record(change.change, change.value)
        return change

    def was_made(self, change: str, value: Any) -> bool:
        """Return whether the replay has made a change that is asked for now; each counts once."""
        if (change, value) not in self._made_before:
            return False
        self._made_before.remove((change, value))
        return True

    def made(self, change: str, value: Any) -> None:
        """Take note of a change that was made from outside: its kind and what was sent, see ``Change``."""
        for recorded in self._changes:
            if (recorded.change, recorded.value) == (change, value):
                self._changes.remove(recorded)
                break
        self._record(change, value)

    def report(self) -> ScenarioReport:
        """Return how far the replay is."""
        return ScenarioReport(
            len(self._recorded),
            self._replayed,
            self._beyond,
            len(self._different),
            tuple(self._different[:_LISTED]),
        )

    def _record(self, change: str, value: Any) -> None:
        if self._file is not None:
            self._write(asdict(Change(change, value, self._arrived)))

    def _write(self, value: Mapping[str, Any]) -> None:
        if self._file is not None and not self._file.closed:
            self._file.write(f"{json.dumps(value)}\n")


def drawn_seed() -> int:
    """Return a seed for a recording that was given none."""
    return random.SystemRandom().getrandbits(32)


def without_secret(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token without what it is; in a replay it is made from its name."""
    return {name: value for name, value in spec.items() if name != "secret"}
