"""The leaderboard: arms in the order of their ratings, with what the votes can and cannot tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.intervals import Interval
from analysis.ranking.ratings import Contrast, Matrix


@dataclass(frozen=True)
class LeaderboardRow:
    """One arm. Ranks rank_best to rank_worst cannot be excluded; votes = wins + ties + losses.

    rank_by_intervals: 1 + arms whose interval lies wholly above this one's: another rule, as a cross-check.
    """

    arm: str
    theta: float
    theta_ci95: Interval
    elo: float
    elo_ci95: Interval
    wins: int
    ties: int
    losses: int
    votes: int
    rank_best: int
    rank_worst: int
    rank_by_intervals: int


@dataclass(frozen=True)
class WinMatrix:
    """Arm by arm, in the order of the leaderboard: votes won and tied, and the model's chances of a new vote.

    wins[i][j]: votes that prefer arm i over arm j. p_beats[i][j], p_tie[i][j]: probabilities, None on the diagonal.
    """

    arms: tuple[str, ...]
    wins: Matrix
    ties: Matrix
    p_beats: tuple[tuple[float | None, ...], ...]
    p_tie: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Leaderboard:
    """Best arm first. Ratings compare only within one study: the same question on the same pairs.

    contrasts: every two arms, difference = first - second. significant_at: the level of rank ranges, after Holm.
    """

    rows: tuple[LeaderboardRow, ...]
    contrasts: tuple[Contrast, ...]
    win_matrix: WinMatrix
    significant_at: float
    df: float
    n: int
    groups: int
    raters: int
    note: str | None
    warnings: tuple[str, ...]

    def positions(self) -> Mapping[str, int]:
        """Where each arm stands in the rows, from 0."""
        return {row.arm: place for place, row in enumerate(self.rows)}
