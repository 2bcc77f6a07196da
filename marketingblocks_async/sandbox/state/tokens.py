"""The sandbox's access tokens, with their permissions and their expiry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter

from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.sandbox.policies import Policy

DEFAULT_TOKEN = "sandbox-token"  # noqa: S105 - made up, and known to all
"""The token that every sandbox has, with every permission and no end."""

DEFAULT_TOKEN_NAME = "default"  # noqa: S105 - a label
"""The label of ``DEFAULT_TOKEN`` in the ledger."""


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """A token to add to a sandbox.

    Attributes:
        name: its label, which the ledger shows instead of the token.
        permissions: its permissions, ``None`` for all.
        expires_in: seconds of world time until it is invalid, or ``None`` for never.
        expires_after_requests: number of requests before it is invalid, ``None`` for no such limit.
        secret: the token itself; made from the name unless given.

    Raises:
        ValueError: an empty name, or a secret that does not fit into a header.

    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    permissions: tuple[str, ...] | None = None
    expires_in: float | None = None
    expires_after_requests: int | None = None
    secret: str = ""

    def __post_init__(self) -> None:
        """Fill in the secret and check that it can be sent."""
        if not self.name:
            msg = "a token needs a name, which is its label in the ledger"
            raise InvalidArgumentError(msg)
        if not self.secret:
            object.__setattr__(self, "secret", DEFAULT_TOKEN if self.name == DEFAULT_TOKEN_NAME else _secret(self.name))
        if not self.secret.isascii() or not self.secret.isprintable() or " " in self.secret:
            msg = f"the token of {self.name!r} must be printable ASCII without spaces to fit into a header"
            raise InvalidArgumentError(msg)

    @classmethod
    def parse(cls, text: str) -> TokenSpec:
        """Read ``NAME[:permission,permission][@seconds]``, for example ``reader:social-read-posts@60``.

        Raises:
            ValueError: no name, or the part after ``@`` is no number.

        """
        rest, at, seconds = text.rpartition("@") if "@" in text else (text, "", "")
        name, colon, permissions = rest.partition(":")
        try:
            expires_in = float(seconds) if at else None
        except ValueError:
            msg = f"{seconds!r} is not a number of seconds; write NAME[:permission,permission][@seconds]"
            raise InvalidArgumentError(msg) from None
        names = tuple(part.strip() for part in permissions.split(",") if part.strip())
        return cls(name=name.strip(), permissions=names if colon else None, expires_in=expires_in)


class Token:
    """One access token while the sandbox runs."""

    __slots__ = ("_expires_at", "_presented", "policy", "spec")

    def __init__(self, spec: TokenSpec, policy: Policy, now: float) -> None:
        self.spec: TokenSpec = spec
        self.policy: Policy = policy
        self._expires_at = None if spec.expires_in is None else now + spec.expires_in
        self._presented = 0

    @property
    def name(self) -> str:
        """Its label."""
        return self.spec.name

    def present(self, now: float) -> bool:
        """Count one request with this token, at world time ``now``, and tell whether the token is valid for it."""
        self._presented += 1
        if self._expires_at is not None and now >= self._expires_at:
            return False
        allowed = self.spec.expires_after_requests
        return allowed is None or self._presented <= allowed

    def expire(self) -> None:
        """Make it invalid from now on."""
        self._expires_at = float("-inf")

    def dump(self) -> dict[str, Any]:
        """Return its specification and what was used of its life as JSON values."""
        expired = self._expires_at == float("-inf")
        expires_at = None if expired else self._expires_at
        return {"spec": asdict(self.spec), "expired": expired, "expires_at": expires_at, "presented": self._presented}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the life that ``dump()`` returned."""
        self._expires_at = float("-inf") if state["expired"] else state["expires_at"]
        self._presented = state["presented"]

    def may(self, permission: str) -> bool:
        """Tell whether it carries ``permission``."""
        return self.spec.permissions is None or permission in self.spec.permissions


class TokenBook:
    """All access tokens of a sandbox."""

    def __init__(self, make_policy: Callable[[], Policy], world: Callable[[], float]) -> None:
        self._make_policy = make_policy
        self._world = world
        self._by_secret: dict[str, Token] = {}

    def __iter__(self) -> Iterator[Token]:
        return iter(self._by_secret.values())

    def add(self, spec: TokenSpec) -> Token:
        """Add a token.

        Raises:
            ValueError: its name or secret is taken.

        """
        if spec.secret in self._by_secret or any(token.name == spec.name for token in self):
            msg = f"there is a token named {spec.name!r}, or with its secret, already"
            raise InvalidArgumentError(msg)
        token = Token(spec, self._make_policy(), self._world())
        self._by_secret[spec.secret] = token
        return token

    def unused_name(self) -> str:
        """Return a name that no token has."""
        taken = {token.name for token in self}
        number = len(taken)
        while (name := f"token-{number}") in taken:
            number += 1
        return name

    def named(self, name: str) -> Token | None:
        """Return the token with this label."""
        return next((token for token in self if token.name == name), None)

    def find(self, secret: str) -> Token | None:
        """Return the token that ``secret`` is, expired or not."""
        return self._by_secret.get(secret)

    def dump(self) -> list[dict[str, Any]]:
        """Return all tokens as JSON values, secrets included."""
        return [token.dump() for token in self]

    def restore(self, tokens: Iterable[Mapping[str, Any]]) -> None:
        """Take over what ``dump()`` returned; a token of the same name that is there keeps its specification.

        Raises:
            ValueError: a token is not one, or has the secret of another.

        """
        by_name = {token.name: token for token in self}
        for state in tokens:
            spec = TypeAdapter(TokenSpec).validate_python(state["spec"])
            (by_name.get(spec.name) or self.add(spec)).restore(state)

    def restart(self) -> None:
        """Give every token a fresh limit, its full life time and its full number of requests."""
        specs = [token.spec for token in self]
        self._by_secret.clear()
        for spec in specs:
            self.add(spec)


def _secret(name: str) -> str:
    return f"{DEFAULT_TOKEN}-" + "".join(char if char.isascii() and char.isalnum() else "-" for char in name)
