"""What the headline test would have said after each rater: all looks of a growing log at once.

Every sum of squares that the two-way variance needs changes by a small amount with each vote, so one sort of the votes
and running sums give all R looks in O(N + R), and in integers, so that a variance of zero is exactly zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.intervals import ROUNDING
from analysis.votes import Ints, Votes

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Accrual:
    """The net preference of the first 1, 2, ..., R raters, one entry a look; look r - 1 is that of r raters.

    mean: each rater's own mean answer, float64 [R], in order of first appearance. votes: int64 [R].
    estimate, var, df: the headline's estimate, squared standard error and degrees of freedom, float64 [R].
    has_variance: bool [R]; where it is False (one rater or pair, no spread) var and df are placeholders of 1.
    """

    mean: Floats
    votes: Ints
    estimate: Floats
    var: Floats
    df: Floats
    has_variance: Bools

    @classmethod
    def of(cls, votes: Votes) -> Accrual:
        """Take a two-arm log apart, rater by rater."""
        step = _arrival(votes.rater, votes.n_raters)[votes.rater]
        by_rater, by_vote = _of_raters(votes.outcome, step), _of_votes(votes.outcome, step)
        by_pair = _of_pairs(votes.pair, votes.outcome, step=step)
        n, total = by_vote.nn, by_vote.sn
        var_pair, var_rater, var_vote = (m.variance(n, total) for m in (by_pair, by_rater, by_vote))
        var = np.maximum(var_pair + var_rater - var_vote, np.maximum(var_pair, var_rater))
        has_variance = (by_pair.clusters > 1) & (by_rater.clusters > 1) & (var > ROUNDING * var_vote)
        df = np.maximum(1.0, np.minimum(by_pair.effective(n), by_rater.effective(n)) - 1)
        return cls(
            mean=np.diff(total, prepend=0) / np.diff(n, prepend=0),
            votes=n,
            estimate=total / n,
            var=np.where(has_variance, var, 1.0),
            df=np.where(has_variance, df, 1.0),
            has_variance=has_variance,
        )


class _Moments(NamedTuple):
    """Running sums over clusters with sums s and sizes n: of s^2, s n, n^2, and how many clusters; int64 [R] each."""

    ss: Ints
    sn: Ints
    nn: Ints
    clusters: Ints

    def variance(self, n: Ints, total: Ints) -> Floats:
        # The sum over clusters of (s - mean n)^2 / N^2, times C / (C - 1) for C clusters, as in `clustered_variance`.
        # Python's integers: N^4 passes 2^63 at 55,000 votes.
        votes, net = n.astype(object), total.astype(object)
        squares = votes**2 * self.ss - 2 * votes * net * self.sn + net**2 * self.nn
        spread = (squares / votes**4).astype(np.float64)
        return np.asarray(self.clusters / np.maximum(self.clusters - 1, 1) * spread)

    def effective(self, n: Ints) -> Floats:
        return np.asarray(n.astype(np.float64) ** 2 / self.nn)


def _arrival(rater: Ints, n_raters: int) -> Ints:
    # Each rater's place in the order of first votes. Written backwards, the earliest vote is written last and stays.
    first = np.full(n_raters, len(rater), dtype=np.int64)
    first[rater[::-1]] = np.arange(len(rater))[::-1]
    place = np.empty(n_raters, dtype=np.int64)
    place[np.argsort(first, kind="stable")] = np.arange(n_raters)
    return place


def _of_votes(outcome: Ints, step: Ints) -> _Moments:
    n, total, squares = (_running(step, values) for values in (np.ones_like(outcome), outcome, outcome**2))
    return _Moments(ss=squares, sn=total, nn=n, clusters=n)


def _of_raters(outcome: Ints, step: Ints) -> _Moments:
    sizes, sums = np.bincount(step), _sums(step, outcome)
    return _Moments(
        ss=np.cumsum(sums**2), sn=np.cumsum(sums * sizes), nn=np.cumsum(sizes**2), clusters=np.arange(1, len(sizes) + 1)
    )


def _of_pairs(pair: Ints, outcome: Ints, *, step: Ints) -> _Moments:
    # A vote y on a pair that has sum s over n votes adds 2 s y + y^2 to s^2, s + n y + y to s n and 2 n + 1 to n^2.
    row = np.argsort(_narrow(step), kind="stable")
    row = row[np.argsort(_narrow(pair[row]), kind="stable")]
    y, when = outcome[row], step[row]
    is_first = np.diff(pair[row], prepend=-1) != 0
    start = np.flatnonzero(is_first)
    lengths = np.diff(start, append=len(row))
    before = np.cumsum(y) - y
    s = before - np.repeat(before[start], lengths)
    n = np.arange(len(row)) - np.repeat(start, lengths)
    return _Moments(
        ss=_running(when, 2 * s * y + y**2),
        sn=_running(when, s + n * y + y),
        nn=_running(when, 2 * n + 1),
        clusters=_running(when, is_first),
    )


def _narrow(codes: Ints) -> Ints | npt.NDArray[np.uint16]:
    # numpy sorts 16-bit numbers by radix, ten times as fast.
    return codes.astype(np.uint16) if len(codes) and codes.max() < 2**16 else codes


def _running(step: Ints, values: Ints | Bools) -> Ints:
    return np.cumsum(_sums(step, values))


def _sums(step: Ints, values: Ints | Bools) -> Ints:
    # Weights are floats to bincount: exact below 2^53, far above any log.
    return np.bincount(step, weights=values).astype(np.int64)
