"""The operating system's Chromium, without a screen."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tests.support.tools import need

if TYPE_CHECKING:
    from playwright.async_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Root has no sandbox of Chromium's, and nothing here shall ask the network for anything.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Run Chromium; skip the test where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    need("Playwright", present=find_spec("playwright") is not None)
    need("Chromium", present=path is not None)
    from playwright.async_api import async_playwright  # noqa: PLC0415 - it may not be there

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
