"""The tables of K arms on one scale: leaderboard, contrasts, win matrix and the pairings one by one."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.files.table import Cell, Column, Figure, Table, Unit, count, net, net_se, number, p_value, percent, share
from analysis.ranking import (
    BradleyTerry,
    ComponentRating,
    Davidson,
    DavidsonWithPosition,
    Leaderboard,
    PenalisedRating,
    PlainRating,
    RaoKupper,
    WinMatrix,
)
from analysis.records import Unavailable

Fit = Davidson | DavidsonWithPosition | RaoKupper | PlainRating | PenalisedRating | ComponentRating | Unavailable

COMPARABLE = "Ratings compare only within one study: the same question on the same comparisons."


def leaderboard_rows(board: Leaderboard) -> Table:
    """Arms, best first, with the ranks that the votes cannot exclude."""
    return Table(
        name="leaderboard",
        title="Arms by their rating (Davidson: Bradley-Terry with ties)",
        columns=(
            Column("arm", "Arm"),
            Column("elo", "Elo"),
            Column("theta", "Rating"),
            Column("rank_best", "Best rank"),
            Column("rank_worst", "Worst rank"),
            Column("wins", "Wins"),
            Column("ties", "Ties"),
            Column("losses", "Losses"),
            Column("votes", "Votes"),
        ),
        rows=tuple(
            (
                row.arm,
                Figure(row.elo, Unit.ELO, row.elo_ci95),
                number(row.theta, row.theta_ci95),
                *(count(n) for n in (row.rank_best, row.rank_worst, row.wins, row.ties, row.losses, row.votes)),
            )
            for row in board.rows
        ),
        notes=(
            f"From {board.n} votes; 95 % intervals allow for {board.groups} groups of class and seed and "
            f"{board.raters} raters. Ranks from best to worst cannot be excluded (contrasts with Holm's correction, "
            f"level {board.significant_at:g}). {COMPARABLE}",
            *((board.note,) if board.note else ()),
            *board.warnings,
        ),
    )


def contrast_rows(board: Leaderboard) -> Table:
    """Every two arms: how far one rating is above the other."""
    return Table(
        name="leaderboard.contrasts",
        title="Differences of ratings",
        columns=(
            Column("contrast", "Arms"),
            Column("difference", "Difference"),
            Column("se", "SE"),
            Column("df", "df"),
            Column("p", "p"),
            Column("p_holm", "p (Holm)"),
        ),
        rows=tuple(
            (
                f"{row.first} \N{MINUS SIGN} {row.second}",
                number(row.difference, row.ci95),
                number(row.se),
                number(row.df),
                p_value(row.p),
                p_value(row.p_holm),
            )
            for row in board.contrasts
        ),
        notes=("Log-worths, positive where the first arm is preferred; two-way clustered by group and rater.",),
    )


def win_matrix_rows(matrix: WinMatrix) -> Table:
    """Arm by arm: how large a share of their votes the row's arm won against the column's."""
    return Table(
        name="leaderboard.win_matrix",
        title="Share of the votes between two arms that prefer the row's over the column's",
        columns=(Column("arm", "Arm"), *(Column(arm, f"over {arm}") for arm in matrix.arms)),
        rows=tuple(
            (arm, *(_won(matrix, row, column) for column in range(len(matrix.arms))))
            for row, arm in enumerate(matrix.arms)
        ),
        notes=("Same is in the denominator; empty where two arms were never compared.",),
    )


def _won(matrix: WinMatrix, row: int, column: int) -> Cell:
    won, lost, tied = matrix.wins[row][column], matrix.wins[column][row], matrix.ties[row][column]
    between = won + lost + tied
    return None if row == column or not between else share(won / between)


def chance_rows(matrix: WinMatrix) -> Table:
    """The model's chance that a new vote prefers the row's arm over the column's."""
    return Table(
        name="bradley_terry.davidson.p_beats",
        title="Chance that a new vote prefers the row's arm over the column's",
        columns=(Column("arm", "Arm"), *(Column(arm, f"over {arm}") for arm in matrix.arms)),
        rows=tuple(
            (arm, *(None if chance is None else percent(100 * chance) for chance in chances))
            for arm, chances in zip(matrix.arms, matrix.p_beats, strict=True)
        ),
        notes=(
            "From the fitted ratings, also for two arms that were never shown together; the rest is Same or a loss.",
        ),
    )


def pairwise_rows(rating: BradleyTerry) -> Table:
    """Every two arms from their own votes alone."""
    family = rating.pairwise_family
    left_out = "; ".join(f"{arms} ({code})" for arms, code in family.left_out.items())
    return Table(
        name="bradley_terry.pairwise",
        title="Net preference between every two arms, from their own votes alone",
        columns=(
            Column("arms", "Arms"),
            Column("net", "Net preference"),
            Column("se", "SE"),
            Column("p", "p"),
            Column("p_holm", "p (Holm)"),
            Column("p_bh", "p (Benjamini-Hochberg)"),
        ),
        rows=tuple(
            (arms, net(test.net), net_se(test.se), p_value(test.p), p_value(test.p_holm), p_value(test.p_bh))
            for arms, test in rating.pairwise.items()
        ),
        notes=(
            "In points, two-way clustered by comparison and rater; positive where the first arm is preferred. "
            f"{family.entered} of {family.of} pairings with votes entered the correction."
            + (f" Left out: {left_out}." if left_out else ""),
        ),
    )


def fit_rows(rating: BradleyTerry) -> Table:
    """The rating under each model of ties: do they tell the same story?"""
    return Table(
        name="bradley_terry",
        title="Ratings under each model",
        columns=(
            Column("model", "Model"),
            *(Column(arm, arm) for arm in rating.arms),
            Column("loglik", "Log-likelihood"),
        ),
        rows=tuple((name, *_thetas(fit, rating.arms)) for name, fit in _fits(rating)),
        notes=("Each model has a scale of its own: compare the order, never the numbers across rows.",),
    )


def _fits(rating: BradleyTerry) -> Iterator[tuple[str, Fit]]:
    yield "Davidson", rating.davidson
    for name, fit in (
        ("Davidson with a lean to a side", rating.davidson_with_position),
        ("Davidson with prior votes, no result", rating.davidson_penalised),
        ("Rao-Kupper", rating.rao_kupper),
        ("Bradley-Terry, Same is half a win each", rating.bt_half_tie),
        ("Bradley-Terry, Same left out", rating.bt_side_only),
    ):
        if fit is not None:
            yield name, fit
    for part in rating.davidson_by_component or ():
        yield f"Davidson, only {', '.join(part.arms)}", part


def _thetas(fit: Fit, arms: tuple[str, ...]) -> tuple[Cell, ...]:
    if isinstance(fit, Unavailable):
        return (*(fit for _ in arms), fit)
    theta = fit.theta or {}
    likelihood = None if isinstance(fit, ComponentRating | PenalisedRating) else number(fit.loglik)
    return (*(number(theta[arm]) if arm in theta else None for arm in arms), likelihood)
