"""The report as one HTML page that opens from the disk: no script, no address, light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .report import BulkReport, ReportedRow
from .timeline import Bin

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 260, 48, 28

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5b6678; --paper: #ffffff; --card: #f4f6f9; --line: #d5dbe4;
  --done: #1a8f5a; --failed: #c4314b; --unknown: #b77900; --pending: #6b7a90; --rate: #2f5fd0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf2; --soft: #a3aec0; --paper: #12161d; --card: #1b212b;
  --line: #333c4a; --done: #41c98b; --failed: #ff7088; --unknown: #f0b23e; --pending: #93a1b6; --rate: #86a9ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
p.where { color: var(--soft); margin: 0 0 1.5rem; overflow-wrap: anywhere; }
ul.counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; padding: 0;
  margin: 0; list-style: none; }
ul.counts li { background: var(--card); border-left: .3rem solid var(--tone); border-radius: .4rem;
  padding: .6rem .9rem; }
ul.counts b { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: .15em; margin: 0 .35em 0 1em; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; text-align: right; } td.words { overflow-wrap: anywhere; }
"""


def html_report(report: BulkReport) -> str:
    """Return the page."""
    counts = report.counts
    title = "Bulk run" if not report.source else f"Bulk run of {_file_name(report.source)}"
    tiles = (
        ("total", counts.total, "--line"),
        ("done", counts.done, "--done"),
        ("failed", counts.failed, "--failed"),
        ("unknown", counts.unknown, "--unknown"),
        ("pending", counts.pending, "--pending"),
    )
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1>\n"
        f'<p class="where">{escape(report.journal)}</p>\n'
        '<ul class="counts">'
        + "".join(f'<li style="--tone: var({tone})"><b>{value:,}</b>{name}</li>' for name, value, tone in tiles)
        + "</ul>\n"
        + _course(report)
        + _sessions(report)
        + _rows(report)
        + "</body></html>\n"
    )


def _course(report: BulkReport) -> str:
    if not report.timeline:
        return ""
    seconds = report.timeline[0].seconds
    step = "second" if seconds == 1 else f"step of {seconds} seconds"
    ended = report.counts.done + report.counts.failed + report.counts.unknown
    words = (
        f"{ended:,} rows ended in {report.running_seconds:,} seconds of running; "
        f"at most {report.peak_rate:.1f} per second."
    )
    keys = "".join(
        f'<span class="key" style="background: var(--{name})"></span>{name}' for name in ("done", "failed", "unknown")
    )
    return (
        "<h2>Course</h2>\n<figure>"
        + _chart(report.timeline)
        + f"<figcaption>Rows per second, in each {step}.{keys}<br>{escape(words)}"
        + (" Dashed lines: pauses between sessions, left out." if any(b.after_gap for b in report.timeline) else "")
        + "</figcaption></figure>\n"
    )


def _chart(bins: tuple[Bin, ...]) -> str:
    width, height = _WIDTH - _LEFT, _HEIGHT - _BOTTOM - 8
    top = _round_up(max(each.rate for each in bins))
    bar = width / len(bins)
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Rows per second over time, at most {top:g}">'
    ]
    for share in (0.0, 0.5, 1.0):
        y = 8 + height * (1 - share)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH}" y2="{y:.1f}" stroke="var(--line)"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{top * share:g}</text>')
    for number, each in enumerate(bins):
        x, y = _LEFT + number * bar, 8.0 + height
        for tone, count in (("done", each.done), ("failed", each.failed), ("unknown", each.unknown)):
            tall = height * count / each.seconds / top
            if tall:
                y -= tall
                parts.append(
                    f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(bar * 0.9, 0.5):.2f}" height="{tall:.2f}" '
                    f'fill="var(--{tone})"/>'
                )
        if each.after_gap:
            parts.append(f'<path d="M{x:.2f} 8v{height}" stroke="var(--soft)" stroke-dasharray="4 4"/>')
    last = bins[-1].at + bins[-1].seconds
    for share in (0.0, 0.5, 1.0):
        anchor = {0.0: "start", 1.0: "end"}.get(share, "middle")
        x = _LEFT + width * share
        parts.append(f'<text x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{last * share:g} s</text>')
    return "".join([*parts, "</svg>"])


def _sessions(report: BulkReport) -> str:
    lines = (
        f"<tr><td>{escape(each.began)}</td><td>{escape(each.ended or '')}</td>"
        f"<td>{escape(each.ending or 'killed, or still running')}</td></tr>"
        for each in report.sessions
    )
    return _table("Sessions", ("began", "ended", "how"), lines)


def _rows(report: BulkReport) -> str:
    if not report.rows:
        return ""
    kinds = (
        f'<tr><td>{escape(kind)}</td><td class="number">{count:,}</td></tr>' for kind, count in report.errors.items()
    )
    total = report.counts.failed + report.counts.unknown
    heading = "Rows to look at" if total <= len(report.rows) else f"Rows to look at (the first {len(report.rows)})"
    return _table("Errors", ("error", "rows"), kinds) + _table(
        heading, ("row", "key", "state", "what happened"), (_row(row) for row in report.rows)
    )


def _row(row: ReportedRow) -> str:
    return (
        f'<tr><td class="number">{row.row}</td><td>{escape(row.key)}</td><td>{escape(row.state)}</td>'
        f'<td class="words">{escape(row.error)}</td></tr>'
    )


def _table(heading: str, columns: Iterable[str], lines: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    return (
        f'<h2>{escape(heading)}</h2>\n<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>'
        + "\n".join(lines)
        + "</tbody></table></div>\n"
    )


def _round_up(value: float) -> float:
    """Return a round number that is not smaller: 1, 2 or 5 times a power of ten."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value)


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
