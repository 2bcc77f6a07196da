"""The documented API: routes, validation, operations, responses."""

from .requests import MAX_BODY_BYTES, Api, read_body

__all__ = ["MAX_BODY_BYTES", "Api", "read_body"]
