"""Intervals from resampling: pairs alone for the threshold table, pairs and raters together for the net preference.

The threshold table is never resampled over raters: with some raters counted twice and others not at all each pair has
fewer distinct votes, and shares of few votes are more extreme, so such an interval need not even hold the figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.intervals import Interval
from analysis.records import Json, as_json


@dataclass(frozen=True)
class TwoWayBootstrap:
    """Percentile intervals of the net preference and the shares (0 to 1), pairs and raters drawn anew.

    rounds: drawn; empty_rounds of them held no vote and are left out. seed: what they were drawn from, None for a
    generator of the caller's. share_ci95: by arm name and `same`. side_share_ci95: None where nobody chose a side.
    p_net: two-sided, 2 (k + 1) / (rounds + 1) with k the rarer side of 0. se_net: standard deviation over rounds.
    """

    rounds: int
    empty_rounds: int
    seed: int | None
    n: int
    pairs: int
    raters: int
    net_ci95: Interval
    share_ci95: Mapping[str, Interval]
    side_share_ci95: Interval | None
    p_net: float
    se_net: float


@dataclass(frozen=True)
class PairBootstrap:
    """Percentile intervals of the threshold table's shares (0 to 1) with comparisons drawn anew, for this panel.

    by_threshold: threshold -> column (the arm names, `no_preference`) -> interval.
    """

    rounds: int
    seed: int | None
    pairs: int
    by_threshold: Mapping[str, Mapping[str, Interval]]

    def as_json(self) -> Json:
        rows = {threshold: as_json(row) for threshold, row in self.by_threshold.items()}
        return {**rows, "rounds": self.rounds, "seed": self.seed, "pairs": self.pairs}
