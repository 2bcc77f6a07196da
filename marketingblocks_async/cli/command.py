"""Turn functions into commands: shared settings in, exit code out, errors shown."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec, Protocol, TypeVar

import typer

from .errors import CommandEnded, ExitCode, report
from .help import Group, Lists, Page, command_class
from .output import Output
from .settings import BaseUrl, FormerRate, Json, Rate, Settings, TokenFile

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

P = ParamSpec("P")

_SHARED = {"base_url": BaseUrl, "token_file": TokenFile, "rate": Rate, "limit": FormerRate, "as_json": Json}


def new_app(help_text: str = "") -> typer.Typer:
    """Return a group of commands with this help, or one whose commands are added to another group."""
    return typer.Typer(
        help=help_text, cls=Group, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip


def command(
    app: typer.Typer,
    name: str,
    *,
    examples: str = "",
    shared: Collection[str] = tuple(_SHARED),
    lists: Callable[[], Lists] = tuple,
) -> Callable[
    [Callable[Concatenate[Settings, P], ExitCode | None]], Callable[Concatenate[Settings, P], ExitCode | None]
]:
    """Make a function a command of ``app``; its docstring is the help.

    Args:
        app: the group.
        name: name of the command.
        examples: command lines, one a line, shown at the end of the help.
        shared: the shared options that the command has. An option of its own takes the place of one of them.
        lists: returns further lists for the end of the help, such as the values of an option.

    """

    def register(
        function: Callable[Concatenate[Settings, P], ExitCode | None],
    ) -> Callable[Concatenate[Settings, P], ExitCode | None]:
        lines = [line.strip() for line in examples.strip().splitlines()]
        text = inspect.getdoc(function) or ""
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        names = [each for each in shared if each not in {parameter.name for parameter in own}]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=False if name == "as_json" else None,
                annotation=_SHARED[name],
            )
            for name in names
        ]
        run = _with_settings(function, names)
        # typer reads the signature and the annotations, so both get the shared options.
        run.__dict__["__signature__"] = inspect.Signature(parameters)
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        page = Page(text, parameters, lines, lists)
        app.command(name, cls=command_class(page), help=text, epilog="\n\n".join(lines) or None)(run)
        return function

    return register


def _with_settings(function: Callable[..., ExitCode | None], shared: Collection[str]) -> Callable[..., None]:
    def run(*args: Any, **kwargs: Any) -> None:
        base_url, token_file, rate, limit, as_json = (kwargs.pop(name) if name in shared else None for name in _SHARED)
        output = Output(as_json=bool(as_json))
        try:
            settings = Settings(base_url, token_file, limit if rate is None else rate, output)
            code = function(settings, *args, **kwargs)
        except (Exception, KeyboardInterrupt, asyncio.CancelledError) as exc:  # noqa: BLE001 - all are shown
            code = report(exc, output)
        raise CommandEnded(code or ExitCode.DONE)

    return run


CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class TakesOptions(Protocol):
    """A decorator that gives a command more options."""

    def __call__(self, function: CommandT, /) -> CommandT:
        """Return the command."""
        ...


def takes_options(kind: type[DataclassInstance], name: str) -> TakesOptions:
    """Give a command the fields of a dataclass as options; its parameter ``name`` takes all of them."""
    hints = inspect.get_annotations(kind, eval_str=True)
    options = [
        inspect.Parameter(
            each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name]
        )
        for each in dataclasses.fields(kind)
    ]  # fmt: skip

    def register(function: CommandT) -> CommandT:
        def run(*args: Any, **kwargs: Any) -> Any:
            taken = kind(**{each.name: kwargs.pop(each.name) for each in options})
            return function(*args, **{name: taken}, **kwargs)

        signature = inspect.signature(function, eval_str=True)
        others = [each for each in signature.parameters.values() if each.name != name]
        run.__doc__ = function.__doc__
        # The parser reads the signature; the function itself takes one parameter instead of many.
        run.__dict__["__signature__"] = signature.replace(parameters=[*others, *options])
        return run  # type: ignore[return-value]  # called by the parser only

    return register


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
