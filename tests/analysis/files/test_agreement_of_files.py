"""CSV, LaTeX, HTML, text and JSON hold the same numbers: every figure of a table is a figure of the JSON."""

from collections.abc import Iterator

import pytest

from analysis import Report
from analysis.files.sections import tables_of
from analysis.files.table import Figure, Unit
from analysis.records import Json
from tests.analysis.files.reports import degenerate, four_arms, planned, table_2

# Made of several figures of the JSON: a share of two counts, the root of a variance, how many arms there are.
DERIVED = {
    ("leaderboard.win_matrix", ""),
    ("votes", "Arms"),
    ("votes", "Raters left out by the plan's filters"),
    ("tests.two_way_net", "Standard error if votes were independent, points"),
    ("rater_quality", ""),
}


def leaves(value: Json) -> Iterator[float]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    elif isinstance(value, int | float):
        yield float(value)


def numbers(figure: Figure) -> Iterator[float]:
    scale = 100 if figure.unit is Unit.PERCENT else 1
    yield figure.value / scale
    if isinstance(figure.interval, tuple):
        yield from (bound / scale for bound in figure.interval)


@pytest.mark.parametrize("made", [table_2, planned, four_arms, lambda: degenerate("one pair")])
def test_every_figure_of_every_table_is_in_the_json(made: object) -> None:
    report: Report = made()
    known = {round(number, 9) for leaf in leaves(report.as_json()) for number in (leaf, leaf / 100)}
    unknown = [
        (table.name, name, number)
        for table in tables_of(report)
        for name, row in table.named_rows()
        for cell in row
        if isinstance(cell, Figure) and not {(table.name, ""), (table.name, name)} & DERIVED
        for number in numbers(cell)
        if round(number, 9) not in known
    ]
    assert unknown == []
