"""A table before it is written: rows of figures that know their unit, and one way to print each.

CSV takes the numbers as they are; text, LaTeX and HTML take them as printed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from analysis.intervals import Interval
from analysis.records import Unavailable

MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


class Unit(StrEnum):
    """What a figure is measured in; the names stand in the CSV."""

    COUNT = "count"
    PERCENT = "percent"
    NET = "net"
    NET_SE = "net_se"
    NUMBER = "number"
    P = "p"
    ELO = "elo"
    MS = "ms"


@dataclass(frozen=True)
class Figure:
    """One number of a table, with its 95 % interval where it has one.

    PERCENT runs from 0 to 100, its interval too. NET is a mean of +1/0/-1, so it runs from -1 to 1 and is printed in
    points; NET_SE is its standard error. P is a probability that counts as evidence. MS are milliseconds.
    """

    value: float
    unit: Unit
    interval: Interval | Unavailable | None = None


# None: this row has no such figure. Unavailable: it would have one, but the votes do not give it.
Cell: TypeAlias = str | Figure | Unavailable | None


@dataclass(frozen=True)
class Column:
    """name: the heading in a CSV. title: the heading for readers."""

    name: str
    title: str


@dataclass(frozen=True)
class Table:
    """One table of a report. name: the path of the JSON that it comes from, such as `bradley_terry.pairwise`.

    arms: of the pairing that it is about; empty where it is about all arms or about the raters. The first column
    names the rows; keys name them to programs where that is another name. notes: sentences to stand below it.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    arms: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def named_rows(self) -> Iterator[tuple[str, tuple[Cell, ...]]]:
        """Each row with the name that programs know it by."""
        names = self.keys or tuple(printed(row[0]) for row in self.rows)
        return zip(names, self.rows, strict=True)

    def column(self, index: int) -> Iterator[Cell]:
        return (row[index] for row in self.rows)

    def reasons(self) -> tuple[str, ...]:
        """Why figures are missing: one `code: detail` for each reason, in order of appearance."""
        missing = (absent for row in self.rows for cell in row for absent in _absent(cell))
        return tuple(dict.fromkeys(f"{absent.code}: {absent.detail}" for absent in missing))


def count(value: float) -> Figure:
    """A number of votes, pairs, raters or anything else that is counted, or a median of such numbers."""
    return Figure(value, Unit.COUNT)


def percent(value: float, shares: Interval | Unavailable | None = None) -> Figure:
    """A percentage (0 to 100); its interval is given as shares (0 to 1), as the records hold it."""
    return Figure(value, Unit.PERCENT, (100 * shares[0], 100 * shares[1]) if isinstance(shares, tuple) else shares)


def share(value: float, interval: Interval | Unavailable | None = None) -> Figure:
    """A share (0 to 1) as a percentage."""
    return percent(100 * value, interval)


def net(value: float, interval: Interval | Unavailable | None = None) -> Figure:
    """A net preference or a difference of shares, -1 to 1."""
    return Figure(value, Unit.NET, interval)


def net_se(value: float) -> Figure:
    """The standard error of a net preference."""
    return Figure(value, Unit.NET_SE)


def number(value: float, interval: Interval | Unavailable | None = None) -> Figure:
    """A number without a unit of its own, such as a coefficient."""
    return Figure(value, Unit.NUMBER, interval)


def p_value(value: float) -> Figure:
    return Figure(value, Unit.P)


def printed(cell: Cell) -> str:
    """A cell as readers see it, without its interval: a true minus, a fixed number of decimals."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Unavailable):
        return f"n/a ({cell.code})"
    return _printed(cell.value, cell.unit, sign="+" if cell.unit is Unit.NET else "-")


def printed_interval(cell: Cell) -> tuple[str, str] | str:
    """The two bounds as printed, or why there are none; an empty text where none is due."""
    if not isinstance(cell, Figure) or cell.interval is None:
        return ""
    if isinstance(cell.interval, Unavailable):
        return f"n/a ({cell.interval.code})"
    low, high = (_printed(bound, cell.unit).removesuffix(f"{SPACE}%") for bound in cell.interval)
    return low, high


def plain(cell: Cell) -> str:
    """A cell with its interval in brackets behind it."""
    interval = printed_interval(cell)
    behind = f"[{', '.join(interval)}]" if isinstance(interval, tuple) else interval
    return f"{printed(cell)} {behind}".strip()


def _absent(cell: Cell) -> Iterator[Unavailable]:
    if isinstance(cell, Unavailable):
        yield cell
    if isinstance(cell, Figure) and isinstance(cell.interval, Unavailable):
        yield cell.interval


def _printed(value: float, unit: Unit, *, sign: str = "-") -> str:
    match unit:
        case Unit.COUNT:
            return _decimals(value, 0 if value == int(value) else 1, sign)
        case Unit.ELO | Unit.MS:
            return _decimals(value, 0, sign)
        case Unit.PERCENT:
            return _decimals(value, 1, sign) + f"{SPACE}%"
        case Unit.NET | Unit.NET_SE:
            return _decimals(100 * value, 1, sign)
        case Unit.P if value < 0.001:
            return "< 0.001"
        case Unit.P | Unit.NUMBER:
            return _decimals(value, 3, sign)


def _decimals(value: float, places: int, sign: str) -> str:
    # -0.04 rounds to -0.0: adding zero drops the sign.
    return format(round(value, places) + 0.0, f"{sign}.{places}f").replace("-", MINUS)
