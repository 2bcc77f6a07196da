"""How a refusal says when to come back; the documentation does not say that it does."""

from __future__ import annotations

from email.utils import formatdate
from math import ceil

RETRY_AFTER_STYLES = ("none", "seconds", "decimal", "http_date")
"""The named styles; every other text is sent as it is."""


def retry_after_header(style: str, wait: float, world: float) -> str | None:
    """Return the value of ``Retry-After``, or ``None`` when the header is left out.

    Args:
        style: ``none``, ``seconds`` (whole, rounded up), ``decimal`` (milliseconds as a fraction), ``http_date``
            (rounded up to the next whole second), or any other text, which is sent as it is.
        wait: seconds until a request would be allowed.
        world: the present, in seconds since 1970.

    """
    match style:
        case "none":
            return None
        case "seconds":
            return str(max(1, ceil(wait)))
        case "decimal":
            # Rounded up, so that the promise holds: a request after that time is allowed.
            return f"{ceil(wait * 1000) / 1000:.3f}"
        case "http_date":
            return formatdate(ceil(world + wait), usegmt=True)
        case _:
            return style
