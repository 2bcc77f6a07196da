"""The tables, as Markdown that is read in a terminal as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.cases.imports import TITLES as IMPORT_TITLES
from benchmarks.cases.journal import TITLES as JOURNAL_TITLES
from benchmarks.cases.layers import TITLES as LAYER_TITLES
from benchmarks.cases.limit import ANY_POLICY, POLICIES
from benchmarks.cases.throughput import TITLES as THROUGHPUT_TITLES
from benchmarks.contestants import CONTESTANTS, OURS, load, missing
from benchmarks.machine import in_words
from benchmarks.records import Record, Results, largest_of, median_of, values_of


def title_of(name: str) -> str:
    """Return what tables call a contestant."""
    return name if name not in CONTESTANTS or missing(name) else load(name).title


def spread(records: Sequence[Record], figure: str, form: str = ",.0f") -> str:
    """Return the median of a figure with its range."""
    values = values_of(records, figure)
    if not values:
        return "-"
    text = format(median_of(records, figure), form)
    low, high = format(min(values), form), format(max(values), form)
    return text if low == high else f"{text} ({low} to {high})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are aligned; the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(aligned)} |"

    rule = "|" + "|".join(f"{'-' * (width + 1)}{':' if place else '-'}" for place, width in enumerate(widths)) + "|"
    return "\n".join([line(header), rule, *(line(row) for row in rows)])


def _limit(results: Results) -> str:
    jitters = sorted(results.settings("limit", "jitter"))
    policies = [policy for policy in POLICIES if _refused(results, policy)]
    rows: list[list[str]] = []
    for name in results.subjects("limit"):
        runs = results.of("limit", name)
        worst = [f"{largest_of(results.of('limit', name, jitter=jitter), 'worst_second'):.0f}" for jitter in jitters]
        refused = [_median_sum(results, name, policy, jitters) for policy in policies]
        rows.append(
            [
                title_of(name),
                " / ".join(worst),
                *refused,
                spread(runs, "rate", ".1f"),
                spread(runs, "wall_to_ideal", ".2f"),
                spread(runs, "cpu"),
                " / ".join(f"{median_of(runs, figure):.1f}" for figure in ("wait_p50", "wait_p99", "wait_max")),
                _order(runs),
            ]
        )
    words = " / ".join(f"{jitter:g}" for jitter in jitters)
    calls = max(results.settings("limit", "calls"), default=0)
    header = [
        f"{calls:,} creates started together",
        f"worst second ({words} ms)",
        *(f"429s {policy.replace('_', ' ')}" for policy in policies),
        "rate/s",
        "time / ideal",
        "CPU µs a call",
        "wait p50 / p99 / max, s",
        "overtaken",
    ]
    note = (
        f"Allowed: 100 in any second. Worst second: the largest of all rounds, for up to {words} ms of network jitter. "
        f"429s: of {calls:,} creates at each jitter, summed, the median of the rounds; without retries each of them is "
        "a post that was not created. Ideal: an even 100 per second. Overtaken: calls that one started later has "
        "overtaken, without jitter and refusals. Ranges are over rounds, jitters and policies."
    )
    return f"{table(header, rows)}\n\n{note}"


def comparison(results: Results) -> str:
    """Return the columns that tell the clients apart: of the limit, and the duplicates after lost responses."""
    jitters = sorted(results.settings("limit", "jitter"))
    rows: list[list[str]] = []
    for name in results.subjects("limit"):
        runs = results.of("limit", name)
        faults = results.of("faults", name, fault="dropped")
        rows.append(
            [
                title_of(name),
                f"{largest_of(runs, 'worst_second'):.0f}",
                f"{median_of(runs, 'rate'):.1f}",
                _median_sum(results, name, "sliding_log", jitters),
                _median_sum(results, name, "gcra", jitters),
                f"{largest_of(faults, 'duplicates'):.0f}" if faults else "no retries",
            ]
        )
    header = [
        "",
        "worst second (allowed: 100)",
        "rate per second",
        "429s of a sliding log",
        "429s of GCRA",
        "duplicates after 10 lost responses",
    ]
    calls = max(results.settings("limit", "calls"), default=0)
    words = ", ".join(f"{jitter:g}" for jitter in jitters)
    note = (
        f"429s: of {len(jitters) * calls:,} requests, {calls:,} each at up to {words} ms of network jitter. Without "
        "retries each of them is a post that was not created."
    )
    return f"{table(header, rows)}\n\n{note}\n"


def _refused(results: Results, policy: str) -> bool:
    return any(f"refused_{policy}" in record.figures for record in results.of("limit"))


def _median_sum(results: Results, name: str, policy: str, jitters: Sequence[float]) -> str:
    figure = f"refused_{policy}"
    total = 0.0
    for jitter in jitters:
        runs = [
            run for run in results.of("limit", name, jitter=jitter) if run.setting["policy"] in (policy, ANY_POLICY)
        ]
        total += median_of(runs, figure)
    return f"{total:,.0f}"


def _order(runs: Sequence[Record]) -> str:
    undisturbed = [run for run in runs if not any(value for name, value in run.figures.items() if "refused" in name)]
    # A server that refuses nothing tells the order of all of them, whatever other policies would have refused.
    undisturbed += [run for run in runs if run.setting["policy"] == ANY_POLICY]
    return f"{largest_of(undisturbed, 'overtaken'):,.0f}" if values_of(undisturbed, "overtaken") else "-"


def _faults(results: Results) -> str:
    kinds = results.settings("faults", "fault")
    rows = [
        [title_of(name)]
        + [
            f"{largest_of(runs, 'copies_of_one'):.0f} / {largest_of(runs, 'duplicates'):.0f}"
            for runs in (results.of("faults", name, fault=kind) for kind in kinds)
        ]
        for name in results.subjects("faults")
    ]
    note = (
        "Of contestants with retries: how often one post was created while every answer got lost, and how many "
        "duplicates there were after 50 creates of which ten lost their first answer."
    )
    return f"{table(['created, then', *kinds], rows)}\n\n{note}"


def _throughput(results: Results) -> str:
    rows = [
        [
            THROUGHPUT_TITLES.get(name, name),
            spread(runs, "rate"),
            spread(runs, "cpu", ".1f"),
            spread(runs, "rate_to_raw", ".3f"),
            spread(runs, "cpu_to_raw", ".3f"),
        ]
        for name in results.subjects("throughput")
        if (runs := results.of("throughput", name))
    ]
    header = ["limit lifted, 50 workers", "calls/s", "CPU µs a call", "rate / bare aiohttp", "CPU / bare aiohttp"]
    return table(header, rows)


def _layers(results: Results) -> str:
    rows = [
        [LAYER_TITLES.get(name, name), spread(results.of("layers", name), "cpu", ".1f")]
        for name in results.subjects("layers")
    ]
    return table(["layer", "CPU µs a call"], rows)


def _journal(results: Results) -> str:
    rows = [
        [
            JOURNAL_TITLES.get(name, name),
            spread(runs, "rate"),
            spread(runs, "cpu"),
            spread(runs, "rate_to_without", ".2f"),
        ]
        for name in results.subjects("journal")
        if (runs := results.of("journal", name))
    ]
    header = ["limit lifted, against the sandbox", "posts/s", "CPU µs a post", "rate / without a journal"]
    return table(header, rows)


def _memory(results: Results) -> str:
    rows = [
        [title_of(name), f"{waiting:,}", spread(runs, "bytes"), spread(runs, "blocks", ".0f")]
        for waiting in results.settings("memory", "waiting")
        for name in results.subjects("memory")
        if (runs := results.of("memory", name, waiting=waiting))
    ]
    return table(["memory", "waiting calls", "bytes each", "blocks each"], rows)


def _waiting(results: Results) -> str:
    rows = [
        [
            title_of(name),
            f"{waiting:,}",
            f"{largest_of(runs, 'worst_second'):.0f}",
            spread(runs, "rate", ".1f"),
            spread(runs, "cpu"),
            spread(runs, "cancelling", ".2f"),
        ]
        for waiting in results.settings("waiting", "waiting")
        for name in results.subjects("waiting")
        if (runs := results.of("waiting", name, waiting=waiting))
    ]
    header = ["long queues", "waiting calls", "worst second", "rate/s", "CPU µs a call", "cancelling all, s"]
    return table(header, rows)


def _tokens(results: Results) -> str:
    rows = [
        [
            f"{count} tokens{'' if name == OURS else f' on {name}'}",
            spread(runs, "rate"),
            spread(runs, "rate_to_limit", ".3f"),
            spread(runs, "slowest_token", ".1f"),
            f"{largest_of(runs, 'worst_second'):.0f}",
            spread(runs, "cpu"),
        ]
        for count in results.settings("tokens", "tokens")
        for name in results.subjects("tokens")
        if (runs := results.of("tokens", name, tokens=count))
    ]
    header = [
        "one process",
        "requests/s",
        "of the limit",
        "slowest token/s",
        "worst second of a token",
        "CPU µs a call",
    ]
    return table(header, rows)


def _processes(results: Results) -> str:
    rows = [
        [
            f"{count} processes",
            spread(runs, "rate", ".1f"),
            f"{largest_of(runs, 'worst_second'):.0f}",
            spread(runs, "unfairness", ".2f"),
            spread(runs, "cpu"),
        ]
        for count in results.settings("processes", "processes")
        if (runs := results.of("processes", processes=count))
    ]
    return table(["one token over Redis", "requests/s", "worst second", "slowest / quickest", "CPU µs a call"], rows)


def _imports(results: Results) -> str:
    rows = [
        [IMPORT_TITLES.get(name, name), spread(runs, "seconds", ".3f"), spread(runs, "seconds_to_libraries", ".2f")]
        for name in results.subjects("imports")
        if (runs := results.of("imports", name))
    ]
    return table(["import", "seconds", "ratio"], rows)


_TABLES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "limit": ("The limit, as the server sees it", _limit),
    "faults": ("Safety under faults", _faults),
    "throughput": ("Cost: the limit lifted", _throughput),
    "layers": ("Cost by layer", _layers),
    "journal": ("Cost of a journal", _journal),
    "memory": ("Memory of a waiting call", _memory),
    "waiting": ("Scale: long queues", _waiting),
    "tokens": ("Scale: many tokens", _tokens),
    "processes": ("Scale: one token in several processes", _processes),
    "imports": ("Import time", _imports),
}


def one_table(results: Results, case: str) -> str:
    """Return the table of a case, with its heading."""
    heading, make = _TABLES[case]
    rounds = Counter(record.key for record in results.of(case)).values()
    # A run that was interrupted has fewer of some.
    number = f"{max(rounds)}" if min(rounds) == max(rounds) else f"{min(rounds)} to {max(rounds)}"
    return f"## {heading}\n\n{make(results)}\n\nRounds: {number}. Medians, in brackets the range.\n"


def all_tables(results: Results) -> str:
    """Return everything that was measured, as one page."""
    parts = [one_table(results, case) for case in _TABLES if results.of(case)]
    return "\n".join([f"# Measurements\n\n{in_words(results.machine)}.\n", *parts])
