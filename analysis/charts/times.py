"""What quick, middling and slow votes chose."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt

from analysis.charts.parts import Row, missing, shown, table
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_NONE, GROUND, INK, INK_SOFT, WIDTH
from analysis.records import Unavailable
from analysis.report import Report
from analysis.times import ChoiceCounts, Times

THIRDS = ("quickest third", "middle third", "slowest third")
# Below this a part has room for its number, but not for its name, or for neither.
ROOM_FOR_NAME, ROOM_FOR_NUMBER = 18, 7
ROW_HEIGHT = 36


def draw(report: Report) -> Drawing | Unavailable:
    """One bar a third of the votes: left, Same and right."""
    return of_times(report.times) if isinstance(report.times, Times) else missing(report.times)


def of_times(times: Times) -> Drawing:
    """Bars to 100 % with their numbers inside."""
    names = dict(zip(THIRDS, _spans(times), strict=True))
    thirds = zip(THIRDS, times.choice_by_tercile, strict=True)
    parts = [part for name, counts in thirds for part in _parts(f"{name}, {names[name]}", counts)]
    base = alt.Chart(table(parts)).encode(
        y=alt.Y("third:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=180))
    )
    bars = base.mark_bar(height=alt.RelativeBandSize(band=0.78), stroke=GROUND).encode(
        x=alt.X(
            "start:Q",
            title="% of votes",
            scale=alt.Scale(domain=[0, 100]),
            axis=alt.Axis(values=[0, 50, 100], grid=False),
        ),
        x2="end:Q",
        color=alt.Color("colour:N", scale=None),
        opacity=alt.condition("datum.button === 'same'", alt.value(0.45), alt.value(1)),
    )
    ends = base.transform_filter("datum.button !== 'same'").mark_text(color=GROUND)
    middle = base.transform_filter("datum.button === 'same'").mark_text(color=INK)
    words = [mark.encode(x="at:Q", text="words:N") for mark in (ends, middle)]
    chart = alt.layer(bars, *words).properties(width=WIDTH, height=ROW_HEIGHT * len(THIRDS))
    return Drawing.of(chart, alt=_alt(times, names))


def _parts(third: str, counts: ChoiceCounts) -> Iterator[Row]:
    pressed = {"left": counts.left, "same": counts.same, "right": counts.right}
    total = sum(pressed.values())
    start = 0.0
    for button, votes in pressed.items():
        percent = 100 * votes / total if total else 0.0
        yield {
            "third": third,
            "button": button,
            "start": start,
            "end": start + percent,
            "at": start + percent / 2,
            "words": _words(button, percent),
            "colour": ARM_NONE if button == "same" else INK_SOFT,
        }
        start += percent


def _words(button: str, percent: float) -> str:
    if percent < ROOM_FOR_NUMBER:
        return ""
    return shown(percent) if percent < ROOM_FOR_NAME else f"{button} {shown(percent)}"


def _spans(times: Times) -> tuple[str, str, str]:
    low, high = (f"{edge / 1000:.1f} s" for edge in times.tercile_edges_ms)
    return f"up to {low}", f"{low} to {high}", f"over {high}"


def _alt(times: Times, names: dict[str, str]) -> str:
    lines = "; ".join(
        f"{name} ({names[name]}) left {counts.left}, Same {counts.same}, right {counts.right}"
        for name, counts in zip(THIRDS, times.choice_by_tercile, strict=True)
    )
    return f"Choices in {times.timed:,} votes with a time: {lines}."
