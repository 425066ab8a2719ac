"""Tests that take whole comparisons, or whole raters, as their units.

With comparisons as units any dependence within a comparison is allowed for, and the raters are taken as given: the
answer holds for this panel. With raters as units it is the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

from analysis.intervals import Floats, Interval, around, clopper_pearson, two_sided
from analysis.preference import Counts
from analysis.records import Method, Unavailable
from analysis.votes import Ints

# Beyond this many additions the flip distribution is taken from its characteristic function instead.
LARGEST_TABLE = 300_000_000
# A sum of cosines is exact to rounding only; a probability below this is reported as this.
SMALLEST_FROM_COSINES = 1e-12
NEGLIGIBLE = 1e-24


@dataclass(frozen=True)
class PairSign:
    """In how many comparisons did more votes go to the first arm (wins) or to the second (losses)?

    ties: judged comparisons without a majority, left out of the test. n = wins + losses; exact95: of wins / n.
    """

    wins: int
    losses: int
    ties: int
    n: int
    p: float
    share: float
    exact95: Interval
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)


def pair_sign(counts: Counts) -> PairSign | Unavailable:
    """The exact binomial sign test over comparisons; `all_pairs_tied` without a majority anywhere."""
    wins, losses = int((counts.a > counts.b).sum()), int((counts.a < counts.b).sum())
    n = wins + losses
    if not n:
        return Unavailable("all_pairs_tied", "no comparison has more votes for one arm than for the other")
    return PairSign(
        wins=wins,
        losses=losses,
        ties=counts.pairs - counts.unjudged - n,
        n=n,
        p=float(stats.binomtest(wins, n).pvalue),
        share=wins / n,
        exact95=clopper_pearson(wins, n),
    )


@dataclass(frozen=True)
class SignedRank:
    """Ranks of (a - b) / votes per judged comparison, by sign; z and p without continuity correction."""

    n: int
    zeros: int
    w_plus: float = field(metadata={"json": "W_plus"})
    w_minus: float = field(metadata={"json": "W_minus"})
    z: float
    p: float


@dataclass(frozen=True)
class SignedRanks:
    """Zeros ranked and then dropped (Pratt), or dropped before ranking (Wilcoxon)."""

    pratt: SignedRank
    wilcox: SignedRank
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)


def pair_wilcoxon(counts: Counts) -> SignedRanks | Unavailable:
    """Wilcoxon's signed-rank test over judged comparisons; `all_differences_zero`."""
    net = net_by_pair(counts)
    if not net.any():
        return Unavailable("all_differences_zero", "every comparison has as many votes for one arm as for the other")
    zeros = int((net == 0).sum())
    return SignedRanks(_signed_rank(net, zeros=zeros), _signed_rank(net[net != 0], zeros=0))


def net_by_pair(counts: Counts) -> Floats:
    """Net preference (a - b) / votes of each judged comparison, float64.

    One division of integers: equal fractions give equal floats, so ties are exactly those of the fractions.
    """
    judged = counts.all > 0
    return (counts.a - counts.b)[judged] / counts.all[judged]


def _signed_rank(net: Floats, *, zeros: int) -> SignedRank:
    ranks = stats.rankdata(np.abs(net))
    w_plus, w_minus = float(ranks[net > 0].sum()), float(ranks[net < 0].sum())
    # Under the null each rank takes either sign at even odds, so W+ - W- has mean 0 and variance sum of ranks squared.
    z = (w_plus - w_minus) / float(np.square(ranks[net != 0]).sum()) ** 0.5
    return SignedRank(len(net), zeros, w_plus, w_minus, z, float(2 * stats.norm.sf(abs(z))))


@dataclass(frozen=True)
class MeanTest:
    """Student's t-test against 0 of one mean per cluster, every one of the n clusters weighing the same."""

    mean: float
    se: float
    t: float
    df: int
    p: float
    ci95: Interval
    n: int
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)


def mean_test(means: Floats) -> MeanTest | Unavailable:
    """Test the net preference of each comparison, or of each rater (float64 [n]); `one_cluster`, `zero_variance`."""
    if len(means) < 2:
        return Unavailable("one_cluster", "one mean has no spread; two are needed")
    if np.ptp(means) == 0:
        return Unavailable("zero_variance", "all means are equal: no error to estimate")
    mean, se, df = float(means.mean()), float(stats.sem(means)), len(means) - 1
    t = mean / se
    return MeanTest(mean, se, t, df, two_sided(t, df), around(mean, se, df=df), len(means))


@dataclass(frozen=True)
class FlipTest:
    """Swap the arms of whole clusters, all 2^n ways: how often is |statistic| at least as large as it was?

    statistic: votes for the first arm minus votes for the second. n: clusters that are not exactly even.
    """

    statistic: int = field(metadata={"json": "T"})
    n: int
    p: float
    sd_null: float
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)


def flip_permutation(differences: Ints) -> FlipTest | Unavailable:
    """The exact sign-flip test on a - b of each comparison, or of each rater; `all_differences_zero`.

    No random numbers. Above 300 million additions (e.g. 30,000 comparisons of 10 votes) the same distribution comes
    from its characteristic function, good to 1e-12.
    """
    sizes = np.abs(differences[differences != 0])
    if not len(sizes):
        return Unavailable("all_differences_zero", "every unit has as many votes for one arm as for the other")
    statistic, total = int(differences.sum()), int(sizes.sum())
    at_least: Callable[[Ints, int], float] = _tail_by_table if len(sizes) * total <= LARGEST_TABLE else _tail_by_cosines
    p = min(1.0, 2 * at_least(sizes, abs(statistic))) if statistic else 1.0
    return FlipTest(statistic, len(sizes), p, float(np.square(sizes.astype(np.float64)).sum() ** 0.5))


def _tail_by_table(sizes: Ints, bound: int) -> float:
    # chances[k] = P(the sizes with a plus sign add up to k); the flipped statistic is 2 k - total.
    total = int(sizes.sum())
    chances = np.zeros(total + 1)
    chances[0] = 1.0
    reached = 0
    for size in np.sort(sizes).tolist():
        reached += size
        shifted = chances[: reached + 1 - size].copy()
        chances[: reached + 1] *= 0.5
        chances[size : reached + 1] += 0.5 * shifted
    return float(chances[(total + bound) // 2 :].sum())


def _tail_by_cosines(sizes: Ints, bound: int) -> float:
    # The characteristic function of a sum of +-d is the product of cos(d w); all values have the parity of `total`.
    total = int(sizes.sum())
    angles = np.pi * np.arange(total + 1) / (total + 1)
    product = np.ones(total + 1)
    alive = np.arange(total + 1)
    for size, times in zip(*np.unique(sizes, return_counts=True), strict=True):
        product[alive] *= np.cos(size * angles[alive]) ** times
        # No factor is above 1, so what is this small stays so: after a few sizes hardly an angle is left.
        dead = np.abs(product[alive]) < NEGLIGIBLE
        product[alive[dead]] = 0.0
        alive = alive[~dead]
    # On k = (sum + total) / 2 in 0..total this is a discrete Fourier transform of length total + 1.
    # exp(i total w) is written as (-1)^m exp(-i w), which does not lose digits to a large angle.
    product[1::2] *= -1
    chances = np.fft.fft(product * np.exp(-1j * angles)).real / (total + 1)
    return max(float(chances[(total + bound) // 2 :].sum()), SMALLEST_FROM_COSINES)
