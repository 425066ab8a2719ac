from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import InvalidThreshold
from analysis.preference import Counts, Threshold, threshold_table
from tests.analysis.logs import Entry, log, pair_of, small_logs, unjudged


def first_preferred(a: int, b: int, threshold: Threshold) -> tuple[int, int, int]:
    (row,) = threshold_table(Counts.of(log(pair_of(a, b))), [threshold]).rows
    return row.first.pairs, row.second.pairs, row.no_preference.pairs


@pytest.mark.parametrize(
    ("chosen", "side", "threshold"),
    [(11, 20, 55), (14, 25, 56), (29, 50, 58), (3, 5, 60), (7, 10, 70), (63, 90, 70), (2, 3, Fraction(200, 3))],
)
def test_exactly_the_threshold_is_no_preference_where_floats_fail(chosen: int, side: int, threshold: Threshold) -> None:
    assert first_preferred(chosen, side - chosen, threshold) == (0, 0, 1)
    assert first_preferred(side - chosen, chosen, threshold) == (0, 0, 1)
    assert first_preferred(10 * chosen + 1, 10 * (side - chosen) - 1, threshold) == (1, 0, 0)


@pytest.mark.parametrize("threshold", [66.6, "66.6", Decimal("66.6")])
def test_decimal_thresholds_mean_what_they_say(threshold: Threshold) -> None:
    assert first_preferred(333, 167, threshold) == (0, 0, 1)
    assert first_preferred(334, 166, threshold) == (1, 0, 0)
    assert threshold_table(Counts.of(log(pair_of(1, 0))), [threshold]).rows[0].threshold == "66.6"


@pytest.mark.parametrize("threshold", [49, 49.9, 100, -60, "nan", "sixty", "1e999999999", "60/0", 1e-30])
def test_a_threshold_outside_50_to_100_is_refused(threshold: Threshold) -> None:
    with pytest.raises(InvalidThreshold):
        threshold_table(Counts.of(log(pair_of(1, 0))), [threshold])


def test_same_is_not_in_the_denominator() -> None:
    (row,) = threshold_table(Counts.of(log(pair_of(3, 1, 40))), [70]).rows
    assert row.first.pairs == 1


def test_ties_empty_and_unjudged_pairs_are_no_preference_and_counted_apart() -> None:
    entries = pair_of(2, 2, 1, name="tie") + pair_of(0, 0, 3, name="same") + pair_of(1, 0, name="won")
    table = threshold_table(Counts.of(log(entries, pairs=unjudged("nobody"))))
    assert [row.no_preference.pairs for row in table.rows] == [3, 3, 3, 3]
    assert (table.exact_ties, table.pairs_without_side_votes, table.unjudged) == (1, 2, 1)


def test_an_unjudged_comparison_stays_in_the_denominator() -> None:
    table = threshold_table(Counts.of(log(pair_of(1, 0), pairs=unjudged("p2", "p3", "p4"))))
    assert table.pairs == 4
    assert [cell.percent for cell in table.rows[0].cells] == [25.0, 0.0, 75.0]


def test_intervals_are_wilson_s_with_pairs_as_units() -> None:
    entries = pair_of(3, 0, name="p1") + pair_of(3, 0, name="p2") + pair_of(0, 3, name="p3")
    cell = threshold_table(Counts.of(log(entries))).rows[0].first
    expected = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert cell.wilson95 == pytest.approx((expected.low, expected.high), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(small_logs(), st.integers(50, 99))
def test_every_row_adds_up_to_all_comparisons_and_follows_the_definition(entries: list[Entry], t: int) -> None:
    counts = Counts.of(log(entries, pairs=unjudged("q1", "q2")))
    (row,) = threshold_table(counts, [t]).rows
    assert sum(cell.pairs for cell in row.cells) == counts.pairs
    assert row.first.pairs == sum(Fraction(100 * p.a, p.side) > t for p in counts.rows() if p.side)
    assert row.second.pairs == sum(Fraction(100 * p.b, p.side) > t for p in counts.rows() if p.side)
