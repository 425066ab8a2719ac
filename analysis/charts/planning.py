"""Power against the number of raters, a curve for each of several numbers of pairs."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt

from analysis.charts.parts import Row, count, shown, table
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_A, INK, INK_SOFT, WIDTH
from analysis.planning import FEWEST_RATERS, Outlook, Planning, chance

HEIGHT = 240
# In per cent of power: names closer than this would overlap.
ROOM_FOR_NAME = 7.0


def draw(planning: Planning) -> Drawing:
    """The wished number of pairs stands out; a dashed line is the wished power, a point the design.

    Below 8 raters the ground is shaded: no inference is valid there.
    """
    base = alt.Chart(table(row for curve in planning.curves for row in _rows(curve, planning)))
    lines = base.encode(
        x=alt.X("raters:Q", title="raters", axis=alt.Axis(grid=False, tickMinStep=1), scale=alt.Scale(nice=False)),
        y=alt.Y("power:Q", title="power, %", scale=alt.Scale(domain=[0, 100])),
        detail="pairs:N",
    )
    others = lines.transform_filter("!datum.is_wished").mark_line(color=INK_SOFT, strokeWidth=1)
    wished = lines.transform_filter("datum.is_wished").mark_line(color=ARM_A, strokeWidth=2.5)
    chart = alt.layer(_too_few(), _aim(planning), others, wished, *_names(planning), _design(planning))
    return Drawing.of(chart.properties(width=WIDTH, height=HEIGHT), alt=_alt(planning))


def _rows(curve: tuple[Outlook, ...], planning: Planning) -> Iterator[Row]:
    for outlook in curve:
        yield {
            "raters": outlook.design.raters,
            "pairs": outlook.design.pairs,
            "power": round(100 * outlook.power, 2),
            "is_wished": outlook.design.pairs == planning.wish.pairs,
        }


def _aim(planning: Planning) -> alt.Chart:
    rule: alt.Chart = alt.Chart(table([{"power": 100 * planning.wish.power}])).mark_rule(
        strokeDash=[4, 3], color=INK_SOFT
    )
    aim: alt.Chart = rule.encode(y="power:Q")
    return aim


def _too_few() -> alt.Chart:
    # Shaded: where no number of pairs makes the inference valid.
    area: alt.Chart = alt.Chart(table([{"from": 0, "to": FEWEST_RATERS}])).mark_rect(color=INK_SOFT, opacity=0.12)
    shaded: alt.Chart = area.encode(x="from:Q", x2="to:Q")
    return shaded


def _names(planning: Planning) -> list[alt.Chart]:
    base = alt.Chart(table(_name_rows(planning))).encode(x="raters:Q", y="at:Q", text="name:N")
    others = base.transform_filter("!datum.is_wished").mark_text(align="left", dx=5, color=INK_SOFT)
    wished = base.transform_filter("datum.is_wished").mark_text(align="left", dx=5, color=ARM_A, fontWeight="bold")
    return [others, wished]


def _name_rows(planning: Planning) -> Iterator[Row]:
    """Each curve's name at its end, moved down where the one above needs the room."""
    at = 100.0 + ROOM_FOR_NAME
    ends = sorted((curve[-1] for curve in planning.curves), key=lambda end: (-end.power, -end.design.pairs))
    for end in ends:
        at = min(100 * end.power, at - ROOM_FOR_NAME)
        pairs = end.design.pairs
        is_wished = pairs == planning.wish.pairs
        yield {"raters": end.design.raters, "at": at, "name": count(pairs, "pair"), "is_wished": is_wished}


def _design(planning: Planning) -> alt.Chart:
    outlook = planning.outlook
    rows = [{"raters": outlook.design.raters, "power": 100 * outlook.power}]
    mark: alt.Chart = alt.Chart(table(rows)).mark_point(color=INK, size=70)
    point: alt.Chart = mark.encode(x="raters:Q", y="power:Q")
    return point


def _alt(planning: Planning) -> str:
    wish, raters = planning.wish, planning.outlook.design.raters
    at_design = [outlook for curve in planning.curves for outlook in curve if outlook.design.raters == raters]
    powers = ", ".join(f"{count(at.design.pairs, 'pair')} {chance(at.power)}" for at in at_design)
    return (
        f"Power for a difference of {shown(100 * wish.difference)} points against the number of raters; "
        f"{shown(100 * wish.power, 0)} % is wanted. With {count(raters, 'rater')}: {powers}."
    )
