"""Named, versioned rules that leave raters out of an analysis; chosen before the result is seen.

A rule may look at how somebody rated (sides, times, gold comparisons), never at which arm they preferred. Its name
holds its version: a rule that changes gets a new one, so that an old plan still means what it meant. Agreement with
the majority is no rule and never will be: leaving out those who disagree makes any majority look larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from analysis.intervals import Crossed, Interval, two_way_mean
from analysis.rater_quality import Screens
from analysis.records import Method, Unavailable
from analysis.votes import Bools, Votes

METHODS = (
    Method(
        "filter_effects",
        "The headline without the raters that each named filter would leave out",
        "as the headline; the filter was chosen before the result was seen",
        "",
        "If the headline hardly moves when doubtful raters are left out, they did not make it; a filter that was not "
        "in the plan is shown for comparison only, and agreement with the majority is never one.",
    ),
)


class UnknownFilter(ValueError):
    """A name that is none of FILTERS; the message lists those there are."""


@dataclass(frozen=True)
class Filter:
    """One rule. name: with version, such as `position@1`. flags: Screens -> bool [R], True for who is left out."""

    name: str
    sentence: str
    flags: Callable[[Screens], Bools]


# What a name stands for never changes: another rule, or another number in one, gets the next version beside it.
FILTERS: dict[str, Filter] = {
    rule.name: rule
    for rule in (
        Filter(
            "position@1",
            "Leaves out raters who press left and right unequally often: exact binomial test, p < 0.05 after Holm's "
            "correction over all raters.",
            lambda screens: screens.position,
        ),
        Filter(
            "runs@1",
            "Leaves out raters who change sides too regularly or too rarely: exact runs test of left and right, "
            "p < 0.05 after Holm's correction over all raters.",
            lambda screens: screens.runs,
        ),
        Filter(
            "fast@1",
            "Leaves out raters who gave more than half of their timed votes in under 500 ms.",
            lambda screens: screens.fast,
        ),
        Filter(
            "gold@1",
            "Leaves out raters who answered fewer than 70 % of at least 4 gold comparisons rightly.",
            lambda screens: screens.gold,
        ),
        Filter(
            "position_or_gold@1",
            "Leaves out raters whom position@1 or gold@1 leaves out; together the two find more inattentive raters "
            "than any one screen.",
            lambda screens: screens.position | screens.gold,
        ),
    )
}


def excluded_by(names: Iterable[str], votes: Votes) -> Bools:
    """Whom at least one of the named filters leaves out, bool [R]. Raises UnknownFilter.

    Every filter looks at the whole log, so their order does not matter.
    """
    screens = Screens(votes)
    excluded = np.zeros(votes.n_raters, dtype=np.bool_)
    for name in names:
        if name not in FILTERS:
            raise UnknownFilter(f"{name!r} is not a filter; there are {', '.join(FILTERS)}")
        excluded |= FILTERS[name].flags(screens)
    return excluded


@dataclass(frozen=True)
class FilteredNet:
    """The headline test (two_way_net) over the votes, pairs and raters that a filter leaves."""

    estimate: float
    se: float
    df: float
    ci95: Interval
    p: float
    votes: int
    pairs: int
    raters: int


@dataclass(frozen=True)
class FilterEffect:
    """What one filter would leave out, and the headline without it.

    raters, votes: left out. headline: `no_votes`, `one_rater`, `one_pair` or `zero_variance` where too little is left;
    None with more than two arms, where there is no one headline.
    """

    name: str
    sentence: str
    raters: int
    votes: int
    headline: FilteredNet | Unavailable | None


def filter_effects(votes: Votes) -> tuple[FilterEffect, ...]:
    """What each filter alone would leave out of a log, and what the headline of a two-arm log would be without it."""
    screens = Screens(votes)
    given = screens.buttons.sum(axis=1)
    # Most filters leave out nobody, and two of them often the same: each headline is computed once.
    headlines: dict[bytes, FilteredNet | Unavailable | None] = {}
    effects = []
    for rule in FILTERS.values():
        flagged = rule.flags(screens)
        if (key := flagged.tobytes()) not in headlines:
            headlines[key] = _headline_without(votes, flagged)
        left_out = int(flagged.sum()), int(given[flagged].sum())
        effects.append(FilterEffect(rule.name, rule.sentence, *left_out, headlines[key]))
    return tuple(effects)


def _headline_without(votes: Votes, flagged: Bools) -> FilteredNet | Unavailable | None:
    # The same as two_way_net of votes.without_raters(flagged), without making that log.
    if len(votes.arms) > 2:
        return None
    rows = np.flatnonzero(~flagged[votes.rater])
    if not len(rows):
        return Unavailable("no_votes", "no vote is left")
    crossed = Crossed.among(votes.pair[rows], votes.rater[rows])
    net = two_way_mean(votes.outcome[rows], crossed=crossed, null=0.0)
    if isinstance(net, Unavailable):
        return net
    return FilteredNet(net.estimate, net.se, net.df, net.ci95, net.p, net.n, net.pairs, net.raters)
