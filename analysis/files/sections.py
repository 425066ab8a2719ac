"""A report in the order in which people read it: the answer, the tables that carry it, then everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from analysis.charts import PAIRING_CHARTS, REPORT_CHARTS, ChartKind
from analysis.files.preference_tables import error_rows, share_rows, test_rows, threshold_rows
from analysis.files.rater_tables import position_rows
from analysis.files.table import Column, Table, count, number
from analysis.intervals import TwoWay
from analysis.preference import Summary
from analysis.records import Method, Unavailable
from analysis.report import Pairing, Report
from analysis.significance import METHODS

T = TypeVar("T")

EXPLORATORY = "Exploratory: no plan named it before the votes."


@dataclass(frozen=True)
class Section:
    """One part of a report. subject: what its charts are drawn from. sentences: its result in words, then warnings."""

    title: str
    subject: Report | Pairing
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[Table, ...]
    charts: tuple[ChartKind, ...]


def sections(report: Report) -> tuple[Section, ...]:
    """Every part of a report; each table and each chart stands in exactly one."""
    return (*(_pairing(pairing, report) for pairing in report.pairings), _whole(report))


def tables_of(report: Report) -> tuple[Table, ...]:
    """Every table of a report, in the order of its sections."""
    return tuple(table for section in sections(report) for table in section.tables)


def methods_of(report: Report) -> tuple[Method, ...]:
    """Every method that a figure of the report comes from."""
    return tuple(METHODS.values())


def _pairing(pairing: Pairing, report: Report) -> Section:
    return Section(
        title=" against ".join(pairing.arms),
        subject=pairing,
        sentences=(pairing.headline,),
        warnings=pairing.warnings,
        tables=tuple(_marked(table, report) for table in _pairing_tables(pairing)),
        charts=tuple(PAIRING_CHARTS.values()),
    )


def _pairing_tables(pairing: Pairing) -> Iterator[Table]:
    arms = pairing.arms
    yield threshold_rows(pairing.threshold_table, side_votes=side_votes(pairing.per_pair_side_votes))
    yield _or_absent(pairing.shares, share_rows, name="shares", arms=arms)
    yield _or_absent(pairing.tests, lambda tests: test_rows(tests, arms=arms), name="tests", arms=arms)
    if not isinstance(pairing.tests, Unavailable) and isinstance(pairing.tests.two_way_net, TwoWay):
        yield error_rows(pairing.tests.two_way_net, arms=arms)


def _whole(report: Report) -> Section:
    return Section(
        title="Votes and raters",
        subject=report,
        sentences=(),
        warnings=(),
        tables=tuple(_marked(table, report) for table in _report_tables(report)),
        charts=tuple(REPORT_CHARTS.values()),
    )


def _report_tables(report: Report) -> Iterator[Table]:
    yield _size(report)
    yield _or_absent(report.position, position_rows, name="position")


def _size(report: Report) -> Table:
    votes = report.per_pair_votes
    return Table(
        name="votes",
        title="What was collected",
        columns=(Column("figure", "Figure"), Column("value", "Value")),
        rows=(
            ("Arms", count(len(report.arms))),
            ("Votes", count(report.votes)),
            ("Comparisons", count(report.pairs)),
            ("Comparisons without a vote", count(report.unjudged)),
            ("Raters", count(report.raters)),
            ("Gold votes, left out of all else", count(report.gold_votes)),
            ("Votes per comparison, fewest", count(votes.min)),
            ("Votes per comparison, median", number(votes.median)),
            ("Votes per comparison, most", count(votes.max)),
        ),
        notes=("The votes were simulated: no person gave them.",) if report.simulated else (),
    )


def side_votes(summary: Summary) -> str:
    """How many votes chose a side on a comparison, in words."""
    return f"median {summary.median:g} side votes each, {summary.min} to {summary.max}"


def _or_absent(value: T | Unavailable, table: Callable[[T], Table], *, name: str, arms: tuple[str, ...] = ()) -> Table:
    return _absent(name, value, arms=arms) if isinstance(value, Unavailable) else table(value)


def _absent(name: str, reason: Unavailable, *, arms: tuple[str, ...]) -> Table:
    columns = (Column("figure", "Figure"), Column("value", "Value"))
    return Table(name, TITLES[name], columns, (("All figures", reason),), arms)


def _marked(table: Table, report: Report) -> Table:
    """The table with a word on whether the plan named it; a report without a plan is exploratory as a whole."""
    if not report.plan_is_fixed or table.name in NOT_A_RESULT or report.plan.names(table.name):
        return table
    return replace(table, notes=(*table.notes, EXPLORATORY))


NOT_A_RESULT = {"votes", "tests", "tests.two_way_net", "filters"}
TITLES = {
    "shares": "Shares of all votes",
    "tests": "Is it more than chance",
    "position": "Left and right",
}
