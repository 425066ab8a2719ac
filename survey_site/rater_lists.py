"""The raters of a study and how each of them rated: what a researcher looks at before trusting a log.

Nobody is left out here. A flag is a sentence for the researcher; votes are excluded only by a filter that the analysis
plan names (`analysis.rater_filters`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from survey_site.models import Study

PER_PAGE = 100


@dataclass(frozen=True)
class RaterRow:
    """One rater: how far, how fast, how well on the checks. Shares are of the votes that count; None: none yet.

    state: entering, rating, withdrawn or one of `designs.Outcome`. name: as exports call the rater.
    """

    pk: int
    name: str
    state: str
    entered_at: datetime
    ended_at: datetime | None
    votes: int
    median_ms: int | None
    checks: int
    checks_right: int
    repeats: int
    repeats_alike: int
    timed: int
    fast: int
    sides: int
    left: int
    hidden_ms: int
    flags: tuple[str, ...]


@dataclass(frozen=True)
class RaterPage:
    """A page of a study's raters, the first to enter first. n: all raters on all pages. number: 1, 2, ..."""

    rows: tuple[RaterRow, ...]
    n: int
    number: int
    n_pages: int


def rater_rows(study: Study, *, only_flagged: bool = False, page: int = 1, per_page: int = PER_PAGE) -> RaterPage:
    """Return a page of a study's raters, all or the flagged ones; a page that does not exist is the nearest one."""
    del study, only_flagged, page, per_page
    return RaterPage((), 0, 1, 1)
