"""The net preference between every two arms from their own votes: the headline test, once for each pairing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.intervals import ROUNDING, Floats
from analysis.multiplicity import Correction, adjusted
from analysis.ranking.counts import Tally
from analysis.ranking.ratings import PairwiseFamily, PairwiseNet

# +1 for the first arm, -1 for the second, 0 for Same.
NET = np.array([1.0, -1.0, 0.0])


def pairwise_nets(tally: Tally) -> tuple[Mapping[str, PairwiseNet], PairwiseFamily]:
    """Each pairing's mean of +1/0/-1, two-way clustered by pair and rater as the headline, first minus second arm.

    Pairings that cannot be tested are left out and named: `no_votes`, `one_rater`, `one_pair`, `zero_variance`.
    """
    n, total = tally.outcomes.sum(axis=1).astype(np.float64), tally.outcomes @ NET
    pairs, raters = _Units.of_pairs(tally, n=n, total=total), _Units.of_raters(tally, n=n, total=total)
    by_vote = _by_vote(tally, n=n, total=total)
    largest = np.maximum.reduce([pairs.variance + raters.variance - by_vote, pairs.variance, raters.variance])
    conditions = [raters.units < 2, pairs.units < 2, largest <= ROUNDING * by_vote]
    codes = np.select(conditions, ["one_rater", "one_pair", "zero_variance"], default="")
    tested = codes == ""
    df = np.maximum(1.0, np.minimum(pairs.effective, raters.effective) - 1)
    nets = _tested((total / n)[tested], np.sqrt(largest[tested]), df=df[tested])
    names = [_name(tally, two) for two in tally.matchups.tolist()]
    reasons = {name: str(code) for name, code in zip(names, codes, strict=True)}
    every = {_name(tally, two): "no_votes" for two in tally.pairings.tolist()} | reasons
    left_out = {name: code for name, code in every.items() if code}
    entered = [name for name in names if not reasons[name]]
    return dict(zip(entered, nets, strict=True)), PairwiseFamily(len(nets), len(tally.pairings), left_out)


def _name(tally: Tally, two: list[int]) -> str:
    return "-".join(tally.arms[k] for k in two)


def _tested(net: Floats, se: Floats, *, df: Floats) -> list[PairwiseNet]:
    p = np.asarray(2 * stats.t.sf(np.abs(net / se), df))
    columns = (net, se, p, adjusted(p, method=Correction.HOLM), adjusted(p, method=Correction.BH))
    return [PairwiseNet(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


@dataclass(frozen=True, eq=False)
class _Units:
    """One kind of cluster within each matchup, all [M]: how many, as how many equal ones, and their variance."""

    units: Floats
    effective: Floats
    variance: Floats

    @classmethod
    def of_pairs(cls, tally: Tally, *, n: Floats, total: Floats) -> _Units:
        outcomes = tally.per_pair.sum(axis=1).astype(np.float64)
        sizes, sums = outcomes.sum(axis=1), outcomes @ NET
        # Whole numbers until here, so that what cancels is exactly zero.
        scores = n[tally.matchup] * sums - total[tally.matchup] * sizes
        of_pair = (np.ones_like(sizes), np.square(sizes), np.square(scores))
        moments = [np.bincount(tally.matchup, weights=m, minlength=len(n)).astype(np.float64) for m in of_pair]
        return cls._from(n, *moments)

    @classmethod
    def of_raters(cls, tally: Tally, *, n: Floats, total: Floats) -> _Units:
        moments = np.zeros((3, len(n)))
        for table in tally.rater_tables():
            # Written out: numpy is slow at adding up along axes of two and three.
            first, second, tie = np.moveaxis(table[:, :, 0] + table[:, :, 1], -1, 0)
            sizes, sums = first + second + tie, first - second
            scores = n * sums - total * sizes
            moments += [(sizes > 0).sum(axis=0), np.square(sizes).sum(axis=0), np.square(scores).sum(axis=0)]
        return cls._from(n, *moments)

    @classmethod
    def _from(cls, n: Floats, units: Floats, sizes_squared: Floats, scores_squared: Floats) -> _Units:
        correction = units / np.maximum(units - 1, 1)
        return cls(units, n**2 / sizes_squared, correction * scores_squared / n**4)


def _by_vote(tally: Tally, *, n: Floats, total: Floats) -> Floats:
    scores = n[:, None] * NET - total[:, None]
    squares: Floats = (tally.outcomes * np.square(scores)).sum(axis=1)
    return n / np.maximum(n - 1, 1) * squares / n**4
