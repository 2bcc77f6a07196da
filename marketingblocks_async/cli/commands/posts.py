"""``marketingblocks posts``: single posts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from marketingblocks_async.cli.command import command, new_app
from marketingblocks_async.cli.errors import with_fields
from marketingblocks_async.cli.fields import FromJson, read_json, request_fields
from marketingblocks_async.cli.output import json_of
from marketingblocks_async.cli.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketingblocks_async import Post

app: typer.Typer = new_app("Create, find and list posts.")


@command(
    app,
    "create",
    examples="""
    marketingblocks posts create --channel-type facebook --channel-id 123 --caption-text "We are open"
    marketingblocks posts create --channel-type twitter --channel-id 7 --post-type tweet --caption-text Hi --schedule-time "2099-01-08 14:30" --time-zone Africa/Lagos
    marketingblocks posts create --from-json post.json --json
    """,  # noqa: E501 - a command line is not broken
)
def create(
    settings: Settings,
    *,
    channel_type: Annotated[str | None, typer.Option(help="Platform, for example facebook.")] = None,
    channel_id: Annotated[int | None, typer.Option(help="Id of the connected account.")] = None,
    post_type: Annotated[str | None, typer.Option(help="post (default), reel, story, …")] = None,
    caption_text: Annotated[str | None, typer.Option(help="Text of the post.")] = None,
    media_url: Annotated[list[str] | None, typer.Option(help="Address of a picture or video; may be repeated.")] = None,
    publish_mode: Annotated[
        str | None,
        typer.Option(
            help="now, scheduled, queued or share_next. By default: scheduled with --schedule-time, otherwise now "
            "(published at once)."
        ),
    ] = None,
    schedule_time: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD HH:MM", help="When, in --time-zone; or with an offset, such as 2099-01-08T14:30+01:00."
        ),
    ] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA name, for example Africa/Lagos.")] = None,
    hash_tag: Annotated[list[str] | None, typer.Option(help="A hash tag; may be repeated.")] = None,
    twitter_threads: Annotated[str | None, typer.Option(metavar="JSON", help="Tweets of a thread; or @FILE.")] = None,
    post_extra: Annotated[str | None, typer.Option(metavar="JSON", help="What YouTube needs; or @FILE.")] = None,
    allow_past: Annotated[
        bool, typer.Option("--allow-past", help="Send the post even if its schedule time is past.")
    ] = False,
    from_json: FromJson = None,
) -> None:
    """Create one post. It is never sent twice: exit code 3 says that it may or may not have been created."""
    from marketingblocks_async import CreatePost
    from marketingblocks_async.models.schedule import explain_past

    options = {
        "channel_type": channel_type,
        "channel_id": channel_id,
        "post_type": post_type,
        "caption_text": caption_text,
        "media_urls": media_url,
        "publish_mode": publish_mode,
        "schedule_time": schedule_time,
        "time_zone": time_zone,
        "hash_tags": hash_tag,
        "twitter_threads": None if twitter_threads is None else read_json(twitter_threads, "--twitter-threads"),
        "post_extra": None if post_extra is None else read_json(post_extra, "--post-extra"),
    }
    fields = request_fields(from_json, options)
    mode = "scheduled" if fields.get("schedule_time") is not None else "now"
    post = CreatePost.model_validate({"post_type": "post", "media_urls": [], "publish_mode": mode, **fields})
    if not allow_past and (problem := explain_past(post.scheduled_at)) is not None:
        msg = f"{problem}. Nothing was sent. Give another time, or --allow-past"
        raise ValueError(with_fields(msg))
    created = json_of(settings.call(lambda client: client.posts.create(post)))
    settings.output.result(created, lambda: settings.output.facts("Created", created.items()))


@command(app, "get", examples="marketingblocks posts get 1246")
def get(settings: Settings, *, post_id: Annotated[str, typer.Argument(help="Id of the post.")]) -> None:
    """Show one post."""
    found = json_of(settings.call(lambda client: client.posts.get(post_id)))
    post: dict[str, Any] = found["post"] if isinstance(found.get("post"), dict) else found
    settings.output.result(found, lambda: settings.output.facts(f"Post {post_id}", post.items()))


@command(
    app,
    "list",
    examples="""
    marketingblocks posts list --channel facebook --status scheduled --limit 20
    """,
)
def list_posts(
    settings: Settings,
    *,
    channel: Annotated[list[str], typer.Option(help="Platform; may be repeated.")],
    status: Annotated[
        list[str] | None, typer.Option(help="scheduled, draft, queued, failed, published; may be repeated.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Largest number of posts.")] = None,
) -> None:
    """List the posts of some platforms."""
    states = ",".join(status) if status else None
    found = settings.call(lambda client: client.posts.list(channels=",".join(channel), status=states, limit=limit))
    settings.output.result(json_of(found), lambda: _show(settings, "Posts", found))


@command(app, "upcoming", examples="marketingblocks posts upcoming --limit 5")
def upcoming(
    settings: Settings,
    *,
    limit: Annotated[int | None, typer.Option(help="Largest number of posts; 10 by default.")] = None,
) -> None:
    """List what goes out next."""
    found = settings.call(lambda client: client.posts.upcoming(limit=limit))
    settings.output.result(json_of(found), lambda: _show(settings, "Upcoming", found))


def _show(settings: Settings, title: str, posts: Iterable[Post]) -> None:
    rows = [(each.post_id, each.channel_type, each.channel_id, each.status, each.schedule_time) for each in posts]
    settings.output.table(title, ("id", "platform", "channel", "status", "time"), rows, right=("id",))
