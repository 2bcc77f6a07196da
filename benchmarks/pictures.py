"""The pictures, where matplotlib is installed; ``drawing.py`` draws them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from benchmarks.records import Results


class PicturesNeedMatplotlibError(RuntimeError):
    """matplotlib is not installed."""


def draw_all(results: Results, folder: Path) -> list[Path]:
    """Draw every picture that the results have the figures for; return the files.

    Raises:
        PicturesNeedMatplotlibError: matplotlib is not installed.

    """
    try:
        drawing: Any = importlib.import_module(".drawing", __package__)
    except ModuleNotFoundError as exc:
        msg = f"no pictures: {exc.name} is not installed (pip install --group bench)"
        raise PicturesNeedMatplotlibError(msg) from exc
    paths: list[Path] = []
    for name, (case, draw) in drawing.PICTURES.items():
        if results.of(case):
            path = folder / f"{name}.png"
            draw(results, path)
            paths.append(path)
    return paths
