import pytest

from analysis import Unavailable
from analysis.files.table import (
    Cell,
    Column,
    Figure,
    Table,
    Unit,
    count,
    net,
    number,
    p_value,
    percent,
    plain,
    printed,
    share,
)

ONE_RATER = Unavailable("one_rater", "two are needed")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (count(5018), "5018"),
        (count(18.5), "18.5"),
        (percent(61.5), "61.5\N{NO-BREAK SPACE}%"),
        (share(0.5549), "55.5\N{NO-BREAK SPACE}%"),
        (net(0.0799), "+8.0"),
        (net(-0.0799), "\N{MINUS SIGN}8.0"),
        (net(-0.0004), "+0.0"),
        (number(-1.23456), "\N{MINUS SIGN}1.235"),
        (p_value(0.0144), "0.014"),
        (p_value(0.0001), "< 0.001"),
        (Figure(1019.15, Unit.ELO), "1019"),
        (ONE_RATER, "n/a (one_rater)"),
        (None, ""),
        ("robust", "robust"),
    ],
)
def test_a_cell_is_printed_in_its_unit(cell: Cell, text: str) -> None:
    assert printed(cell) == text


def test_an_interval_is_printed_in_the_unit_of_its_figure() -> None:
    assert plain(percent(61.5, (0.546, 0.6797))) == "61.5\N{NO-BREAK SPACE}% [54.6, 68.0]"
    assert plain(net(-0.01, (-0.05, 0.03))) == "\N{MINUS SIGN}1.0 [\N{MINUS SIGN}5.0, 3.0]"


def test_an_interval_that_cannot_be_had_says_why() -> None:
    assert plain(percent(61.5, ONE_RATER)) == "61.5\N{NO-BREAK SPACE}% n/a (one_rater)"


def test_a_table_gives_each_reason_for_what_is_missing_once() -> None:
    rows = (("a", ONE_RATER), ("b", percent(1.0, ONE_RATER)), ("c", Unavailable("zero_variance", "all alike")))
    table = Table("t", "T", (Column("row", "Row"), Column("x", "X")), rows)
    assert table.reasons() == ("one_rater: two are needed", "zero_variance: all alike")
