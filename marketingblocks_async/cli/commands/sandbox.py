"""``marketingblocks sandbox``: the API on this machine."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.help import show_entries
from marketingblocks_async.cli.output import print_json
from marketingblocks_async.cli.settings import Settings

if TYPE_CHECKING:
    from marketingblocks_async.sandbox import FaultKind, Sandbox, SandboxSettings

app: typer.Typer = new_app()

# Settings of the sandbox that are called otherwise here.
_OPTION_NAMES = {"generation_seconds": "--generation", "clock_start": "--clock"}

Host = Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")]
Port = Annotated[int | None, typer.Option(metavar="N", help="Port to listen on (a free one).")]
Policy = Annotated[
    str | None, typer.Option(metavar="NAME", help="Rule that limits the requests of a token (sliding_log); see below.")
]
Limit = Annotated[int | None, typer.Option(metavar="N", help="Requests allowed in PER seconds (100).")]
Per = Annotated[float | None, typer.Option(metavar="SECONDS", help="Length of the limit's window (1).")]
Tolerance = Annotated[
    int | None, typer.Option(metavar="N", help="GCRA: requests that may be ahead of the even pace (10).")
]
RetryAfter = Annotated[
    str | None,
    typer.Option(
        metavar="STYLE",
        help="Retry-After of a refusal: none, seconds, decimal, http_date, or another text, sent unchanged (none).",
    ),
]
Latency = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Time between carrying out a request and responding (0).")
]
Jitter = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Longest random delay on the network before a request is counted (0)."),
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option("--fault", metavar="KIND[:key=value,...]", help="A fault, see below; may be repeated."),
]
Tokens = Annotated[
    int | None,
    typer.Option(metavar="N", help="N more tokens with every permission: token-1, token-2, ... (0)."),
]
Token = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[:perm,perm][@SECONDS]", help="One more token; may be repeated."),
]
Variant = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME[=VALUE]", help="A choice where the documentation is silent; may be repeated."),
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Make jitter, fault rates and ids repeatable.")]
ClockStart = Annotated[
    str | None,
    typer.Option(
        "--clock",
        metavar="TIME",
        help="Time at the start, such as 2027-01-08T14:30Z, for posts and schedules (the present).",
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(metavar="FILE", help='Begin with these: JSON like {"tokens": ["reader"], "posts": [{...}]}.'),
]
State = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Keep posts, automations, generations, tokens and the clock in this file."),
]
Record = Annotated[
    str | None,
    typer.Option("--record", metavar="FILE", help="Record requests, faults and changes in this new file."),
]
Replay = Annotated[
    str | None,
    typer.Option(
        "--replay",
        metavar="FILE",
        help="Play such a file: the same requests meet the same faults and refusals. Its settings are the defaults.",
    ),
]
Pending = Annotated[float | None, typer.Option(metavar="SECONDS", help="Time until a post is processed (0.2).")]
Processing = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Time from then until it is published (0.5).")
]
Slot = Annotated[float | None, typer.Option(metavar="SECONDS", help="Time between two slots of the queue (60).")]
Generation = Annotated[float | None, typer.Option(metavar="SECONDS", help="Time that a generation takes (0.5).")]
External = Annotated[bool, typer.Option("--allow-external-web-hooks", help="Call web hooks outside this machine too.")]
SettingsJson = Annotated[
    str | None,
    typer.Option("--settings", metavar="JSON", help="All settings as one JSON object; other options override it."),
]


def _show_lists() -> None:
    """Print the policies, faults and variants as the sandbox knows them; importing it takes a while."""
    from marketingblocks_async.sandbox import DEFAULT_TOKEN, FAULT_KINDS, CreatePostShape, GetPostsShape, PolicyName

    show_entries("Policies", [(", ".join(PolicyName), "")])
    show_entries(
        "Faults (each takes endpoint=, times=, after=, rate= and token=, and the parameters in brackets)",
        [(name, kind.summary + _parameters(kind)) for name, kind in FAULT_KINDS.items()],
    )
    show_entries(
        "Variants",
        [
            ("create_post", "|".join(CreatePostShape)),
            ("get_posts", "|".join(GetPostsShape)),
            ("missing_permission", "401|403"),
            ("string_ids", "all ids are strings"),
            ("unknown_status", "every STATUS is an unknown word"),
            ("extra_fields", "posts have more fields than documented"),
            ("update_resets_defaults", "an update of an automation resets what it leaves out"),
        ],
    )
    typer.echo(f"\nThe token {DEFAULT_TOKEN} always works. The ledger is at /_sandbox/ledger.")


def _parameters(kind: FaultKind) -> str:
    parameters = {**kind.params, **({"commit": str(kind.commits).lower()} if kind.commit_is_free else {})}
    shown = (f"{name}={'none' if value is None else value}" for name, value in parameters.items())
    return f" [{', '.join(shown)}]" if parameters else ""


@command(
    app,
    "sandbox",
    examples="""
    marketingblocks sandbox --port 8080
    marketingblocks sandbox --policy gcra --fault commit_then_drop:endpoint=create-post,times=3
    """,
    shared=("as_json",),
    more=_show_lists,
)
def sandbox(
    settings: Settings,
    *,
    host: Host = None,
    port: Port = None,
    policy: Policy = None,
    limit: Limit = None,
    per: Per = None,
    tolerance: Tolerance = None,
    retry_after: RetryAfter = None,
    latency: Latency = None,
    jitter: Jitter = None,
    fault: FaultOption = None,
    tokens: Tokens = None,
    token: Token = None,
    variant: Variant = None,
    seed: Seed = None,
    clock: ClockStart = None,
    seeds: Seeds = None,
    state: State = None,
    record: Record = None,
    replay: Replay = None,
    pending: Pending = None,
    processing: Processing = None,
    slot: Slot = None,
    generation: Generation = None,
    allow_external_web_hooks: External = False,
    settings_json: SettingsJson = None,
) -> None:
    """Run the documented API as a local server, with selectable limits and scripted faults. Ctrl-C stops it.

    A page for the browser shows requests, posts and faults; its address is printed when the server listens.
    """
    from marketingblocks_async.sandbox.serving import describe, run

    direct = {
        "host": host,
        "port": port,
        "policy": policy,
        "limit": limit,
        "per": per,
        "tolerance": tolerance,
        "retry_after": retry_after,
        "latency": latency,
        "jitter": jitter,
        "seed": seed,
        "clock_start": None if clock is None else _moment(clock),
        "seeds": seeds,
        "state_file": state,
        "record_file": record,
        "replay_file": replay,
        "generation_seconds": generation,
        "allow_external_web_hooks": allow_external_web_hooks or None,
    }
    timings = {"pending": pending, "processing": processing, "slot": slot}
    chosen = sandbox_settings(
        settings_json or _start(replay),
        direct,
        faults=fault or [],
        tokens=(tokens or 0, token or []),
        variants=variant or [],
        timings=timings,
    )

    def announce(running: Sandbox) -> None:
        if settings.output.as_json:
            print_json(describe(running))
        else:
            settings.output.words(_banner(running))
            # A program that started this one waits for the addresses.
            sys.stdout.flush()

    run(chosen, announce)


def _start(replay: str | None) -> str:
    """Return the settings that the options override: those of the recording, or the defaults."""
    from marketingblocks_async.sandbox.scenario import settings_of

    return settings_of({} if replay is None else {"replay_file": replay}).to_json()


def sandbox_settings(
    base: str,
    direct: dict[str, Any],
    *,
    faults: list[str],
    tokens: tuple[int, list[str]],
    variants: list[str],
    timings: dict[str, float | None],
) -> SandboxSettings:
    """Return the settings that the options describe; they override ``base``, which is JSON.

    ``None`` is an option that was not given. The message of a ``ValueError`` says which values are allowed.
    """
    from dataclasses import asdict

    from marketingblocks_async.sandbox import SandboxSettings, TokenSpec
    from marketingblocks_async.sandbox.settings import numbered_tokens

    start = SandboxSettings.from_json(base)
    count, texts = tokens
    options = start.to_options()
    options.update({name: value for name, value in direct.items() if value is not None})  # type: ignore[typeddict-item]
    options["faults"] = [*start.faults, *faults]
    options["tokens"] = [*start.tokens, *numbered_tokens(count), *map(TokenSpec.parse, texts)]
    options["variants"] = {**asdict(start.variants), **dict(map(_variant, variants))}
    options["timings"] = {
        **asdict(start.timings),
        **{key: value for key, value in timings.items() if value is not None},
    }
    try:
        return SandboxSettings.of(options)
    except ValueError as exc:
        raise ValueError(_as_options(str(exc))) from None


def _variant(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    # Both spellings, since options use the one and the settings the other.
    return name.strip().replace("-", "_"), value.strip() if equals else "true"


def _moment(text: str) -> float:
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        msg = f"--clock {text!r}: write a time like 2027-01-08T14:30Z"
        raise ValueError(msg) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _as_options(message: str) -> str:
    """Return a message about settings in terms of the options."""
    message = re.sub(r"^variants\.", "--variant ", message)
    return re.sub(
        r"^(?:timings\.)?([a-z_]+)(?=:| must)",
        lambda found: _OPTION_NAMES.get(found[1], f"--{found[1].replace('_', '-')}"),
        message,
    )


def _banner(running: Sandbox) -> str:
    from marketingblocks_async.sandbox.serving import describe

    settings, addresses = running.settings, describe(running)
    limit = f"{settings.policy}, {settings.limit} requests per {settings.per:g} s"
    lines = [
        "MarketingBlocks sandbox (Ctrl-C stops it)",
        f"  page       {addresses['page_url']}   (open it in a browser)",
        f"  base_url   {addresses['base_url']}",
        f"  docs_url   {addresses['docs_url']}",
        f"  ledger     {addresses['control_url']}ledger",
        *(f"  token      {secret}   ({name})" for name, secret in running.tokens.items()),
        f"  policy     {'no limit' if settings.policy == 'none' else limit}",
        *(f"  fault      {fault.kind}" for fault in settings.faults),
    ]
    return "\n".join(lines)
