"""The settings of a sandbox, the same for one in this process and for one in its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, TypedDict, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models.base import plain_words

from .faults import Fault
from .policies import PolicyName
from .state.posts import PostTimings
from .state.tokens import DEFAULT_TOKEN, DEFAULT_TOKEN_NAME, TokenSpec


class CreatePostShape(StrEnum):
    """Shape of the response to create-post, which the documentation does not show.

    ``flat``: ``{"status": true, "post_id": 7, ...}``. ``nested``: the post is under ``post``. ``data``: it is under
    ``data``. ``minimal``: ``{"status": true}``.
    """

    FLAT = "flat"
    NESTED = "nested"
    DATA = "data"
    MINIMAL = "minimal"


class GetPostsShape(StrEnum):
    """Shape of the response to get-posts, which the documentation does not show.

    ``posts``: ``{"status": true, "posts": [...]}``. ``list``: the bare array. ``data``: ``{"status": true, "data":
    [...]}``. ``grouped``: ``{"status": true, "posts": {"facebook": [...], ...}}``.
    """

    POSTS = "posts"
    LIST = "list"
    DATA = "data"
    GROUPED = "grouped"


@dataclass(frozen=True, slots=True)
class Variants:
    """The sandbox's choices where the documentation is silent.

    Attributes:
        create_post: shape of the response to create-post.
        get_posts: shape of the response to get-posts.
        string_ids: whether all ids are strings.
        unknown_status: whether every ``STATUS`` is a word that the documentation does not know.
        extra_fields: whether posts have more fields than documented, such as ``caption_text`` and ``schedule_time``.
        missing_permission: status for a missing permission; ``None`` for 403, and 401 at create-post-generation, as the
            documentation's pages have it.
        update_resets_defaults: whether update-comment-automation resets a ``target_type`` or ``trigger_type`` that is
            left out to its default.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    create_post: CreatePostShape = CreatePostShape.FLAT
    get_posts: GetPostsShape = GetPostsShape.POSTS
    string_ids: bool = False
    unknown_status: bool = False
    extra_fields: bool = False
    missing_permission: int | None = None
    update_resets_defaults: bool = False


