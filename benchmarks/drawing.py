"""Draws the pictures. Each has one point, which its title says; colour says kept (green) or broken (red)."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.arithmetic import median
from benchmarks.cases.layers import BUILD, PERMIT, REST, SEND, SERIALISE, VALIDATE
from benchmarks.cases.layers import TITLES as LAYER_TITLES
from benchmarks.cases.throughput import RAW
from benchmarks.cases.throughput import TITLES as THROUGHPUT_TITLES
from benchmarks.contestants import OURS, STACK
from benchmarks.records import Record, Results, largest_of, median_of, values_of
from benchmarks.tables import title_of

LIMIT = 100
GOOD, BAD, QUIET, INK = "#1a7f4b", "#c8372d", "#8a8f98", "#22262b"
_SHADES = ("#b9bec6", "#155f3a", "#1a7f4b", "#3aa76d", "#7ccb9f", "#c3e6d1")
_DPI = 110


def _figure(width: float, height: float, title: str, subtitle: str) -> Any:
    # Any, because matplotlib's own types are incomplete.
    figure: Any = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    # The empty lines are the room for the subtitle.
    figure.suptitle(f"{title}\n\n", x=0.01, ha="left", fontsize=14, fontweight="bold", color=INK)
    figure.text(0.0105, 1 - 0.47 / height, subtitle, ha="left", va="center", fontsize=9.5, color=QUIET)
    return figure


def _quiet(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=QUIET, labelsize=8)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})


def _curve(results: Results, name: str, jitter: float) -> Record | None:
    runs = [run for run in results.of("limit", name, jitter=jitter) if run.series.get("sliding_second")]
    # Of several policies the one that went worst.
    return max(runs, key=lambda run: run.figures["worst_second"], default=None)


def draw_limit(results: Results, path: Path) -> None:
    """Draw the requests in the last second over time, one field a contestant, against the limit."""
    jitters = sorted(results.settings("limit", "jitter"))
    jitter = jitters[len(jitters) // 2]
    names = results.subjects("limit")
    rows = math.ceil(len(names) / 2)
    figure = _figure(
        9,
        1.15 * rows + 0.9,
        "Requests in the last second, as the server counted them",
        f"Allowed are {LIMIT} (line). All creates started together, one token, {jitter:g} ms of network jitter.",
    )
    ceiling = 2.6 * LIMIT
    for axes, name in zip(figure.subplots(rows, 2, sharex=True, sharey=True).flat, names, strict=False):
        _quiet(axes)
        run = _curve(results, name, jitter)
        counts = run.series["sliding_second"] if run else []
        seconds = [place * 0.05 for place in range(len(counts))]
        worst = run.figures["worst_second"] if run else 0
        kept = worst <= LIMIT
        axes.fill_between(
            seconds, 0, [min(count, LIMIT) for count in counts], color=GOOD if kept else QUIET, alpha=0.35
        )
        axes.fill_between(seconds, LIMIT, [max(count, LIMIT) for count in counts], color=BAD, alpha=0.85, linewidth=0)
        axes.axhline(LIMIT, color=INK, linewidth=1)
        axes.set_ylim(0, ceiling)
        axes.set_yticks([0, LIMIT, 2 * LIMIT])
        axes.set_title(title_of(name), loc="left", fontsize=9.5, color=INK, fontweight="bold" if name == OURS else None)
        words = f"worst second {worst:,.0f}{' ↑' if worst > ceiling else ''}"
        axes.set_title(words, loc="right", fontsize=9.5, color=GOOD if kept else BAD, fontweight="bold")
    for axes in figure.axes[-2:]:
        axes.set_xlabel("seconds", fontsize=8, color=QUIET)
    _save(figure, path)


def draw_waits(results: Results, path: Path) -> None:
    """Draw how long creates waited for their answers."""
    names = list(reversed(results.subjects("limit")))
    calls = max(results.settings("limit", "calls"))
    ideal = calls / LIMIT
    figure = _figure(
        9,
        0.36 * len(names) + 1.5,
        "How long a create waited for its answer",
        f"{calls:,} creates started together; an even {LIMIT} a second would answer the last after {ideal:g} s (line). "
        "Red: broke the limit.",
    )
    axes = figure.subplots()
    _quiet(axes)
    for row, name in enumerate(names):
        runs = results.of("limit", name)
        colour = GOOD if largest_of(runs, "worst_second") <= LIMIT else BAD
        half, most, last = (median_of(runs, figure) for figure in ("wait_p50", "wait_p99", "wait_max"))
        axes.plot([0, last], [row, row], color=colour, alpha=0.25, linewidth=7, solid_capstyle="butt")
        axes.plot(half, row, "o", color=colour, markersize=6)
        axes.plot(most, row, "|", color=colour, markersize=11, markeredgewidth=2)
        # Not across the line.
        place = ideal if 0.7 * ideal < last < ideal else last
        axes.text(place, row, f"  {half:.1f} / {most:.1f} / {last:.1f} s", va="center", fontsize=8.5, color=INK)
    axes.axvline(ideal, color=INK, linewidth=1)
    axes.set_yticks(range(len(names)), [title_of(name) for name in names], fontsize=9, color=INK)
    axes.set_xlim(0, 1.35 * max(ideal, *(median_of(results.of("limit", name), "wait_max") for name in names)))
    axes.set_xlabel("seconds: ● half of the creates answered, | 99 %, end of the bar all", fontsize=8.5, color=QUIET)
    _save(figure, path)


def draw_tokens(results: Results, path: Path) -> None:
    """Draw the rate that one process reaches over the number of tokens."""
    counts = sorted(results.settings("tokens", "tokens"))
    rates = [values_of(results.of("tokens", OURS, tokens=count), "rate") for count in counts]
    worst = largest_of(results.of("tokens", OURS), "worst_second")
    figure = _figure(
        7,
        3.9,
        "Many tokens in one process",
        f"Requests per second by tokens; the line is {LIMIT} for each. Worst second of any token: {worst:.0f}.",
    )
    axes = figure.subplots()
    _quiet(axes)
    axes.plot([0, counts[-1]], [0, LIMIT * counts[-1]], color=INK, linewidth=1)
    axes.fill_between(counts, [min(found) for found in rates], [max(found) for found in rates], color=GOOD, alpha=0.25)
    axes.plot(counts, [median(found) for found in rates], "o-", color=GOOD, linewidth=2)
    for count, found in zip(counts, rates, strict=True):
        share = median(found) / (LIMIT * count)
        axes.annotate(
            f"{share:.0%}", (count, min(found)), xytext=(5, -13), textcoords="offset points", fontsize=8, color=INK
        )
    axes.set_xlim(0)
    axes.set_ylim(0)
    axes.set_xlabel("tokens", fontsize=9, color=QUIET)
    axes.set_ylabel("requests per second", fontsize=9, color=QUIET)
    _save(figure, path)


def draw_layers(results: Results, path: Path) -> None:
    """Draw where the processor time of a call goes, beside bare aiohttp and the usual stack."""
    cost = {name: median_of(results.of("layers", name), "cpu") for name in LAYER_TITLES}
    figure = _figure(
        9,
        2.9,
        "What a call costs: processor time in microseconds",
        "Grey is aiohttp's own work, which everybody pays. Green is this client's: limit, checks, retries, outcome.",
    )
    axes = figure.subplots()
    _quiet(axes)
    parts = [SEND, BUILD, SERIALISE, VALIDATE, REST, PERMIT]
    bare = cost[SEND]
    stack = median_of(results.of("throughput", STACK), "cpu_to_raw") * bare
    rows = ["usual stack (aiolimiter, tenacity, pydantic)", "marketingblocks-async", "aiohttp alone"]
    if not stack:
        rows = rows[1:]
    else:
        axes.barh(0, bare, color=_SHADES[0])
        axes.barh(0, stack - bare, left=bare, color=BAD, alpha=0.55)
        axes.text(stack, 0, f"  {stack:.0f}", va="center", fontsize=10, color=INK)
    ours, alone = len(rows) - 2, len(rows) - 1
    axes.barh(alone, bare, color=_SHADES[0])
    axes.text(bare, alone, f"  {bare:.0f}", va="center", fontsize=10, color=INK)
    left = 0.0
    for part, colour in zip(parts, _SHADES, strict=True):
        label = None if part == SEND else f"{LAYER_TITLES[part]} ({cost[part]:.0f})"
        axes.barh(ours, max(cost[part], 0.0), left=left, color=colour, label=label)
        left += max(cost[part], 0.0)
    axes.text(left, ours, f"  {left:.0f}", va="center", fontsize=10, fontweight="bold", color=INK)
    axes.set_yticks(range(len(rows)), rows, fontsize=9.5, color=INK)
    axes.set_xlim(0, 1.12 * max(left, stack))
    figure.legend(loc="outside lower left", ncols=3, fontsize=8, frameon=False)
    _save(figure, path)


def draw_throughput(results: Results, path: Path) -> None:
    """Draw calls per second with the limit lifted, as shares of bare aiohttp's."""
    names = list(reversed(results.subjects("throughput")))
    figure = _figure(
        9,
        0.4 * len(names) + 1.2,
        "Calls per second with the limit lifted",
        "As a share of bare aiohttp's in the same round; the thin line is the range of the rounds.",
    )
    axes = figure.subplots()
    _quiet(axes)
    for row, name in enumerate(names):
        shares = values_of(results.of("throughput", name), "rate_to_raw")
        middle = median_of(results.of("throughput", name), "rate_to_raw")
        colour = {RAW: QUIET, STACK: BAD}.get(name, GOOD)
        axes.barh(row, middle, color=colour, alpha=0.6)
        axes.plot([min(shares), max(shares)], [row, row], color=INK, linewidth=1)
        axes.text(0.01, row, f"{middle:.2f}", va="center", fontsize=9.5, fontweight="bold", color="white")
    axes.set_yticks(range(len(names)), [THROUGHPUT_TITLES.get(name, name) for name in names], fontsize=9, color=INK)
    _save(figure, path)


PICTURES: dict[str, tuple[str, Callable[[Results, Path], None]]] = {
    "limit": ("limit", draw_limit),
    "waits": ("limit", draw_waits),
    "tokens": ("tokens", draw_tokens),
    "layers": ("layers", draw_layers),
    "throughput": ("throughput", draw_throughput),
}
"""The case that each picture needs, and who draws it."""
