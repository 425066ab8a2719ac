"""Where the marks of a chart stand; drawing them is the page's or the figure's business.

Lengths are in the units of a drawing 1000 wide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.preference import Cell, ThresholdRow, ThresholdTable

LABEL_WIDTH = 80.0
BARS_WIDTH = 1000.0 - LABEL_WIDTH
BAR_PITCH = 34
# A narrower part cannot hold its number.
ROOM_FOR_NUMBER = 62.0
SIDES = ("a", "none", "b")


@dataclass(frozen=True)
class BarPart:
    """One column of a stacked bar. side: a, b or none."""

    side: str
    column: str
    percent: float
    x: float
    width: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def has_room(self) -> bool:
        return self.width >= ROOM_FOR_NUMBER


@dataclass(frozen=True)
class Bar:
    """The stacked bar of one threshold; `top` is its upper edge."""

    threshold: str
    top: int
    parts: tuple[BarPart, ...]


@dataclass(frozen=True)
class Bars:
    """A threshold table as stacked bars: first arm from the left, second from the right, no preference between."""

    bars: tuple[Bar, ...]
    height: int


def threshold_bars(table: ThresholdTable) -> Bars:
    """Lay out a threshold table as one stacked bar a row."""
    bars = tuple(Bar(row.threshold, BAR_PITCH * i, tuple(_parts(row))) for i, row in enumerate(table.rows))
    return Bars(bars, height=BAR_PITCH * len(bars))


def _parts(row: ThresholdRow) -> Iterator[BarPart]:
    x = LABEL_WIDTH
    for side, cell in zip(SIDES, _from_left(row), strict=True):
        width = BARS_WIDTH * cell.percent / 100
        yield BarPart(side, cell.column.replace("_", " "), cell.percent, round(x, 2), round(width, 2))
        x += width


def _from_left(row: ThresholdRow) -> tuple[Cell, Cell, Cell]:
    return row.first, row.no_preference, row.second
