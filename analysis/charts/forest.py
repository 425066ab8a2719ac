"""A forest plot: one row for each thing, a filled mark with its interval and, where there is one, an open mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import altair as alt
from altair.typing import ChartType

from analysis.charts.parts import Row, level, table
from analysis.charts.theme import ARM_A, GROUND, INK_SOFT, WIDTH

ROW_HEIGHT = 22
# Room for a word to the right of the plot, in pixels.
BESIDE = 70
_ROWS = alt.Y(
    "row:N",
    sort=None,
    title=None,
    axis=alt.Axis(labelExpr="substring(datum.value, 5)", domain=False, ticks=False, grid=True, gridDash=[1, 3]),
)


@dataclass(frozen=True)
class ForestRow:
    """One row, in the order it is drawn. raw: the open mark with its own thin interval; beside: a word to its right."""

    name: str
    estimate: float
    low: float
    high: float
    raw: float | None = None
    raw_low: float | None = None
    raw_high: float | None = None
    beside: str = ""


def forest(rows: Sequence[ForestRow], *, title: str, null: float, factor: float = 1.0, note: str = "") -> ChartType:
    """The rows from the top down over one scale, with a dashed line at `null`; numbers are drawn times `factor`."""
    room = BESIDE if any(row.beside for row in rows) else 5
    data = table(_values(place, row, factor) for place, row in enumerate(rows))
    base = alt.Chart(data).encode(y=_ROWS)
    across = alt.X("low:Q", title=title, axis=alt.Axis(tickCount=6), scale=alt.Scale(zero=False, nice=True))
    layers = [level(null * factor)]
    if any(row.raw is not None for row in rows):
        layers.append(
            base.mark_rule(strokeWidth=1, color=INK_SOFT, opacity=0.7, yOffset=4).encode(x="raw_low:Q", x2="raw_high:Q")
        )
        layers.append(
            base.mark_point(filled=False, fill=GROUND, stroke=INK_SOFT, size=28, strokeWidth=1.2, yOffset=4).encode(
                x="raw:Q"
            )
        )
    layers.append(base.mark_rule(strokeWidth=2.5, color=ARM_A).encode(x=across, x2="high:Q"))
    layers.append(base.mark_point(size=55, color=ARM_A).encode(x="estimate:Q"))
    if any(row.beside for row in rows):
        layers.append(base.mark_text(align="left", dx=8).encode(x=alt.value("width"), text="beside:N"))
    return alt.layer(*layers).properties(
        width=WIDTH,
        padding={"left": 5, "top": 5, "bottom": 5, "right": room},
        title=note,
        height=max(2, len(rows)) * ROW_HEIGHT,
    )


def _values(place: int, row: ForestRow, factor: float) -> Row:
    # Two rows may have one name, and the scale must not merge them: a row's place stands before it, and is not shown.
    words: Row = {"row": f"{place:04d} {row.name}", "beside": row.beside}
    numbers = {name: value for name, value in asdict(row).items() if isinstance(value, int | float)}
    return {**words, **{name: round(factor * value, 6) for name, value in numbers.items()}}
