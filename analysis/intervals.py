"""Confidence intervals: Wilson for counts, and the two-way clustered variance for anything averaged over votes.

Votes are crossed: every vote belongs to a pair and to a rater, and both leave their mark on it. The variance of a mean
therefore has a part per pair, a part per rater and, counted twice in those two, the part of the single vote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from analysis.records import Method, Unavailable
from analysis.votes import Ints, Votes

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

LEVEL = 0.95
SQUARED_QUANTILE = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
# Scores computed in floats cancel only to rounding; a variance this small beside that of single votes is none.
ROUNDING = 1e-20


def wilson(k: int, n: int) -> Interval:
    """Wilson's 95 % score interval of a share of k in n, n >= 1 (Wilson 1927, JASA 22:209)."""
    low, high = wilsons(np.array([k]), np.array([n]))
    return float(low[0]), float(high[0])


def wilsons(k: Ints, n: Ints) -> tuple[Floats, Floats]:
    """The lower and the upper ends of Wilson's 95 % intervals of many shares k / n, n >= 1; float64 as k and n."""
    centre = (k + SQUARED_QUANTILE / 2) / (n + SQUARED_QUANTILE)
    half = np.sqrt(SQUARED_QUANTILE * (k / n * (n - k) + SQUARED_QUANTILE / 4)) / (n + SQUARED_QUANTILE)
    # Exactly 0 and 1 at the ends of the scale, where centre and half differ by rounding only.
    return np.where(k == 0, 0.0, centre - half), np.where(k == n, 1.0, centre + half)


def clopper_pearson(k: int, n: int) -> Interval:
    """The exact 95 % interval of a share of k in n, n >= 1: holds 0.5 exactly when the binomial test gives p > 0.05."""
    low, high = stats.binomtest(k, n).proportion_ci(confidence_level=LEVEL, method="exact")
    return float(low), float(high)


def two_sided(t: float, df: float) -> float:
    """Two-sided p of Student's t with a possibly fractional number of degrees of freedom."""
    # The distribution's own function: `stats.t` spends a hundred times as long on looking at its arguments.
    return float(2 * special.stdtr(df, -abs(t)))


def around(estimate: float, se: float, *, df: float) -> Interval:
    """The 95 % t interval of an estimate; not clipped, so that it can be checked against other software."""
    half = float(special.stdtrit(df, (1 + LEVEL) / 2)) * se
    return estimate - half, estimate + half


@dataclass(frozen=True, eq=False)
class Crossed:
    """How N votes fall into pairs and raters; clusters without a vote do not count.

    pair, rater: int64 [N], numbered without gaps. pair_sizes [P], rater_sizes [R]: votes in each, int64.
    """

    pair: Ints
    rater: Ints
    pair_sizes: Ints
    rater_sizes: Ints

    @classmethod
    def of(cls, votes: Votes) -> Crossed:
        """The clusters of a log."""
        return cls.among(votes.pair, votes.rater)

    @classmethod
    def among(cls, pair: Ints, rater: Ints) -> Crossed:
        """The clusters of any N votes, each with the number of its pair and of its rater (int64 [N], gaps allowed)."""
        pair, pair_sizes = _without_gaps(pair)
        rater, rater_sizes = _without_gaps(rater)
        return cls(pair, rater, pair_sizes, rater_sizes)

    @property
    def n_votes(self) -> int:
        return len(self.pair)

    @property
    def n_pairs(self) -> int:
        return len(self.pair_sizes)

    @property
    def n_raters(self) -> int:
        return len(self.rater_sizes)

    def per_pair(self, values: Ints | Floats) -> Floats:
        """Sums over the votes on each pair, float64 [P]; exact for integers below 2**53."""
        return _sums(self.pair, values, size=self.n_pairs)

    def per_rater(self, values: Ints | Floats) -> Floats:
        """Sums over the votes of each rater, float64 [R]."""
        return _sums(self.rater, values, size=self.n_raters)


def _without_gaps(cluster: Ints) -> tuple[Ints, Ints]:
    # Counting is ten times faster than numpy.unique, which sorts.
    sizes = np.bincount(cluster)
    if sizes.all():
        return cluster, sizes
    return (np.cumsum(sizes > 0) - 1)[cluster], sizes[sizes > 0]


