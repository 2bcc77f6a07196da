"""Files of a sandbox: the seeds that it begins with, and the state that it keeps over a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketingblocks_async.errors import InvalidArgumentError
from marketingblocks_async.models.base import is_array, is_object

from .automations import Automations
from .clock import SandboxClock
from .generations import Generations
from .posts import PostStore
from .tokens import TokenBook, TokenSpec

_VERSION = 2

Check = Callable[[dict[str, Any]], dict[str, list[str]]]
"""Returns the errors of a create-post request, by field."""


class StateFileError(InvalidArgumentError):
    """A file of seeds or state cannot be read or written. The message names the file and the reason."""


def plant(seeds: Mapping[str, Any], path: Path, posts: PostStore, tokens: TokenBook, check: Check) -> None:
    """Create the posts of a file of seeds, and those of its tokens that are not there yet."""
    try:
        for spec in map(TokenSpec.parse, seeds.get("tokens", [])):
            if tokens.find(spec.secret) is None:
                tokens.add(spec)
    except (ValueError, TypeError, AttributeError) as exc:
        msg = f"{path}: tokens: {exc}"
        raise StateFileError(msg) from None
    wanted = seeds.get("posts", [])
    for number, post in enumerate(wanted if is_array(wanted) else [wanted], 1):
        errors = check(post) if is_object(post) else {"post": ["It must be a JSON object."]}
        if errors or not is_object(post):
            msg = f"{path}: post {number} is not a valid create-post request: {json.dumps(errors)}"
            raise StateFileError(msg)
        posts.create(post, json.dumps(post).encode())


@dataclass(frozen=True, slots=True)
class State:
    """What a sandbox keeps over a restart: everything but sign-ins, limits, faults and the ledger.

    Attributes:
        posts: the posts.
        automations: the comment automations.
        generations: the generation jobs.
        tokens: the tokens.
        clock: the clock.
        clock_was_set: whether the clock starts at a given time, and not at the present.

    """

    posts: PostStore
    automations: Automations
    generations: Generations
    tokens: TokenBook
    clock: SandboxClock
    clock_was_set: bool

    def dump(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "version": _VERSION,
            "advanced": self.clock.advanced,
            "world": self.clock.world(),
            "posts": self.posts.dump(),
            "automations": self.automations.all(),
            "generations": self.generations.dump(),
            "tokens": self.tokens.dump(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``dump()`` returned; what is wrong in it raises one of four errors, see ``load_state()``."""
        advanced = self.clock.world() + state["advanced"]
        # Files of earlier versions have no time in them.
        world = state.get("world", advanced)
        if not self.clock_was_set:
            # The present has gone on meanwhile.
            world = max(world, advanced)
        # A set clock goes on where it stopped, and no clock goes back: published posts would be pending again.
        self.clock.advance(max(0.0, world - self.clock.world()))
        # So that tokens that are not in the file live from now on.
        self.tokens.restart()
        self.posts.restore(state["posts"])
        self.automations.restore(state["automations"])
        self.generations.restore(state["generations"])
        self.tokens.restore(state["tokens"])


def load_state(path: Path, state: State) -> bool:
    """Take over the state of a file; return whether there is one.

    Raises:
        StateFileError: the file is not one that a sandbox has written.

    """
    if not path.exists():
        return False
    stored = read_object(path)
    try:
        if stored["version"] != _VERSION:
            msg = f"{path} was written by another version of the sandbox; delete it to begin anew"
            raise StateFileError(msg)
        state.restore(stored)
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        if isinstance(exc, StateFileError):
            raise
        msg = f"{path} is not the state of a sandbox ({type(exc).__name__}: {exc}); delete it to begin anew"
        raise StateFileError(msg) from None
    return True


def save_state(path: Path, state: State) -> None:
    """Replace the file by the present state, in one step, so that a crash leaves the old file or the new one.

    Only its owner can read the file, since tokens are in it.

    Raises:
        StateFileError: it cannot be written.

    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
        partial.write_text(json.dumps(state.dump()), encoding="utf-8")
        partial.replace(path)
    except OSError as exc:
        msg = f"{path} cannot be written: {exc.strerror or exc}; give a file in a folder that is there and yours"
        raise StateFileError(msg) from exc


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file.

    Raises:
        StateFileError: it cannot be read, or holds something else.

    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else f"it is not JSON ({exc})"
        msg = f"{path} cannot be read: {reason}"
        raise StateFileError(msg) from None
    if not is_object(found):
        msg = f"{path} must hold a JSON object"
        raise StateFileError(msg)
    return found
