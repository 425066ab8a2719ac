"""Davidson's ratings of K arms with two-way errors, and the same with the sides in the model.

Davidson (1970), JASA 65:317; the advantage of a side after Davidson, Beaver (1977), Biometrics 33:693. Two arms have
a closed form: theta_A - theta_B = ln(A / B), nu = T / sqrt(A B).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations, permutations

import numpy as np
from scipy import special, stats

from analysis.intervals import Floats, two_sided
from analysis.ranking.counts import Tally
from analysis.ranking.errors import Errors, contrasts, intervals
from analysis.ranking.estimates import Parameters, estimated
from analysis.ranking.identifiability import is_separated
from analysis.ranking.models import shares
from analysis.ranking.ratings import ByArm, Contrast, Davidson, DavidsonWithPosition, LikelihoodRatio
from analysis.records import Unavailable

SIGNIFICANT_AT = 0.05
ELO_PER_THETA = 400 / math.log(10)
ELO_OF_ZERO = 1000.0


def davidson(tally: Tally) -> Davidson:
    """The ratings and all that follows from them; the tally must be identified (`obstacle` is None)."""
    arms = tally.arms
    found = estimated(tally, Parameters.of_arms(tally))
    theta, clusters = found.values, found.errors.clusters
    variances, unseen = found.errors.two_way(np.eye(len(arms)))
    se = np.sqrt(variances)
    compared, unseen_too = contrasts(theta, found.errors, arms=arms)
    apart = _apart(arms, compared)
    p_beats, p_tie = _chances(arms, theta, log_nu=found.log_nu)
    return Davidson(
        theta=by_arm(arms, theta),
        elo=by_arm(arms, elo(theta)),
        nu=math.exp(found.log_nu),
        loglik=found.loglik,
        se_information=by_arm(arms, np.sqrt(np.diag(found.errors.information))),
        se_log_nu=found.se_log_nu,
        se_cluster_group=_one_way(arms, found.errors.by_group),
        se_cluster_rater=_one_way(arms, found.errors.by_rater),
        se_two_way=by_arm(arms, se),
        df=clusters.df,
        ci95_two_way=dict(zip(arms, intervals(theta, se, df=clusters.df), strict=True)),
        rank_best={arm: 1 + better for arm, (better, _) in apart.items()},
        rank_worst={arm: len(arms) - worse for arm, (_, worse) in apart.items()},
        lr_all_equal=_all_equal(tally, found.loglik),
        p_beats=p_beats,
        p_tie=p_tie,
        n=clusters.n,
        groups=clusters.groups,
        raters=clusters.raters,
        groups_effective=clusters.groups_effective,
        raters_effective=clusters.raters_effective,
        note=_note(found.errors, unseen + unseen_too),
        contrasts=compared,
    )


def davidson_with_position(tally: Tally) -> DavidsonWithPosition | Unavailable:
    """The ratings with the lean to a side taken out; `position_not_varied`, `separation`.

    The tally must be identified without the sides.
    """
    parameters, seen = Parameters.of_arms_and_left(tally), tally.counts.any(axis=2)
    design = parameters.design[seen]
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return Unavailable("position_not_varied", "arm and side go together, so they cannot be told apart")
    if is_separated(tally.counts[seen], design=design):
        return Unavailable("separation", "with the sides in the model the votes set no bound to the ratings")
    found = estimated(tally, parameters)
    se = np.sqrt(found.errors.two_way(np.eye(len(found.values)))[0])
    gamma, se_gamma, df = float(found.values[-1]), float(se[-1]), found.errors.clusters.df
    return DavidsonWithPosition(
        theta=by_arm(tally.arms, found.values[:-1]),
        log_gamma_left=gamma,
        se_log_gamma=float(found.errors.information[-1, -1]) ** 0.5,
        loglik=found.loglik,
        nu=math.exp(found.log_nu),
        se_two_way=by_arm(tally.arms, se[:-1]),
        se_two_way_log_gamma=se_gamma,
        p_log_gamma=two_sided(gamma / se_gamma, df),
        df=df,
    )


def elo(theta: Floats) -> Floats:
    """Thetas on the scale of chess ratings: 400 points are odds of ten to one."""
    return ELO_OF_ZERO + ELO_PER_THETA * theta


def by_arm(arms: tuple[str, ...], values: Floats) -> ByArm:
    """A number for each arm, keyed by its name."""
    return dict(zip(arms, values.tolist(), strict=True))


def _one_way(arms: tuple[str, ...], covariance: Floats | None) -> ByArm | None:
    return None if covariance is None else by_arm(arms, np.sqrt(np.diag(covariance)))


def _apart(arms: tuple[str, ...], compared: tuple[Contrast, ...]) -> Mapping[str, tuple[int, int]]:
    """How many arms are significantly better and worse than each."""
    significant = [
        (c.first, c.second) if c.difference > 0 else (c.second, c.first) for c in compared if c.p_holm < SIGNIFICANT_AT
    ]
    winners, losers = [winner for winner, _ in significant], [loser for _, loser in significant]
    return {arm: (losers.count(arm), winners.count(arm)) for arm in arms}


def _all_equal(tally: Tally, loglik: float) -> LikelihoodRatio:
    # With equal arms each side has half of the side votes' share, whatever nu is.
    side, tie = int(tally.wins.sum()), int(tally.ties.sum()) // 2
    n, df = side + tie, len(tally.arms) - 1
    equal = float(special.xlogy(side, side / (2 * n)) + special.xlogy(tie, tie / n))
    stat = max(0.0, 2 * (loglik - equal))
    return LikelihoodRatio(stat, df, float(stats.chi2.sf(stat, df)))


def _chances(arms: tuple[str, ...], theta: Floats, *, log_nu: float) -> tuple[ByArm, ByArm]:
    """Probabilities that a new vote prefers "A>B", and that it is Same, "A-B"."""
    margin = theta[:, None] - theta[None, :]
    wins, _, ties = (table.tolist() for table in shares(margin, np.full_like(margin, log_nu)))
    places = range(len(arms))
    beats = {f"{arms[i]}>{arms[j]}": wins[i][j] for i, j in permutations(places, 2)}
    return beats, {f"{arms[i]}-{arms[j]}": ties[i][j] for i, j in combinations(places, 2)}


def _note(found: Errors, unseen: int) -> str | None:
    missing = found.clusters.missing
    if unseen:
        missing += (f"no variation to see in {unseen} of the figures: their errors take votes as independent",)
    return "; ".join(missing) or None
