"""How raters rated: their lean to a side, their company and their pace, each against how many votes they gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import altair as alt
import numpy as np
from altair.typing import ChartType
from scipy import stats

from analysis.charts.parts import Row, count, missing, table, thinned
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_A, BAD, INK_SOFT, WIDTH
from analysis.intervals import Floats
from analysis.rater_quality import RaterMarks, RaterQuality
from analysis.records import Unavailable
from analysis.report import Report

# Three points each: a plot of more is a blot. Flagged raters are always drawn.
MOST_RATERS = 400
HEIGHT = 120
ROUND = tuple(digit * 10**power / 10 for power in range(6) for digit in (1, 2, 3, 5, 7))


def draw(report: Report) -> Drawing | Unavailable:
    """Three panels over one scale of votes."""
    quality = report.rater_quality
    return of_raters(quality) if isinstance(quality, RaterQuality) else missing(quality)


def of_raters(quality: RaterQuality) -> Drawing:
    """Left share with the limits of chance, agreement with the others' majority, median time; flagged ones in red."""
    drawn = _drawn(quality)
    rows = [_row(name, marks) for name, marks in drawn]
    sizes = [side_votes(marks) for _, marks in drawn] or [1]
    points = alt.Chart(table(rows)).encode(x=_across(sizes, titled=not quality.timed))
    panels: list[ChartType] = [
        alt.layer(
            _limits(min(sizes), max(sizes), raters=quality.n), _panel(points, "left", _percent("left", "left, %"))
        ),
        _panel(points, "agree", _percent("agree", "with majority, %")),
    ]
    if quality.timed:
        times = [marks.median_ms / 1000 for _, marks in drawn if not isinstance(marks.median_ms, Unavailable)]
        panels.append(_panel(points.encode(x=_across(sizes, titled=True)), "seconds", _seconds(times)))
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


def _panel(points: alt.Chart, column: str, upwards: alt.Y) -> alt.Chart:
    known = points.transform_filter(f"isValid(datum.{column})")
    panel: alt.Chart = known.mark_point(size=22, opacity=0.7).encode(y=upwards, color=alt.Color("colour:N", scale=None))
    return panel


def _across(sizes: Sequence[float], *, titled: bool) -> alt.X:
    scale = alt.Scale(type="log", nice=False, padding=6)
    return alt.X("votes:Q", title="votes that chose a side" if titled else None, scale=scale, axis=_ticks(sizes))


def _percent(column: str, title: str) -> alt.Y:
    return alt.Y(
        f"{column}:Q", title=title, scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(values=[0, 25, 50, 75, 100])
    )


def _seconds(times: Sequence[float]) -> alt.Y:
    scale = alt.Scale(type="log", nice=False, padding=6)
    return alt.Y("seconds:Q", title="median time, s", scale=scale, axis=_ticks(times))


def _ticks(values: Sequence[float]) -> alt.Axis:
    """Round numbers among the values; where hardly any fall there, the ends of the values."""
    low, high = min(values, default=1), max(values, default=1)
    inside = [number for number in ROUND if low <= number <= high]
    ticks = inside if len(inside) > 2 else sorted({round(low, 1), *inside, round(high, 1)})
    return alt.Axis(values=ticks, tickCount=len(ticks), labelOverlap="parity")


def _limits(fewest: int, most: int, *, raters: int) -> alt.Chart:
    """Where chance ends for one rater (p = 0.05, dotted), and where the flag begins (0.05 over all raters)."""
    n = np.geomspace(fewest, max(fewest + 1, most), 60)
    rows = [*_limit(n, 0.05, "one rater"), *_limit(n, 0.05 / max(1, raters), "all raters")]
    rows += [{"votes": at, "limit": 50.0, "of": "half", "end": "half"} for at in (n[0].item(), n[-1].item())]
    dashes = alt.Scale(domain=["one rater", "all raters", "half"], range=[[2, 3], [1, 0], [4, 3]])
    lines: alt.Chart = (
        alt.Chart(table(rows))
        .mark_line(color=INK_SOFT, strokeWidth=1)
        .encode(x="votes:Q", y="limit:Q", detail="end:N", strokeDash=alt.StrokeDash("of:N", scale=dashes, legend=None))
    )
    return lines


def _limit(n: Floats, alpha: float, name: str) -> list[Row]:
    # The exact test's limits jump from count to count; the normal ones with Yates's half a vote run between them.
    half = np.minimum(50.0, 50 * stats.norm.isf(alpha / 2) / np.sqrt(n) + 50 / n)
    return [
        {"votes": round(votes, 2), "limit": round(50 + sign * by, 2), "of": name, "end": f"{name} {sign}"}
        for sign in (-1, 1)
        for votes, by in zip(n.tolist(), half.tolist(), strict=True)
    ]


def _alt(quality: RaterQuality, drawn: int) -> str:
    flags = Counter(flag for marks in quality.raters.values() for flag in marks.flags)
    flagged = sum(bool(marks.flags) for marks in quality.raters.values())
    which = ", ".join(f"{name} {number}" for name, number in flags.items())
    pace = (
        "" if isinstance(quality.median_ms_all, Unavailable) else f" Median time {quality.median_ms_all / 1000:.1f} s."
    )
    some = "" if drawn == quality.n else f" {drawn:,} of them are drawn."
    return f"{count(quality.n, 'rater')}, {flagged:,} flagged{f' ({which})' if which else ''}.{some}{pace}"
