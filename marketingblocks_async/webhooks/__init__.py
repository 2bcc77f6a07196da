"""Results of generations by web hook: a receiver for your aiohttp or ASGI server.

The body that the API posts to a web hook is not documented; ``WebhookReceiver`` says how it is read.
"""

from .errors import NoResultError
from .payload import GenerationResult
from .receiver import DEFAULT_BODY_SECONDS, DEFAULT_MAX_BODY_BYTES, WebhookReceiver

__all__ = [
    "DEFAULT_BODY_SECONDS",
    "DEFAULT_MAX_BODY_BYTES",
    "GenerationResult",
    "NoResultError",
    "WebhookReceiver",
]
