"""How raters rated: their lean to a side, their company and their pace, each against how many votes they gave."""

from __future__ import annotations

from collections import Counter

import altair as alt
import numpy as np
from altair.typing import ChartType
from scipy import stats

from analysis.charts.parts import Row, count, level, missing, table, thinned
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_A, BAD, INK_SOFT, WIDTH
from analysis.intervals import Floats
from analysis.rater_quality import RaterMarks, RaterQuality
from analysis.records import Unavailable
from analysis.report import Report

# Three points each: a plot of more is a blot. Flagged raters are always drawn.
MOST_RATERS = 600
HEIGHT = 120
ACROSS = "votes that chose a side"


def draw(report: Report) -> Drawing | Unavailable:
    """Three panels over one scale of votes."""
    quality = report.rater_quality
    return of_raters(quality) if isinstance(quality, RaterQuality) else missing(quality)


def of_raters(quality: RaterQuality) -> Drawing:
    """Left share with the limits of chance, agreement with the others' majority, median time; flagged ones in red."""
    drawn = _drawn(quality)
    points = alt.Chart(table(_row(name, marks) for name, marks in drawn))
    limits = _limits(max((side_votes(marks) for _, marks in drawn), default=1), quality.n)
    percent = alt.Scale(domain=[0, 100])
    panels = [
        alt.layer(*limits, level(50, axis="y"), _panel(points, "left", "left, %", scale=percent)),
        alt.layer(_panel(points, "agree", "with majority, %", scale=percent, across=None if quality.timed else ACROSS)),
    ]
    if quality.timed:
        pace = alt.Scale(type="log", nice=False)
        panels.append(alt.layer(_panel(points, "seconds", "median time, s", scale=pace, across=ACROSS)))
    sized = [panel.properties(width=WIDTH, height=HEIGHT) for panel in panels]
    return Drawing.of(alt.vconcat(*sized, spacing=10).resolve_scale(x="shared"), alt=_alt(quality, len(drawn)))


def side_votes(marks: RaterMarks) -> int:
    """How many of a rater's votes chose a side."""
    return marks.left + marks.right


def _drawn(quality: RaterQuality) -> list[tuple[str, RaterMarks]]:
    """Raters who chose a side at least once: all of them, or the flagged ones and evenly many of the rest by size."""
    placed = [(name, marks) for name, marks in quality.raters.items() if side_votes(marks)]
    if len(placed) <= MOST_RATERS:
        return placed
    flagged = [rater for rater in placed if rater[1].flags][:MOST_RATERS]
    others = sorted((rater for rater in placed if not rater[1].flags), key=lambda rater: side_votes(rater[1]))
    return [*flagged, *thinned(others, MOST_RATERS - len(flagged))]


def _row(name: str, marks: RaterMarks) -> Row:
    agree = 100 * marks.leave_one_out_agree / marks.leave_one_out_of if marks.leave_one_out_of else None
    return {
        "rater": name,
        "votes": side_votes(marks),
        "left": round(100 * marks.left / side_votes(marks), 2),
        "agree": None if agree is None else round(agree, 2),
        "seconds": None if isinstance(marks.median_ms, Unavailable) else max(1.0, marks.median_ms) / 1000,
        "colour": BAD if marks.flags else ARM_A,
    }


def _panel(points: alt.Chart, column: str, title: str, *, scale: alt.Scale, across: str | None = None) -> alt.Chart:
    panel: alt.Chart = (
        points.transform_filter(f"isValid(datum.{column})")
        .mark_point(size=22, opacity=0.7)
        .encode(
            x=alt.X("votes:Q", title=across, scale=alt.Scale(type="log", nice=False, padding=6)),
            y=alt.Y(f"{column}:Q", title=title, scale=scale),
            color=alt.Color("colour:N", scale=None),
        )
    )
    return panel


def _limits(most: int, raters: int) -> list[ChartType]:
    """Where chance ends for one rater (p = 0.05), and where the flag begins (0.05 over all raters, Holm's first)."""
    n = np.geomspace(1, max(2, most), 60)
    return [_limit(n, 0.05, dash=[2, 3]), _limit(n, 0.05 / max(1, raters), dash=[1, 0])]


def _limit(n: Floats, alpha: float, *, dash: list[int]) -> ChartType:
    # The exact test's limits jump from count to count; the normal ones with Yates's half a vote run between them.
    half = 50 * stats.norm.isf(alpha / 2) / np.sqrt(n) + 50 / n
    rows = [
        {"votes": round(votes, 2), "low": max(0.0, 50 - by), "high": min(100.0, 50 + by)}
        for votes, by in zip(n.tolist(), half.tolist(), strict=True)
    ]
    line = alt.Chart(table(rows)).mark_line(color=INK_SOFT, strokeWidth=1, strokeDash=dash)
    return alt.layer(*(line.encode(x="votes:Q", y=f"{end}:Q") for end in ("low", "high")))


def _alt(quality: RaterQuality, drawn: int) -> str:
    flags = Counter(flag for marks in quality.raters.values() for flag in marks.flags)
    flagged = sum(bool(marks.flags) for marks in quality.raters.values())
    which = ", ".join(f"{name} {number}" for name, number in flags.items())
    pace = (
        "" if isinstance(quality.median_ms_all, Unavailable) else f" Median time {quality.median_ms_all / 1000:.1f} s."
    )
    some = "" if drawn == quality.n else f" {drawn:,} of them are drawn."
    return f"{count(quality.n, 'rater')}, {flagged:,} flagged{f' ({which})' if which else ''}.{some}{pace}"
