"""Build wheel and source distribution into ``dist``, and check them as a user would meet them.

They are looked through by twine and check-wheel-contents, the wheel is installed into an environment that has nothing
else, everything public is imported there, and a post is sent through the sandbox. ``--offline`` leaves the environment
out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRY_IT = """
import asyncio, marketingblocks_async as m
from marketingblocks_async.sandbox import Sandbox
import marketingblocks_async.openapi, marketingblocks_async.testing, marketingblocks_async.webhooks
for name in m.__all__:
    getattr(m, name)

async def main():
    async with Sandbox() as sandbox, m.MarketingBlocks(sandbox.token, base_url=sandbox.base_url) as client:
        await client.posts.create(channel_type="facebook", channel_id=1, post_type="post", caption_text="Hello",
                                  media_urls=[], publish_mode="now")
        assert sandbox.ledger.carried_out_at("create-post") == 1

asyncio.run(main())
"""


def run(*command: str | Path) -> None:
    """Run a command; an error ends everything."""
    subprocess.run([*map(str, command)], cwd=ROOT, check=True)


def build(folder: Path) -> list[Path]:
    """Build both distributions into ``folder`` and let the checkers look at them."""
    shutil.rmtree(folder, ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    built = sorted(folder.iterdir())
    run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *built)
    run(sys.executable, "-m", "check_wheel_contents", *folder.glob("*.whl"))
    return built


def try_it(distribution: Path) -> None:
    """Install a distribution into an environment of its own, and use it there."""
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", folder)
        python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", distribution)
        run(python, "-m", "pip", "check")
        run(python, "-I", "-W", "error", "-c", TRY_IT)


if __name__ == "__main__":
    distributions = build(ROOT / "dist")
    if "--offline" not in sys.argv:
        for each in distributions:
            try_it(each)
