"""Whether a Redis keeps the data of a run, by what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marketingblocks_async.bulk import JournalError

LIFE = "life"
"""Name of the fact in which life of Redis (its ``run_id``) the run was checked."""
_LOST, _DOUBTFUL = "lost", "doubtful"
"""The value of that fact once Redis has read older data, and once it may have. It stays, since a later restart from the
append-only file, made of those older data, would show nothing."""
_MADE_TO_LAST = "let it last with CONFIG REWRITE, or write it into the configuration file"


def loss_at_restart(former: str | None, info: Mapping[str, Any], calls: Mapping[str, Any]) -> str | None:
    """Return whether Redis has restarted from older data than those of an append-only file, or may have.

    Args:
        former: the life of Redis in which the run was checked, or what this returned before.
        info: what INFO says.
        calls: its section of how often each command was called.

    Returns:
        ``_LOST``, ``_DOUBTFUL``, or ``None`` if nothing speaks for it.

    """
    if former in (None, info["run_id"]):
        return None
    # Without that file, or as a replica that took over.
    if former == _LOST or not info["aof_enabled"] or info["second_repl_offset"] != -1:
        return _LOST
    # The file may have been made since then, of what was read. Before Redis 7, CONFIG SET and CONFIG GET are counted
    # together.
    rewrites = ("aof_rewrite_scheduled", "aof_rewrite_in_progress")
    is_rewritten = any(info[name] for name in rewrites) or info["aof_last_rewrite_time_sec"] != -1
    is_set = "cmdstat_config" in calls or "cmdstat_config|set" in calls
    return _DOUBTFUL if former == _DOUBTFUL or (is_rewritten and is_set) else None


def restarted_without_data(loss: str, title: str, meta: str) -> JournalError:
    """Return the error that says what to do.

    Args:
        loss: what ``loss_at_restart()`` returned.
        title: the run.
        meta: key of the facts about it.

    """
    rows = f"rows of {title} that were sent may be pending there, and could be sent twice"
    rest = "look at the API for what was sent, and create another run of the rest"
    settings = f"set 'appendonly yes' and 'appendfsync always', and {_MADE_TO_LAST}"
    if loss == _DOUBTFUL:
        return JournalError(
            "Redis has restarted, and may not have read its append-only file: the file was rewritten and "
            f"settings were changed before this run could look. If not, {rows}. First {settings}. Then look "
            "into the log of Redis. If it says 'DB loaded from append only file' for every start since the run "
            f"was last sending, go on by this command to Redis: HDEL '{meta}' {LIFE}. Otherwise {rest}"
        )
    return JournalError(
        f"Redis has restarted, and not from its append-only file, so {rows}; {rest}. Before that, {settings}"
    )


def check_settings(found: Mapping[str, str]) -> None:
    """Raise ``JournalError`` if Redis may lose an intent, or remove rows.

    Args:
        found: the settings with ``append`` in their name, and ``maxmemory-policy``.

    """
    if (found.get("appendonly"), found.get("appendfsync")) != ("yes", "always"):
        msg = (
            "this Redis may lose an intent after a crash, and a row could be sent twice; "
            f"set 'appendonly yes' and 'appendfsync always', and {_MADE_TO_LAST}"
        )
        raise JournalError(msg)
    if found.get("no-appendfsync-on-rewrite") != "no":
        msg = (
            "this Redis may lose an intent after a crash while it rewrites its append-only file, and a row could "
            f"be sent twice; set 'no-appendfsync-on-rewrite no', and {_MADE_TO_LAST}"
        )
        raise JournalError(msg)
    # Also without "maxmemory", which can be set at any time.
    if found.get("maxmemory-policy") != "noeviction":
        msg = (
            "this Redis may remove rows of a run when its memory is full, and they would be lost; "
            f"set 'maxmemory-policy noeviction', and {_MADE_TO_LAST}"
        )
        raise JournalError(msg)