def _sums(cluster: Ints, values: Ints | Floats, *, size: int) -> Floats:
    return np.bincount(cluster, weights=values, minlength=size).astype(np.float64, copy=False)


@dataclass(frozen=True)
class TwoWay:
    """A mean over votes with its two-way clustered standard error, tested against `null`.

    var_pair, var_rater, var_vote: variances of the estimate with pairs, raters or votes as independent units.
    var_cgm = var_pair + var_rater - var_vote; var_used = max(var_cgm, var_pair, var_rater).
    pairs_effective, raters_effective: Kish's (sum n)^2 / sum n^2. df = max(1, min of these - 1).
    deff_pair, deff_rater: how many times larger than a vote's variance, i.e. why votes are not independent.
    p_by_pair_t, p_by_rater_t, p_cgm_t, p_additive_t: the same test with other variances, for comparison. Where all
    pairs, or all raters, say the same, their variance is 0 and p is 0 (1 where what they say is `null`).
    """

    estimate: float
    null: float
    n: int
    pairs: int
    raters: int
    var_pair: float
    var_rater: float
    var_vote: float
    var_cgm: float
    var_used: float
    raters_effective: float
    pairs_effective: float
    df: float
    deff_pair: float
    deff_rater: float
    se: float
    t: float
    p: float
    ci95: Interval
    p_by_pair_t: float
    p_by_rater_t: float
    p_cgm_t: float | Unavailable
    p_additive_t: float
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)


def two_way_mean(values: Ints, *, crossed: Crossed, null: float) -> TwoWay | Unavailable:
    """The mean of whole numbers (int64 [N], N >= 1) over all votes, with both kinds of clustering allowed for.

    Unavailable `one_pair`, `one_rater` (no second cluster to learn a variance from), `zero_variance`.
    """
    # Whole numbers, so floats hold them exactly and scores which cancel are exactly zero.
    exact = values.astype(np.float64)
    sums = Sums(crossed.per_pair(exact), crossed.pair_sizes, crossed.per_rater(exact), crossed.rater_sizes)
    return two_way_sums(sums, squares=int(exact @ exact), null=null)


class Sums(NamedTuple):
    """Whole numbers added up by pair [P] and by rater [R], and how many of them there are in each."""

    by_pair: Ints | Floats
    pair_sizes: Ints | Floats
    by_rater: Ints | Floats
    rater_sizes: Ints | Floats


def two_way_sums(sums: Sums, *, squares: int, null: float, n_votes: int | None = None) -> TwoWay | Unavailable:
    """The same from sums alone, each over at least one number. squares: the sum of all numbers squared.

    n_votes: of how many votes these numbers are, where not every vote has one.
    """
    if problem := _too_few_clusters(sums.pair_sizes, sums.rater_sizes):
        return problem
    total, count = int(sums.by_pair.sum()), int(sums.pair_sizes.sum())
    by_pair = (count * sums.by_pair - total * sums.pair_sizes) / count**2
    by_rater = (count * sums.by_rater - total * sums.rater_sizes) / count**2
    # The sum of ((count * value - total * member) / count^2)^2 over votes, multiplied out.
    by_vote, n = (count * squares - total**2) / count**3, n_votes or count
    return _two_way(
        total / count,
        null=null,
        n=count,
        scores=(by_pair, by_rater),
        var_vote=n / (n - 1) * by_vote,
        held=(sums.pair_sizes, sums.rater_sizes),
    )


def two_way_ratio(values: Ints, members: Ints, *, crossed: Crossed, null: float) -> TwoWay | Unavailable:
    """The mean of `values` over the votes that are `members`: a ratio, e = (value - mean * member) / sum(members).

    values: int64 [N], zero outside the members. members: int64 [N] of 0 and 1, at least one 1. Errors as two_way_mean.
    """
    exact = values.astype(np.float64)
    pair_sizes, rater_sizes = crossed.per_pair(members), crossed.per_rater(members)
    sums = Sums(crossed.per_pair(exact), pair_sizes, crossed.per_rater(exact), rater_sizes)
    return two_way_sums(sums, squares=int(exact @ exact), null=null, n_votes=crossed.n_votes)


