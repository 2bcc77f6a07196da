"""From method and path to the documented operation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from marketingblocks_async.endpoints import AnyEndpoint


@dataclass(frozen=True, slots=True)
class Route:
    """The operation that a request addresses, and the value of the field in the path, such as the post id.

    Without an operation, ``allowed`` has the methods of the path; it is empty if no operation has the path.
    """

    endpoint: AnyEndpoint | None = None
    path_value: str = ""
    allowed: tuple[str, ...] = ()


class Routes:
    """All documented operations by path, which begins with ``prefix`` and has one field at most."""

    def __init__(self, endpoints: Iterable[AnyEndpoint], prefix: str) -> None:
        self._fixed: dict[str, dict[str, Route]] = {}
        self._open: list[tuple[re.Pattern[str], AnyEndpoint]] = []
        for endpoint in endpoints:
            path = prefix + endpoint.path
            before, field, after = re.split(r"\{(\w+)\}", path) if "{" in path else (path, "", "")
            if field:
                pattern = re.compile(f"{re.escape(before)}(?P<value>[^/]+){re.escape(after)}")
                self._open.append((pattern, endpoint))
            else:
                self._fixed.setdefault(path, {})[endpoint.method] = Route(endpoint)

    def find(self, method: str, path: str) -> Route:
        """Return the operation that a request addresses."""
        methods = self._fixed.get(path)
        if methods is not None:
            return methods.get(method) or Route(allowed=tuple(methods))
        fitting = [(match, endpoint) for pattern, endpoint in self._open if (match := pattern.fullmatch(path))]
        for match, endpoint in fitting:
            if endpoint.method == method:
                return Route(endpoint, match["value"])
        return Route(allowed=tuple(endpoint.method for _, endpoint in fitting))
