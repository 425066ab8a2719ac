import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis import Unavailable, Votes
from analysis.intervals import Floats
from analysis.ranking import BradleyTerry, Davidson, DavidsonWithPosition, bradley_terry
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import DAVIDSON
from analysis.records import as_json
from tests.analysis.ranking.logs import FOUR, SidedDuel, duels, leaves, match, sided, simulated, small_tournaments

# Chocolate puddings (Davidson 1970, example 2): first brand, second brand, wins of the first, of the second, ties.
PUDDINGS = [
    ("1", "2", 19, 22, 16), ("1", "3", 16, 19, 12), ("2", "3", 19, 19, 10), ("1", "4", 18, 23, 13),
    ("2", "4", 23, 19, 9), ("3", "4", 19, 20, 15), ("1", "5", 13, 19, 18), ("2", "5", 16, 20, 12),
    ("3", "5", 16, 15, 17), ("4", "5", 17, 14, 16), ("1", "6", 18, 21, 12), ("2", "6", 22, 20, 12),
    ("3", "6", 13, 18, 10), ("4", "6", 14, 19, 18), ("5", "6", 11, 21, 12),
]  # fmt: skip


def fitted(votes: Votes) -> BradleyTerry:
    fit = bradley_terry(votes)
    assert isinstance(fit, BradleyTerry)
    return fit


def rated(votes: Votes) -> Davidson:
    davidson = fitted(votes).davidson
    assert isinstance(davidson, Davidson)
    return davidson


def puddings() -> Votes:
    return duels([duel for row in PUDDINGS for duel in match(*row)])


def test_the_puddings_have_davidsons_worths() -> None:
    # R: coef(PlackettLuce(R, weights = w, npseudo = 0, maxit = 7), log = FALSE); seven steps give the worths as
    # Davidson (1970) printed them, a few units in the fifth decimal short of the maximum.
    published = [0.1388005, 0.1729985, 0.1617420, 0.1653930, 0.1586805, 0.2023855]
    davidson = rated(puddings())
    worths = np.exp(list(davidson.theta.values()))
    assert worths / worths.sum() == pytest.approx(published, abs=3e-5)
    # PlackettLuce counts a tie as a product of worths to the half, times its tie2: the same nu.
    assert davidson.nu == pytest.approx(0.7468147, abs=1e-4)


def test_the_puddings_have_the_errors_of_r() -> None:
    # R: summary(PlackettLuce(..., maxit = 7), ref = NULL), the mean worth as the reference
    davidson = rated(puddings())
    estimates = [-0.176581, 0.043664, -0.023617, -0.001295, -0.042726, 0.200555]
    errors = [0.121949, 0.121818, 0.126823, 0.122003, 0.127054, 0.126594]
    assert list(davidson.theta.values()) == pytest.approx(estimates, abs=1.5e-4)
    assert list(davidson.se_information.values()) == pytest.approx(errors, abs=1e-5)
    assert davidson.se_log_nu == pytest.approx(0.082499, abs=1e-5)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_two_arms_have_the_closed_form(a: int, b: int, ties: int) -> None:
    davidson = rated(duels(match("A", "B", a, b, ties)))
    assert davidson.theta["A"] - davidson.theta["B"] == pytest.approx(math.log(a / b), abs=1e-9)
    assert davidson.nu == pytest.approx(ties / math.sqrt(a * b), rel=1e-9)
    n = a + b + ties
    assert davidson.p_beats == pytest.approx({"A>B": a / n, "B>A": b / n}, abs=1e-9)
    assert davidson.p_tie == pytest.approx({"A-B": ties / n}, abs=1e-9)


@pytest.mark.parametrize(("a", "b", "ties"), [(1_000_000, 1, 1), (1, 300_000, 40), (700_000, 700_000, 1)])
def test_very_uneven_counts_still_reach_the_maximum(a: int, b: int, ties: int) -> None:
    fit = maximise(DAVIDSON, np.array([[[a, b, ties]]], dtype=float), design=np.ones((1, 1)))
    assert fit.reached.all()
    assert fit.linear[0, 0] == pytest.approx(math.log(a / b), abs=1e-8)
    assert fit.shape[0] == pytest.approx(math.log(ties / math.sqrt(a * b)), abs=1e-8)


