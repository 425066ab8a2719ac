"""The stacked bars stand where the threshold table's numbers put them."""

from itertools import pairwise

import pytest

from analysis import analyse
from analysis.charts.thresholds import draw
from analysis.report import Pairing
from tests.analysis.charts.specs import rows_of
from tests.analysis.logs import log, pair_of


def pairing_of(outcomes: str) -> Pairing:
    """One pair a letter, which one rater judged: a, b, or s for Same."""
    votes = [("r0", f"p{n}", outcome) for n, outcome in enumerate(outcomes)]
    return analyse(log([*votes, *pair_of(1, 0, name="p0")[1:]])).pairings[0]


def test_a_bar_has_the_tables_three_shares_in_order() -> None:
    rows = [row for row in rows_of(draw(pairing_of("aabs")), "start") if row["threshold"] == "> 50 %"]
    assert [(row["who"], row["percent"]) for row in rows] == [("robust", 50), ("no preference", 25), ("vanilla", 25)]


def test_parts_meet_without_gaps_and_no_preference_stands_on_zero() -> None:
    rows = rows_of(draw(pairing_of("aaabbs")), "start")
    first, none, second = rows[:3]
    assert all(left["end"] == pytest.approx(right["start"]) for left, right in pairwise((first, none, second)))
    assert none["start"] == pytest.approx(-none["end"])
    assert second["end"] - first["start"] == pytest.approx(100)


def test_a_part_too_narrow_for_its_number_has_it_outside() -> None:
    first, none, second = rows_of(draw(pairing_of("a" * 19 + "b")), "start")[:3]
    assert first["start"] < first["at"] < first["end"]
    assert (second["number"], none["number"]) == ("5.0", "")
    assert second["at"] > second["end"]


def test_the_alt_text_says_every_number() -> None:
    alt = draw(pairing_of("aabs")).alt
    assert "4 comparisons" in alt
    assert "more than 80 %: robust 50.0 %, vanilla 25.0 %, no preference 25.0 %" in alt
