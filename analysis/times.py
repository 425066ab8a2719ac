"""How long raters took: what quick and slow votes chose, and whether clear pairs go faster.

A tab left open makes a time of hours, so there are only medians and ranks here, never means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import stats

from analysis.intervals import Floats
from analysis.records import Method, Unavailable
from analysis.votes import CHOICES, NO_TIME, Bools, Ints, Votes

FEWEST_PAIRS = 3
LARGEST_KEY = 2**62

METHODS = (
    Method(
        "choice_by_tercile",
        "Buttons by response time, in thirds",
        "nothing; a description",
        "",
        "How often quick, middling and slow votes chose each button: very quick votes that choose otherwise than the "
        "rest were perhaps not looked at.",
    ),
    Method(
        "spearman_absnet_vs_median_ms",
        "Rank correlation of how clear a pair is with how long it takes",
        "pairs are independent",
        "Spearman (1904), American J. of Psychology 15:72",
        "Below zero, pairs that raters agree on are judged faster, as one expects of people who look at both images.",
    ),
)


@dataclass(frozen=True)
class ChoiceCounts:
    """How often each button was pressed."""

    left: int
    right: int
    same: int


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rho (-1 to 1) over n pairs with its two-sided p; None with a note where there is none to have."""

    rho: float | None
    p: float | None
    n: int
    note: str | None = None


@dataclass(frozen=True)
class Times:
    """Votes by response time, in milliseconds.

    tercile_edges_ms: the times below which a third and two thirds lie; a vote on an edge belongs to the quicker third.
    choice_by_tercile: quickest third first. spearman_absnet_vs_median_ms: |net preference| of each pair against the
    median of its times. timed, without_time: votes with a time, which all of this is over, and without one.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS
    tercile_edges_ms: tuple[float, float]
    choice_by_tercile: tuple[ChoiceCounts, ChoiceCounts, ChoiceCounts]
    spearman_absnet_vs_median_ms: RankCorrelation
    median_ms: float
    timed: int
    without_time: int


def times(votes: Votes) -> Times | Unavailable:
    """Describe the response times of any log; votes without a time are left out and counted.

    Unavailable `no_votes`, `no_times`.
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    timed = votes.response_ms != NO_TIME
    if not timed.any():
        return Unavailable("no_times", "no vote has a response time; fill the column response_ms to have these figures")
    measured = votes.response_ms[timed]
    first, middle, second = np.quantile(measured, [1 / 3, 1 / 2, 2 / 3]).tolist()
    return Times(
        tercile_edges_ms=(first, second),
        choice_by_tercile=_choice_by_tercile(votes.choice[timed], measured, edges=(first, second)),
        spearman_absnet_vs_median_ms=_clear_pairs_against_times(votes, timed),
        median_ms=middle,
        timed=len(measured),
        without_time=votes.n_votes - len(measured),
    )


def medians(values: Ints, cluster: Ints, *, clusters: int) -> Floats:
    """The median of the values in each cluster, float64 [clusters]; 0 where a cluster holds none.

    values: int64 [n], >= 0. cluster: int64 [n], 0 to clusters - 1.
    """
    sizes = np.bincount(cluster, minlength=clusters)
    span = int(values.max(initial=0)) + 1
    if span * clusters < LARGEST_KEY:
        # Sorting numbers that hold both is ten times faster than sorting by two columns.
        ordered = np.sort(cluster * span + values) % span
    else:
        ordered = values[np.lexsort((values, cluster))]
    starts, held = np.cumsum(sizes) - sizes, sizes > 0
    low, high = (starts + (sizes - 1) // 2)[held], (starts + sizes // 2)[held]
    middles = np.zeros(clusters)
    middles[held] = (ordered[low] + ordered[high]) / 2
    return middles


def _choice_by_tercile(
    choice: Ints, measured: Ints, *, edges: tuple[float, float]
) -> tuple[ChoiceCounts, ChoiceCounts, ChoiceCounts]:
    third = (measured > edges[0]).astype(np.int64) + (measured > edges[1])
    counts = np.bincount(third * len(CHOICES) + choice, minlength=3 * len(CHOICES)).reshape(3, len(CHOICES))
    quick, middling, slow = (ChoiceCounts(*row) for row in counts.tolist())
    return quick, middling, slow


def _clear_pairs_against_times(votes: Votes, timed: Bools) -> RankCorrelation:
    nets = np.bincount(votes.pair, weights=votes.outcome, minlength=votes.n_pairs)
    sizes = np.bincount(votes.pair, minlength=votes.n_pairs)
    known = np.bincount(votes.pair[timed], minlength=votes.n_pairs) > 0
    clear = np.abs(nets[known] / sizes[known])
    middles = medians(votes.response_ms[timed], votes.pair[timed], clusters=votes.n_pairs)[known]
    n = len(clear)
    if n < FEWEST_PAIRS:
        return RankCorrelation(None, None, n, f"{n} of the pairs have a time; a rank correlation needs {FEWEST_PAIRS}")
    if not np.ptp(clear) or not np.ptp(middles):
        return RankCorrelation(None, None, n, "all pairs are alike in one of the two, so there is nothing to rank")
    found = stats.spearmanr(clear, middles)
    return RankCorrelation(float(found.statistic), float(found.pvalue), n)
