from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import Unavailable, VoteColumns, Votes
from analysis.intervals import Crossed, Floats, TwoWay
from analysis.pair_tests import (
    FlipTest,
    MeanTest,
    PairSign,
    SignedRank,
    SignedRanks,
    _tail_by_cosines,
    _tail_by_table,
    flip_permutation,
    mean_test,
    net_by_pair,
    pair_sign,
    pair_wilcoxon,
)
from analysis.position import AdjustedNet, Position, RaterClustered, position, two_way_net_position_adjusted
from analysis.preference import Counts
from analysis.significance import METHODS, significance, two_way_net, two_way_side_share, vote_sign_binomial
from tests.analysis.logs import Entry, log, pair_of, small_logs


def crossed(votes: Votes) -> Crossed:
    return Crossed.of(votes)


def sandwich(scores: np.ndarray, *, votes: Votes) -> tuple[float, float, float]:
    """The three clustered variances from their definition, as N x N sums over votes that share a cluster."""
    same_pair = np.equal.outer(votes.pair, votes.pair)
    same_rater = np.equal.outer(votes.rater, votes.rater)
    cross = np.outer(scores, scores)
    sizes = len(set(votes.pair.tolist())), votes.n_raters, votes.n_votes
    sums = cross[same_pair].sum(), cross[same_rater].sum(), np.trace(cross)
    var_pair, var_rater, var_vote = (float(total * n / (n - 1)) for total, n in zip(sums, sizes, strict=True))
    return var_pair, var_rater, var_vote


@settings(deadline=None, max_examples=80)
@given(small_logs())
def test_the_headline_is_the_two_way_sandwich_of_the_mean(entries: list[Entry]) -> None:
    votes = log(entries)
    net = two_way_net(votes, crossed(votes))
    if isinstance(net, Unavailable):
        return
    mean = votes.outcome.mean()
    expected = sandwich((votes.outcome - mean) / votes.n_votes, votes=votes)
    assert net.estimate == pytest.approx(mean, abs=1e-12)
    assert (net.var_pair, net.var_rater, net.var_vote) == pytest.approx(expected, abs=1e-12)
    assert net.var_used == pytest.approx(max(expected[0] + expected[1] - expected[2], *expected[:2]), abs=1e-12)
    assert net.ci95[0] < net.estimate < net.ci95[1]
    assert (net.p < 0.05) == (net.ci95[0] > 0 or net.ci95[1] < 0)


@settings(deadline=None, max_examples=80)
@given(small_logs())
def test_the_side_share_is_the_two_way_sandwich_of_a_ratio(entries: list[Entry]) -> None:
    votes = log(entries)
    side = votes.outcome != 0
    if not side.any() or isinstance(share := two_way_side_share(votes, crossed(votes)), Unavailable):
        return
    q = (votes.outcome == 1).sum() / side.sum()
    expected = sandwich(((votes.outcome == 1) - q * side) / side.sum(), votes=votes)
    assert (share.var_pair, share.var_rater, share.var_vote) == pytest.approx(expected, abs=1e-12)


def test_degrees_of_freedom_are_those_of_equally_busy_raters() -> None:
    entries = [(f"r{n}", f"p{pair}", "ab"[(n + pair) % 3 % 2]) for n in range(4) for pair in range(8)]
    votes = log([*entries, ("late", "p0", "a")])
    net = two_way_net(votes, crossed(votes))
    assert isinstance(net, TwoWay)
    assert net.raters_effective == pytest.approx(33**2 / (4 * 8**2 + 1))
    assert net.df == pytest.approx(33**2 / 257 - 1)


def test_a_rater_who_only_says_same_belongs_in_the_net_preference() -> None:
    entries = [("r1", "p1", "a"), ("r1", "p2", "b"), ("r2", "p1", "a"), ("r2", "p2", "a")]
    with_same = log([*entries, ("r3", "p1", "s"), ("r3", "p2", "s")])
    net = two_way_net(with_same, crossed(with_same))
    assert isinstance(net, TwoWay)
    assert net.estimate == pytest.approx(2 / 6)
    assert (net.n, net.raters) == (6, 3)


