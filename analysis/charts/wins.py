"""The win matrix: how often the arm of a row is chosen over the arm of a column."""

from __future__ import annotations

from collections.abc import Iterator

import altair as alt

from analysis.charts.parts import Row, missing, shown, table
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_A, ARM_B, INK, INK_SOFT, LINE, WIDTH
from analysis.ranking import Leaderboard, WinMatrix
from analysis.records import Unavailable
from analysis.report import Report

# Beyond this the votes under each probability would run into each other.
ARMS_WITH_COUNTS = 4
# Beyond this the names of the columns stand upright.
ARMS_SIDE_BY_SIDE = 6
# Of a row, in pixels.
LOWEST, HIGHEST = 20, 44
DEEPEST = 0.6


def draw(report: Report) -> Drawing | Unavailable:
    """A square of arms; blue where the row's arm wins, orange where it loses, deeper the clearer."""
    board = report.leaderboard
    return of_matrix(board.win_matrix) if isinstance(board, Leaderboard) else missing(board)


def of_matrix(matrix: WinMatrix) -> Drawing:
    """P(row beats column) by the model, and votes won, tied and lost below it."""
    side = (WIDTH - 130) // len(matrix.arms)
    size = 12 if side > 34 else 9
    base = alt.Chart(table(_cells(matrix))).encode(
        x=alt.X(
            "column:N",
            sort=None,
            title="over" if _has_counts(matrix) else "% over",
            axis=alt.Axis(
                orient="top", labelAngle=-30 if len(matrix.arms) <= ARMS_SIDE_BY_SIDE else -90, labelLimit=90
            ),
        ),
        y=alt.Y("row:N", sort=None, title=None),
    )
    squares = base.mark_rect(stroke=LINE).encode(
        color=alt.Color("colour:N", scale=None), opacity=alt.Opacity("depth:Q", scale=None)
    )
    chances = base.mark_text(color=INK, fontSize=size, dy=-7 if _has_counts(matrix) else 0).encode(text="chance:N")
    layers = [squares, chances]
    if _has_counts(matrix):
        layers.append(base.mark_text(color=INK_SOFT, dy=9, fontSize=10).encode(text="votes:N"))
    return Drawing.of(
        alt.layer(*layers).properties(width=WIDTH, height=alt.Step(max(LOWEST, min(side, HIGHEST)))),
        alt=_alt(matrix),
    )


def _has_counts(matrix: WinMatrix) -> bool:
    return len(matrix.arms) <= ARMS_WITH_COUNTS


def _cells(matrix: WinMatrix) -> Iterator[Row]:
    unit = " %" if _has_counts(matrix) else ""
    for i, row in enumerate(matrix.arms):
        for j, column in enumerate(matrix.arms):
            chance, back = matrix.p_beats[i][j], matrix.p_beats[j][i]
            lead = 0.0 if chance is None or back is None else chance - back
            yield {
                "row": row,
                "column": column,
                "chance": "" if chance is None else shown(100 * chance, 0) + unit,
                "votes": "" if i == j else _votes(matrix, i, j),
                "colour": ARM_A if lead >= 0 else ARM_B,
                "depth": round(DEEPEST * min(1.0, 1.5 * abs(lead)), 3),
            }


def _votes(matrix: WinMatrix, i: int, j: int) -> str:
    return "\N{EN DASH}".join(str(votes) for votes in (matrix.wins[i][j], matrix.ties[i][j], matrix.wins[j][i]))


def _alt(matrix: WinMatrix) -> str:
    lines = []
    for i, row in enumerate(matrix.arms):
        over = [
            f"{column} {shown(100 * chance, 0)} %"
            for j, column in enumerate(matrix.arms)
            if (chance := matrix.p_beats[i][j]) is not None
        ]
        lines.append(f"{row} over {', '.join(over)}")
    return "Chance that a new vote prefers one arm over another: " + "; ".join(lines) + "."
