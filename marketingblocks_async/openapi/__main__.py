"""``python -m marketingblocks_async.openapi``: print the OpenAPI document, or the reference table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from marketingblocks_async.endpoints import DEFAULT_BASE_URL

from .document import document_json
from .table import reference_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the command line asks for.

    Args:
        arguments: the words of the command line; those of this process by default.

    Returns:
        The exit status.

    """
    parser = argparse.ArgumentParser(
        prog="python -m marketingblocks_async.openapi",
        description="Print the MarketingBlocks API as an OpenAPI 3.1 document.",
    )
    parser.add_argument("--server-url", default=DEFAULT_BASE_URL, help="the API root that it names")
    parser.add_argument("--table", action="store_true", help="print the reference table in Markdown instead")
    options = parser.parse_args(arguments)
    text = reference_table() if options.table else document_json(server_url=options.server_url)
    # Whatever the terminal is set to: JSON and the documentation are UTF-8.
    sys.stdout.buffer.write(text.encode())
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
