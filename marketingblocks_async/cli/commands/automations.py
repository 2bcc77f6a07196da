"""``marketingblocks automations``: bots that answer comments."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.fields import FromJson, pairs, read_json, request_fields
from marketingblocks_async.cli.output import json_of
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app("Create and change comment automations.")

Channel = Annotated[list[int] | None, typer.Option(help="Id of a channel; may be repeated.")]
Target = Annotated[str | None, typer.Option(help="all, posts or campaigns.")]
PostId = Annotated[list[int] | None, typer.Option(help="A post to watch; may be repeated.")]
CampaignId = Annotated[list[int] | None, typer.Option(help="A campaign to watch; may be repeated.")]
Trigger = Annotated[str | None, typer.Option(help="any or keywords.")]
Keyword = Annotated[list[str] | None, typer.Option(help="A word that triggers it; may be repeated.")]
Field = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=JSON", help="A field that the documentation does not name; may be repeated."),
]
Name = Annotated[str | None, typer.Option(help="Name of the automation.")]
ResponseType = Annotated[str | None, typer.Option(help="Its values are not documented.")]


@command(
    app, "create", examples="marketingblocks automations create --name Prices --channel 11 --trigger-type keywords "
    "--keyword price",
)  # fmt: skip
def create(
    settings: Settings,
    *,
    name: Name = None,
    channel: Channel = None,
    target_type: Target = None,
    post_id: PostId = None,
    campaign_id: CampaignId = None,
    trigger_type: Trigger = None,
    keyword: Keyword = None,
    response_type: ResponseType = None,
    field: Field = None,
    from_json: FromJson = None,
) -> None:
    """Create an automation."""
    from marketingblocks_async import CreateCommentAutomation

    request = CreateCommentAutomation.checked(
        _fields(
            from_json,
            field,
            name=name,
            channels=channel,
            target_type=target_type,
            post_ids=post_id,
            campaign_ids=campaign_id,
            trigger_type=trigger_type,
            keywords=keyword,
            response_type=response_type,
        )
    )
    created = json_of(settings.call(lambda client: client.comment_automations.create(request)))
    settings.output.result(created, lambda: settings.output.facts("Created", created.items()))


@command(app, "update", examples="marketingblocks automations update 7 --name 'New name'")
def update(
    settings: Settings,
    *,
    comment_bot_id: Annotated[int, typer.Argument(help="Id of the automation.")],
    name: Name = None,
    target_type: Target = None,
    post_id: PostId = None,
    campaign_id: CampaignId = None,
    trigger_type: Trigger = None,
    keyword: Keyword = None,
    response_type: ResponseType = None,
    field: Field = None,
    from_json: FromJson = None,
) -> None:
    """Change an automation; only what is given is sent. The API may reset a target or trigger that is left out."""
    from marketingblocks_async import UpdateCommentAutomation

    request = UpdateCommentAutomation.checked(
        _fields(
            from_json,
            field,
            comment_bot_id=comment_bot_id,
            name=name,
            target_type=target_type,
            post_ids=post_id,
            campaign_ids=campaign_id,
            trigger_type=trigger_type,
            keywords=keyword,
            response_type=response_type,
        )
    )
    changed = json_of(settings.call(lambda client: client.comment_automations.update(request)))
    settings.output.result(changed, lambda: settings.output.facts("Changed", changed.items()))


def _fields(from_json: str | None, further: list[str] | None, **options: object) -> dict[str, Any]:
    """Return the fields of a request, of which ``--field`` gives those that the documentation does not name."""
    given = {name: read_json(value) for name, value in pairs(further or (), "--field").items()}
    return request_fields(from_json, options | given)
