"""Without the extra there is nothing to test here; ``test_extra.py`` says so."""

from __future__ import annotations

from importlib.util import find_spec

HAS_EXTRA = find_spec("mcp") is not None

collect_ignore_glob = [] if HAS_EXTRA else ["test_[!e]*.py"]
