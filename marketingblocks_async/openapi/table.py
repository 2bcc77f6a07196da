"""The reference table of the operations in Markdown, as the documentation of the package prints it."""

from __future__ import annotations

from marketingblocks_async.endpoints import ENDPOINTS

from .evidence import of_answer


def reference_table() -> str:
    """Return the endpoint table in Markdown, one operation a line, ending with a line break."""
    rows = [
        (
            "operation",
            "method and path below the API root",
            "permission",
            "request → response",
            "shape of the response",
            "retried when the outcome is unknown",
        ),
        ("---",) * 6,
    ]
    rows += [
        (
            f"`{endpoint.name}`",
            f"`{endpoint.method} {endpoint.path}`",
            f"`{endpoint.permission}`",
            f"`{endpoint.request.__name__}` → `{endpoint.response.__name__}`",
            of_answer(endpoint.response).value,
            "yes" if endpoint.resend_is_harmless else "never",
        )
        for endpoint in ENDPOINTS
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
