"""Named, versioned rules that leave raters out of an analysis; chosen before the result is seen.

A rule may look at how somebody rated (sides, times, gold comparisons), never at which arm they preferred. Its name
holds its version: a rule that changes gets a new one, so that an old plan still means what it meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.votes import Bools, Votes


@dataclass(frozen=True)
class Filter:
    """One rule. name: with version, such as `position@1`. flags: Votes -> bool [R], True for who is left out."""

    name: str
    sentence: str
    flags: Callable[[Votes], Bools]


FILTERS: dict[str, Filter] = {}
