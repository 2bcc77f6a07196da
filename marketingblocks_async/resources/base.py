"""What the resources share: from an endpoint and a request object to a call."""

from __future__ import annotations

from functools import partial
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel

from marketingblocks_async.endpoints import Endpoint
from marketingblocks_async.executor import Call, Executor, Operation
from marketingblocks_async.models import RequestModel
from marketingblocks_async.protocol import decode, encode

ResponseT = TypeVar("ResponseT", bound=BaseModel)
RequestT = TypeVar("RequestT", bound=RequestModel)


class EndpointOperation(Generic[ResponseT]):
    """An endpoint, and what the executor needs of it, made once.

    Args:
        endpoint: from the endpoint table.

    """

    def __init__(self, endpoint: Endpoint[RequestModel, ResponseT]) -> None:
        self.endpoint = endpoint
        self.operation: Operation[ResponseT] = Operation(
            endpoint.name,
            permission=endpoint.permission,
            method=endpoint.method,
            resend_is_harmless=endpoint.resend_is_harmless,
            decode=partial(decode, endpoint),
        )


class Resource:
    """A group of operations of one client."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def _call(self, operation: EndpointOperation[ResponseT], request: RequestModel) -> Call[ResponseT]:
        wire = encode(operation.endpoint, request)
        return Call(operation.operation, request, self._executor.scope.url(wire.path), wire.body)


def request_from(kind: type[RequestT], given: RequestT | None, fields: dict[str, Any]) -> RequestT:
    """Return the ready-made request object, or one made of the keyword arguments that are not ``None``.

    Raises:
        TypeError: both were given, or the object is of another kind.
        pydantic.ValidationError: the arguments make no valid request.

    """
    fields = {name: value for name, value in fields.items() if value is not None}
    if given is None:
        return kind(**fields)
    if not isinstance(cast("object", given), kind):
        msg = f"pass a {kind.__name__} or keyword arguments, not a {type(given).__name__}"
        raise TypeError(msg)
    if fields:
        msg = f"pass a {kind.__name__} or keyword arguments, not both (got {', '.join(fields)})"
        raise TypeError(msg)
    return given
