"""Preference by class, or by comparison where every class has only one: what was seen beside what is believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from analysis.charts.forest import ForestRow, forest
from analysis.charts.parts import count, missing, short, shown
from analysis.charts.rendering import Drawing
from analysis.classes import Classes, ClassRow, ShrunkenPair, ShrunkenPairs
from analysis.records import Unavailable
from analysis.report import Pairing

Row = TypeVar("Row", ClassRow, ShrunkenPair)

# More rows than this nobody reads: the ends of the order are drawn, and the files hold the rest.
MOST_CLASSES = 30
MOST_PAIRS = 16
NORMAL_95 = 1.959964


def draw(pairing: Pairing) -> Drawing | Unavailable:
    """The classes in the order of their shrunken means; comparisons where a class has but one of them."""
    classes, pairs = pairing.classes, pairing.shrunken_pairs
    if isinstance(classes, Classes):
        return of_classes(classes, pairing.arms)
    if isinstance(pairs, ShrunkenPairs):
        return of_pairs(pairs, pairing.arms)
    return missing(classes)


def of_classes(classes: Classes, arms: tuple[str, str]) -> Drawing:
    """Class means as seen (open) and drawn towards the common mean (filled), each with its 95 % interval."""
    order = sorted(classes.rows, key=lambda row: -row.shrunken)
    rows = [_class_row(row) for row in _ends(order, MOST_CLASSES)]
    alt = (
        f"Net preference for {arms[0]} in {len(classes.rows):,} classes, drawn towards "
        f"their mean of {_points(classes.mu)} points. {_extremes(order, [row.class_label for row in order])}"
    )
    return Drawing.of(forest(rows, title=_title(arms), null=0.0, factor=100, note=_cut(order, MOST_CLASSES)), alt=alt)


def of_pairs(pairs: ShrunkenPairs, arms: tuple[str, str]) -> Drawing:
    """Comparisons as seen (open) and drawn towards their mean (filled), with a normal 95 % interval of the latter."""
    order = sorted(pairs.rows, key=lambda row: -row.shrunken)
    names = [_name(row) for row in order]
    rows = [_pair_row(row) for row in _ends(order, MOST_PAIRS)]
    alt = (
        f"Net preference for {arms[0]} in {count(pairs.pairs, 'comparison')}, drawn towards their mean of "
        f"{_points(pairs.mu)} points. {_extremes(order, names)}"
    )
    return Drawing.of(forest(rows, title=_title(arms), null=0.0, factor=100, note=_cut(order, MOST_PAIRS)), alt=alt)


def _class_row(row: ClassRow) -> ForestRow:
    (raw_low, raw_high), (low, high) = row.ci95, row.shrunken_ci95
    name = f"{row.class_label} ({row.pairs})"
    return ForestRow(name, row.shrunken, low, high, raw=row.mean, raw_low=raw_low, raw_high=raw_high)


def _pair_row(row: ShrunkenPair) -> ForestRow:
    half = NORMAL_95 * row.sd
    return ForestRow(_name(row), row.shrunken, row.shrunken - half, row.shrunken + half, raw=row.mean)


def _name(row: ShrunkenPair) -> str:
    return f"{row.pair} {row.class_label}".strip()


def _ends(order: list[Row], most: int) -> list[Row]:
    return order if len(order) <= most else order[: most // 2] + order[-(most // 2) :]


def _title(arms: tuple[str, str]) -> str:
    return f"net preference for {short(arms[0])}, points"


def _cut(order: Sequence[object], most: int) -> str:
    half = most // 2
    return f"the {half} highest, then the {half} lowest, of {len(order):,}" if len(order) > most else ""


def _extremes(order: Sequence[ClassRow | ShrunkenPair], names: Sequence[str]) -> str:
    return (
        f"Highest {names[0]} with {_points(order[0].shrunken)}, lowest {names[-1]} with "
        f"{_points(order[-1].shrunken)} points."
    )


def _points(net: float) -> str:
    return shown(100 * net)
