"""The arms' ratings with their intervals, best first, and the ranks that the votes leave open."""

from __future__ import annotations

from analysis.charts.forest import ForestRow, forest
from analysis.charts.parts import missing, shown
from analysis.charts.rendering import Drawing
from analysis.ranking import Leaderboard, LeaderboardRow
from analysis.records import Unavailable
from analysis.report import Report


def draw(report: Report) -> Drawing | Unavailable:
    """One row an arm on the Elo scale, its range of ranks beside it."""
    board = report.leaderboard
    return of_leaderboard(board) if isinstance(board, Leaderboard) else missing(board)


def of_leaderboard(board: Leaderboard) -> Drawing:
    """A forest of ratings; the scale is relative, so there is no line of no effect."""
    rows = [ForestRow(row.arm, row.elo, *row.elo_ci95, beside=f"rank {ranks(row)}") for row in board.rows]
    alt = "Ratings, best first: " + "; ".join(_words(row) for row in board.rows) + "."
    return Drawing.of(forest(rows, title="rating, Elo scale (1000 is the mean)", null=1000.0), alt=alt)


def ranks(row: LeaderboardRow) -> str:
    """The ranks that cannot be excluded: 2, or 1 to 3."""
    if row.rank_best == row.rank_worst:
        return str(row.rank_best)
    return f"{row.rank_best} to {row.rank_worst}"


def _words(row: LeaderboardRow) -> str:
    low, high = row.elo_ci95
    return f"{row.arm} {shown(row.elo, 0)} (95 % interval {shown(low, 0)} to {shown(high, 0)}, rank {ranks(row)})"
