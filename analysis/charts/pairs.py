"""Every comparison of two arms as one stroke, sorted by how much its raters prefer the first arm."""

from __future__ import annotations

import altair as alt
import numpy as np

from analysis.charts.parts import Row, count, level, short, shown, table
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_A, ARM_B, ARM_NONE, WIDTH
from analysis.intervals import Floats
from analysis.preference import Counts
from analysis.records import Unavailable
from analysis.report import Pairing

# A screen has no room for more strokes; with more comparisons each stroke is the mean of its neighbours in rank.
MOST_STROKES = 400
HEIGHT = 220


def draw(pairing: Pairing) -> Drawing | Unavailable:
    """Strokes from one half up (first arm) or down (second arm); comparisons without a preference lie between."""
    counts = pairing.counts
    if not counts.side.any():
        return Unavailable("no_side_votes", "no vote chose a side, so there is nothing to sort comparisons by")
    shares = np.sort(_shares(counts))[::-1]
    strokes = alt.Chart(table(_strokes(shares))).mark_bar()
    bars = strokes.encode(
        x=alt.X(
            "start:Q",
            title=f"{counts.pairs:,} comparisons, sorted",
            scale=alt.Scale(domain=[0, counts.pairs], nice=False),
            axis=alt.Axis(grid=False, tickCount=5),
        ),
        x2="end:Q",
        y=alt.Y(
            "share:Q",
            title=f"% of sides for {short(counts.arms[0])}",
            scale=alt.Scale(domain=[0, 100]),
            axis=alt.Axis(values=[0, 20, 30, 40, 50, 60, 70, 80, 100], tickCount=10),
        ),
        y2=alt.datum(50),
        color=alt.Color("colour:N", scale=None),
    )
    chart = alt.layer(bars, level(50, axis="y")).properties(width=WIDTH, height=HEIGHT)
    return Drawing.of(chart, alt=_alt(counts))


def _shares(counts: Counts) -> Floats:
    """Per cent of the side votes for the first arm, float64 [P]; one half where nobody chose a side."""
    return np.where(counts.side == 0, 50.0, 100 * counts.a / np.maximum(counts.side, 1))


def _strokes(shares: Floats) -> list[Row]:
    edges = np.linspace(0, len(shares), min(len(shares), MOST_STROKES) + 1).astype(np.int64)
    means = np.add.reduceat(shares, edges[:-1]) / np.diff(edges)
    return [
        {"start": start, "end": end, "share": round(share, 2), "colour": _colour(share)}
        for start, end, share in zip(edges[:-1].tolist(), edges[1:].tolist(), means.tolist(), strict=True)
    ]


def _colour(share: float) -> str:
    if share == 50:
        return ARM_NONE
    return ARM_A if share > 50 else ARM_B


def _alt(counts: Counts) -> str:
    first, second = counts.arms
    more_a, more_b = int((counts.a > counts.b).sum()), int((counts.b > counts.a).sum())
    middle = float(np.median(_shares(counts)))
    return (
        f"{count(counts.pairs, 'comparison')} sorted by the share of the side votes for {first}, median "
        f"{shown(middle)} %: {more_a:,} with more votes for {first}, {more_b:,} with more for {second}, "
        f"{counts.pairs - more_a - more_b:,} with neither."
    )
