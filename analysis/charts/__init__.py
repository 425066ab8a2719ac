"""The charts of a report: what there is to draw, and drawing it.

Altair and vl-convert take a second and 100 MB to load, so a chart's own module is imported when it is first drawn;
whoever only needs the list of charts does not pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from analysis.records import Unavailable
from analysis.report import Pairing, Report

if TYPE_CHECKING:
    from analysis.charts.rendering import Drawing


@dataclass(frozen=True)
class ChartKind:
    """One chart that a report or a pairing can have; its module of the same name in this package draws it.

    section: the entry of the plan and of the report's JSON that the chart shows. explains: how to read it.
    """

    name: str
    title: str
    section: str
    explains: str


PAIRING_CHARTS = {
    kind.name: kind
    for kind in (
        ChartKind(
            "thresholds",
            "Comparisons preferred at each threshold",
            "threshold_table",
            "The longer side of a bar shows which arm is preferred in more comparisons; grey is no preference.",
        ),
        ChartKind(
            "pairs",
            "Every comparison, sorted",
            "threshold_table",
            "Each stroke is one comparison: how far above or below one half the first arm's share of the votes is.",
        ),
        ChartKind(
            "classes",
            "Preference by class, or by comparison",
            "classes",
            "Open marks are what was seen, filled ones are drawn towards the common mean as far as chance reaches.",
        ),
        ChartKind(
            "monitor",
            "The preference as raters arrived",
            "sequential",
            "The band may be looked at after every rater: the preference is shown once it no longer holds zero.",
        ),
    )
}
REPORT_CHARTS = {
    kind.name: kind
    for kind in (
        ChartKind(
            "leaderboard",
            "Ratings of the arms",
            "leaderboard",
            "The further right, the more preferred; lines are 95 % intervals, and the range of ranks stands beside.",
        ),
        ChartKind(
            "wins",
            "Which arm wins against which",
            "leaderboard",
            "How often the arm of the row is chosen over the arm of the column, by the model and in votes.",
        ),
        ChartKind(
            "raters",
            "How raters rated",
            "rater_quality",
            "Each point is a rater; the curves are how far a rater without a lean strays to one side by chance.",
        ),
        ChartKind(
            "times",
            "Choices by response time",
            "times",
            "The votes in three equal parts, from the quickest to the slowest, and what was chosen in each.",
        ),
        ChartKind(
            "position",
            "Left or right",
            "position",
            "The share of left among the votes that chose a side; a mark far from one half is a lean to a side.",
        ),
    )
}
CHARTS = PAIRING_CHARTS | REPORT_CHARTS


class _Draws(Protocol):
    def draw(self, subject: Pairing | Report) -> Drawing | Unavailable: ...


def draw_chart(name: str, subject: Pairing | Report) -> Drawing | Unavailable:
    """Draw one chart of a pairing (`PAIRING_CHARTS`) or of a whole report (`REPORT_CHARTS`).

    Unavailable where the figures that it shows are: the sentence stands in its place. Raises KeyError for no chart.
    """
    # Imported here: a page whose charts are kept needs none of it.
    from altair.utils.schemapi import debug_mode

    kinds = PAIRING_CHARTS if isinstance(subject, Pairing) else REPORT_CHARTS
    module = cast("_Draws", import_module(f"analysis.charts.{kinds[name].name}"))
    # Altair's own checks take as long as the drawing; a test holds every chart to Vega-Lite's schema instead.
    with debug_mode(False):
        return module.draw(subject)
