"""Commands of one word: ``generate``, ``request``; and ``docs ask``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.fields import pairs, read_json
from marketingblocks_async.cli.output import json_of
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app()
docs: typer.Typer = new_app("Ask the documentation.")
app.add_typer(docs, name="docs")


@command(app, "generate", examples='marketingblocks generate "flower sales" --post-type breel')
def generate(
    settings: Settings,
    *,
    text: Annotated[str, typer.Argument(metavar="INPUT", help="Theme or subject.")],
    post_type: Annotated[
        str,
        typer.Option(help="text_only, ai_image_post, ai_banner_post, breel, talking_reel or faceless_reel."),
    ] = "text_only",
    web_hook: Annotated[str | None, typer.Option(help="Address that receives the result.")] = None,
    brand_id: Annotated[str | None, typer.Option(help="Your brand (inferred, not documented).")] = None,
) -> None:
    """Ask for a post made by AI. It is made in the background; the result shows the job."""
    from marketingblocks_async import CreateGeneration

    fields = {"post_type": post_type, "input": text, "web_hook": web_hook, "brand_id": brand_id}
    job = json_of(settings.call(lambda client: client.generations.create(CreateGeneration.checked(fields))))
    settings.output.result(job, lambda: settings.output.facts("Generation", job.items()))


@command(
    app,
    "request",
    examples="""
    marketingblocks request GET social-sparks/upcoming-posts --param limit=5
    marketingblocks request POST social-sparks/any-path --body '{"name": "value"}'
    """,
)
def request(
    settings: Settings,
    *,
    method: Annotated[str, typer.Argument(help="GET, HEAD, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="Below the API root, for example social-sparks/get-posts.")],
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Query; may be repeated.")] = None,
    body: Annotated[str | None, typer.Option(metavar="JSON", help="Body: JSON, @FILE, or - to read it.")] = None,
    resend: Annotated[
        bool | None,
        typer.Option(
            "--resend/--no-resend",
            help="Whether it may be sent again when it is not known whether it arrived; GET and HEAD by default.",
        ),
    ] = None,
) -> None:
    """Make a call that the documentation does not show, under the same limit. Prints the response as JSON."""
    value = None if body is None else read_json(body, "--body")
    query = pairs(param or (), "--param") or None
    body_of_response = settings.call(
        lambda client: client.request(method, path, params=query, json=value, resend=resend)
    )
    text = json.dumps(body_of_response, indent=2, ensure_ascii=False, default=str)
    settings.output.result(body_of_response, lambda: settings.output.words(text))


@command(
    docs,
    "ask",
    examples='marketingblocks docs ask "How long do tokens live?" --page api-reference/authentication',
    shared=("as_json",),
)
def ask(
    settings: Settings,
    *,
    question: Annotated[str, typer.Argument(help="In plain words.")],
    page: Annotated[str | None, typer.Option(help="Page of the documentation, its path.")] = None,
    docs_url: Annotated[
        str | None,
        typer.Option(
            "--docs-url",
            envvar="MARKETINGBLOCKS_DOCS_URL",
            metavar="URL",
            help="Where to ask; the public documentation by default.",
        ),
    ] = None,
) -> None:
    """Ask the documentation a question. It needs no access token and sends none."""
    from marketingblocks_async import MarketingBlocks
    from marketingblocks_async.configuration import DEFAULT_DOCS_URL
    from marketingblocks_async.endpoints import DEFAULT_BASE_URL

    # Documentation questions go out without any token and to another address, but a client is not made without them.
    client = MarketingBlocks("not-needed", base_url=DEFAULT_BASE_URL, docs_url=docs_url or DEFAULT_DOCS_URL)
    options = {} if page is None else {"page": page}
    answer = settings.call(lambda client: client.docs.ask(question, **options), client)
    settings.output.result(
        {"question": question, "page": page, "answer": answer}, lambda: settings.output.words(answer)
    )
