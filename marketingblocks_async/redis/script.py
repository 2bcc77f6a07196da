"""The script that runs in Redis; ``exchange.lua`` describes its arguments and its reply."""

from __future__ import annotations

import hashlib
from importlib.resources import files

EXCHANGE: str = files("marketingblocks_async.redis").joinpath("exchange.lua").read_text(encoding="utf-8")

EXCHANGE_SHA: str = hashlib.sha1(EXCHANGE.encode(), usedforsecurity=False).hexdigest()
"""The name under which Redis keeps a script that it has run."""
