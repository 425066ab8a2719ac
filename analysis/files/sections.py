"""A report in the order in which people read it: the answer, the tables that carry it, then everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from analysis.charts import PAIRING_CHARTS, REPORT_CHARTS, ChartKind
from analysis.files.arm_tables import (
    chance_rows,
    contrast_rows,
    fit_rows,
    leaderboard_rows,
    pairwise_rows,
    win_matrix_rows,
)
from analysis.files.evidence_tables import (
    class_rows,
    component_rows,
    monitor_rows,
    pair_bootstrap_rows,
    shrunken_pair_rows,
    two_way_bootstrap_rows,
)
from analysis.files.preference_tables import error_rows, share_rows, test_rows, threshold_rows
from analysis.files.rater_tables import agreement_rows, filter_rows, position_rows, rater_rows, time_rows
from analysis.files.table import Column, Table, count
from analysis.intervals import TwoWay
from analysis.methods import METHODS
from analysis.preference import Summary
from analysis.ranking import BradleyTerry, Leaderboard
from analysis.records import Method, Unavailable
from analysis.report import Pairing, Report

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
    pairings = tuple(_pairing(pairing, report) for pairing in report.pairings)
    ratings = _ratings(report)
    middle = (*pairings, ratings) if len(report.arms) == 2 else (ratings, *pairings)
    return (_result(report), *middle, _raters(report))


def tables_of(report: Report) -> tuple[Table, ...]:
    """Every table of a report, in the order of its sections."""
    return tuple(table for section in sections(report) for table in section.tables)


def page_tables(report: Report) -> tuple[Table, ...]:
    """The same without the list of all raters, which no page shows: of thousands it takes longer than all others."""
    parts = (_result(report), *(_pairing(pairing, report) for pairing in report.pairings), _ratings(report))
    return (*(table for part in parts for table in part.tables), *_rater_summaries(report))


def methods_of(report: Report) -> tuple[Method, ...]:
    """Every method that a figure of the report comes from."""
    return tuple(METHODS.values())


def _result(report: Report) -> Section:
    return Section(
        title="Result",
        subject=report,
        sentences=(report.headline, *_screened(report)),
        warnings=report.warnings,
        tables=(_size(report),),
        charts=(),
    )


def _screened(report: Report) -> Iterator[str]:
    if report.screening.unfiltered:
        out = len(report.screening.raters_left_out)
        whom = f"{out} rater{'s' if out != 1 else ''}"
        yield f"The plan's filters left out {whom}. With everybody in: {report.screening.unfiltered}"


def _pairing(pairing: Pairing, report: Report) -> Section:
    return Section(
        title=" against ".join(pairing.arms),
        subject=pairing,
        sentences=() if len(report.arms) == 2 else (pairing.headline,),
        warnings=pairing.warnings,
        tables=tuple(_marked(table, report) for table in _pairing_tables(pairing, report)),
        charts=tuple(PAIRING_CHARTS.values()),
    )


def _pairing_tables(pairing: Pairing, report: Report) -> Iterator[Table]:
    arms = pairing.arms
    planned = tuple(name for name in METHODS if report.is_planned(f"tests.{name}"))
    yield threshold_rows(pairing.threshold_table, side_votes=side_votes(pairing.per_pair_side_votes))
    yield _or_absent(pairing.shares, share_rows, name="shares", arms=arms)
    yield _or_absent(pairing.tests, lambda found: test_rows(found, arms=arms, planned=planned), name="tests", arms=arms)
    if not isinstance(pairing.tests, Unavailable) and isinstance(pairing.tests.two_way_net, TwoWay):
        yield error_rows(pairing.tests.two_way_net, arms=arms)
    yield _or_absent(pairing.agreement, lambda found: agreement_rows(found, arms=arms), name="agreement", arms=arms)
    yield from monitor_rows(pairing.sequential, arms=arms)
    yield from _class_tables(pairing)
    yield from _resampled(pairing)
    yield _or_absent(pairing.planning, lambda found: component_rows(found, arms=arms), name="planning", arms=arms)


def _class_tables(pairing: Pairing) -> Iterator[Table]:
    arms, pairs = pairing.arms, pairing.shrunken_pairs
    yield _or_absent(pairing.classes, lambda found: class_rows(found, arms=arms), name="classes", arms=arms)
    if pairs is not None:
        yield _or_absent(pairs, lambda found: shrunken_pair_rows(found, arms=arms), name="shrunken_pairs", arms=arms)


def _resampled(pairing: Pairing) -> Iterator[Table]:
    arms, drawn = pairing.arms, pairing.bootstrap_two_way
    if drawn is not None:
        yield _or_absent(
            drawn,
            lambda found: two_way_bootstrap_rows(found, shares=pairing.shares, arms=arms),
            name="bootstrap_two_way",
            arms=arms,
        )
    yield _or_absent(
        pairing.bootstrap_pairs_threshold_ci95,
        lambda found: pair_bootstrap_rows(found, pairing.threshold_table),
        name="bootstrap_pairs_threshold_ci95",
        arms=arms,
    )


def _ratings(report: Report) -> Section:
    return Section(
        title="Ratings",
        subject=report,
        sentences=(),
        warnings=(),
        tables=tuple(_marked(table, report) for table in _rating_tables(report)),
        charts=tuple(kind for kind in REPORT_CHARTS.values() if kind.section == "leaderboard"),
    )


def _rating_tables(report: Report) -> Iterator[Table]:
    board, rating = report.leaderboard, report.bradley_terry
    yield _or_absent(board, leaderboard_rows, name="leaderboard")
    if isinstance(board, Leaderboard):
        yield contrast_rows(board)
        yield win_matrix_rows(board.win_matrix)
        yield chance_rows(board.win_matrix)
    if isinstance(rating, BradleyTerry):
        yield pairwise_rows(rating)
        yield fit_rows(rating)


def _raters(report: Report) -> Section:
    return Section(
        title="Raters",
        subject=report,
        sentences=(),
        warnings=(),
        tables=(*_rater_summaries(report), _marked(rater_rows(report.rater_quality), report)),
        charts=tuple(kind for kind in REPORT_CHARTS.values() if kind.section != "leaderboard"),
    )


def _rater_summaries(report: Report) -> tuple[Table, ...]:
    summaries = (
        _or_absent(report.position, position_rows, name="position"),
        _or_absent(report.times, time_rows, name="times"),
        filter_rows(report.screening.effects, planned=report.screening.applied),
    )
    return tuple(_marked(table, report) for table in summaries)


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
            ("Raters left out by the plan's filters", count(len(report.screening.raters_left_out))),
            ("Gold votes, left out of all else", count(report.gold_votes)),
            ("Votes per comparison, fewest", count(votes.min)),
            ("Votes per comparison, median", count(votes.median)),
            ("Votes per comparison, most", count(votes.max)),
        ),
        notes=tuple(_origin(report)),
    )


def _origin(report: Report) -> Iterator[str]:
    if report.simulated:
        yield "The votes were simulated: no person gave them."
    if report.plan_is_fixed:
        yield f"Analysed by a plan that was fixed before the votes (SHA-256 {report.plan.sha256})."
    else:
        yield "No plan was fixed before the votes: every figure is exploratory."


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
    if not report.plan_is_fixed or table.name in NOT_A_RESULT or report.is_planned(table.name):
        return table
    return replace(table, notes=(*table.notes, EXPLORATORY))


# Parts that say nothing about the arms, or that say row by row what was planned.
NOT_A_RESULT = {"votes", "planning", "position", "rater_quality", "screening", "times", "tests", "tests.two_way_net"}
TITLES = {
    "bootstrap_pairs_threshold_ci95": "The threshold table with resampled intervals",
    "bootstrap_two_way": "Resampling comparisons and raters",
    "classes": "Net preference by class",
    "shrunken_pairs": "Net preference by comparison",
    "agreement": "Agreement between raters",
    "leaderboard": "Arms by their rating",
    "planning": "What the next study can be planned from",
    "times": "Answers by response time",
    "shares": "Shares of all votes",
    "tests": "Is it more than chance",
    "position": "Left and right",
}
