"""Results of generations by web hook: a receiver for your aiohttp or ASGI server.

What the API posts to a web hook is not documented; see :class:`WebhookReceiver` for how it is treated.
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
