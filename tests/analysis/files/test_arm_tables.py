import pytest

from analysis.files.sections import tables_of
from analysis.files.table import Figure, Table
from analysis.ranking import BradleyTerry, Leaderboard
from tests.analysis.files.reports import degenerate, four_arms


def table(name: str, *, of: str = "") -> Table:
    report = degenerate(of) if of else four_arms()
    return next(found for found in tables_of(report) if found.name == name)


def test_the_leaderboard_lists_every_arm_best_first() -> None:
    board = four_arms().leaderboard
    assert isinstance(board, Leaderboard)
    assert [row[0] for row in table("leaderboard").rows] == [row.arm for row in board.rows]


def test_the_win_matrix_divides_by_all_votes_between_two_arms() -> None:
    rating = four_arms().bradley_terry
    assert isinstance(rating, BradleyTerry)
    matrix = table("leaderboard.win_matrix")
    at = {column.name: index for index, column in enumerate(matrix.columns)}
    cell = next(row for row in matrix.rows if row[0] == "a")[at["b"]]
    between = rating.wins[0][1] + rating.wins[1][0] + rating.ties[0][1]
    assert isinstance(cell, Figure)
    assert cell.value == pytest.approx(100 * rating.wins[0][1] / between)


def test_an_arm_is_not_compared_with_itself() -> None:
    matrix = table("leaderboard.win_matrix")
    assert all(row[index + 1] is None for index, row in enumerate(matrix.rows))


def test_parts_that_no_vote_links_are_rated_each_for_itself() -> None:
    rows = {row[0]: row[1:] for row in table("bradley_terry", of="K arms, two components").rows}
    first, second = rows["Davidson, only a, b"], rows["Davidson, only c, d"]
    assert [cell is None for cell in first] == [False, False, True, True, True]
    assert [cell is None for cell in second] == [True, True, False, False, True]


def test_ratings_with_prior_votes_are_called_no_result() -> None:
    rows = {row[0]: row[1:] for row in table("bradley_terry", of="K arms, one never wins").rows}
    assert all(isinstance(cell, Figure) for cell in rows["Davidson with prior votes, no result"][:4])


def test_pairings_that_could_not_be_tested_are_named() -> None:
    (note,) = table("bradley_terry.pairwise", of="one pair").notes
    assert "Left out: robust-vanilla (one_pair)." in note
