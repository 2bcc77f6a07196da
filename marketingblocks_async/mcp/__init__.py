"""An MCP server over the client: agents publish through it, and a repeated tool call never acts twice.

    $ marketingblocks mcp                          # stdio, for a client that starts it
    $ marketingblocks mcp --http --port 8787       # streamable HTTP on this machine
    $ marketingblocks mcp --read-only

Every write has a ``request_key``. Before its request goes out the key is bound to a row of a journal on the disk, so
the same key again returns the first outcome, also after the server was killed at any instant. A write whose outcome is
not known is looked for at the API; if it cannot be found out, the result says *unknown* and what to look at.

The package ``mcp`` is needed: ``pip install 'marketingblocks-async[mcp,cli]'``.
"""

from .consent import Confirm
from .server import MarketingBlocksServer, ServerSettings
from .serving import open_server, serve_http, serve_stdio

__all__ = ["Confirm", "MarketingBlocksServer", "ServerSettings", "open_server", "serve_http", "serve_stdio"]
