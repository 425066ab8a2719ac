import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from analysis import Unavailable, Votes
from analysis.ranking import METHODS, BradleyTerry, Davidson, Leaderboard, bradley_terry, leaderboard
from analysis.records import as_json
from tests.analysis.ranking.logs import FOUR, duels, match, simulated


def fitted(votes: Votes) -> BradleyTerry:
    fit = bradley_terry(votes)
    assert isinstance(fit, BradleyTerry)
    return fit


def board(votes: Votes) -> Leaderboard:
    found = leaderboard(fitted(votes))
    assert isinstance(found, Leaderboard)
    return found


def four_arms() -> Votes:
    return duels(simulated({"D": 0.6, "B": 0.1, "C": 0.0, "A": -0.5}, nu=0.7, groups=16, raters=20, seed=6))


def test_arms_stand_in_the_order_of_their_ratings() -> None:
    found = board(four_arms())
    thetas = [row.theta for row in found.rows]
    assert thetas == sorted(thetas, reverse=True)
    assert found.rows[0].arm == "D"
    assert found.positions()["A"] == 3


def test_elo_is_four_hundred_points_for_odds_of_ten() -> None:
    votes = duels(match("A", "B", 50, 5, 3))
    first, second = board(votes).rows
    assert first.elo - second.elo == pytest.approx(400)
    assert (first.elo + second.elo) / 2 == pytest.approx(1000)
    scale = 400 / math.log(10)
    assert first.elo_ci95 == pytest.approx([1000 + scale * end for end in first.theta_ci95])


def test_wins_ties_and_losses_are_those_of_the_log() -> None:
    votes = four_arms()
    for row in board(votes).rows:
        arm = votes.arms.index(row.arm)
        in_it = (votes.left_arm == arm) | (votes.right_arm == arm)
        chosen = np.where(votes.choice == 0, votes.left_arm, np.where(votes.choice == 1, votes.right_arm, -1))
        assert row.votes == in_it.sum()
        assert row.wins == (chosen == arm).sum()
        assert row.ties == (in_it & (chosen == -1)).sum()
        assert row.losses == (in_it & (chosen != arm) & (chosen != -1)).sum()


def test_rank_ranges_count_the_contrasts_that_holm_leaves_significant() -> None:
    found = board(four_arms())
    assert len(found.contrasts) == 6
    p = [2 * stats.t.sf(abs(c.difference) / c.se, found.df) for c in found.contrasts]
    reject, p_holm, _, _ = multipletests(p, alpha=0.05, method="holm")
    assert [c.p_holm for c in found.contrasts] == pytest.approx(p_holm, rel=1e-9)
    # This log leaves some contrasts open, or the ranges would be single ranks.
    assert 0 < reject.sum() < 6
    for row in found.rows:
        mine = [
            (c.difference > 0) == (c.first == row.arm)
            for c, significant in zip(found.contrasts, reject, strict=True)
            if significant and row.arm in (c.first, c.second)
        ]
        assert row.rank_best == 1 + mine.count(False)
        assert row.rank_worst == 4 - mine.count(True)


def test_contrasts_have_t_intervals_around_the_difference() -> None:
    found = board(four_arms())
    for c in found.contrasts:
        assert c.df == found.df
        assert c.ci95 == pytest.approx(stats.t.interval(0.95, c.df, loc=c.difference, scale=c.se))


def test_the_rank_by_intervals_counts_intervals_wholly_above() -> None:
    found = board(four_arms())
    for row in found.rows:
        above = [other for other in found.rows if other.theta_ci95[0] > row.theta_ci95[1]]
        assert row.rank_by_intervals == 1 + len(above)


def test_the_win_matrix_is_in_the_order_of_the_rows_and_its_chances_add_up() -> None:
    votes = four_arms()
    fit = fitted(votes)
    found = board(votes)
    matrix = found.win_matrix
    assert matrix.arms == tuple(row.arm for row in found.rows)
    assert isinstance(fit.davidson, Davidson)
    for i, arm in enumerate(matrix.arms):
        assert sum(matrix.wins[i]) == found.rows[i].wins
        assert sum(matrix.ties[i]) == found.rows[i].ties
        assert matrix.p_beats[i][i] is None
        assert matrix.p_tie[i][i] is None
        for j, other in enumerate(matrix.arms):
            if i == j:
                continue
            beats, beaten, tie = matrix.p_beats[i][j], matrix.p_beats[j][i], matrix.p_tie[i][j]
            assert beats == fit.davidson.p_beats[f"{arm}>{other}"]
            assert beats is not None
            assert beaten is not None
            assert tie is not None
            assert beats + beaten + tie == pytest.approx(1)
            assert tie == matrix.p_tie[j][i]


def test_without_ratings_the_leaderboard_is_their_error() -> None:
    fit = fitted(duels(match("A", "B", 5, 0, 3)))
    found = leaderboard(fit)
    assert isinstance(found, Unavailable)
    assert found == fit.davidson


def test_few_raters_are_warned_about() -> None:
    warnings = board(duels(simulated(FOUR, nu=0.7, groups=10, raters=3, seed=6))).warnings
    assert len(warnings) == 1
    assert "raters weigh like" in warnings[0]
    assert board(four_arms()).warnings == ()


def test_every_part_of_the_document_has_a_method_that_explains_it() -> None:
    document = as_json(fitted(four_arms()))
    assert isinstance(document, dict)
    named = {method.name for method in METHODS}
    data = {"arms", "identifiability", "wins", "ties", "pairwise_family"}
    assert set(document) - data <= named
    assert all(method.explains.endswith(".") and method.citation for method in METHODS)
