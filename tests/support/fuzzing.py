"""How long the tests search that throw anything at an input: ``make fuzz`` makes them search longer."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EFFORT = int(os.environ.get("FUZZ_EFFORT", "1"))
"""How many times as long as usual to search."""


def fuzz(examples: int) -> settings:
    """Return the settings of such a test, with the usual number of examples."""
    return settings(
        max_examples=examples * EFFORT,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


@st.composite
def damaged(draw: st.DrawFn, right: st.SearchStrategy[bytes], pieces: st.SearchStrategy[bytes]) -> bytes:
    """Return right bytes with some changed, put in or left out."""
    content = bytearray(draw(right))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 3))] = draw(pieces | st.binary(max_size=3))
    return bytes(content)
