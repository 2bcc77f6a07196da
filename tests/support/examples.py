"""The bodies that the API reference shows, word for word, and the smallest valid request of each kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic
from yarl import URL

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.failures import denies, error_in_success, failed_by_response
from marketingblocks_async.calls.wire import encode
from marketingblocks_async.endpoints import CREATE_POST, Operation
from marketingblocks_async.errors import Headers, MarketingBlocksError
from marketingblocks_async.middleware import HttpResponse
from marketingblocks_async.models import CreatePost, RequestModel

T = TypeVar("T")

CLEAR_REFUSAL = (pydantic.ValidationError, MarketingBlocksError)
"""What a call may raise for arguments that make no request; everything else is a crash."""

DOCUMENTED_ERROR = {"status": False, "message": "Access token has expired or is invalid."}

DOCUMENTED_FOUND_POST: dict[str, Any] = {
    "post": {
        "post_id": 1246,
        "channel_type": "facebook",
        "channel_id": "123",
        "STATUS": "published",
        "permalink": "https://www.facebook.com/123/posts/1246",
    },
    "status": True,
}

DOCUMENTED_UPCOMING: dict[str, Any] = {
    "up_coming": [
        {
            "post_id": 1246,
            "channel_type": "facebook",
            "channel_id": "123",
            "STATUS": "scheduled",
            "schedule_time": "2025-08-01 14:30",
        },
        {"post_id": 1247, "channel_type": "twitter", "channel_id": "124", "STATUS": "queued", "schedule_time": None},
    ]
}

DOCUMENTED_GENERATION: dict[str, Any] = {
    "id": "842c8151-8f9d-4eab-ae81-6690730b8b02",
    "status": "queued",
    "message": "post generation is in queued.",
    "request_body": {"post_type": "breel", "input": "flower sales", "brand_id": None, "web_hook": None},
}

DOCUMENTED_CONNECTION: dict[str, Any] = {
    "connect_url": "https://app.marketingblocks.ai/connect/abc",
    "connect_token": "abc",
}


def post_fields(**changes: Any) -> dict[str, Any]:
    """Return the fields of the smallest valid post, changed."""
    fields = {
        "channel_type": "facebook",
        "channel_id": 123,
        "post_type": "post",
        "caption_text": "Hello",
        "media_urls": ["https://example.com/a.jpg"],
        "publish_mode": "now",
    }
    return {**fields, **changes}


def post(**changes: Any) -> CreatePost:
    """Return the smallest valid post, changed."""
    return CreatePost.model_validate(post_fields(**changes))


def scheduled_post(schedule_time: object, time_zone: object = None) -> CreatePost:
    """Return a post for a point in time."""
    return post(publish_mode="scheduled", schedule_time=schedule_time, time_zone=time_zone)


def sent(request: RequestModel) -> Any:
    """Return what the API would decode from the request's body."""
    return json.loads(request.wire_json())


def sent_post(**changes: Any) -> Any:
    """Return what the API would decode from the body of a create-post call."""
    _, body = encode(CREATE_POST, post(**changes))
    assert body is not None
    return json.loads(body)


def refusal(kind: type[pydantic.BaseModel], fields: Mapping[str, Any]) -> str:
    """Return the text of the error with which ``kind`` refuses ``fields``; fail if it accepts them."""
    try:
        accepted = kind.model_validate(dict(fields))
    except pydantic.ValidationError as error:
        return str(error)
    message = f"{kind.__name__} accepted {accepted!r:.200}"
    raise AssertionError(message)


def answer(body: object = b"", status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an answer of the API; a body that is not bytes is turned into JSON."""
    return HttpResponse(status, Headers(headers or {}), body if isinstance(body, bytes) else json.dumps(body).encode())


def decoded(operation: Operation[T], response: HttpResponse) -> T:
    """Return what a call returns for a response with a success status; raise what it raises."""
    call = Call(operation, None, URL(), None)
    try:
        result = operation.decode(response)
    except ValueError as problem:
        raise failed_by_response(call, response, problem).error from problem
    if denies(result):
        raise failed_by_response(call, response).error
    if (told := error_in_success(call, result)) is not None:
        raise failed_by_response(call, response, told).error
    return result


def nested(opening: str, closing: str, depth: int) -> bytes:
    """Return JSON nested ``depth`` levels deep."""
    return f"{opening * depth}1{closing * depth}".encode()