def test_the_vote_sign_test_is_scipy_s() -> None:
    test = vote_sign_binomial(Counts.of(log(pair_of(9, 3, 5))))
    assert (test.a, test.b, test.n) == (9, 3, 12)
    assert test.p == pytest.approx(stats.binomtest(9, 12).pvalue)
    assert test.z == pytest.approx(6 / 12**0.5)


def test_the_pair_sign_test_leaves_ties_out_and_its_interval_agrees_with_it() -> None:
    entries = [(f"r{n}", f"p{n}", "a" if n < 7 else "b") for n in range(8)] + pair_of(1, 1, name="tie")
    test = pair_sign(Counts.of(log(entries)))
    assert isinstance(test, PairSign)
    assert (test.wins, test.losses, test.ties, test.n) == (7, 1, 1, 8)
    # By hand: one tail is (1 + 8) / 2^8; the interval's ends are beta quantiles (Clopper and Pearson).
    assert test.p == pytest.approx(2 * 9 / 256)
    assert test.exact95 == pytest.approx((stats.beta.ppf(0.025, 7, 2), stats.beta.ppf(0.975, 8, 1)))


@settings(deadline=None, max_examples=60)
@given(small_logs())
def test_signed_ranks_are_scipy_s(entries: list[Entry]) -> None:
    counts = Counts.of(log(entries))
    test, net = pair_wilcoxon(counts), net_by_pair(counts)
    if isinstance(test, Unavailable):
        assert not net.any()
        return
    assert_signed_rank(net, test.pratt, zeros="pratt")
    assert_signed_rank(net, test.wilcox, zeros="wilcox")


def assert_signed_rank(net: Floats, ours: SignedRank, *, zeros: Literal["pratt", "wilcox"]) -> None:
    theirs = stats.wilcoxon(net, zero_method=zeros, correction=False, method="approx", axis=None)
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-12)
    assert min(ours.w_plus, ours.w_minus) == theirs.statistic
    assert np.sign(ours.z) == np.sign(ours.w_plus - ours.w_minus)


