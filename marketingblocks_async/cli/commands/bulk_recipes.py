"""``marketingblocks bulk recipe``: how the spreadsheets of other programs become posts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.settings import Settings
from marketingblocks_async.errors import ConfigurationError

from .bulk_reading import File, Reading, opened, takes_reading

app: typer.Typer = new_app("Recipes: how the spreadsheets of other programs become posts.")


@command(app, "list", examples="marketingblocks bulk recipe list", shared=("as_json",))
def list_recipes(settings: Settings) -> None:
    """List the recipes that come with the program, and where each format was seen."""
    from marketingblocks_async.bulk import load_recipe, recipe_names

    recipes = [load_recipe(name) for name in recipe_names()]
    data = [
        {
            "name": each.name,
            "title": each.title,
            "origin": each.origin,
            "format_seen": each.format_seen,
            "notes": each.notes,
        }
        for each in recipes
    ]
    rows = [(each.name, each.title, each.origin) for each in recipes]
    settings.output.result(data, lambda: settings.output.table("Recipes", ("name", "for", "format from"), rows))
    if not settings.output.as_json:
        settings.output.note("Say more of one: marketingblocks bulk recipe show NAME")


@command(app, "show", examples="marketingblocks bulk recipe show hootsuite > mine.toml", shared=("as_json",))
def show_recipe(
    settings: Settings, *, recipe: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Recipe to show.")]
) -> None:
    """Show a recipe as TOML, to be read, or changed and kept as your own."""
    from marketingblocks_async.bulk import load_recipe
    from marketingblocks_async.bulk.sheets.recipes.recipe import recipe_text

    text = recipe_text(recipe)
    known = load_recipe(recipe)
    data = {"name": known.name, "title": known.title, "format_seen": known.format_seen, "toml": text}
    settings.output.result(data, lambda: settings.output.words(text.rstrip()))


@command(
    app,
    "new",
    examples="""
    marketingblocks bulk recipe new calendar.xlsx --output mine.toml
    marketingblocks bulk plan calendar.xlsx --recipe mine.toml
    """,
    shared=("as_json",),
)
@takes_reading
def new_recipe(
    settings: Settings,
    *,
    file: File,
    reading: Reading,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; shown by default.")
    ] = None,
) -> None:
    """Write a recipe from the header of a file, and from the options.

    In a terminal it asks which field a column holds if it does not know; otherwise it marks such columns.
    """
    from marketingblocks_async.bulk.sheets.new_recipe import (
        draft_columns,
        recipe_path,
        recipe_with_options,
        write_recipe,
    )

    if reading.skip_hidden or reading.include_hidden:
        option = "--skip-hidden" if reading.skip_hidden else "--include-hidden"
        msg = f"a recipe cannot hold {option}; leave it out here, and give it to bulk plan and bulk run"
        raise ValueError(msg)
    if output is not None:
        recipe_path(output)
        if output.exists():
            msg = f"{output} exists already; give another name"
            raise ValueError(msg)
    with opened(file, reading.options()) as (path, how):
        columns = draft_columns(path, **how)
        recipe = recipe_with_options(how)
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not settings.output.as_json
    text = write_recipe(columns, f"Recipe for {file.name}", ask_field if asks else None, recipe)
    unknown = [] if asks else [column.name for column in columns if column.target is None and column.is_open]
    if output is not None:
        output.write_text(text, encoding="utf-8")
    data = {"toml": text, "unknown_columns": unknown, "file": str(output) if output else None}
    settings.output.result(data, lambda: settings.output.words(text if output is None else f"Wrote {output}."))
    if reading.format is not None and not settings.output.as_json:
        settings.output.note(f"A recipe does not say the kind of file; give --format {reading.format} again with it.")
    if unknown and not settings.output.as_json:
        settings.output.note(f"Say which field these columns are (marked TODO): {', '.join(unknown)}")


def ask_field(column: str, example: str) -> str:
    """Ask for the field of a column until the answer is one."""
    from marketingblocks_async.bulk.sheets.recipes.recipe import checked_target

    shown = f" (for example: {example})" if example else ""
    question = f'Which field is "{column}"{shown}? Empty leaves it out'
    while True:
        answer = str(typer.prompt(question, default="", show_default=False, err=True))
        try:
            checked_target(answer or None, column)
        except ConfigurationError as exc:
            typer.echo(exc, err=True)
        else:
            return answer
