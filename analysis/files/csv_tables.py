"""Tables as CSV: one tidy file with a line per figure, or one file per table as it is read on the page.

Numbers keep all their digits. A figure that cannot be had has no number and its error code in the column
`unavailable`; nothing is left out silently.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from analysis.files.table import Cell, Figure, Table
from analysis.records import Unavailable

TIDY_COLUMNS = ("table", "first_arm", "second_arm", "row", "figure", "unit", "value", "low", "high", "unavailable")
NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def tidy_csv(tables: Iterable[Table]) -> str:
    """All figures of all tables, one a line: `value`, its 95 % interval `low` to `high`, its `unit`.

    Units: count, percent (0 to 100), net (-1 to 1), number, p, elo, ms. Other texts of a row, such as a code, stand as
    its value with the unit `text`.
    """
    return _written([TIDY_COLUMNS, *(line for table in tables for line in _tidy_lines(table))])


def wide_csv(table: Table) -> str:
    """One table as it is read: a line per row; intervals as `<column>_low` and `<column>_high`."""
    wide = [index for index in range(len(table.columns)) if any(_has_interval(cell) for cell in table.column(index))]
    header: list[str] = []
    for index, column in enumerate(table.columns):
        header += [column.name, f"{column.name}_low", f"{column.name}_high"] if index in wide else [column.name]
    return _written(
        [[*header, "unavailable"], *(_wide_line(table, (name, *row[1:]), wide) for name, row in table.named_rows())]
    )


def csv_files(tables: Iterable[Table]) -> Mapping[str, str]:
    """One CSV per table, by file name: the table's name, with its two arms where there are several pairings."""
    tables = list(tables)
    times = Counter(table.name for table in tables)
    files: dict[str, str] = {}
    for table in tables:
        name = _file_name(table.name, *(table.arms if times[table.name] > 1 else ()))
        # Two arms whose names differ only in what a file name cannot hold.
        while f"{name}.csv" in files:
            name += "_"
        files[f"{name}.csv"] = wide_csv(table)
    return files


def _file_name(*parts: str) -> str:
    return "-".join(NOT_IN_A_FILE_NAME.sub("_", part) for part in parts)


def _tidy_lines(table: Table) -> Iterator[list[object]]:
    first, second = table.arms if len(table.arms) == 2 else ("", "")
    for name, row in table.named_rows():
        for column, cell in zip(table.columns[1:], row[1:], strict=True):
            if cell is not None:
                unit = cell.unit.value if isinstance(cell, Figure) else "text"
                value, low, high = _numbers(cell)
                start = [table.name, first, second, name, column.name]
                yield [*start, unit, value, low, high, ";".join(_codes(cell))]


def _wide_line(table: Table, row: tuple[Cell, ...], wide: list[int]) -> list[object]:
    line: list[object] = []
    for index, cell in enumerate(row):
        line += _numbers(cell) if index in wide else _numbers(cell)[:1]
    named = zip(table.columns, row, strict=True)
    return [*line, ";".join(f"{column.name}:{code}" for column, cell in named for code in _codes(cell))]


def _numbers(cell: Cell) -> tuple[object, object, object]:
    if isinstance(cell, Figure):
        return (_exact(cell.value), *(cell.interval if isinstance(cell.interval, tuple) else ("", "")))
    return ("" if cell is None or isinstance(cell, Unavailable) else cell, "", "")


def _exact(value: float) -> object:
    return int(value) if isinstance(value, int) else value


def _codes(cell: Cell) -> Iterator[str]:
    if isinstance(cell, Unavailable):
        yield cell.code
    elif isinstance(cell, Figure) and isinstance(cell.interval, Unavailable):
        yield cell.interval.code


def _has_interval(cell: Cell) -> bool:
    return isinstance(cell, Figure) and cell.interval is not None


def _written(lines: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(lines)
    return out.getvalue()