def test_equal_fractions_are_tied_ranks_whatever_their_denominators() -> None:
    entries = pair_of(2, 1, name="p1") + pair_of(1, 2, name="p2") + pair_of(14, 7, name="p3")
    test = pair_wilcoxon(Counts.of(log(entries)))
    assert isinstance(test, SignedRanks)
    assert (test.pratt.w_plus, test.pratt.w_minus) == (4.0, 2.0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_the_flip_test_counts_every_flip(differences: list[int]) -> None:
    test = flip_permutation(np.array(differences, dtype=np.int64))
    if isinstance(test, Unavailable):
        assert not any(differences)
        return
    observed = abs(sum(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in _signs(len(differences))]
    assert test.p == pytest.approx(np.mean([s >= observed for s in sums]), abs=1e-12)
    assert test.sd_null == pytest.approx(sum(d * d for d in differences) ** 0.5)


def _signs(n: int) -> list[tuple[int, ...]]:
    return list(product((-1, 1), repeat=n))


def test_the_flip_test_of_a_large_log_has_the_same_distribution() -> None:
    sizes = np.random.default_rng(5).integers(1, 12, 300)
    bound = int(sizes.sum()) - 2 * 800
    assert _tail_by_cosines(sizes, bound) == pytest.approx(_tail_by_table(sizes, bound), abs=1e-13)


def test_the_smallest_flip_probability_is_exact() -> None:
    test = flip_permutation(np.full(200, 3, dtype=np.int64))
    assert isinstance(test, FlipTest)
    assert test.p == pytest.approx(2.0**-199, rel=1e-12)


def test_mean_tests_are_student_s() -> None:
    means = np.array([0.5, -0.25, 1.0, 0.0, 0.75])
    test = mean_test(means)
    assert isinstance(test, MeanTest)
    theirs = stats.ttest_1samp(means, 0)
    assert (test.t, test.p) == pytest.approx((theirs.statistic, theirs.pvalue))
    assert test.ci95 == pytest.approx(tuple(theirs.confidence_interval()))


def test_raters_with_one_mean_have_no_variance_even_where_floats_round() -> None:
    assert mean_test(np.full(7, 1 / 3)) == Unavailable("zero_variance", "all means are equal: no error to estimate")


def leaning(first_left: int, first_right: int, *, choice: str = "") -> Votes:
    """Raters who press left four times in five, with the first arm on the left as often as told."""
    n = first_left + first_right
    return Votes.from_rows(
        VoteColumns(
            pair_id=[f"p{i // 5}" for i in range(n)],
            rater_id=[f"r{i % 5}" for i in range(n)],
            left_arm=["robust" if i < first_left else "vanilla" for i in range(n)],
            choice=[choice or ("right" if i % 4 == 3 or i % 19 == 5 else "left") for i in range(n)],
        ),
        arms=("robust", "vanilla"),
    )


def test_a_lean_to_the_left_is_taken_out_of_an_unbalanced_log() -> None:
    votes = leaning(160, 40)
    plain = two_way_net(votes, crossed(votes))
    adjusted = two_way_net_position_adjusted(votes, crossed(votes))
    assert isinstance(plain, TwoWay)
    assert isinstance(adjusted, AdjustedNet)
    side = np.where(votes.left_arm == 0, 1.0, -1.0)
    (net, effect), *_ = np.linalg.lstsq(np.stack([np.ones(200), side], axis=1), votes.outcome, rcond=None)
    assert (adjusted.net, adjusted.left_effect) == pytest.approx((net, effect))
    assert abs(adjusted.net) < 0.1 < plain.estimate
    assert adjusted.a_left_share == 0.8
    assert adjusted.comes_first


def test_the_plain_figure_stays_first_where_sides_were_balanced() -> None:
    votes = leaning(100, 100)
    adjusted = two_way_net_position_adjusted(votes, crossed(votes))
    assert isinstance(adjusted, AdjustedNet)
    assert not adjusted.comes_first


def test_an_arm_always_on_one_side_cannot_be_told_from_the_side() -> None:
    votes = leaning(50, 0)
    adjusted = two_way_net_position_adjusted(votes, crossed(votes))
    assert isinstance(adjusted, Unavailable)
    assert adjusted.code == "position_not_varied"


def test_raters_who_always_press_left_leave_nothing_to_estimate_an_error_from() -> None:
    votes = leaning(60, 41, choice="left")
    adjusted = two_way_net_position_adjusted(votes, crossed(votes))
    assert isinstance(adjusted, Unavailable)
    assert adjusted.code == "zero_variance"


def test_the_left_share_is_tested_with_raters_as_units() -> None:
    votes = leaning(100, 100)
    result = position(votes)
    assert isinstance(result, Position)
    assert isinstance(result.clustered_by_rater, RaterClustered)
    left = votes.choice == 0
    scores = np.bincount(votes.rater, weights=(left - left.mean()) / 200)
    assert result.clustered_by_rater.se == pytest.approx((5 / 4 * (scores**2).sum()) ** 0.5)
    assert result.clustered_by_rater.df == 4


def test_every_test_says_what_it_assumes_and_where_it_comes_from() -> None:
    votes = leaning(100, 100)
    tests = significance(votes, Counts.of(votes))
    assert not isinstance(tests, Unavailable)
    assert {method.name for method, _ in tests.rows()} == set(vars(tests)) == set(METHODS)
    assert all(method.assumes and method.citation for method in METHODS.values())
