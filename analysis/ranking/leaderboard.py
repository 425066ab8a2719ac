"""The leaderboard: arms in the order of their ratings, with what the votes can and cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from analysis.intervals import Interval
from analysis.ranking.davidson import SIGNIFICANT_AT, elo
from analysis.ranking.ratings import BradleyTerry, Contrast, Davidson, Matrix
from analysis.records import Unavailable

FEW_CLUSTERS = 5


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


def leaderboard(fit: BradleyTerry) -> Leaderboard | Unavailable:
    """Order a fit's arms by theta, equal ones as the report has them; Davidson's error where there is no rating."""
    rated = fit.davidson
    if isinstance(rated, Unavailable):
        return rated
    order = sorted(fit.arms, key=lambda arm: -rated.theta[arm])
    return Leaderboard(
        rows=tuple(_row(fit, rated, arm) for arm in order),
        contrasts=rated.contrasts,
        win_matrix=_win_matrix(fit, rated, order),
        significant_at=SIGNIFICANT_AT,
        df=rated.df,
        n=rated.n,
        groups=rated.groups,
        raters=rated.raters,
        note=rated.note,
        warnings=tuple(_warnings(rated)),
    )


def _row(fit: BradleyTerry, rated: Davidson, arm: str) -> LeaderboardRow:
    k = fit.arms.index(arm)
    wins, ties = sum(fit.wins[k]), sum(fit.ties[k])
    losses = sum(row[k] for row in fit.wins)
    low, high = rated.ci95_two_way[arm]
    elo_low, elo_high = elo(np.array([low, high])).tolist()
    return LeaderboardRow(
        arm=arm,
        theta=rated.theta[arm],
        theta_ci95=(low, high),
        elo=rated.elo[arm],
        elo_ci95=(elo_low, elo_high),
        wins=wins,
        ties=ties,
        losses=losses,
        votes=wins + ties + losses,
        rank_best=rated.rank_best[arm],
        rank_worst=rated.rank_worst[arm],
        rank_by_intervals=1 + sum(other_low > high for other_low, _ in rated.ci95_two_way.values()),
    )


def _win_matrix(fit: BradleyTerry, rated: Davidson, order: list[str]) -> WinMatrix:
    places = [fit.arms.index(arm) for arm in order]
    # A tie is the same either way round; its key names the report's earlier arm first.
    tie = {(i, j): rated.p_tie[f"{fit.arms[min(i, j)]}-{fit.arms[max(i, j)]}"] for i, j in permutations(places, 2)}
    return WinMatrix(
        arms=tuple(order),
        wins=tuple(tuple(fit.wins[i][j] for j in places) for i in places),
        ties=tuple(tuple(fit.ties[i][j] for j in places) for i in places),
        p_beats=tuple(tuple(None if a == b else rated.p_beats[f"{a}>{b}"] for b in order) for a in order),
        p_tie=tuple(tuple(tie.get((i, j)) for j in places) for i in places),
    )


def _warnings(rated: Davidson) -> Iterable[str]:
    for effective, what in ((rated.raters_effective, "raters"), (rated.groups_effective, "groups of pairs")):
        if effective < FEW_CLUSTERS:
            yield (
                f"The {what} weigh like {effective:.1f} equally busy ones; below {FEW_CLUSTERS} the intervals and "
                "ranks are rough."
            )
