"""The kind of machine and the versions of a measurement."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = (
    "marketingblocks-async",
    "aiohttp",
    "aiolimiter",
    "pydantic",
    "tenacity",
    "aiometer",
    "asyncio-throttle",
    "httpx",
    "limits",
    "pyrate-limiter",
    "throttled-py",
    "redis",
)


def machine() -> dict[str, str]:
    """Return the kind of machine and the versions, but nothing that identifies the machine."""
    versions: list[str] = []
    for name in _DISTRIBUTIONS:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(versions),
    }


def in_words(found: dict[str, str]) -> str:
    """Return it as one line."""
    return f"{found['cores']} cores, {found['system']}, {found['python']}, {found['libraries']}"
