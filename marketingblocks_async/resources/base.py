"""What the resources share: from an endpoint and a request object to a call."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from marketingblocks_async.calls.call import Call
from marketingblocks_async.calls.executor import Executor
from marketingblocks_async.calls.options import OVERRIDES, CallOverrides, change_for_call
from marketingblocks_async.calls.wire import encode, encode_json, encode_query
from marketingblocks_async.configuration import check_fields
from marketingblocks_async.endpoints import Endpoint
from marketingblocks_async.models import RequestModel

ResponseT = TypeVar("ResponseT", bound=BaseModel)
RequestT = TypeVar("RequestT", bound=RequestModel)


class Resource:
    """A group of operations of one client."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def _call(self, endpoint: Endpoint[RequestModel, ResponseT], request: RequestModel) -> Call[ResponseT]:
        path, body = encode(endpoint, request)
        return Call(endpoint, request, self._executor.context.url(path), body)

    def _run(
        self, endpoint: Endpoint[RequestModel, ResponseT], request: RequestModel, overrides: CallOverrides
    ) -> Coroutine[Any, Any, ResponseT]:
        """Return the making of a call, to be awaited."""
        if not overrides:
            return self._executor.execute(self._call(endpoint, request))
        changes: dict[str, Any] = dict(overrides)
        body: dict[str, Any] = dict(_fields(changes, "extra_body"))
        query: dict[str, Any] = dict(_fields(changes, "extra_query"))
        (query if endpoint.method == "GET" else body).update(_fields(changes, "extra_fields"))
        headers: Mapping[str, str] = changes.pop("extra_headers", None) or {}
        executor = self._executor.with_options(change_for_call(self._executor.options, changes, endpoint.name))
        call = self._call_with(endpoint, request, body, query) if body or query else self._call(endpoint, request)
        if headers:
            call.extra_headers = executor.context.check_headers(headers)
        return executor.execute(call)

    def _call_with(
        self,
        endpoint: Endpoint[RequestModel, ResponseT],
        request: RequestModel,
        extra_body: Mapping[str, Any],
        extra_query: Mapping[str, Any],
    ) -> Call[ResponseT]:
        """Return a call with fields that the documentation does not show."""
        documented = type(request).model_fields
        names = {*documented, *(field.alias for field in documented.values() if field.alias)}
        if doubled := names & {*extra_body, *extra_query}:
            msg = f"the extra fields have what is documented: {', '.join(sorted(doubled))}; give it as an argument"
            raise TypeError(msg)
        path, body = encode(endpoint, request)
        sent = {**request.wire(), **extra_body, **extra_query}
        if extra_query:
            query = encode_query(extra_query).removeprefix("?")
            path = f"{path}{'&' if '?' in path else '?'}{query}"
        if extra_body:
            if body is None:
                msg = f"{endpoint.name} has no body; give extra_query instead of extra_body"
                raise TypeError(msg)
            body = encode_json({**request.wire(), **extra_body})
            # A copy, since the caller may change its objects before an error shows them.
            sent = {**json.loads(body), **extra_query}
        return Call(endpoint, sent, self._executor.context.url(path), body)


def _fields(changes: dict[str, Any], name: str) -> Mapping[str, Any]:
    return check_fields(changes.pop(name, None), name)


def request_from(
    kind: type[RequestT], given: RequestT | None, fields: dict[str, Any], overrides: CallOverrides
) -> RequestT:
    """Return the ready-made request object, or one made of the keyword arguments that are not ``None``.

    Raises:
        TypeError: both were given, the object is of another kind, or there is no such keyword argument.
        InvalidRequestError: the arguments make no valid request.

    """
    if overrides and (unknown := overrides.keys() - OVERRIDES):
        msg = f"got an unexpected keyword argument: {', '.join(sorted(unknown))}"
        raise TypeError(msg)
    fields = {name: value for name, value in fields.items() if value is not None}
    if given is None:
        return kind.checked(fields)
    if not isinstance(cast("object", given), kind):
        msg = f"pass a {kind.__name__} or keyword arguments, not a {type(given).__name__}"
        raise TypeError(msg)
    if fields:
        msg = f"pass a {kind.__name__} or keyword arguments, not both (got {', '.join(fields)})"
        raise TypeError(msg)
    return given