def loglik_per_vote(votes: Votes) -> Callable[[Floats], Floats]:
    """Davidson's log-likelihood of each vote from the definition, of [theta without the last, ln nu, gamma]."""
    k = len(votes.arms)

    def of(parameters: Floats) -> Floats:
        theta = np.append(parameters[: k - 1], -parameters[: k - 1].sum())
        gamma = parameters[k] if len(parameters) > k else 0.0
        left, right = np.exp(theta[votes.left_arm] + gamma), np.exp(theta[votes.right_arm])
        tie = np.exp(parameters[k - 1]) * np.sqrt(left * right)
        chosen = np.choose(votes.choice, [left, right, tie])
        return np.log(chosen / (left + right + tie))

    return of


def minimised(votes: Votes, *, parameters: int) -> tuple[Floats, float]:
    of = loglik_per_vote(votes)
    best = optimize.minimize(lambda at: -of(at).sum(), np.zeros(parameters), method="BFGS", options={"gtol": 1e-7})
    return best.x, -float(best.fun)


def four_arms(seed: int = 4) -> Votes:
    return duels(simulated(FOUR, nu=0.7, groups=12, raters=15, seed=seed))


def test_four_arms_have_the_maximum_that_scipy_finds() -> None:
    votes = four_arms()
    davidson = rated(votes)
    best, loglik = minimised(votes, parameters=4)
    assert list(davidson.theta.values())[:3] == pytest.approx(best[:3], abs=2e-5)
    assert math.log(davidson.nu) == pytest.approx(best[3], abs=2e-5)
    assert davidson.loglik == pytest.approx(loglik, abs=1e-7)


def test_with_the_sides_four_arms_have_the_maximum_that_scipy_finds() -> None:
    # Raters who lean: of every two votes for the second arm on the right, one goes left.
    rng = np.random.default_rng(7)
    rows = [(*duel, int(rng.integers(2))) for duel in simulated(FOUR, nu=0.7, groups=12, raters=15, seed=7)]
    leaning = [(*row[:4], "<>"[1 - row[5]] if rng.random() < 0.2 else row[4], row[5]) for row in rows]
    votes = sided(leaning)
    with_position = fitted(votes).davidson_with_position
    assert isinstance(with_position, DavidsonWithPosition)
    best, loglik = minimised(votes, parameters=5)
    assert list(with_position.theta.values())[:3] == pytest.approx(best[:3], abs=2e-5)
    # In the definition here gamma is on one side only; ours is the same number.
    assert with_position.log_gamma_left == pytest.approx(best[4], abs=2e-5)
    assert with_position.log_gamma_left > 0.1
    assert with_position.loglik == pytest.approx(loglik, abs=1e-7)


