"""The settings of a sandbox, the same for one in this process and for one in its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypedDict

from pydantic import ConfigDict, TypeAdapter, ValidationError

from .api.answers import Variants
from .faults.faults import Fault
from .policies import PolicyName
from .state.posts import PostTimings
from .state.tokens import DEFAULT_TOKEN, DEFAULT_TOKEN_NAME, TokenSpec


class SandboxOptions(TypedDict, total=False):
    """What can be set, all of it optional; :class:`SandboxSettings` tells the meaning and the defaults.

    ``policy`` may be a plain string, ``faults`` may hold text forms (:meth:`Fault.parse`), ``tokens`` may be a number
    (so many tokens beside the default one) or hold names, ``variants`` may be a mapping, and so may ``timings``.
    """

    policy: PolicyName | str
    limit: int
    per: float
    tolerance: int
    retry_after: str
    latency: float
    jitter: float
    host: str
    port: int
    faults: Iterable[Fault | str]
    tokens: int | Iterable[TokenSpec | str] | None
    seed: int | None
    variants: Variants | dict[str, Any]
    timings: PostTimings | dict[str, Any]
    generation_seconds: float
    allow_external_web_hooks: bool


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """How a sandbox behaves.

    Attributes:
        policy: how the requests of a token are limited.
        limit: requests allowed in ``per`` seconds.
        per: seconds.
        tolerance: for GCRA: how many requests may be ahead of the even pace.
        retry_after: ``Retry-After`` of a refusal: ``none``, ``seconds``, ``decimal``, ``http_date``, or any other text
            as it is.
        latency: seconds between carrying a request out and answering it.
        jitter: each request spends up to so many seconds (uniformly) on a simulated network before it is counted.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        faults: what goes wrong from the start.
        tokens: access tokens beside the default one.
        seed: makes jitter, fault rates and ids repeatable.
        variants: which undocumented answers to give.
        timings: how fast posts go through their states.
        generation_seconds: how long a generation takes.
        allow_external_web_hooks: whether web hooks outside this machine are called.

    Raises:
        ValueError: a setting cannot be; the message says what can.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    policy: PolicyName = PolicyName.SLIDING_LOG
    limit: int = 100
    per: float = 1.0
    tolerance: int = 10
    retry_after: str = "none"
    latency: float = 0.0
    jitter: float = 0.0
    host: str = "127.0.0.1"
    port: int = 0
    faults: tuple[Fault, ...] = ()
    tokens: tuple[TokenSpec, ...] = ()
    seed: int | None = None
    variants: Variants = field(default_factory=Variants)
    timings: PostTimings = field(default_factory=PostTimings)
    generation_seconds: float = 0.5
    allow_external_web_hooks: bool = False

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        checks = {
            "limit is at least 1": self.limit >= 1,
            "per is above 0 seconds": 0 < self.per < float("inf"),
            "tolerance is at least 0": self.tolerance >= 0,
            "retry_after fits into a header": self.retry_after.isprintable(),
            "latency is at least 0 seconds": 0 <= self.latency < float("inf"),
            "jitter is at least 0 seconds": 0 <= self.jitter < float("inf"),
            "port is from 0 to 65535": 0 <= self.port <= 65535,
            "timings.pending is at least 0 seconds": self.timings.pending >= 0,
            "timings.processing is at least 0 seconds": self.timings.processing >= 0,
            # A shorter slot would make catching up after advance() endless work.
            "timings.slot is at least 0.001 seconds": self.timings.slot >= 0.001,
            "generation_seconds is at least 0": self.generation_seconds >= 0,
        }
        for rule, kept in checks.items():
            if not kept:
                msg = f"{rule}; {rule.split()[0]} was set to something else"
                raise ValueError(msg)
        names = [token.name for token in self.all_tokens]
        secrets = [token.secret for token in self.all_tokens]
        if len({*names}) < len(names) or len({*secrets}) < len(secrets):
            msg = f"two tokens share a name or a secret: {', '.join(names)}"
            raise ValueError(msg)

    @property
    def all_tokens(self) -> tuple[TokenSpec, ...]:
        """The default token and the others."""
        return (TokenSpec(DEFAULT_TOKEN_NAME, secret=DEFAULT_TOKEN), *self.tokens)

    @classmethod
    def of(cls, options: SandboxOptions) -> SandboxSettings:
        """Return the settings that ``options`` describe.

        Raises:
            ValueError: an option is unknown or cannot be.

        """
        values: dict[str, Any] = dict(options)
        if "faults" in values:
            values["faults"] = [Fault.parse(fault) if isinstance(fault, str) else fault for fault in values["faults"]]
        if "tokens" in values:
            values["tokens"] = _token_specs(values["tokens"])
        try:
            return TypeAdapter(cls).validate_python(values)
        except ValidationError as exc:
            raise ValueError(readable(exc)) from None

    def to_json(self) -> str:
        """Return the settings as text that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SandboxSettings:
        """Read what :meth:`to_json` wrote; every setting may be missing.

        Raises:
            ValueError: the text is no JSON object of settings.

        """
        try:
            return TypeAdapter(cls).validate_json(text)
        except ValidationError as exc:
            raise ValueError(readable(exc)) from None


def readable(exc: ValidationError) -> str:
    """Return a validation error as one line."""
    parts: list[str] = []
    for problem in exc.errors(include_url=False, include_context=False):
        where = ".".join(str(step) for step in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{where}: {message}" if where else message)
    return "; ".join(parts)


def numbered_tokens(count: int) -> tuple[TokenSpec, ...]:
    """Return ``count`` tokens named ``token-1``, ``token-2``, and so on."""
    return tuple(TokenSpec(f"token-{number}") for number in range(1, count + 1))


def _token_specs(tokens: int | Sequence[TokenSpec | str] | None) -> tuple[TokenSpec, ...]:
    if tokens is None:
        return ()
    if isinstance(tokens, int):
        return numbered_tokens(tokens)
    return tuple(TokenSpec(token) if isinstance(token, str) else token for token in tokens)
