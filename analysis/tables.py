"""The threshold table as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from analysis.preference import Cell, ThresholdRow, ThresholdTable

COLUMNS = (
    "first_arm",
    "second_arm",
    "threshold_percent",
    "preferred",
    "pairs",
    "of_pairs",
    "percent",
    "wilson95_low",
    "wilson95_high",
)

LATEX_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def as_csv(threshold_tables: Iterable[ThresholdTable]) -> str:
    """Tidy lines, one per pairing, threshold and column; percent is 0 to 100, the interval is of a share, 0 to 1."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for table in threshold_tables:
        writer.writerows(_lines(table))
    return out.getvalue()


def _lines(table: ThresholdTable) -> Iterator[tuple[object, ...]]:
    for row in table.rows:
        for cell in row.cells:
            start = (*table.arms, row.threshold, cell.column, cell.pairs, table.pairs)
            yield (*start, cell.percent, *cell.wilson95)


def as_latex(threshold_tables: Iterable[ThresholdTable]) -> str:
    """One tabular per pairing for the booktabs package: percent of the comparisons, pairs as units."""
    return "\n".join(_tabular(table) for table in threshold_tables)


def _tabular(table: ThresholdTable) -> str:
    names = " & ".join(arm.translate(LATEX_SPECIAL) for arm in table.arms)
    return "\n".join(
        (
            r"\begin{tabular}{rrrr}",
            r"\toprule",
            rf"Threshold & {names} & No preference \\",
            r"\midrule",
            *(_tabular_row(row) for row in table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        )
    )


def _tabular_row(row: ThresholdRow) -> str:
    cells = " & ".join(_percent(cell) for cell in row.cells)
    return rf"{row.threshold}\,\% & {cells} \\"


def _percent(cell: Cell) -> str:
    return f"{cell.percent:.1f}\\,\\%"