def sandwiches(votes: Votes, at: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Covariances of all thetas by group, rater and vote and from the Hessian, by finite differences over votes."""
    of, k = loglik_per_vote(votes), len(votes.arms)
    steps = 1e-5 * np.eye(len(at))
    scores = np.stack([(of(at + h) - of(at - h)) / 2e-5 for h in steps], axis=1)
    hessian = np.array(
        [
            [(of(at + h + g) - of(at + h - g) - of(at - h + g) + of(at - h - g)).sum() / 4e-6 for h in 100 * steps]
            for g in 100 * steps
        ]
    )
    told = np.zeros((k, len(at)))
    told[:-1, : k - 1], told[-1, : k - 1] = np.eye(k - 1), -1
    influence = scores @ np.linalg.inv(-hessian).T @ told.T

    def clustered(cluster: np.ndarray) -> Floats:
        sums = np.array([influence[cluster == c].sum(axis=0) for c in np.unique(cluster)])
        return len(sums) / (len(sums) - 1) * sums.T @ sums

    group = votes.group[votes.pair]
    bread = told @ np.linalg.inv(-hessian) @ told.T
    return clustered(group), clustered(votes.rater), clustered(np.arange(votes.n_votes)), bread


def test_errors_are_the_sandwiches_of_the_votes_scores() -> None:
    votes = four_arms()
    davidson = rated(votes)
    best = np.append(list(davidson.theta.values())[:3], math.log(davidson.nu))
    group, rater, vote, bread = sandwiches(votes, best)
    both = group + rater - vote

    def used(weights: Floats) -> float:
        return math.sqrt(max(weights @ v @ weights for v in (both, group, rater)))

    assert list(davidson.se_information.values()) == pytest.approx(np.sqrt(np.diag(bread)), rel=1e-4)
    assert davidson.se_cluster_group is not None
    assert davidson.se_cluster_rater is not None
    assert list(davidson.se_cluster_group.values()) == pytest.approx(np.sqrt(np.diag(group)), rel=1e-4)
    assert list(davidson.se_cluster_rater.values()) == pytest.approx(np.sqrt(np.diag(rater)), rel=1e-4)
    assert list(davidson.se_two_way.values()) == pytest.approx([used(w) for w in np.eye(4)], rel=1e-4)
    for contrast in davidson.contrasts:
        i, j = votes.arms.index(contrast.first), votes.arms.index(contrast.second)
        assert contrast.se == pytest.approx(used(np.eye(4)[i] - np.eye(4)[j]), rel=1e-4)
        assert contrast.difference == pytest.approx(davidson.theta[contrast.first] - davidson.theta[contrast.second])
        p = 2 * stats.t.sf(abs(contrast.difference / contrast.se), davidson.df)
        assert contrast.p == pytest.approx(p, rel=1e-9)


def test_without_ties_errors_by_group_are_those_of_statsmodels_logit() -> None:
    votes = duels([duel for duel in simulated(FOUR, nu=0.7, groups=12, raters=15, seed=3) if duel[4] != "="])
    davidson = rated(votes)
    assert davidson.nu == 0
    assert davidson.se_log_nu is None
    # The last theta is minus the sum of the others.
    one_hot = np.eye(4)[votes.left_arm] - np.eye(4)[votes.right_arm]
    design = one_hot[:, :3] - one_hot[:, 3:]
    groups = votes.group[votes.pair]
    logit = sm.Logit((votes.choice == 0).astype(float), design).fit(
        disp=0, cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    g = len(np.unique(groups))
    assert list(davidson.theta.values())[:3] == pytest.approx(logit.params, abs=1e-6)
    assert davidson.loglik == pytest.approx(logit.llf, abs=1e-9)
    assert davidson.se_cluster_group is not None
    expected = np.sqrt(g / (g - 1)) * logit.bse
    assert list(davidson.se_cluster_group.values())[:3] == pytest.approx(expected, rel=1e-6)


def test_known_ratings_are_found_again() -> None:
    davidson = rated(duels(simulated(FOUR, nu=0.7, groups=60, raters=40, seed=5)))
    for arm, theta in FOUR.items():
        assert davidson.theta[arm] == pytest.approx(theta, abs=4 * davidson.se_two_way[arm])
        assert davidson.se_two_way[arm] < 0.06
    assert math.log(davidson.nu) == pytest.approx(math.log(0.7), abs=0.1)
    assert davidson.rank_best == {"A": 1, "B": 2, "C": 3, "D": 4}
    assert davidson.rank_worst == {"A": 1, "B": 2, "C": 3, "D": 4}


def test_errors_by_group_agree_with_leaving_out_one_group_at_a_time() -> None:
    entries = simulated(FOUR, nu=0.7, groups=25, raters=20, seed=11)
    groups = sorted({group for _, group, *_ in entries})
    left_out = [list(rated(duels([duel for duel in entries if duel[1] != group])).theta.values()) for group in groups]
    spread = np.array(left_out) - np.mean(left_out, axis=0)
    jackknife = np.sqrt((len(groups) - 1) / len(groups) * np.square(spread).sum(axis=0))
    by_group = rated(duels(entries)).se_cluster_group
    assert by_group is not None
    assert list(by_group.values()) == pytest.approx(jackknife, rel=0.06)


@settings(deadline=None, max_examples=40)
@given(small_tournaments())
def test_at_the_maximum_no_score_is_left(rows: list[SidedDuel]) -> None:
    votes = sided(rows)
    davidson = fitted(votes).davidson
    assume(isinstance(davidson, Davidson) and davidson.nu > 0)
    assert isinstance(davidson, Davidson)
    of = loglik_per_vote(votes)
    at = np.append(list(davidson.theta.values())[:-1], math.log(davidson.nu))
    slopes = [(of(at + h).sum() - of(at - h).sum()) / 2e-5 for h in 1e-5 * np.eye(len(at))]
    assert slopes == pytest.approx([0] * len(at), abs=1e-6)
    assert davidson.loglik == pytest.approx(of(at).sum(), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(small_tournaments(), st.randoms(use_true_random=False))
def test_the_order_of_votes_and_the_names_of_arms_change_nothing(rows: list[SidedDuel], random: Random) -> None:
    plain = fitted(sided(rows))
    shuffled = list(rows)
    random.shuffle(shuffled)
    new_name = dict(zip("ABCD", random.sample("WXYZ", 4), strict=True))
    renamed = [(r, g, new_name[a], new_name[b], outcome, side) for r, g, a, b, outcome, side in shuffled]
    other = fitted(sided(renamed))
    if isinstance(plain.davidson, Unavailable):
        assert isinstance(other.davidson, Unavailable)
        assert other.davidson.code == plain.davidson.code
        return
    assert isinstance(other.davidson, Davidson)
    for name in ("theta", "se_two_way", "rank_best", "rank_worst"):
        expected = {new_name[arm]: value for arm, value in getattr(plain.davidson, name).items()}
        assert getattr(other.davidson, name) == pytest.approx(expected, abs=1e-6)
    mirrored = [(r, g, b, a, {">": "<", "<": ">", "=": "="}[outcome], 1 - side) for r, g, a, b, outcome, side in rows]
    assert dict(leaves(as_json(fitted(sided(mirrored))))) == pytest.approx(dict(leaves(as_json(plain))), abs=1e-9)


def test_swapping_sides_and_choices_together_changes_nothing_but_the_lean() -> None:
    rows = [(*duel, n % 3 // 2) for n, duel in enumerate(simulated(FOUR, nu=0.7, groups=8, raters=10, seed=2))]
    fit = fitted(sided(rows))
    swapped = fitted(sided([(*row[:5], 1 - row[5]) for row in rows]))
    same = leaves(as_json(fit.davidson))
    assert dict(leaves(as_json(swapped.davidson))) == pytest.approx(dict(same), abs=1e-9)
    before, after = fit.davidson_with_position, swapped.davidson_with_position
    assert isinstance(before, DavidsonWithPosition)
    assert isinstance(after, DavidsonWithPosition)
    assert after.log_gamma_left == pytest.approx(-before.log_gamma_left, abs=1e-9)
    assert after.theta == pytest.approx(before.theta, abs=1e-9)


def test_raters_who_vote_twice_over_add_no_certainty_between_raters() -> None:
    entries = simulated(FOUR, nu=0.7, groups=12, raters=15, seed=9)
    twins = entries + [(f"{rater}-twin", *rest) for rater, *rest in entries]
    once, twice = rated(duels(entries)), rated(duels(twins))
    assert twice.theta == pytest.approx(once.theta, abs=1e-9)
    assert once.se_cluster_group is not None
    # Information doubles, but the groups are the same and so is what they say.
    assert twice.se_cluster_group == pytest.approx(once.se_cluster_group, rel=1e-9)
    ratio = {arm: once.se_information[arm] / twice.se_information[arm] for arm in FOUR}
    assert ratio == pytest.approx(dict.fromkeys(FOUR, math.sqrt(2)), rel=1e-9)


def test_a_rater_who_only_says_same_raises_nu_and_keeps_the_order() -> None:
    entries = simulated(FOUR, nu=0.7, groups=12, raters=15, seed=9)
    matchups = sorted({(group, a, b) for _, group, a, b, _ in entries})
    undecided = entries + [("undecided", group, a, b, "=") for group, a, b in matchups]
    before, after = rated(duels(entries)), rated(duels(undecided))
    assert after.nu > before.nu
    assert sorted(FOUR, key=after.theta.__getitem__) == sorted(FOUR, key=before.theta.__getitem__)


def test_equal_arms_have_no_gain_over_all_equal() -> None:
    davidson = rated(duels([duel for two in ("AB", "BC", "AC") for duel in match(*two, 4, 4, 3)]))
    assert davidson.theta == pytest.approx(dict.fromkeys("ABC", 0.0), abs=1e-9)
    assert davidson.lr_all_equal.stat == pytest.approx(0, abs=1e-9)
    assert davidson.lr_all_equal.p_naive == pytest.approx(1)
    assert davidson.rank_best == {"A": 1, "B": 1, "C": 1}
    assert davidson.rank_worst == {"A": 3, "B": 3, "C": 3}


def test_the_gain_over_all_equal_is_twice_the_difference_of_log_likelihoods() -> None:
    votes = four_arms()
    of = loglik_per_vote(votes)
    equal = optimize.minimize_scalar(lambda log_nu: -of(np.array([0, 0, 0, log_nu])).sum(), bounds=(-5, 5))
    ratio = rated(votes).lr_all_equal
    assert ratio.df == 3
    assert ratio.stat == pytest.approx(2 * (rated(votes).loglik + equal.fun), abs=1e-6)
    assert ratio.p_naive == pytest.approx(stats.chi2.sf(ratio.stat, 3), rel=1e-9)
