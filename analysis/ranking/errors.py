"""How sure the ratings are: errors that allow for groups of pairs and for raters, each contrast with its own.

Votes on pairs of one group (class and seed) share their noise, whichever arms they compare; votes of one rater share a
taste. Simulated with four arms, intervals that ignore the first miss 19-28 % of the time at a nominal 5 %, those that
take the single pair as the unit 10-19 %, those with group and rater 3-5 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.intervals import LEVEL, Floats, Interval, effective_number
from analysis.multiplicity import Correction, adjusted
from analysis.ranking.counts import Tally
from analysis.ranking.ratings import Contrast

# A sandwich variance this small beside the information's is rounding: the votes show no variation at all.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Clusters:
    """How many votes, groups and raters stand behind a rating, and as how many equal ones they count (Kish 1965)."""

    n: int
    groups: int
    raters: int
    groups_effective: float
    raters_effective: float

    @classmethod
    def of(cls, tally: Tally) -> Clusters:
        groups, raters = (sizes.astype(np.float64) for sizes in (tally.group_sizes, tally.rater_sizes))
        effective = effective_number(groups), effective_number(raters)
        return cls(tally.n_votes, len(groups), len(raters), *effective)

    @property
    def df(self) -> float:
        return max(1.0, min(self.groups_effective, self.raters_effective) - 1)

    @property
    def missing(self) -> tuple[str, ...]:
        """What these votes cannot show, in words."""
        one_group = ("one group of pairs (class and seed): the errors do not allow for how groups differ",)
        one_rater = ("one rater: the errors do not allow for how raters differ",)
        return (one_group if self.groups == 1 else ()) + (one_rater if self.raters == 1 else ())


@dataclass(frozen=True, eq=False)
class Errors:
    """Covariances [c, c] of c estimates: by group, by rater (None with one of them), by vote, and from the model."""

    by_group: Floats | None
    by_rater: Floats | None
    by_vote: Floats
    information: Floats
    clusters: Clusters

    def two_way(self, weights: Floats) -> tuple[Floats, int]:
        """Variances of weighted sums of the estimates, weights [k, c]; and how many of them the votes could not tell.

        max(group + rater - vote, group, rater) for each one (Cameron, Gelbach, Miller 2011). Votes that show no
        variation are no proof of certainty: then the model's own variance stands, which takes votes as independent.
        """
        nothing = np.zeros_like(self.by_vote)
        group, rater = (nothing if v is None else v for v in (self.by_group, self.by_rater))
        both = group + rater - self.by_vote
        largest = np.maximum.reduce([_variances(covariance, weights) for covariance in (both, group, rater)])
        model = _variances(self.information, weights)
        unseen = largest <= ROUNDING * model
        return np.where(unseen, model, largest), int(unseen.sum())


def errors(tally: Tally, influence: Floats, *, information: Floats) -> Errors:
    """The covariances of c estimates, from each vote's influence on them.

    influence: float64 [M, 2, 3, c], by the vote's cell. information: [c, c], the inverse of the model's information.
    """
    clusters = Clusters.of(tally)
    flat = influence.reshape(-1, influence.shape[-1])
    n = tally.n_votes
    return Errors(
        by_group=_clustered(tally.sums_per_group(influence)),
        by_rater=_clustered(tally.sums_per_rater(influence)),
        by_vote=n / (n - 1) * (flat.T * tally.counts.ravel()) @ flat,
        information=information,
        clusters=clusters,
    )


def _clustered(sums: Floats) -> Floats | None:
    if len(sums) < 2:
        return None
    covariance: Floats = len(sums) / (len(sums) - 1) * sums.T @ sums
    return covariance


def _variances(covariance: Floats, weights: Floats) -> Floats:
    variances: Floats = np.einsum("kc,cd,kd->k", weights, covariance, weights)
    return variances


def contrasts(theta: Floats, found: Errors, *, arms: tuple[str, ...]) -> tuple[tuple[Contrast, ...], int]:
    """Every two arms' difference, first minus second, tested; and how many of them show no variation.

    theta: [K], found: the errors of these K estimates.
    """
    first, second = np.triu_indices(len(arms), 1)
    identity = np.eye(len(arms))
    variance, unseen = found.two_way(identity[first] - identity[second])
    difference, se, df = theta[first] - theta[second], np.sqrt(variance), found.clusters.df
    p = 2 * stats.t.sf(np.abs(difference / se), df)
    low, high = around(difference, se, df=df)
    columns = (difference, se, low, high, p, adjusted(p, method=Correction.HOLM))
    rows = zip(first.tolist(), second.tolist(), *(column.tolist() for column in columns), strict=True)
    return tuple(
        Contrast(arms[i], arms[j], d, s, df, (lo, hi), p_one, p_holm) for i, j, d, s, lo, hi, p_one, p_holm in rows
    ), unseen


def around(estimate: Floats, se: Floats, *, df: float) -> tuple[Floats, Floats]:
    """Lower and upper ends of 95 % t intervals."""
    half = float(stats.t.ppf((1 + LEVEL) / 2, df)) * se
    return estimate - half, estimate + half


def intervals(estimate: Floats, se: Floats, *, df: float) -> list[Interval]:
    """The same as pairs of numbers."""
    low, high = around(estimate, se, df=df)
    return list(zip(low.tolist(), high.tolist(), strict=True))
