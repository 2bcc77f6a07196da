"""Turn functions into commands: shared settings in, exit code out, errors shown."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from .errors import CommandEnded, ExitCode, report
from .output import Output
from .settings import BaseUrl, Json, Limit, Settings, TokenFile

P = ParamSpec("P")

_SHARED = {"base_url": BaseUrl, "token_file": TokenFile, "limit": Limit, "as_json": Json}


def new_app(help_text: str) -> typer.Typer:
    """Return a group of commands with this help."""
    return typer.Typer(
        help=help_text, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def command(
    app: typer.Typer, name: str, *, examples: str = "", shared: Collection[str] = tuple(_SHARED), **more: Any
) -> Callable[
    [Callable[Concatenate[Settings, P], ExitCode | None]], Callable[Concatenate[Settings, P], ExitCode | None]
]:
    """Make a function a command of ``app``; its docstring is the help.

    Args:
        app: the group.
        name: name of the command.
        examples: command lines, one a line, shown at the end of the help.
        shared: the shared options that the command has.
        more: further arguments of ``Typer.command``.

    """

    def register(
        function: Callable[Concatenate[Settings, P], ExitCode | None],
    ) -> Callable[Concatenate[Settings, P], ExitCode | None]:
        lines = [f"  [cyan]{line.strip()}[/cyan]" for line in examples.strip().splitlines()]
        # A paragraph each, since the help reflows the lines of a paragraph.
        epilog = "\n\n".join(["[bold]Examples[/bold]", *lines]) if lines else None
        run = _with_settings(function, shared)
        app.command(name, epilog=epilog, help=inspect.getdoc(function), **more)(run)
        return function

    return register


def _with_settings(function: Callable[..., ExitCode | None], shared: Collection[str]) -> Callable[..., None]:
    def run(*args: Any, **kwargs: Any) -> None:
        base_url, token_file, limit, as_json = (kwargs.pop(name) if name in shared else None for name in _SHARED)
        output = Output(as_json=bool(as_json))
        try:
            code = function(Settings(base_url, token_file, limit, output), *args, **kwargs)
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as exc:  # noqa: BLE001 - all are shown
            code = report(exc, output)
        raise CommandEnded(code or ExitCode.DONE)

    # typer reads the signature and the annotations, so both get the shared options.
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name == "as_json" else None,
            annotation=_SHARED[name],
        )
        for name in shared
    ]
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def _print_version(value: bool) -> None:
    if value:
        from marketingblocks_async import __version__

        typer.echo(f"marketingblocks {__version__}")
        raise typer.Exit


def version_option(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options of the command line as a whole."""
