"""What makes a function a command: shared settings in, exit code out, errors shown."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import typer

from .errors import Interrupted, report
from .exit_codes import CommandEnded, ExitCode
from .output import Output
from .settings import BaseUrl, Json, Limit, Settings, TokenFile

P = ParamSpec("P")
R = TypeVar("R")

_SHARED = {"base_url": BaseUrl, "token_file": TokenFile, "limit": Limit, "as_json": Json}


def new_app(help_text: str) -> typer.Typer:
    """Return a group of commands.

    Args:
        help_text: what they are about, in a line.

    """
    return typer.Typer(
        help=help_text, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def command(
    app: typer.Typer, name: str, *, examples: str = ""
) -> Callable[
    [Callable[Concatenate[Settings, P], ExitCode | None]], Callable[Concatenate[Settings, P], ExitCode | None]
]:
    """Make a function a command of ``app``; its docstring is the help.

    Args:
        app: the group.
        name: of the command.
        examples: command lines, one a line, shown at the end of the help.

    """

    def register(
        function: Callable[Concatenate[Settings, P], ExitCode | None],
    ) -> Callable[Concatenate[Settings, P], ExitCode | None]:
        # In one paragraph each, since the help reflows them.
        lines = [line.strip() for line in examples.strip().splitlines()]
        epilog = (
            "\n\n".join(["[bold]Examples[/bold]", *(f"  [cyan]{line}[/cyan]" for line in lines)]) if lines else None
        )
        app.command(name, epilog=epilog, help=inspect.getdoc(function))(_with_settings(function))
        return function

    return register


def _with_settings(function: Callable[..., ExitCode | None]) -> Callable[..., None]:
    def run(
        *args: Any, base_url: str | None, token_file: Path | None, limit: int | None, as_json: bool, **kwargs: Any
    ) -> None:
        output = Output(as_json=as_json)
        try:
            code = function(Settings(base_url, token_file, limit, output), *args, **kwargs)
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as exc:  # noqa: BLE001 - all are shown
            code = report(exc, output)
        raise CommandEnded(code or ExitCode.DONE)

    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "as_json" else None, annotation=annotation
        )
        for name, annotation in _SHARED.items()
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + shared
    # The parser reads both; the names in the annotations are resolved already.
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def run_async(main: Coroutine[Any, Any, R]) -> R:
    """Run a command's coroutine; Ctrl-C ends it, and what is known of its call is said.

    Raises:
        Interrupted: Ctrl-C.

    """

    async def with_notes() -> R:
        try:
            return await main
        except asyncio.CancelledError as exc:
            raise Interrupted("\n".join(getattr(exc, "__notes__", ())) or "interrupted") from None

    return asyncio.run(with_notes())
