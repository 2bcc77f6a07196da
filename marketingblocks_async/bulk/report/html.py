"""The report as one HTML page that opens from the disk: no script, no request, light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template

from .report import Bin, BulkReport, ReportedRow

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 960, 260, 48, 28

_PAGE = Template(files("marketingblocks_async.bulk.report").joinpath("report.html").read_text(encoding="utf-8"))


def html_report(report: BulkReport) -> str:
    """Return the report as one page that needs nothing else."""
    title = "Bulk run" if not report.source else f"Bulk run of {_file_name(report.source)}"
    return _PAGE.substitute(
        {name: f"{count:,}" for name, count in report.counts.to_dict().items()},
        title=escape(title),
        journal=escape(report.journal),
        course=_course(report),
        sessions=_sessions(report),
        rows=_rows(report),
    )


def _course(report: BulkReport) -> str:
    if not report.timeline:
        return ""
    seconds = report.timeline[0].seconds
    step = "second" if seconds == 1 else f"step of {seconds} seconds"
    words = (
        f"{report.counts.ended:,} rows ended in {report.running_seconds:,} seconds of running; "
        f"at most {report.peak_rate:.1f} per second."
    )
    keys = "".join(
        f'<span class="key" style="background: var(--{name})"></span>{name}' for name in ("done", "failed", "unknown")
    )
    return (
        "<h2>Course</h2>\n<figure>"
        + _chart(report.timeline)
        + f"<figcaption>Rows per second, in each {step}.{keys}<br>{escape(words)}"
        + (" Dashed lines: pauses, left out." if any(b.after_gap for b in report.timeline) else "")
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
        heading, ("row", "line", "key", "state", "what happened"), (_row(row) for row in report.rows)
    )


def _row(row: ReportedRow) -> str:
    return (
        f'<tr><td class="number">{row.row}</td><td class="number">{row.line or ""}</td>'
        f"<td>{escape(row.key)}</td><td>{escape(row.state)}</td>"
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
    """Return ``value`` rounded up to 1, 2 or 5 times a power of ten."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= value)


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]
