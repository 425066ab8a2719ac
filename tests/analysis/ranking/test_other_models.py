import math

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from analysis import Unavailable, Votes
from analysis.ranking import BradleyTerry, Davidson, PlainRating, RaoKupper, bradley_terry
from tests.analysis.ranking.logs import FOUR, duels, match, simulated


def fitted(votes: Votes) -> BradleyTerry:
    fit = bradley_terry(votes)
    assert isinstance(fit, BradleyTerry)
    return fit


def four_arms() -> BradleyTerry:
    return fitted(duels(simulated(FOUR, nu=0.7, groups=12, raters=15, seed=4)))


def test_votes_that_chose_a_side_have_the_ratings_of_choix() -> None:
    fit = four_arms()
    # choix returns log-worths with mean 0
    expected = choix.ilsr_pairwise_dense(np.array(fit.wins, dtype=float), tol=1e-10)
    assert isinstance(fit.bt_side_only, PlainRating)
    assert list(fit.bt_side_only.theta.values()) == pytest.approx(expected, abs=1e-7)


def test_half_a_win_each_has_the_ratings_of_choix() -> None:
    fit = four_arms()
    wins = np.array(fit.wins) + np.array(fit.ties) / 2
    assert isinstance(fit.bt_half_tie, PlainRating)
    assert list(fit.bt_half_tie.theta.values()) == pytest.approx(choix.ilsr_pairwise_dense(wins, tol=1e-10), abs=1e-7)
    theta = np.array(list(fit.bt_half_tie.theta.values()))
    margin = theta[:, None] - theta[None, :]
    assert fit.bt_half_tie.loglik == pytest.approx(-(wins * np.logaddexp(0, -margin)).sum(), abs=1e-8)


def test_half_a_win_each_pulls_the_ratings_together() -> None:
    fit = four_arms()
    assert isinstance(fit.bt_half_tie, PlainRating)
    assert isinstance(fit.davidson, Davidson)
    assert max(fit.bt_half_tie.theta.values()) < max(fit.davidson.theta.values())


def test_arms_linked_by_ties_alone_have_no_ratings_without_them() -> None:
    fit = fitted(duels(match("A", "B", 6, 3, 3) + match("A", "C", 0, 0, 4)))
    assert isinstance(fit.davidson, Davidson)
    assert fit.davidson.theta["A"] == pytest.approx(fit.davidson.theta["C"], abs=1e-9)
    assert isinstance(fit.bt_side_only, Unavailable)
    assert fit.bt_side_only.code == "disconnected_comparison_graph"
    assert isinstance(fit.bt_half_tie, PlainRating)


def test_rao_and_kuppers_maximum_is_the_one_scipy_finds() -> None:
    fit = four_arms()
    wins, ties = np.array(fit.wins), np.triu(np.array(fit.ties))

    def minus_loglik(at: np.ndarray) -> float:
        worth, kappa = np.exp(np.append(at[:3], -at[:3].sum())), 1 + np.exp(at[3])
        mine, other = worth[:, None], worth[None, :]
        p_win = mine / (mine + kappa * other)
        p_tie = (kappa**2 - 1) * mine * other / ((mine + kappa * other) * (kappa * mine + other))
        return -float((wins * np.log(p_win) + ties * np.log(p_tie)).sum())

    best = optimize.minimize(minus_loglik, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    assert isinstance(fit.rao_kupper, RaoKupper)
    assert list(fit.rao_kupper.theta.values())[:3] == pytest.approx(best.x[:3], abs=2e-5)
    assert fit.rao_kupper.kappa == pytest.approx(1 + math.exp(best.x[3]), abs=2e-5)
    assert fit.rao_kupper.loglik == pytest.approx(-best.fun, abs=1e-7)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
@settings(deadline=None, max_examples=25)
def test_with_two_arms_every_model_with_ties_fits_the_shares_exactly(a: int, b: int, ties: int) -> None:
    fit = fitted(duels(match("A", "B", a, b, ties)))
    n = a + b + ties
    exact = sum(k * math.log(k / n) for k in (a, b, ties))
    assert isinstance(fit.davidson, Davidson)
    assert isinstance(fit.rao_kupper, RaoKupper)
    assert fit.davidson.loglik == pytest.approx(exact, abs=1e-8)
    assert fit.rao_kupper.loglik == pytest.approx(exact, abs=1e-8)
    worth, kappa = math.exp(2 * fit.rao_kupper.theta["A"]), fit.rao_kupper.kappa
    assert worth / (worth + kappa) == pytest.approx(a / n, abs=1e-8)