class SandboxOptions(TypedDict, total=False):
    """The settings as keyword arguments, all of them optional; ``SandboxSettings`` has meanings and defaults.

    ``policy`` may be a plain string, ``faults`` may hold text forms (``Fault.parse``), ``tokens`` may be a number
    (so many tokens beside the default one) or hold text forms (``TokenSpec.parse``), ``variants`` may be a mapping, and
    so may ``timings``.
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
    clock_start: float | None
    seeds: str | None
    state_file: str | None
    record_file: str | None
    replay_file: str | None


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Settings of a sandbox.

    Attributes:
        policy: rule by which the requests of a token are limited.
        limit: requests allowed in ``per`` seconds.
        per: seconds.
        tolerance: for GCRA: number of requests that may be ahead of the even pace.
        retry_after: ``Retry-After`` of a refusal: ``none``, ``seconds``, ``decimal``, ``http_date``, or another text,
            which is sent unchanged.
        latency: seconds between carrying out a request and responding.
        jitter: each request spends up to so many seconds (uniformly) on a simulated network before it is counted.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        faults: the faults that are on from the start.
        tokens: access tokens beside the default one.
        seed: makes jitter, fault rates and ids repeatable.
        variants: choices where the documentation is silent.
        timings: seconds that posts spend in their states.
        generation_seconds: seconds that a generation takes.
        allow_external_web_hooks: whether web hooks outside this machine are called.
        clock_start: world time at the start, in seconds since 1970; ``None`` for the present.
        seeds: path of a JSON file with the posts and tokens to begin with: ``{"tokens": ["NAME[:permissions]", ...],
            "posts": [{...}, ...]}``, each post a create-post request.
        state_file: path of a file that keeps posts, automations, generations, tokens and the clock over a restart.
        record_file: path of a new file that records the requests, the faults that they meet, and changes from outside.
        replay_file: path of such a file; the same requests meet the same faults and refusals again.

    Raises:
        InvalidArgumentError: a setting is not allowed; the message says which values are.

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
    clock_start: float | None = None
    seeds: str | None = None
    state_file: str | None = None
    record_file: str | None = None
    replay_file: str | None = None

    def __post_init__(self) -> None:
        """Check the rules that the types do not express."""
        rules = {
            "limit must be at least 1": self.limit >= 1,
            "per must be above 0 seconds": 0 < self.per < float("inf"),
            "tolerance must be at least 0": self.tolerance >= 0,
            "retry_after must fit into a header": self.retry_after.isprintable(),
            "latency must be at least 0 seconds": 0 <= self.latency < float("inf"),
            "jitter must be at least 0 seconds": 0 <= self.jitter < float("inf"),
            "port must be from 0 to 65535": 0 <= self.port <= 65535,
            "timings.pending must be at least 0 seconds": self.timings.pending >= 0,
            "timings.processing must be at least 0 seconds": self.timings.processing >= 0,
            # A shorter slot would make catching up after advance() endless work.
            "timings.slot must be at least 0.001 seconds": self.timings.slot >= 0.001,
            "generation_seconds must be at least 0": self.generation_seconds >= 0,
        }
        for rule, kept in rules.items():
            if not kept:
                raise InvalidArgumentError(rule)
        names = [token.name for token in self.all_tokens]
        secrets = [token.secret for token in self.all_tokens]
        if len({*names}) < len(names) or len({*secrets}) < len(secrets):
            msg = f"two tokens share a name or a secret: {', '.join(names)}"
            raise InvalidArgumentError(msg)

    @property
    def all_tokens(self) -> tuple[TokenSpec, ...]:
        """The default token and the others."""
        return (TokenSpec(DEFAULT_TOKEN_NAME, secret=DEFAULT_TOKEN), *self.tokens)

    @classmethod
    def of(cls, options: SandboxOptions) -> SandboxSettings:
        """Return the settings that ``options`` describe.

        Raises:
            ValueError: an option is unknown or its value is not allowed.

        """
        values: dict[str, Any] = dict(options)
        if "faults" in values:
            if isinstance(values["faults"], str):
                msg = f"faults={values['faults']!r:.80}: give a list of faults, such as ['html_502:times=2']"
                raise InvalidArgumentError(msg)
            values["faults"] = [Fault.parse(fault) if isinstance(fault, str) else fault for fault in values["faults"]]
        if "tokens" in values:
            values["tokens"] = _token_specs(values["tokens"])
        try:
            return _adapter().validate_python(values)
        except ValidationError as exc:
            raise InvalidArgumentError(readable(exc)) from None

    def to_options(self) -> SandboxOptions:
        """Return the settings as keyword arguments of ``Sandbox``."""
        options: Any = {each.name: getattr(self, each.name) for each in fields(self)}
        return cast("SandboxOptions", options)

    def to_json(self) -> str:
        """Return the settings as text that ``from_json`` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SandboxSettings:
        """Read what ``to_json`` wrote; every setting may be missing.

        Raises:
            ValueError: the text is not a JSON object of settings.

        """
        try:
            return _adapter().validate_json(text)
        except ValidationError as exc:
            raise InvalidArgumentError(readable(exc)) from None


@cache
def _adapter() -> TypeAdapter[SandboxSettings]:
    return TypeAdapter(SandboxSettings)


def readable(exc: ValidationError) -> str:
    """Return a validation error as one line."""
    parts: list[str] = []
    for problem in exc.errors(include_url=False, include_context=False):
        where = ".".join(str(step) for step in problem["loc"])
        message = plain_words(problem["msg"])
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
    if isinstance(tokens, str):
        msg = f"tokens={tokens!r:.80}: give a number, or a list of tokens such as ['reader:social-read-posts']"
        raise InvalidArgumentError(msg)
    return tuple(TokenSpec.parse(token) if isinstance(token, str) else token for token in tokens)
