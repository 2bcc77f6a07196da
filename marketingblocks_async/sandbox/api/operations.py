"""What each documented operation does to the sandbox's state, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marketingblocks_async.endpoints import (
    CONNECT_CHANNEL,
    CREATE_COMMENT_AUTOMATION,
    CREATE_POST,
    CREATE_POST_GENERATION,
    ENDPOINTS,
    FIND_POST,
    GET_POSTS,
    UPCOMING_POSTS,
    UPDATE_COMMENT_AUTOMATION,
)
from marketingblocks_async.models import GenerationStatus
from marketingblocks_async.models.base import is_object
from marketingblocks_async.sandbox.state.automations import Automations
from marketingblocks_async.sandbox.state.connections import Connections
from marketingblocks_async.sandbox.state.generations import Generations
from marketingblocks_async.sandbox.state.posts import PostStore

from .answers import Answer, PostAnswers, error, json_answer
from .validation import BodyCheck, Errors, ListQuery, body_check, limit_of, list_query

DEFAULT_UPCOMING = 10
"""How many posts upcoming-posts returns unless told, as documented."""

DEFAULT_LISTED = 20
"""How many posts get-posts returns unless told; the documentation says that it "varies"."""

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


@dataclass(slots=True)
class Call:
    """A request that has passed validation and can be carried out.

    Attributes:
        endpoint: the operation's name.
        raw: the body as it came.
        body: the body's fields.
        path_value: what stands in the path for ``{post_id}``.
        list_query: the query of get-posts.
        limit: the limit of upcoming-posts.
        post_fails: whether a post that it creates shall fail.

    """

    endpoint: str
    raw: bytes = b""
    body: dict[str, Any] = field(default_factory=dict[str, Any])
    path_value: str = ""
    list_query: ListQuery | None = None
    limit: int | None = None
    post_fails: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a call.

    Attributes:
        answer: the answer.
        changed_id: id of what was made or changed, as text; ``None`` if nothing was.

    """

    answer: Answer
    changed_id: str | None = None

    @property
    def carried_out(self) -> bool:
        """Whether the operation did what was asked."""
        return self.answer.status == 200


class Operations:
    """The documented operations on one sandbox's state.

    Args:
        posts: its posts.
        generations: its generations.
        connections: its sign-ins.
        automations: its comment automations.
        answers: writes posts.

    """

    def __init__(
        self,
        posts: PostStore,
        generations: Generations,
        connections: Connections,
        automations: Automations,
        answers: PostAnswers,
    ) -> None:
        self._posts = posts
        self._generations = generations
        self._connections = connections
        self._automations = automations
        self._answers = answers
        self._body_checks: dict[str, BodyCheck] = {
            endpoint.name: body_check(endpoint.name, endpoint.request)
            for endpoint in ENDPOINTS
            if endpoint.method in _BODY_METHODS
        }
        self._actions: dict[str, Callable[[Call], Result]] = {
            CREATE_POST.name: self._create_post,
            FIND_POST.name: self._find_post,
            GET_POSTS.name: self._get_posts,
            UPCOMING_POSTS.name: self._upcoming_posts,
            CREATE_POST_GENERATION.name: self._create_generation,
            CONNECT_CHANNEL.name: self._connect_channel,
            CREATE_COMMENT_AUTOMATION.name: self._create_automation,
            UPDATE_COMMENT_AUTOMATION.name: self._update_automation,
        }

    def check(self, endpoint: str, raw: bytes, query: Mapping[str, str], path_value: str) -> Call | Answer:
        """Validate a request.

        Args:
            endpoint: the operation's name.
            raw: the body as it came.
            query: the query's fields.
            path_value: what stands in the path for ``{post_id}``.

        Returns:
            the call, or the refusal.

        """
        call = Call(endpoint, raw, path_value=path_value)
        errors: Errors = {}
        if check := self._body_checks.get(endpoint):
            try:
                body = json.loads(raw)
            except (ValueError, RecursionError):
                return error(400, "The request body is not valid JSON.")
            if not is_object(body):
                return invalid({"body": ["The request body must be a JSON object."]})
            call.body = body
            errors = check(body)
        elif endpoint == GET_POSTS.name:
            call.list_query = list_query(query, errors)
        elif endpoint == UPCOMING_POSTS.name:
            call.limit = limit_of(query, errors)
        return invalid(errors) if errors else call

    def carry_out(self, call: Call) -> Result:
        """Do what was asked."""
        return self._actions[call.endpoint](call)

    def _create_post(self, call: Call) -> Result:
        post = self._posts.create(call.body, call.raw, fails=call.post_fails)
        return Result(json_answer(self._answers.created(post, self._posts.status(post))), str(post.post_id))

    def _find_post(self, call: Call) -> Result:
        text = call.path_value
        # 18 digits are more than any sandbox holds, and int() of a long text is slow.
        known = text.isascii() and text.isdecimal() and len(text) <= 18
        post = self._posts.find(int(text)) if known else None
        if post is None:
            return Result(error(404, "Post not found."))
        return Result(json_answer(self._answers.found(post, self._posts.status(post))))

    def _get_posts(self, call: Call) -> Result:
        query = call.list_query or ListQuery(frozenset(), None, None)
        posts = self._posts.newest(query.limit or DEFAULT_LISTED, channels=query.channels, statuses=query.statuses)
        return Result(json_answer(self._answers.listed((post, self._posts.status(post)) for post in posts)))

    def _upcoming_posts(self, call: Call) -> Result:
        items = self._posts.upcoming(call.limit or DEFAULT_UPCOMING)
        return Result(json_answer(self._answers.upcoming((item, self._posts.status(item.post)) for item in items)))

    def _create_generation(self, call: Call) -> Result:
        job = self._generations.create(call.body)
        return Result(json_answer(job.answer(GenerationStatus.QUEUED, "post generation is in queued.")), job.id)

    def _connect_channel(self, call: Call) -> Result:
        connection = self._connections.start(call.body["userId"], call.body.get("redirectUrl"))
        answer = {"connect_url": self._connections.address(connection), "connect_token": connection.token}
        return Result(json_answer(answer), connection.token)

    def _create_automation(self, call: Call) -> Result:
        return self._automation("Comment automation created.", self._automations.create(call.body))

    def _update_automation(self, call: Call) -> Result:
        number = call.body["comment_bot_id"]
        if not self._automations.update(number, call.body):
            return Result(error(404, "Comment automation not found."))
        return self._automation("Comment automation updated.", number)

    def _automation(self, message: str, number: int) -> Result:
        answer = {"status": True, "message": message, "comment_bot_id": self._answers.identifier(number)}
        return Result(json_answer(answer), str(number))


def invalid(errors: Errors) -> Answer:
    """Return the refusal of an invalid request; that it is a 422 with an ``errors`` map is a guess."""
    return error(422, "The given data was invalid.", errors=errors)
