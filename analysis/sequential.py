"""Looking while votes come in: tests that stay valid however often one looks, or at looks planned beforehand.

A look takes the votes of the first r raters, in order of their first vote. Under crossed effects the covariance of two
looks' estimates is the variance of the later one, so information times estimate is a Brownian motion in information
(one over the two-way variance). A normal mixture puts a boundary to it that a null crosses with chance alpha at most.
Looks at single votes are not valid here: votes on one pair, or of one rater, are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.accrual import Accrual
from analysis.intervals import Interval
from analysis.records import Method, Unavailable
from analysis.votes import Ints, Votes

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Stakes of the rater-level bets: both directions, weighted alike.
STAKES = np.concatenate([-np.arange(1, 10), np.arange(1, 10)]) / 10
EVIDENCE = 20.0

METHODS = (
    Method(
        "two_way_normal_mixture",
        "Monitoring with a normal-mixture boundary",
        "pairs and raters stand for others of their kind and come in no particular order; rho was fixed beforehand",
        "Robbins (1970), Annals of Mathematical Statistics 41:1397; Cameron, Gelbach, Miller (2011), J. Business & "
        "Economic Statistics 29:238",
        "Collecting may end at the first look where the evidence crosses the boundary, however often one has looked; "
        "the interval holds at all looks together.",
    ),
    Method(
        "rater_level",
        "Bets on one rater after the other",
        "without a preference the next rater's mean answer is 0, whatever the earlier ones said; holds for these pairs",
        "Waudby-Smith, Ramdas (2024), J. Royal Statistical Society B 86:1; Ville (1939), Étude critique de la notion "
        "de collectif",
        "Each rater's mean answer is a round of a fair game if there is no preference; a large win is evidence of one.",
    ),
    Method(
        "planned_looks",
        "Looks planned beforehand, alpha shared among them",
        "as the headline test; the number of looks was fixed beforehand",
        "Dunn (1961), JASA 56:52",
        "The headline test at each planned look, held to alpha divided by the number of looks.",
    ),
)


@dataclass(frozen=True)
class Look:
    """The state after `raters` raters: net preference, its confidence sequence (low, high), evidence and boundary.

    log_e: natural logarithm of the evidence against no preference; at `boundary` (ln 1/alpha) or above it rejects.
    """

    raters: int
    votes: int
    estimate: float
    low: float
    high: float
    log_e: float
    boundary: float


@dataclass(frozen=True)
class TwoWayNormalMixture:
    """A look after every rater from the first look on.

    rho: in units of information (1 / variance of the net preference), planned information / 7.9.
    log_e_final, confidence_sequence_final: at the last look; log_e_max: the largest so far.
    always_valid_p: min(1, 1 / largest evidence). stop_after_raters: the first look that rejects, None if none does.
    skipped_looks: looks without a variance (one pair so far, or no spread), which reject nothing.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[:1]
    alpha: float
    rho: float
    first_look_after_raters: int
    raters: int
    votes: int
    log_e_final: float
    log_e_max: float
    always_valid_p: float
    stop_after_raters: int | None
    confidence_sequence_final: Interval
    skipped_looks: int
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class RaterLevel:
    """Wealth of an average of bets on raters' mean answers, in natural logarithms; 0 before the first rater.

    always_valid_p: min(1, 1 / largest wealth). first_rater_with_e_ge_20: None if wealth never reached 20.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[1:2]
    raters: int
    log_e_final: float
    log_e_max: float
    always_valid_p: float
    first_rater_with_e_ge_20: int | None


@dataclass(frozen=True)
class PlannedLook:
    """The headline test after `raters` raters. low, high: its interval at confidence 1 - alpha_per_look."""

    raters: int
    votes: int
    estimate: float
    se: float
    df: float
    p: float
    low: float
    high: float
    rejects: bool


@dataclass(frozen=True)
class PlannedLooks:
    """The planned looks that have been reached, evenly spaced over planned_raters.

    looks_planned: how many share alpha. skipped_looks: reached, but without a variance.
    next_look_after_raters: None when all have been reached. stop_after_raters: the first look that rejects.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[2:]
    alpha: float
    alpha_per_look: float
    looks_planned: int
    planned_raters: int
    looks: tuple[PlannedLook, ...]
    skipped_looks: int
    stop_after_raters: int | None
    next_look_after_raters: int | None


@dataclass(frozen=True)
class Sequential:
    """All ways of looking at one two-arm log; planned_looks is None where no number of raters was planned."""

    two_way_normal_mixture: TwoWayNormalMixture | Unavailable
    rater_level: RaterLevel
    planned_looks: PlannedLooks | None


