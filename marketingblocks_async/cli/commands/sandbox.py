"""``marketingblocks sandbox``: the API on this machine."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from marketingblocks_async.cli.command import TakesOptions, command, new_app, takes_options
from marketingblocks_async.cli.help import Lists
from marketingblocks_async.cli.output import print_json
from marketingblocks_async.cli.settings import Settings

if TYPE_CHECKING:
    from marketingblocks_async.sandbox import FaultKind, Sandbox, SandboxSettings

app: typer.Typer = new_app()

# Settings of the sandbox that are called otherwise here.
_OPTION_NAMES = {"generation_seconds": "--generation", "clock_start": "--clock"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options, called as the settings of the sandbox are where there is one; ``None`` for what was not given."""

    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None
    port: Annotated[int | None, typer.Option(metavar="N", help="Port to listen on (a free one).")] = None
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Rule that limits the requests of a token (sliding_log); see below."),
    ] = None
    limit: Annotated[int | None, typer.Option(metavar="N", help="Requests allowed in PER seconds (100).")] = None
    per: Annotated[float | None, typer.Option(metavar="SECONDS", help="Length of the limit's window (1).")] = None
    tolerance: Annotated[
        int | None, typer.Option(metavar="N", help="GCRA: requests that may be ahead of the even pace (10).")
    ] = None
    retry_after: Annotated[
        str | None,
        typer.Option(
            metavar="STYLE",
            help="Retry-After of a refusal: none, seconds, decimal, http_date, or another text, sent unchanged (none).",
        ),
    ] = None
    latency: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time between carrying out a request and responding (0).")
    ] = None
    jitter: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Longest random delay on the network before a request is counted (0)."),
    ] = None
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="KIND[:key=value,...]", help="A fault; see below. May be repeated."),
    ] = None
    tokens: Annotated[
        int | None,
        typer.Option(metavar="N", help="N more tokens with every permission: token-1, token-2, ... (0)."),
    ] = None
    token: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[:perm,perm][@SECONDS]", help="One more token; may be repeated."),
    ] = None
    variant: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="A choice where the documentation is silent; may be repeated."),
    ] = None
    seed: Annotated[int | None, typer.Option(metavar="N", help="Make jitter, fault rates and ids repeatable.")] = None
    clock: Annotated[
        str | None,
        typer.Option(
            "--clock",
            metavar="TIME",
            help="Time at the start, such as 2099-01-08T14:30Z, for posts and schedules (the present).",
        ),
    ] = None
    seeds: Annotated[
        str | None,
        typer.Option(metavar="FILE", help='Begin with these: JSON like {"tokens": ["reader"], "posts": [{...}]}.'),
    ] = None
    state_file: Annotated[
        str | None,
        typer.Option(
            "--state", metavar="FILE", help="Keep posts, automations, generations, tokens and the clock in this file."
        ),
    ] = None
    record_file: Annotated[
        str | None,
        typer.Option("--record", metavar="FILE", help="Record requests, faults and changes in this new file."),
    ] = None
    replay_file: Annotated[
        str | None,
        typer.Option(
            "--replay",
            metavar="FILE",
            help="Play such a file: the same requests meet the same faults and refusals. Its settings are the "
            "defaults.",
        ),
    ] = None
    pending: Annotated[float | None, typer.Option(metavar="SECONDS", help="Time until a post is processed (0.2).")] = (
        None
    )
    processing: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Time from then until it is published (0.5).")
    ] = None
    slot: Annotated[float | None, typer.Option(metavar="SECONDS", help="Time between two posts of the queue (60).")] = (
        None
    )
    generation_seconds: Annotated[
        float | None, typer.Option("--generation", metavar="SECONDS", help="Time that a generation takes (0.5).")
    ] = None
    allow_external_web_hooks: Annotated[
        bool, typer.Option("--allow-external-web-hooks", help="Call web hooks outside this machine too.")
    ] = False
    settings_json: Annotated[
        str | None,
        typer.Option("--settings", metavar="JSON", help="All settings as one JSON object; other options override it."),
    ] = None

    def settings(self) -> SandboxSettings:
        """Return the settings that the options describe; the message of a ``ValueError`` says what is allowed."""
        from marketingblocks_async.sandbox import SandboxSettings, TokenSpec
        from marketingblocks_async.sandbox.scenario import settings_of
        from marketingblocks_async.sandbox.settings import numbered_tokens

        if self.settings_json is not None:
            start = SandboxSettings.from_json(self.settings_json)
        else:
            # A recording has settings of its own.
            start = settings_of({} if self.replay_file is None else {"replay_file": self.replay_file})
        given = {name: value for name, value in asdict(self).items() if value is not None and value is not False}
        timings: dict[str, float] = {name: given[name] for name in ("pending", "processing", "slot") if name in given}
        if self.clock is not None:
            given["clock_start"] = _moment(self.clock)
        options = start.to_options()
        options.update({name: value for name, value in given.items() if name in options})  # type: ignore[typeddict-item]
        options["faults"] = [*start.faults, *(self.fault or ())]
        more = [*numbered_tokens(self.tokens or 0), *map(TokenSpec.parse, self.token or ())]
        # A token that is named again is a new one.
        named = {token.name for token in more}
        options["tokens"] = [*(token for token in start.tokens if token.name not in named), *more]
        options["variants"] = {**asdict(start.variants), **dict(map(_variant, self.variant or ()))}
        options["timings"] = {**asdict(start.timings), **timings}
        try:
            return SandboxSettings.of(options)
        except ValueError as exc:
            raise ValueError(_as_options(str(exc))) from None


takes_options_of_the_sandbox: TakesOptions = takes_options(Options, "options")


def _lists() -> Lists:
    """Return the policies, faults and variants as the sandbox knows them; importing it takes a while."""
    from marketingblocks_async.sandbox import FAULT_KINDS, CreatePostShape, GetPostsShape, PolicyName

    variants = [
        ("create_post", "|".join(CreatePostShape)),
        ("get_posts", "|".join(GetPostsShape)),
        ("missing_permission", "401|403"),
        ("string_ids", "all ids are strings"),
        ("unknown_status", "every STATUS is an unknown word"),
        ("extra_fields", "posts have more fields than documented"),
        ("update_resets_defaults", "an update of an automation resets what it leaves out"),
    ]
    return [
        ("Policies", [(", ".join(PolicyName), "")]),
        (
            "Faults (each takes endpoint=, times=, after=, rate= and token=, and the parameters in brackets)",
            [(name, kind.summary + _parameters(kind)) for name, kind in FAULT_KINDS.items()],
        ),
        ("Variants", variants),
    ]


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
    lists=_lists,
)
@takes_options_of_the_sandbox
def sandbox(settings: Settings, *, options: Options) -> None:
    """Run the documented API as a local server, with selectable limits and scripted faults. Ctrl-C stops it.

    A page for the browser shows requests, posts and faults; its address is printed when the server listens. The token
    sandbox-token always works. The ledger is at /_sandbox/ledger.
    """
    from marketingblocks_async.sandbox.serving import describe, run

    def announce(running: Sandbox) -> None:
        if settings.output.as_json:
            print_json(describe(running))
        else:
            settings.output.words(_banner(running))
            # A program that started this one waits for the addresses.
            sys.stdout.flush()

    run(options.settings(), announce)


def _variant(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    # Both spellings, since options use the one and the settings the other.
    return name.strip().replace("-", "_"), value.strip() if equals else "true"


def _moment(text: str) -> float:
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        msg = f"--clock {text!r}: write a time like 2099-01-08T14:30Z"
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
