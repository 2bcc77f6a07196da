"""The command line of the sandbox: from options to settings."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .api.answers import CreatePostShape, GetPostsShape, Variants
from .control.control import CONTROL_PREFIX
from .faults.faults import FAULT_KINDS, Fault, FaultKind
from .policies import PolicyName
from .retry_after import RETRY_AFTER_STYLES
from .settings import SandboxSettings, numbered_tokens, readable
from .state.tokens import DEFAULT_TOKEN, TokenSpec

_DIRECT = (
    "host",
    "port",
    "limit",
    "per",
    "tolerance",
    "retry_after",
    "latency",
    "jitter",
    "seed",
    "allow_external_web_hooks",
)


def argument_parser(program: str = "python -m marketingblocks_async.sandbox") -> argparse.ArgumentParser:
    """Return the parser of ``python -m marketingblocks_async.sandbox``; options that were not given are not set.

    Args:
        program: what help texts call it.

    """
    defaults = SandboxSettings()
    parser = argparse.ArgumentParser(
        prog=program,
        description="The documented MarketingBlocks API as a local server, with selectable limits and scripted faults.",
        epilog=_epilog(program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("--host", help=f"address to listen on ({defaults.host})")
    add("--port", type=int, help="port to listen on (a free one)")
    add("--policy", choices=[*PolicyName], help=f"how requests of a token are limited ({defaults.policy})")
    add("--limit", type=int, help=f"requests allowed in PER seconds ({defaults.limit})")
    add("--per", type=float, metavar="SECONDS", help=f"length of the limit's window ({defaults.per:g})")
    add("--tolerance", type=int, help=f"GCRA: requests that may be ahead of the even pace ({defaults.tolerance})")
    add("--retry-after", help=f"Retry-After of a refusal: {', '.join(RETRY_AFTER_STYLES)}, or any text as it is (none)")
    add("--latency", type=float, metavar="SECONDS", help="between carrying out and answering (0)")
    add("--jitter", type=float, metavar="SECONDS", help="at most so long on the network before being counted (0)")
    add("--fault", action="append", metavar="KIND[:key=value,...]", help="something that goes wrong; repeatable")
    add("--tokens", type=int, metavar="N", help="N more tokens with every permission: token-1, token-2, ... (0)")
    add("--token", action="append", metavar="NAME[:perm,perm][@SECONDS]", help="one more token; repeatable")
    add("--variant", action="append", metavar="NAME[=VALUE]", help="which undocumented answers to give; repeatable")
    add("--seed", type=int, help="make jitter, fault rates and ids repeatable")
    add("--pending", type=float, metavar="SECONDS", help=f"until a post is processed ({defaults.timings.pending:g})")
    add("--processing", type=float, metavar="SECONDS", help=f"until it is out ({defaults.timings.processing:g})")
    add("--slot", type=float, metavar="SECONDS", help=f"between two slots of the queue ({defaults.timings.slot:g})")
    add("--generation", type=float, metavar="SECONDS", help=f"of a generation ({defaults.generation_seconds:g})")
    add("--allow-external-web-hooks", action="store_true", help="call web hooks outside this machine too")
    add("--json", action="store_true", default=False, help="print one line of JSON when ready instead of text")
    add("--settings", metavar="JSON", help="all settings as one JSON object; other options go before it")
    add("--exit-with-parent", type=int, metavar="PID", default=None, help="end when stdin closes or PID is gone")
    return parser


def _parameters(kind: FaultKind) -> str:
    parameters = {**kind.params, **({"commit": str(kind.commits).lower()} if kind.commit_is_free else {})}
    shown = ", ".join(f"{name}={'none' if value is None else value}" for name, value in parameters.items())
    return f" [{shown}]" if shown else ""


def _epilog(program: str) -> str:
    kinds = "\n".join(f"  {name:<23}{kind.summary}{_parameters(kind)}" for name, kind in FAULT_KINDS.items())
    return (
        "examples:\n"
        f"  {program} --port 8080\n"
        f"  {program} --policy gcra --fault commit_then_drop:endpoint=create-post,times=3\n\n"
        "faults (endpoint=, times=, after=, rate=, token=, and what is in brackets, shown with its default):\n"
        f"{kinds}\n\n"
        "variants:\n"
        f"  create_post={'|'.join(CreatePostShape)}\n"
        f"  get_posts={'|'.join(GetPostsShape)}\n"
        "  string_ids, unknown_status, extra_fields, update_resets_defaults, missing_permission=401|403\n\n"
        f"The token {DEFAULT_TOKEN!r} always works. The ledger is at {CONTROL_PREFIX}ledger."
    )


def settings_of(given: argparse.Namespace) -> SandboxSettings:
    """Return the settings that parsed options describe.

    Raises:
        ValueError: an option cannot be; the message says what can.

    """
    options: dict[str, Any] = vars(given)
    base = SandboxSettings.from_json(options.get("settings", "{}"))
    timings = {name: options[name] for name in ("pending", "processing", "slot") if name in options}
    variants = dict(map(_variant, options.get("variant", [])))
    try:
        changed = TypeAdapter(Variants).validate_python({**asdict(base.variants), **variants})
    except ValidationError as exc:
        msg = f"--variant {readable(exc)}"
        raise ValueError(msg) from None
    return replace(
        base,
        **{name: options[name] for name in _DIRECT if name in options},
        policy=PolicyName(options.get("policy", base.policy)),
        generation_seconds=options.get("generation", base.generation_seconds),
        faults=(*base.faults, *map(Fault.parse, options.get("fault", []))),
        tokens=(
            *base.tokens,
            *numbered_tokens(options.get("tokens", 0)),
            *map(TokenSpec.parse, options.get("token", [])),
        ),
        variants=changed,
        timings=replace(base.timings, **timings),
    )


def _variant(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    # Both spellings, since options use the one and the settings the other.
    return name.strip().replace("-", "_"), value.strip() if equals else "true"
