"""``marketingblocks automations``: bots that answer comments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from marketingblocks_async.cli.command import TakesOptions, command, new_app, takes_options
from marketingblocks_async.cli.fields import FromJson, pairs, read_json, request_fields
from marketingblocks_async.cli.output import json_of
from marketingblocks_async.cli.settings import Settings

app: typer.Typer = new_app("Create and change comment automations.")


@dataclass(frozen=True, kw_only=True)
class Fields:
    """The options of both commands."""

    name: Annotated[str | None, typer.Option(help="Name of the automation.")] = None
    target_type: Annotated[str | None, typer.Option(help="all, posts or campaigns.")] = None
    post_id: Annotated[list[int] | None, typer.Option(help="A post to watch; may be repeated.")] = None
    campaign_id: Annotated[list[int] | None, typer.Option(help="A campaign to watch; may be repeated.")] = None
    trigger_type: Annotated[str | None, typer.Option(help="any or keywords.")] = None
    keyword: Annotated[list[str] | None, typer.Option(help="A word that triggers it; may be repeated.")] = None
    response_type: Annotated[str | None, typer.Option(help="Its values are not documented.")] = None
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=JSON", help="A field that the documentation does not name; may be repeated."),
    ] = None
    from_json: FromJson = None

    def request(self, **others: object) -> dict[str, Any]:
        """Return the fields of a request, of which ``--field`` gives those that the documentation does not name."""
        options = {
            "name": self.name,
            "target_type": self.target_type,
            "post_ids": self.post_id,
            "campaign_ids": self.campaign_id,
            "trigger_type": self.trigger_type,
            "keywords": self.keyword,
            "response_type": self.response_type,
        }
        further = {
            name: read_json(value, f"--field {name}") for name, value in pairs(self.field or (), "--field").items()
        }
        return request_fields(self.from_json, options | others | further)


takes_fields: TakesOptions = takes_options(Fields, "fields")


@command(
    app, "create", examples="marketingblocks automations create --name Prices --channel 11 --trigger-type keywords "
    "--keyword price",
)  # fmt: skip
@takes_fields
def create(
    settings: Settings,
    *,
    channel: Annotated[list[int] | None, typer.Option(help="Id of a channel; may be repeated.")] = None,
    fields: Fields,
) -> None:
    """Create an automation."""
    from marketingblocks_async import CreateCommentAutomation

    request = CreateCommentAutomation.checked(fields.request(channels=channel))
    created = json_of(settings.call(lambda client: client.comment_automations.create(request)))
    settings.output.result(created, lambda: settings.output.facts("Created", created.items()))


@command(app, "update", examples="marketingblocks automations update 7 --name 'New name'")
@takes_fields
def update(
    settings: Settings,
    *,
    comment_bot_id: Annotated[int, typer.Argument(help="Id of the automation.")],
    fields: Fields,
) -> None:
    """Change an automation; only what is given is sent. The API may reset a target or trigger that is left out."""
    from marketingblocks_async import UpdateCommentAutomation

    request = UpdateCommentAutomation.checked(fields.request(comment_bot_id=comment_bot_id))
    changed = json_of(settings.call(lambda client: client.comment_automations.update(request)))
    settings.output.result(changed, lambda: settings.output.facts("Changed", changed.items()))
