"""Where the marks of a chart stand; drawing them is the page's or the figure's business.

Lengths are in per cent of the drawing's width, so that text keeps its size on every screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.preference import Cell, ThresholdRow, ThresholdTable

# A narrower part cannot hold its number, even on a phone.
ROOM_FOR_NUMBER = 14.0
SIDES = ("a", "none", "b")


@dataclass(frozen=True)
class BarPart:
    """One column of a stacked bar, from x on. side: a, b or none."""

    side: str
    column: str
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
    """The stacked bar of one threshold."""

    threshold: str
    parts: tuple[BarPart, ...]


def threshold_bars(table: ThresholdTable) -> tuple[Bar, ...]:
    """Lay out a threshold table as one stacked bar a row: first arm left, second right, no preference between."""
    return tuple(Bar(row.threshold, tuple(_parts(row))) for row in table.rows)


def _parts(row: ThresholdRow) -> Iterator[BarPart]:
    x = 0.0
    for side, cell in zip(SIDES, _from_left(row), strict=True):
        yield BarPart(side, cell.column.replace("_", " "), round(x, 3), round(cell.percent, 3))
        x += cell.percent


def _from_left(row: ThresholdRow) -> tuple[Cell, Cell, Cell]:
    return row.first, row.no_preference, row.second
