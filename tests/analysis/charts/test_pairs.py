"""The strip of comparisons: sorted, complete, and never more strokes than a screen has room for."""

import pytest

from analysis import Unavailable, analyse
from analysis.charts.pairs import MOST_STROKES, draw
from analysis.report import Pairing
from tests.analysis.charts.specs import rows_of
from tests.analysis.logs import Entry, log, pair_of


def pairing_of(*pairs: tuple[int, int, int]) -> Pairing:
    votes: list[Entry] = []
    for number, (a, b, same) in enumerate(pairs):
        votes += pair_of(a, b, same, name=f"p{number}")
    return analyse(log(votes)).pairings[0]


def test_strokes_fall_from_the_first_arms_pairs_to_the_second_arms() -> None:
    rows = rows_of(draw(pairing_of((0, 4, 0), (3, 1, 0), (2, 2, 1))), "share")
    assert [row["share"] for row in rows] == [75, 50, 0]
    assert len({row["colour"] for row in rows}) == 3


def test_a_pair_where_nobody_chose_a_side_stands_on_one_half() -> None:
    rows = rows_of(draw(pairing_of((2, 0, 0), (0, 0, 3))), "share")
    assert [row["share"] for row in rows] == [100, 50]


def test_many_pairs_are_drawn_as_means_of_neighbours() -> None:
    many = pairing_of(*((number % 5, 4 - number % 5, 0) for number in range(1000)))
    rows = rows_of(draw(many), "share")
    assert len(rows) == MOST_STROKES
    assert (rows[0]["start"], rows[-1]["end"]) == (0, 1000)
    widths = [row["end"] - row["start"] for row in rows]
    mean = sum(row["share"] * width for row, width in zip(rows, widths, strict=True)) / 1000
    assert mean == pytest.approx(50, abs=0.01)


def test_the_alt_text_counts_the_pairs() -> None:
    alt = draw(pairing_of((3, 1, 0), (0, 4, 0), (5, 0, 0), (0, 0, 1))).alt
    assert "4 comparisons" in alt
    assert "2 with more votes for robust, 1 with more for vanilla, 1 with neither" in alt


def test_only_same_gives_a_sentence() -> None:
    assert draw(pairing_of((0, 0, 3))) == Unavailable(
        "no_side_votes", "no vote chose a side, so there is nothing to sort comparisons by"
    )
