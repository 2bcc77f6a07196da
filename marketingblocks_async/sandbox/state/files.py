"""Files of a sandbox: the seeds that it begins with, and the state that it keeps over a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from marketingblocks_async.models.base import is_array, is_object

from .automations import Automations
from .clock import SandboxClock
from .posts import PostStore
from .tokens import TokenBook, TokenSpec

_VERSION = 1

Check = Callable[[dict[str, Any]], dict[str, list[str]]]
"""Returns the errors of a create-post request, by field."""


class StateFileError(ValueError):
    """A file of seeds or state cannot be read. The message names the file and the reason."""


def load_seeds(path: Path, posts: PostStore, tokens: TokenBook, check: Check) -> None:
    """Create the posts of a file of seeds, and those of its tokens that are not there yet.

    Raises:
        StateFileError: the file cannot be read, or a post or token in it is not valid.

    """
    seeds = _read(path)
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


def load_state(path: Path, posts: PostStore, automations: Automations, clock: SandboxClock) -> bool:
    """Take over the state of a file; return whether there is one.

    Raises:
        StateFileError: the file is not one that a sandbox has written.

    """
    if not path.exists():
        return False
    state = _read(path)
    try:
        if state["version"] != _VERSION:
            msg = f"{path} was written by another version of the sandbox; delete it to begin anew"
            raise StateFileError(msg)
        clock.advance(state["advanced"])
        posts.restore(state["posts"])
        automations.restore(state["automations"])
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        if isinstance(exc, StateFileError):
            raise
        msg = f"{path} is not the state of a sandbox ({type(exc).__name__}: {exc}); delete it to begin anew"
        raise StateFileError(msg) from None
    return True


def save_state(path: Path, posts: PostStore, automations: Automations, clock: SandboxClock) -> None:
    """Replace the file by the present state, in one step, so that a crash leaves the old file or the new one.

    Raises:
        OSError: the file cannot be written.

    """
    state: dict[str, Any] = {
        "version": _VERSION,
        "advanced": clock.advanced,
        "posts": posts.dump(),
        "automations": automations.all(),
    }
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    partial.write_text(json.dumps(state), encoding="utf-8")
    partial.replace(path)


def _read(path: Path) -> dict[str, Any]:
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
