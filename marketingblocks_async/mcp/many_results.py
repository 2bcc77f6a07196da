"""What ``create_many_posts`` tells an agent: of a plan, of what stops a run, and of its end."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from marketingblocks_async.bulk import Counts, Plan
from marketingblocks_async.bulk.run.signs import is_refused_token, may_be_own_fault

from .failures import advice_for
from .results import Outcome, ToolResult, result
from .stored import LISTED_ROWS, Stored, is_derived

LISTED_ERRORS = 5
"""Errors of a plan that a result lists, warnings likewise."""

LISTED = 10
"""Channels, sheets, rows and the like that a result lists of a plan."""


def shown(plan: Plan) -> dict[str, Any]:
    """Return what a person has to know of a plan: what is wrong first, since a long result is cut at its end."""
    whole = plan.to_dict()
    file, duplicates, schedule = whole["file"], whole["duplicates"], whole["schedule"]
    facts = ("name", "sheet", "recipe", "dates", "hidden_rows")
    lists = ("other_sheets", "hidden_columns", "notes")
    read = {name: file[name] for name in facts} | {name: file[name][:LISTED] for name in lists}
    read["left_out"] = dict(list(file["left_out"].items())[:LISTED])
    numbers = ("rows", "valid", "invalid", "error_count", "errors", "warning_count")
    return {name: whole[name] for name in numbers} | {
        "warnings": whole["warnings"][:LISTED_ERRORS],
        # Most of these facts are about files only.
        "file": {name: value for name, value in read.items() if value},
        "channel_count": len(plan.channels),
        "channels": whole["channels"][:LISTED],
        "duplicates": {
            "rows": duplicates["rows"],
            "groups": duplicates["groups"],
            "listed": [each | {"rows": each["rows"][:LISTED]} for each in duplicates["listed"][:LISTED_ERRORS]],
        },
        "schedule": schedule | {"past_rows": schedule["past_rows"][:LISTED]},
        "estimated_seconds": whole["estimated_seconds"],
    }


def planned(request_key: str, plan: Plan, stored: Stored) -> ToolResult:
    """Return a plan with its next step, or refuse it if its posts were sent before."""
    if is_repetition(stored, request_key):
        return repetition(request_key, stored)
    sent_earlier = {"sent_earlier": stored.sent_earlier} if stored.repeats else {}
    return result(
        Outcome.PLANNED,
        _step_after_plan(stored),
        request_key=request_key,
        repeated=stored.counts.pending < stored.counts.total,
        data={"counts": stored.counts.to_dict(), **sent_earlier, **shown(plan)},
    )


def is_repetition(stored: Stored, request_key: str) -> bool:
    """Return whether a run would publish posts again without a key that the caller has chosen in view of them."""
    return stored.new_repeats > 0 or (stored.repeats > 0 and is_derived(request_key))


_BY_OTHERS = "were sent by other runs or calls, or may have been, or are pending there"


def repetition(request_key: str, stored: Stored) -> ToolResult:
    """Refuse a run whose posts were sent before."""
    return result(
        Outcome.REFUSED,
        f"{stored.repeats} of these posts {_BY_OTHERS}; sent_earlier in untrusted_data names their rows, the runs "
        "and the calls. Nothing was sent now. Leave them out, and plan the others as a new run. A run that still has "
        "posts to send goes on with action run and its own request_key. Only if the person wants them published once "
        "more, plan them with a new request_key of your own.",
        request_key=request_key,
        data={"sent_earlier": stored.sent_earlier},
    )


def _step_after_plan(stored: Stored) -> str:
    if not stored.remaining:
        return (
            "A run of this same plan has ended, so action run would send nothing. To publish these posts once more on "
            "purpose, plan them with a new request_key."
        )
    if stored.repeats:
        return (
            f"{stored.repeats} of these posts {_BY_OTHERS}; sent_earlier in untrusted_data names them. Ask the "
            "person whether to publish them once more. If so, call with action run and this request_key. If not, plan "
            "the others alone with another request_key."
        )
    return "Show the plan to the person. If they agree, call with action run and this request_key."


def question_before(stored: Stored) -> str:
    """Return what the person is asked before a run."""
    counts = stored.counts
    if counts.pending:
        parts = [f"Publish {counts.pending} posts ({stored.now} of them now)?"]
        if counts.unknown:
            parts.append(
                f"{counts.unknown} others may have been published: they are looked for, and sent if they do not exist."
            )
    else:
        parts = [f"Look for {counts.unknown} posts that may have been published, and send those that do not exist?"]
    if stored.repeats:
        parts.append(f"{stored.repeats} of these posts {_BY_OTHERS}.")
    if stored.late:
        parts.append(f"{stored.late} have times that have passed since the plan, and may be published at once.")
    if counts.done:
        parts.append(f"{counts.done} of {counts.total} are done already.")
    return " ".join(parts)


def other_content(request_key: str) -> ToolResult:
    """Refuse a plan whose key belongs to other rows."""
    return result(
        Outcome.REFUSED,
        "This request_key belongs to a plan with other rows. Nothing was sent. Give a new request_key.",
        request_key=request_key,
    )


def file_changed(request_key: str) -> ToolResult:
    """Refuse a plan whose file changed while it was read."""
    return result(Outcome.REFUSED, "The file changed while it was read. Plan again.", request_key=request_key)


def being_stored(request_key: str) -> ToolResult:
    """Say that another call is storing a plan with the same key."""
    return result(
        Outcome.NOT_SENT,
        "Another call is storing a plan with this request_key. Nothing was sent. Call with action plan again.",
        request_key=request_key,
    )


def times_passed(request_key: str, stored: Stored, path: Path) -> ToolResult:
    """Refuse a run whose schedule times have passed: this client cannot ask the person."""
    return result(
        Outcome.REFUSED,
        f"{stored.late} of these posts have schedule times that have passed since the plan, so the API may publish "
        "them at once. A person has to agree, and this client has no way to ask (elicitation). Nothing was sent now. "
        "If no post of this run is done, plan all of them again with new times and a new request_key. Otherwise the "
        "person can send the rest as it is: marketingblocks bulk resume "
        f"{shlex.quote(str(path.absolute()))} --allow-past",
        request_key=request_key,
    )


def other_numbers(request_key: str) -> ToolResult:
    """Refuse a run whose numbers have changed since the person agreed."""
    return result(
        Outcome.NOT_SENT,
        "The numbers of posts changed after the question. Nothing was sent. Call with action run again.",
        request_key=request_key,
    )


def other_token(request_key: str, path: Path) -> ToolResult:
    """Refuse a run that was begun with another access token."""
    return result(
        Outcome.REFUSED,
        "This run was begun with another access token, and this one may be that of another account. Nothing was sent "
        "now. The person can restart this server with the former token. If the same account has got a new token, the "
        "person can send the rest with it, and this run is known here as before: marketingblocks bulk resume "
        f"{shlex.quote(str(path.absolute()))} --accept-new-token",
        request_key=request_key,
    )


def still_running(request_key: str, counts: Counts | None) -> ToolResult:
    """Report the progress of a run that is still going on."""
    return result(
        Outcome.RUNNING,
        "It goes on. Call with action run or status and this request_key for news.",
        request_key=request_key,
        data=None if counts is None else {"counts": counts.to_dict()},
    )


ENDED_EARLIER = (
    "This run ended before; nothing was sent now. To publish the same posts once more on purpose, plan them with a new "
    "request_key."
)
"""The first step that is told of a run that had ended before the call."""


def steps_after(counts: Counts, path: Path, cause: Exception | None) -> tuple[Outcome, list[str]]:
    """Return the outcome of the worst rows, and what to do about each kind of rows that are not done."""
    outcome, steps = Outcome.DONE, list[str]()
    if counts.failed:
        outcome = Outcome.REFUSED
        steps.append(
            f"The API refused {counts.failed} posts; rows in untrusted_data names them. Correct these and plan them "
            "alone as a new run, without those that are done."
        )
    if counts.pending:
        outcome = Outcome.NOT_SENT
        steps.append(
            f"{counts.pending} posts were not sent. {_way_on(counts, path, cause)} What is done is not sent again."
        )
    if counts.unknown:
        outcome = Outcome.UNKNOWN
        steps.append(
            f"{counts.unknown} posts may have been published and were not sent again. Call with action run and this "
            "request_key in a minute: it looks for them and never sends one twice. Otherwise look at the channels."
        )
    if counts.failed + counts.unknown > LISTED_ROWS:
        steps.append(
            f"The first {LISTED_ROWS} are listed. The person can get all in a file: marketingblocks bulk report "
            f"{shlex.quote(str(path.absolute()))} --results results.csv"
        )
    return outcome, steps


def _way_on(counts: Counts, path: Path, cause: Exception | None) -> str:
    """Return what to do about pending posts, if an error has stopped the run."""
    if cause is None:
        return "Call with action run and this request_key to go on."
    if not may_be_own_fault(cause):
        return advice_for(cause)
    if is_refused_token(cause, created=counts.done > 0):
        way_on = advice_for(cause)
    else:
        way_on = (
            "The last ones were refused for a reason that may concern all posts; reason in untrusted_data names it. "
            "When the person has removed the cause, call with action run and this request_key."
        )
    return (
        f"{way_on} If the posts are at fault themselves, for example because their channel is gone, the person can run "
        f"marketingblocks bulk resume {shlex.quote(str(path.absolute()))} --on-outage fail (refused posts fail, and "
        "the others are sent)."
    )
