"""Named, versioned rules that leave raters out of an analysis; chosen before the result is seen.

A rule may look at how somebody rated (sides, times, gold comparisons), never at which arm they preferred. Its name
holds its version: a rule that changes gets a new one, so that an old plan still means what it meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.intervals import Interval
from analysis.records import Unavailable
from analysis.votes import Bools, Votes


@dataclass(frozen=True)
class Filter:
    """One rule. name: with version, such as `position@1`. flags: Votes -> bool [R], True for who is left out."""

    name: str
    sentence: str
    flags: Callable[[Votes], Bools]


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


FILTERS: dict[str, Filter] = {}
