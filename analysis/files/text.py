"""A report as plain text for a terminal: the answer first, then the tables that carry it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

from analysis.files.sections import Section, sections
from analysis.files.table import Figure, Table, plain
from analysis.report import Pairing, Report

WIDTH = 100
# What somebody wants to see at once; everything else is in the files.
SHOWN = ("threshold_table", "shares", "tests")
SHOWN_OF_MANY_ARMS = ("leaderboard", "leaderboard.win_matrix", "threshold_table")


def text_of(report: Report) -> str:
    """Headline, threshold table, shares, tests and, with more than two arms, the leaderboard; warnings below each."""
    shown = SHOWN if len(report.arms) == 2 else SHOWN_OF_MANY_ARMS
    parts = ["\n".join(_section(section, shown)) for section in sections(report)]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def text_table(table: Table) -> str:
    """One table in columns, its notes below."""
    grid = [tuple(column.title for column in table.columns), *(tuple(map(plain, row)) for row in table.rows)]
    widths = [max(len(row[index]) for row in grid) for index in range(len(table.columns))]
    right = [any(isinstance(cell, Figure) for cell in table.column(index)) for index in range(len(table.columns))]
    lines = [
        "  ".join(
            cell.rjust(width) if to_right and index else cell.ljust(width)
            for index, (cell, width, to_right) in enumerate(zip(row, widths, right, strict=True))
        ).rstrip()
        for row in grid
    ]
    return "\n".join((f"{table.title}:", "", *lines, "", *_wrapped((*table.notes, *table.reasons()))))


def _section(section: Section, shown: tuple[str, ...]) -> Iterator[str]:
    tables = [table for table in section.tables if table.name in shown]
    if shown == SHOWN_OF_MANY_ARMS and isinstance(section.subject, Pairing):
        yield from (section.title, "-" * len(section.title))
    yield from _wrapped(section.sentences)
    yield from _wrapped(f"Note: {warning}" for warning in section.warnings)
    for table in tables:
        yield from ("", text_table(table))


def _wrapped(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from wrap(sentence, WIDTH, break_long_words=False)
