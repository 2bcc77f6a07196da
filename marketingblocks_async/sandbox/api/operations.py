"""The documented operations: how each changes the sandbox's state, and its response."""

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
from marketingblocks_async.sandbox.responses import Response, error_response, json_response
from marketingblocks_async.sandbox.state.automations import Automations
from marketingblocks_async.sandbox.state.connections import Connections
from marketingblocks_async.sandbox.state.generations import Generations
from marketingblocks_async.sandbox.state.posts import PostStore

from .post_json import PostJson
from .validation import BodyCheck, Errors, ListQuery, body_check, limit_of, list_query

DEFAULT_UPCOMING = 10
"""Default ``limit`` of upcoming-posts, as documented."""

DEFAULT_LISTED = 20
"""Default ``limit`` of get-posts; the documentation says that it "varies"."""

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


@dataclass(slots=True)
class ValidatedRequest:
    """A request that has passed validation and can be carried out: its body as it came, and what was read from it.

    ``path_value`` is the value of ``{post_id}`` in the path, ``limit`` that of upcoming-posts.
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
    """The response of an operation, and the id of what it created or changed; ``None`` if nothing was."""

    response: Response
    changed_id: str | None = None

    @property
    def carried_out(self) -> bool:
        """Whether the operation succeeded."""
        return self.response.status == 200


@dataclass(eq=False)
class Operations:
    """The documented operations on one sandbox's state."""

    posts: PostStore
    generations: Generations
    connections: Connections
    automations: Automations
    post_json: PostJson

    def __post_init__(self) -> None:
        """List the operations and the checks of their bodies."""
        self._body_checks: dict[str, BodyCheck] = {
            endpoint.name: body_check(endpoint.request) for endpoint in ENDPOINTS if endpoint.method in _BODY_METHODS
        }
        self._actions: dict[str, Callable[[ValidatedRequest], Result]] = {
            CREATE_POST.name: self._create_post,
            FIND_POST.name: self._find_post,
            GET_POSTS.name: self._get_posts,
            UPCOMING_POSTS.name: self._upcoming_posts,
            CREATE_POST_GENERATION.name: self._create_generation,
            CONNECT_CHANNEL.name: self._connect_channel,
            CREATE_COMMENT_AUTOMATION.name: self._create_automation,
            UPDATE_COMMENT_AUTOMATION.name: self._update_automation,
        }

    def check(
        self, endpoint: str, raw: bytes, query: Mapping[str, str], path_value: str
    ) -> ValidatedRequest | Response:
        """Return the validated request, or its refusal."""
        request = ValidatedRequest(endpoint, raw, path_value=path_value)
        errors: Errors = {}
        if check := self._body_checks.get(endpoint):
            try:
                body = json.loads(raw)
            except (ValueError, RecursionError):
                return error_response(400, "The request body is not valid JSON.")
            if not is_object(body):
                return invalid({"body": ["The request body must be a JSON object."]})
            request.body = body
            errors = check(body)
        elif endpoint == GET_POSTS.name:
            request.list_query = list_query(query, errors)
        elif endpoint == UPCOMING_POSTS.name:
            request.limit = limit_of(query, errors)
        return invalid(errors) if errors else request

    def carry_out(self, request: ValidatedRequest) -> Result:
        """Carry the operation out."""
        return self._actions[request.endpoint](request)

    def _create_post(self, request: ValidatedRequest) -> Result:
        post = self.posts.create(request.body, request.raw, fails=request.post_fails)
        return Result(json_response(self.post_json.created(post, self.posts.status(post))), str(post.post_id))

    def _find_post(self, request: ValidatedRequest) -> Result:
        text = request.path_value
        # 18 digits are more than any sandbox holds, and int() of a long text is slow.
        known = text.isascii() and text.isdecimal() and len(text) <= 18
        post = self.posts.find(int(text)) if known else None
        if post is None:
            return Result(error_response(404, "Post not found."))
        return Result(json_response(self.post_json.found(post, self.posts.status(post))))

    def _get_posts(self, request: ValidatedRequest) -> Result:
        query = request.list_query or ListQuery(frozenset(), None, None)
        posts = self.posts.newest(query.limit or DEFAULT_LISTED, channels=query.channels, statuses=query.statuses)
        return Result(json_response(self.post_json.listed((post, self.posts.status(post)) for post in posts)))

    def _upcoming_posts(self, request: ValidatedRequest) -> Result:
        items = self.posts.upcoming(request.limit or DEFAULT_UPCOMING)
        return Result(json_response(self.post_json.upcoming((item, self.posts.status(item.post)) for item in items)))

    def _create_generation(self, request: ValidatedRequest) -> Result:
        job = self.generations.create(request.body)
        return Result(json_response(job.to_json(GenerationStatus.QUEUED, "post generation is in queued.")), job.id)

    def _connect_channel(self, request: ValidatedRequest) -> Result:
        connection = self.connections.start(request.body["userId"], request.body.get("redirectUrl"))
        body = {"connect_url": self.connections.address(connection), "connect_token": connection.token}
        return Result(json_response(body), connection.token)

    def _create_automation(self, request: ValidatedRequest) -> Result:
        return self._automation("Comment automation created.", self.automations.create(request.body))

    def _update_automation(self, request: ValidatedRequest) -> Result:
        number = request.body["comment_bot_id"]
        if not self.automations.update(number, request.body):
            return Result(error_response(404, "Comment automation not found."))
        return self._automation("Comment automation updated.", number)

    def _automation(self, message: str, number: int) -> Result:
        body = {"status": True, "message": message, "comment_bot_id": self.post_json.identifier(number)}
        return Result(json_response(body), str(number))


def invalid(errors: Errors) -> Response:
    """Return the refusal of an invalid request: a 422 with an ``errors`` map (inferred)."""
    return error_response(422, "The given data was invalid.", errors=errors)
