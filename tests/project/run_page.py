"""Run the Python snippets of pages, each in a namespace of its own: ``python run_page.py FOLDER PAGE…``.

Those with tests in them are written to FOLDER, for pytest. A traceback names the page and its line.
"""

from __future__ import annotations

import linecache
import re
import sys
from pathlib import Path


def snippets(page: Path) -> list[tuple[int, str]]:
    """Return the Python snippets of a page with the lines on which they begin."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, match.start(1)) + 1, match[1]) for match in found]


def main(page: Path, folder: Path) -> None:
    """Run a page."""
    for line, code in snippets(page):
        if "def test_" in code:
            (folder / f"test_{page.stem}_{line}.py").write_text(code, encoding="utf-8")
            continue
        padded = "\n" * (line - 1) + code
        linecache.cache[str(page)] = (len(padded), None, padded.splitlines(keepends=True), str(page))
        exec(compile(padded, str(page), "exec"), {"__name__": "__main__"})  # noqa: S102 - what is tested


if __name__ == "__main__":
    for name in sys.argv[2:]:
        main(Path(name), Path(sys.argv[1]))
