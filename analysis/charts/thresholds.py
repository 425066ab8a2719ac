"""The threshold table as stacked bars that part in the middle: first arm to the left, second to the right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import altair as alt

from analysis.charts.parts import Row, arm_colours, shown, table
from analysis.charts.rendering import Drawing
from analysis.charts.theme import GROUND, INK, WIDTH
from analysis.preference import ThresholdRow, ThresholdTable
from analysis.report import Pairing

NONE = "no preference"
ROW_HEIGHT = 36
# In per cent: a narrower part cannot hold its number, which then stands beside it.
ROOM_FOR_NUMBER = 7.0
_ALIGN: dict[str, Literal["left", "center", "right"]] = {
    "left": "right",
    "right": "left",
    "middle": "center",
    "none": "center",
}
_SHIFT = {"left": -3, "right": 3, "middle": 0, "none": 0}
_IS_NONE = f"datum.who === '{NONE}'"


def draw(pairing: Pairing) -> Drawing:
    """One bar a threshold, no preference centred on zero."""
    bars = [part for row in pairing.threshold_table.rows for part in _parts(row, pairing.arms)]
    base = alt.Chart(table(bars)).encode(
        y=alt.Y("threshold:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelFontSize=13)),
    )
    across = alt.X("start:Q", axis=None, scale=alt.Scale(nice=False, padding=4))
    parts = base.mark_bar(height=alt.RelativeBandSize(band=0.78)).encode(
        x=across,
        x2="end:Q",
        color=arm_colours(pairing.arms, NONE),
        opacity=alt.condition(_IS_NONE, alt.value(0.45), alt.value(1)),
    )
    numbers = [_numbers(base, "middle", colour=GROUND), _numbers(base, "none", colour=INK)]
    numbers += [_numbers(base, "left", colour=INK), _numbers(base, "right", colour=INK)]
    chart = alt.layer(parts, *numbers).properties(width=WIDTH, height=ROW_HEIGHT * len(pairing.threshold_table.rows))
    return Drawing.of(chart, alt=_alt(pairing.threshold_table))


def _parts(row: ThresholdRow, arms: tuple[str, str]) -> Iterator[Row]:
    x = -row.first.percent - row.no_preference.percent / 2
    for who, cell in ((arms[0], row.first), (NONE, row.no_preference), (arms[1], row.second)):
        end = x + cell.percent
        place, at = _place(who, (x, end), arms)
        yield {
            "threshold": f"> {row.threshold} %",
            "who": who,
            "percent": cell.percent,
            "start": x,
            "end": end,
            "number": shown(cell.percent),
            "place": place,
            "at": at,
        }
        x = end


def _place(who: str, part: tuple[float, float], arms: tuple[str, str]) -> tuple[str, float]:
    start, end = part
    if who == NONE:
        return "none" if end - start >= ROOM_FOR_NUMBER else "nowhere", (start + end) / 2
    if end - start >= ROOM_FOR_NUMBER:
        return "middle", (start + end) / 2
    return ("left", start) if who == arms[0] else ("right", end)


def _numbers(base: alt.Chart, place: str, *, colour: str) -> alt.Chart:
    words = base.transform_filter(f"datum.place === '{place}'")
    mark: alt.Chart = words.mark_text(align=_ALIGN[place], dx=_SHIFT[place], color=colour)
    numbers: alt.Chart = mark.encode(x="at:Q", text="number:N")
    return numbers


def _alt(shown_table: ThresholdTable) -> str:
    first, second = shown_table.arms
    rows = "; ".join(
        f"more than {row.threshold} %: {first} {shown(row.first.percent)} %, {second} {shown(row.second.percent)} %, "
        f"no preference {shown(row.no_preference.percent)} %"
        for row in shown_table.rows
    )
    return f"Stacked bars of {shown_table.pairs} comparisons. {rows}."