class ScoreSums(NamedTuple):
    """One score per vote, added up by pair [P] and by rater [R], and the sum of all scores squared."""

    by_pair: Floats
    by_rater: Floats
    squares: float


def two_way_scores(estimate: float, scores: ScoreSums, *, crossed: Crossed, null: float = 0.0) -> TwoWay | Unavailable:
    """Any estimate whose error is a sum of one score per vote, such as a coefficient. Errors as two_way_mean."""
    held = crossed.pair_sizes, crossed.rater_sizes
    if problem := _too_few_clusters(*held):
        return problem
    return _two_way(
        estimate,
        null=null,
        n=crossed.n_votes,
        scores=(scores.by_pair, scores.by_rater),
        var_vote=crossed.n_votes / (crossed.n_votes - 1) * scores.squares,
        held=held,
    )


def clustered_variance(scores: Floats) -> float:
    """Variance of an estimate whose error is a sum of independent scores, one per cluster (>= 2 of them)."""
    return float(len(scores) / (len(scores) - 1) * np.square(scores).sum())


def effective_number(sizes: Ints | Floats) -> float:
    """Kish's effective number of clusters: how many equally large ones would weigh as these do."""
    exact = np.asarray(sizes, dtype=np.float64)
    return float(exact.sum() ** 2 / (exact @ exact))


def _too_few_clusters(held_by_pair: Ints | Floats, held_by_rater: Ints | Floats) -> Unavailable | None:
    if np.count_nonzero(held_by_rater) < 2:
        return Unavailable("one_rater", "one rater's votes say nothing about how raters differ; two are needed")
    if np.count_nonzero(held_by_pair) < 2:
        return Unavailable("one_pair", "votes on one pair say nothing about how pairs differ; two are needed")
    return None


def _two_way(
    estimate: float,
    *,
    null: float,
    n: int,
    scores: tuple[Floats, Floats],
    var_vote: float,
    held: tuple[Ints | Floats, Ints | Floats],
) -> TwoWay | Unavailable:
    var_pair, var_rater = (clustered_variance(s) for s in scores)
    var_cgm = var_pair + var_rater - var_vote
    var_used = max(var_cgm, var_pair, var_rater)
    if var_used <= ROUNDING * var_vote:
        return Unavailable("zero_variance", "the same for every pair and every rater: no error to estimate")
    pairs_effective, raters_effective = (effective_number(sizes) for sizes in held)
    df = max(1.0, min(pairs_effective, raters_effective) - 1)
    difference, se = estimate - null, var_used**0.5
    pairs, raters = len(scores[0]), len(scores[1])
    return TwoWay(
        estimate=estimate,
        null=null,
        n=n,
        pairs=pairs,
        raters=raters,
        var_pair=var_pair,
        var_rater=var_rater,
        var_vote=var_vote,
        var_cgm=var_cgm,
        var_used=var_used,
        raters_effective=raters_effective,
        pairs_effective=pairs_effective,
        df=df,
        deff_pair=var_pair / var_vote,
        deff_rater=var_rater / var_vote,
        se=se,
        t=difference / se,
        p=two_sided(difference / se, df),
        ci95=around(estimate, se, df=df),
        p_by_pair_t=_p(difference, var_pair, df=pairs - 1, floor=ROUNDING * var_vote),
        p_by_rater_t=_p(difference, var_rater, df=raters - 1, floor=ROUNDING * var_vote),
        p_cgm_t=_p_cgm(difference, var_cgm, df=df, floor=ROUNDING * var_vote),
        p_additive_t=two_sided(difference / (var_pair + var_rater) ** 0.5, df),
    )


def _p(difference: float, variance: float, *, df: float, floor: float) -> float:
    if variance <= floor:
        return 0.0 if difference else 1.0
    return two_sided(difference / variance**0.5, df)


def _p_cgm(difference: float, variance: float, *, df: float, floor: float) -> float | Unavailable:
    # Unlike the others this variance is a difference of variances, which can be negative.
    if variance <= floor:
        return Unavailable("zero_variance", "this variance alone is not positive here")
    return two_sided(difference / variance**0.5, df)
