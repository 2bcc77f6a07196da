"""``python -m marketingblocks_async.sandbox --settings JSON``: how ``SandboxProcess`` starts the server.

People use ``marketingblocks sandbox``, which has an option for each setting.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from .server import Sandbox
from .serving import StartError, describe, run
from .settings import SandboxSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox until SIGINT or SIGTERM; print its addresses and tokens as one line of JSON when it listens.

    Returns:
        the exit code: 0 after a stop, 1 if it cannot listen, 2 for a wrong command line (by ``SystemExit``).

    """
    parser = argparse.ArgumentParser(
        prog="python -m marketingblocks_async.sandbox",
        description="Start the sandbox for another program. For a terminal: marketingblocks sandbox --help.",
    )
    parser.add_argument(
        "--settings", metavar="JSON", required=True, help="all settings as one JSON object, {} for the defaults"
    )
    parser.add_argument("--exit-with-parent", type=int, metavar="PID", help="stop when stdin closes or PID is gone")
    given = parser.parse_args(arguments)
    try:
        settings = SandboxSettings.from_json(given.settings)
    except ValueError as exc:
        parser.error(str(exc))
    try:
        run(settings, _announce, parent=given.exit_with_parent)
    except StartError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


def _announce(sandbox: Sandbox) -> None:
    sys.stdout.write(f"{json.dumps(describe(sandbox))}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
