"""The leaderboard and the win matrix of K arms."""

import pytest

from analysis.charts.leaderboard import of_leaderboard
from analysis.charts.rendering import svg_of
from analysis.charts.wins import ARMS_WITH_COUNTS, of_matrix
from analysis.ranking import Leaderboard, LeaderboardRow, WinMatrix
from tests.analysis.charts.specs import rows_of


def row_of(arm: str, elo: float, best: int, worst: int) -> LeaderboardRow:
    return LeaderboardRow(arm, 0.0, (0.0, 0.0), elo, (elo - 20, elo + 20), 5, 5, 5, 15, best, worst, best)


def matrix_of(k: int) -> WinMatrix:
    """Arm i beats arm j with chance 0.5 + 0.1 (j - i), as far as that goes; ties take no part."""
    arms = tuple(f"arm {i}" for i in range(k))
    beats = tuple(
        tuple(None if i == j else min(0.9, max(0.1, 0.5 + 0.1 * (j - i))) for j in range(k)) for i in range(k)
    )
    wins = tuple(tuple(0 if i == j else 10 + j - i for j in range(k)) for i in range(k))
    ties = tuple(tuple(0 if i == j else 3 for j in range(k)) for i in range(k))
    return WinMatrix(arms, wins, ties, beats, beats)


@pytest.fixture
def board() -> Leaderboard:
    rows = (row_of("cfg", 1040, 1, 1), row_of("robust", 990, 2, 3), row_of("vanilla", 970, 2, 3))
    return Leaderboard(rows, (), matrix_of(3), 0.05, 30.0, 900, 100, 40, None, ())


def test_arms_stand_best_first_with_the_ranks_that_are_open(board: Leaderboard) -> None:
    rows = rows_of(of_leaderboard(board), "estimate")
    assert [(row["row"][5:], row["estimate"], row["beside"]) for row in rows] == [
        ("cfg", 1040, "rank 1"),
        ("robust", 990, "rank 2 to 3"),
        ("vanilla", 970, "rank 2 to 3"),
    ]


def test_the_leaderboards_alt_text_has_intervals_and_ranks(board: Leaderboard) -> None:
    assert "robust 990 (95 % interval 970 to 1010, rank 2 to 3)" in of_leaderboard(board).alt


def test_each_square_has_chance_and_votes_won_tied_and_lost() -> None:
    cells = {(cell["row"], cell["column"]): cell for cell in rows_of(of_matrix(matrix_of(3)), "chance")}
    assert cells["arm 0", "arm 2"]["chance"] == "70 %"
    assert cells["arm 0", "arm 2"]["votes"] == "12\N{EN DASH}3\N{EN DASH}8"
    assert cells["arm 1", "arm 1"]["chance"] == ""


def test_a_square_is_the_deeper_the_clearer_and_mirrored_in_the_other_colour() -> None:
    cells = {(cell["row"], cell["column"]): cell for cell in rows_of(of_matrix(matrix_of(3)), "chance")}
    clear, close, mirrored = cells["arm 0", "arm 2"], cells["arm 0", "arm 1"], cells["arm 2", "arm 0"]
    assert clear["depth"] > close["depth"] > 0
    assert mirrored["depth"] == clear["depth"]
    assert mirrored["colour"] != clear["colour"]


def test_many_arms_leave_the_votes_out() -> None:
    votes = "\N{EN DASH}3\N{EN DASH}"
    assert votes in svg_of(of_matrix(matrix_of(ARMS_WITH_COUNTS)))
    assert votes not in svg_of(of_matrix(matrix_of(ARMS_WITH_COUNTS + 1)))