def sequential(
    votes: Votes,
    *,
    alpha: float = 0.05,
    rho: float = 150.0,
    first_look: int = 10,
    looks: int = 5,
    planned_raters: int | None = None,
) -> Sequential:
    """Every look at a two-arm log, in order of arrival.

    alpha: chance of ever rejecting without a preference. rho > 0: planned information / 7.9. first_look: raters before
    the first look, >= 2. looks: how many are planned over planned_raters; None leaves planned looks out.
    `too_few_raters` at two_way_normal_mixture before the first look, or where no look had a variance.
    """
    accrual = Accrual.of(votes)
    return Sequential(
        two_way_normal_mixture=_normal_mixture(accrual, alpha=alpha, rho=rho, first_look=max(first_look, 2)),
        rater_level=_rater_level(accrual.mean),
        planned_looks=_planned_looks(accrual, alpha=alpha, looks=looks, raters=planned_raters)
        if planned_raters
        else None,
    )


def _normal_mixture(
    accrual: Accrual, *, alpha: float, rho: float, first_look: int
) -> TwoWayNormalMixture | Unavailable:
    n_raters = len(accrual.votes)
    looked = np.flatnonzero(accrual.has_variance[first_look - 1 :]) + first_look - 1
    if not len(looked):
        return Unavailable("too_few_raters", _why_no_look(n_raters, first_look))
    estimate = accrual.estimate[looked]
    # The boundary is for a known variance: inflated as t is wider than z, it allows for an estimated one.
    inflation = (special.stdtrit(accrual.df[looked], 1 - alpha / 2) / special.ndtri(1 - alpha / 2)) ** 2
    information = 1 / (accrual.var[looked] * inflation)
    log_e = 0.5 * np.log(rho / (information + rho)) + (information * estimate) ** 2 / (2 * (information + rho))
    boundary = float(np.log(1 / alpha))
    half = np.sqrt((information + rho) * (2 * boundary + np.log((information + rho) / rho))) / information
    columns = (looked + 1, accrual.votes[looked], estimate, estimate - half, estimate + half, log_e)
    boundaries = [boundary] * len(looked)
    rows = tuple(map(Look, *(column.tolist() for column in columns), boundaries))
    return TwoWayNormalMixture(
        alpha=alpha,
        rho=rho,
        first_look_after_raters=first_look,
        raters=n_raters,
        votes=int(accrual.votes[-1]),
        log_e_final=rows[-1].log_e,
        log_e_max=float(log_e.max()),
        always_valid_p=_always_valid_p(log_e),
        stop_after_raters=_first(looked + 1, log_e >= boundary),
        confidence_sequence_final=(rows[-1].low, rows[-1].high),
        skipped_looks=n_raters - first_look + 1 - len(looked),
        looks=rows,
    )


def _why_no_look(n_raters: int, first_look: int) -> str:
    if n_raters < first_look:
        return f"the first look is after {first_look} raters, and there are {n_raters}"
    return (
        f"none of the looks after {first_look} to {n_raters} raters has a variance: the raters have judged one pair "
        "only, or all pairs and raters are alike"
    )


def _rater_level(means: Floats) -> RaterLevel:
    # Wealth of each stake is the product of 1 + stake * mean; the average over stakes is a test martingale too.
    wealth = np.log1p(np.outer(STAKES, means)).cumsum(axis=1)
    log_e = special.logsumexp(wealth, axis=0) - np.log(len(STAKES)) if len(means) else np.zeros(1)
    return RaterLevel(
        raters=len(means),
        log_e_final=float(log_e[-1]),
        log_e_max=float(log_e.max()),
        always_valid_p=_always_valid_p(log_e),
        first_rater_with_e_ge_20=_first(np.arange(len(log_e)) + 1, log_e >= np.log(EVIDENCE)),
    )


def _planned_looks(accrual: Accrual, *, alpha: float, looks: int, raters: int) -> PlannedLooks:
    # Rounded up, and one where two would coincide: fewer looks than planned never spend more than alpha.
    planned = np.unique(-(-raters * np.arange(1, looks + 1) // looks))
    reached = planned[planned <= len(accrual.votes)]
    looked = reached[accrual.has_variance[reached - 1]] - 1
    each = alpha / looks
    estimate, se, df = accrual.estimate[looked], np.sqrt(accrual.var[looked]), accrual.df[looked]
    p = np.asarray(2 * special.stdtr(df, -np.abs(estimate) / se))
    rejects = np.asarray(p <= each)
    half = special.stdtrit(df, 1 - each / 2) * se
    columns = (looked + 1, accrual.votes[looked], estimate, se, df, p, estimate - half, estimate + half, rejects)
    return PlannedLooks(
        alpha=alpha,
        alpha_per_look=each,
        looks_planned=looks,
        planned_raters=raters,
        looks=tuple(map(PlannedLook, *(column.tolist() for column in columns))),
        skipped_looks=len(reached) - len(looked),
        stop_after_raters=_first(looked + 1, rejects),
        next_look_after_raters=_first(planned, planned > len(accrual.votes)),
    )


def _first(raters: Ints, crosses: Bools) -> int | None:
    return int(raters[crosses.argmax()]) if crosses.any() else None


def _always_valid_p(log_e: Floats) -> float:
    return float(np.exp(-max(log_e.max(), 0.0)))
