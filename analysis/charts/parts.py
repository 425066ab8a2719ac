"""What several charts have in common: inline data, the arms' colours, numbers as they are printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import altair as alt

from analysis.charts.theme import ARM_A, ARM_B, ARM_NONE, INK_SOFT
from analysis.records import Unavailable

Row = Mapping[str, str | int | float | bool | None]

T = TypeVar("T")

MOST_LETTERS = 22
MINUS = "\N{MINUS SIGN}"


def table(rows: Iterable[Row]) -> alt.InlineData:
    """Rows of plain values as a chart's own data, so that a spec is complete in itself."""
    # As a text: Altair copies and checks lists row by row, several times. `Drawing.of` makes rows of it again.
    return alt.InlineData(values=json.dumps([dict(row) for row in rows]), format=alt.JsonDataFormat(type="json"))


def arm_colours(arms: Sequence[str], neither: str) -> alt.Color:
    """Colour by `who`: the first arm, the second arm and neither, with the legend in that order."""
    scale = alt.Scale(domain=[arms[0], neither, arms[1]], range=[ARM_A, ARM_NONE, ARM_B])
    return alt.Color("who:N", scale=scale, legend=alt.Legend(orient="top", title=None, labelLimit=105))


def level(at: float, *, axis: str = "x") -> alt.Chart:
    """A dashed line that says: here is no difference."""
    rule: alt.Chart = alt.Chart(table([{"at": at}])).mark_rule(strokeDash=[4, 3], color=INK_SOFT)
    encoded: alt.Chart = rule.encode(x="at:Q") if axis == "x" else rule.encode(y="at:Q")
    return encoded


def count(n: int, noun: str) -> str:
    """A number of things in words: 1 rater, 1,204 raters."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def short(name: str) -> str:
    """A name that leaves room for other words in a title."""
    return name if len(name) <= MOST_LETTERS else name[: MOST_LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def thinned(items: Sequence[T], most: int) -> Sequence[T]:
    """At most so many of the items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return items
    step = (len(items) - 1) / max(1, most - 1)
    return [items[round(place * step)] for place in range(most)]


def missing(figure: Unavailable | None) -> Unavailable:
    """Why a chart cannot be drawn: the reason of the figure that it would show."""
    return figure or Unavailable("not_computed", "this report does not hold the figures")


def shown(value: float, decimals: int = 1) -> str:
    """A number with a true minus; -0.04 is 0.0."""
    return format(round(value, decimals) + 0.0, f".{decimals}f").replace("-", MINUS)
