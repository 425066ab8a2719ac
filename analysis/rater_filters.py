"""Named, versioned rules that leave raters out of an analysis; chosen before the result is seen.

A rule may look at how somebody rated (sides, times, gold comparisons), never at which arm they preferred. Its name
holds its version: a rule that changes gets a new one, so that an old plan still means what it meant. Agreement with
the majority is no rule and never will be: leaving out those who disagree makes any majority look larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from analysis.intervals import Interval, Sums, two_way_sums
from analysis.rater_quality import Screens
from analysis.records import Method, Unavailable
from analysis.votes import Bools, Ints, Votes

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


def excluded_by(names: Iterable[str], votes: Votes, *, screens: Screens | None = None) -> Bools:
    """Whom at least one of the named filters leaves out, bool [R]. Raises UnknownFilter.

    Every filter looks at the whole log, so their order does not matter. screens: of these votes, if there are any yet.
    """
    screens = screens or Screens(votes)
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

    methods: ClassVar[tuple[Method, ...]] = METHODS
    name: str
    sentence: str
    raters: int
    votes: int
    headline: FilteredNet | Unavailable | None


def filter_effects(votes: Votes, screens: Screens | None = None) -> tuple[FilterEffect, ...]:
    """What each filter alone would leave out of a log, and what the headline of a two-arm log would be without it.

    screens: of these votes, where something else has looked at them already.
    """
    screens, headlines = screens or Screens(votes), _Headlines(votes)
    given = screens.buttons.sum(axis=1)
    effects = []
    for rule in FILTERS.values():
        flagged = rule.flags(screens)
        left_out = int(flagged.sum()), int(given[flagged].sum())
        effects.append(FilterEffect(rule.name, rule.sentence, *left_out, headlines.without(flagged)))
    return tuple(effects)


@dataclass(frozen=True, eq=False)
class _Headlines:
    """The headline of a log without some raters: the whole log is added up once, and their part taken away."""

    votes: Votes

    @cached_property
    def whole(self) -> Sums:
        return self._sums(slice(None))

    def without(self, flagged: Bools) -> FilteredNet | Unavailable | None:
        """The same as two_way_net of votes.without_raters(flagged); None with more than two arms."""
        if len(self.votes.arms) > 2:
            return None
        gone = np.flatnonzero(flagged[self.votes.rater])
        if len(gone) == self.votes.n_votes:
            return Unavailable("no_votes", "no vote is left")
        left = [here - there for here, there in zip(self.whole, self._sums(gone), strict=True)]
        judged, there = left[1] > 0, left[3] > 0
        sums = Sums(left[0][judged], left[1][judged], left[2][there], left[3][there])
        # An outcome is +1, -1 or 0, so its square is its size.
        sides = int(np.count_nonzero(self.votes.outcome) - np.count_nonzero(self.votes.outcome[gone]))
        net = two_way_sums(sums, squares=sides, null=0.0)
        if isinstance(net, Unavailable):
            return net
        return FilteredNet(net.estimate, net.se, net.df, net.ci95, net.p, net.n, net.pairs, net.raters)

    def _sums(self, rows: Ints | slice) -> Sums:
        pair, rater, outcome = self.votes.pair[rows], self.votes.rater[rows], self.votes.outcome[rows]
        pairs, raters = self.votes.n_pairs, self.votes.n_raters
        return Sums(
            np.bincount(pair, weights=outcome, minlength=pairs),
            np.bincount(pair, minlength=pairs),
            np.bincount(rater, weights=outcome, minlength=raters),
            np.bincount(rater, minlength=raters),
        )
