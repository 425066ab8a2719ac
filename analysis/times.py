"""How long raters took: what quick and slow votes chose, and whether clear pairs go faster.

A tab left open makes a time of hours, so there are only medians and ranks here, never means.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.records import Unavailable


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

    tercile_edges_ms: tuple[float, float]
    choice_by_tercile: tuple[ChoiceCounts, ChoiceCounts, ChoiceCounts]
    spearman_absnet_vs_median_ms: RankCorrelation
    median_ms: float
    timed: int
    without_time: int
