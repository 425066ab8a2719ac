"""The share of left among the votes that chose a side, in all votes and in each third by time."""

from __future__ import annotations

from analysis.charts.forest import ForestRow, forest
from analysis.charts.parts import missing, shown
from analysis.charts.rendering import Drawing
from analysis.charts.times import THIRDS
from analysis.intervals import wilson
from analysis.position import Position
from analysis.records import Unavailable
from analysis.report import Report
from analysis.times import Times


def draw(report: Report) -> Drawing | Unavailable:
    """One mark for all votes and, where times were measured, one for each third."""
    if not isinstance(report.position, Position):
        return missing(report.position)
    return of_position(report.position, report.times if isinstance(report.times, Times) else None)


def of_position(position: Position, times: Times | None) -> Drawing:
    """Shares in per cent with Wilson's interval, against one half."""
    shares = [("all votes", position.left, position.left + position.right)]
    if times is not None:
        thirds = zip(THIRDS, times.choice_by_tercile, strict=True)
        shares += [
            (name, counts.left, counts.left + counts.right) for name, counts in thirds if counts.left + counts.right
        ]
    rows = [_row(name, left, side) for name, left, side in shares]
    alt = "Left among the votes that chose a side: " + "; ".join(
        f"{row.name} {shown(row.estimate)} % (95 % interval {shown(row.low)} to {shown(row.high)})" for row in rows
    )
    return Drawing.of(forest(rows, title="left, % of side votes", null=50.0), alt=alt + ".")


def _row(name: str, left: int, side: int) -> ForestRow:
    low, high = wilson(left, side)
    return ForestRow(name, 100 * left / side, 100 * low, 100 * high)
