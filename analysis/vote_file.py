"""Vote logs as files: one CSV row per vote."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from analysis.gatekeeping import LONGEST_MS
from analysis.votes import InvalidVotes, Pair, VoteColumns, Votes

if TYPE_CHECKING:
    from _csv import Reader

REQUIRED = ("pair_id", "class_label", "rater_id", "left_arm", "choice", "response_ms")
OPTIONAL = ("right_arm", "group_id", "gold_arm", "simulated")
NEVER_EMPTY = ("pair_id", "rater_id", "left_arm", "right_arm", "group_id")

# So few that the garbage collector, which looks after some 700 new objects, has nothing to do meanwhile.
ROWS_AT_A_TIME = 256
NO_NUMBER = -1
NOT_SIMULATED = {"", "0", "no", "false"}


def read_csv(
    source: str | PathLike[str] | TextIO, *, pairs: Iterable[Pair] = (), arms: Sequence[str] | None = None
) -> Votes:
    """Read a vote log from a path or an open text stream.

    Columns `pair_id,class_label,rater_id,left_arm,choice,response_ms` in any order; `right_arm` where there are more
    than two arms, `group_id` where pairs share a class and seed, `gold_arm` with the right answer of gold rows (empty
    elsewhere), `simulated` where a program voted; others are ignored. UTF-8, comma separated, in order of arrival.
    Raises InvalidVotes naming the line and the column, OSError where there is no such file.
    """
    return Votes.from_rows(read_columns(source), pairs=pairs, arms=arms)


def read_columns(source: str | PathLike[str] | TextIO) -> VoteColumns:
    """Read the columns of a vote log, each cell checked on its own."""
    try:
        if isinstance(source, str | PathLike):
            # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
            with Path(source).open(encoding="utf-8-sig", newline="") as stream:
                return _columns(stream)
        return _columns(source)
    except UnicodeDecodeError as error:
        raise InvalidVotes("not_utf8", f"the file is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except csv.Error as error:
        raise InvalidVotes("bad_row", f"the file is not a readable CSV: {error}") from error


def write_columns(columns: VoteColumns, stream: TextIO) -> None:
    """Write a log as `read_columns` reads it, one row per vote, with those optional columns that the log has."""
    cells: dict[str, Sequence[object] | None] = {
        "pair_id": columns.pair_id,
        "class_label": columns.class_label or [""] * len(columns.pair_id),
        "rater_id": columns.rater_id,
        "left_arm": columns.left_arm,
        "right_arm": columns.right_arm,
        "choice": columns.choice,
        "response_ms": columns.response_ms or [None] * len(columns.pair_id),
        "group_id": columns.group_id,
        "gold_arm": columns.gold_arm,
        "simulated": ["yes"] * len(columns.pair_id) if columns.simulated else None,
    }
    there = {name: column for name, column in cells.items() if column is not None}
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(there)
    # csv writes None as an empty cell.
    writer.writerows(zip(*there.values(), strict=True))


def _columns(stream: TextIO) -> VoteColumns:
    reader = csv.reader(stream)
    header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
    _check_header(header)
    cells, lines = _cells(reader, header)
    _refuse_empty_cells(cells, lines)
    return VoteColumns(
        pair_id=cells["pair_id"],
        rater_id=cells["rater_id"],
        left_arm=cells["left_arm"],
        choice=cells["choice"],
        right_arm=cells.get("right_arm"),
        class_label=cells["class_label"],
        group_id=cells.get("group_id"),
        response_ms=_times(cells["response_ms"], lines),
        gold_arm=cells.get("gold_arm"),
        lines=lines,
        simulated=any(cell.lower() not in NOT_SIMULATED for cell in set(cells.get("simulated", ()))),
    )


def _cells(reader: Reader, header: list[str]) -> tuple[dict[str, list[str]], list[int]]:
    # A few rows at a time, equal texts kept once: a million rows of seven texts of their own would fill the memory.
    columns: list[list[str]] = [[] for _ in header]
    lines: list[int] = []
    once: dict[str, str] = {}
    numbered = ((reader.line_num, row) for row in reader if row)
    while rows := list(islice(numbered, ROWS_AT_A_TIME)):
        for line, row in rows:
            if len(row) != len(header):
                raise InvalidVotes(
                    "bad_row", f"line {line}: {len(row)} cells under {len(header)} columns; give each its cell"
                )
        lines += [line for line, _ in rows]
        for column, cells in zip(columns, zip(*(row for _, row in rows), strict=True), strict=True):
            texts = list(map(str.strip, cells))
            column += map(once.setdefault, texts, texts)
    return dict(zip(header, columns, strict=True)), lines


def _check_header(header: list[str]) -> None:
    if not header:
        raise InvalidVotes("no_votes", f"the file is empty; it needs a header {','.join(REQUIRED)} and a row per vote")
    if missing := [name for name in REQUIRED if name not in header]:
        raise InvalidVotes("missing_columns", f"line 1: the header lacks {', '.join(missing)}; add what is missing")
    if twice := [name for name in (*REQUIRED, *OPTIONAL) if header.count(name) > 1]:
        raise InvalidVotes("bad_row", f"line 1: the column {twice[0]} is there twice; remove one")


def _refuse_empty_cells(cells: dict[str, list[str]], lines: list[int]) -> None:
    for name in NEVER_EMPTY:
        column = cells.get(name, [])
        if "" in column:
            raise InvalidVotes("bad_row", f"line {lines[column.index('')]}, column {name}: the cell is empty; fill it")


def _times(column: list[str], lines: list[int]) -> list[int | None]:
    known = {}
    for text in dict.fromkeys(column):
        known[text] = _milliseconds(text)
        if known[text] == NO_NUMBER:
            raise InvalidVotes(
                "bad_row",
                f"line {lines[column.index(text)]}, column response_ms: {text!r} is not a number of milliseconds, "
                "or too large; leave the cell empty where the time is not known",
            )
    return [known[text] for text in column]


def _milliseconds(text: str) -> int | None:
    if not text:
        return None
    try:
        value = round(float(text))
    except (ValueError, OverflowError):
        return NO_NUMBER
    return value if 0 <= value < LONGEST_MS else NO_NUMBER
