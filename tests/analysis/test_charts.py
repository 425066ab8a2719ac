"""Bars stand where the table's numbers put them."""

import pytest

from analysis import analyse
from analysis.charts import Bar, threshold_bars
from analysis.votes import VoteColumns, Votes


def bars_of(choices: str) -> tuple[Bar, ...]:
    """One pair per letter: a (first arm on the left chosen), b, or s for Same."""
    names = [f"p{i}" for i in range(len(choices))]
    columns = VoteColumns(
        pair_id=names,
        rater_id=["r"] * len(names),
        left_arm=["one"] * len(names),
        right_arm=["two"] * len(names),
        choice=[{"a": "left", "b": "right", "s": "same"}[c] for c in choices],
    )
    return threshold_bars(analyse(Votes.from_rows(columns)).pairings[0].threshold_table)


def test_parts_stand_first_arm_none_second_arm_from_the_left() -> None:
    bar = bars_of("aabs")[0]
    assert [(part.side, part.width) for part in bar.parts] == [("a", 50.0), ("none", 25.0), ("b", 25.0)]


def test_parts_fill_the_bar_without_gaps() -> None:
    for bar in bars_of("aaabbs"):
        ends = [part.x + part.width for part in bar.parts]
        assert [part.x for part in bar.parts] == pytest.approx([0.0, *ends[:-1]], abs=0.002)
        assert ends[-1] == pytest.approx(100.0, abs=0.002)


def test_a_part_too_narrow_for_its_number_says_so() -> None:
    parts = bars_of("a" * 19 + "b")[0].parts
    assert [part.has_room for part in parts] == [True, False, False]
