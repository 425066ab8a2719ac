"""The threshold table as stacked bars that part in the middle: first arm to the left, second to the right."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt

from analysis.charts.parts import Row, arm_colours, shown, table
from analysis.charts.rendering import Drawing
from analysis.charts.theme import GROUND, INK, WIDTH
from analysis.preference import ThresholdRow, ThresholdTable
from analysis.report import Pairing

NONE = "no preference"
ROW_HEIGHT = 36
# In per cent: a narrower part cannot hold its number, which then stands so far beside it.
ROOM_FOR_NUMBER = 7.0
BESIDE = 4.0


def draw(pairing: Pairing) -> Drawing:
    """One bar a threshold, no preference centred on zero."""
    bars = [part for row in pairing.threshold_table.rows for part in _parts(row, pairing.arms)]
    base = alt.Chart(table(bars)).encode(
        y=alt.Y("threshold:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelFontSize=13)),
    )
    parts = base.mark_bar(height=alt.RelativeBandSize(band=0.78)).encode(
        x=alt.X("start:Q", axis=None, scale=alt.Scale(nice=False, padding=12)),
        x2="end:Q",
        color=arm_colours(pairing.arms, NONE),
        opacity=alt.condition(f"datum.who === '{NONE}'", alt.value(0.45), alt.value(1)),
    )
    numbers = base.mark_text().encode(x="at:Q", text="number:N", color=alt.Color("ink:N", scale=None))
    layers = alt.layer(parts, numbers).resolve_scale(color="independent")
    chart = layers.properties(width=WIDTH, height=ROW_HEIGHT * len(pairing.threshold_table.rows))
    return Drawing.of(chart, alt=_alt(pairing.threshold_table))


def _parts(row: ThresholdRow, arms: tuple[str, str]) -> Iterator[Row]:
    x = -row.first.percent - row.no_preference.percent / 2
    for who, cell in ((arms[0], row.first), (NONE, row.no_preference), (arms[1], row.second)):
        end = x + cell.percent
        is_wide = cell.percent >= ROOM_FOR_NUMBER
        yield {
            "threshold": f"> {row.threshold} %",
            "who": who,
            "percent": cell.percent,
            "start": x,
            "end": end,
            # The middle part has no outside; its number is in the table.
            "number": shown(cell.percent) if is_wide or who != NONE else "",
            "at": (x + end) / 2 if is_wide or who == NONE else x - BESIDE if who == arms[0] else end + BESIDE,
            "ink": GROUND if is_wide and who != NONE else INK,
        }
        x = end


def _alt(shown_table: ThresholdTable) -> str:
    first, second = shown_table.arms
    rows = "; ".join(
        f"more than {row.threshold} %: {first} {shown(row.first.percent)} %, {second} {shown(row.second.percent)} %, "
        f"no preference {shown(row.no_preference.percent)} %"
        for row in shown_table.rows
    )
    return f"Stacked bars of {shown_table.pairs} comparisons. {rows}."
