"""The raters of a study and how each of them rated: what a researcher looks at before trusting a log.

Nobody is left out here. A flag is a sentence for the researcher; votes are excluded only by a filter that the analysis
plan names (`analysis.rater_filters`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, Sum, Window
from django.db.models.functions import RowNumber

from survey_site.design.designs import Checks
from survey_site.models import Rater, Study, Trial, Vote
from survey_site.querysets import VoteQuerySet

PER_PAGE = 100
# Fewer answered checks say nothing about a rater; the filter gold@1 waits for as many.
FEWEST_CHECKS = 4
FEWEST_TIMED = 10
# A rater is hasty if more than this share of the timed answers came faster than the design's `fast_ms`.
HASTY_SHARE = 0.5


class Counts(NamedTuple):
    """What is counted of one rater's answers, practice left out, only those that count.

    votes: every answer, checks and repeats among them. checks: gold and identical pairs. repeats_alike: answered as at
    first, in terms of the arms. fast: of those timed. left: of those that chose a side.
    """

    votes: int = 0
    checks: int = 0
    checks_right: int = 0
    timed: int = 0
    fast: int = 0
    sides: int = 0
    left: int = 0
    hidden_ms: int = 0
    repeats: int = 0
    repeats_alike: int = 0


@dataclass(frozen=True)
class RaterRow:
    """One rater: how far, how fast, how well on the checks. The counts are those of `Counts`.

    name: as exports call the rater. state: entering, rating, withdrawn or one of `designs.Outcome`. median_ms: None
    where no time was measured. flags: sentences for the researcher.
    """

    pk: int
    name: str
    state: str
    entered_at: datetime
    ended_at: datetime | None
    votes: int
    checks: int
    checks_right: int
    timed: int
    fast: int
    sides: int
    left: int
    hidden_ms: int
    repeats: int
    repeats_alike: int
    median_ms: float | None
    flags: tuple[str, ...]

    @property
    def right_share(self) -> float | None:
        """The share of checks that were answered rightly."""
        return _share(self.checks_right, self.checks)

    @property
    def alike_share(self) -> float | None:
        """The share of repeats that were answered as at first, in terms of the arms."""
        return _share(self.repeats_alike, self.repeats)

    @property
    def fast_share(self) -> float | None:
        """The share of timed answers that were faster than the design's `fast_ms`."""
        return _share(self.fast, self.timed)

    @property
    def left_share(self) -> float | None:
        """The share of Left among the answers that chose a side."""
        return _share(self.left, self.sides)


@dataclass(frozen=True)
class RaterPage:
    """A page of a study's raters, the first to enter first. n: raters on all pages. number: 1, 2, ..."""

    rows: tuple[RaterRow, ...]
    n: int
    number: int
    n_pages: int


def rater_rows(study: Study, *, only_flagged: bool = False, page: int = 1, per_page: int = PER_PAGE) -> RaterPage:
    """Return a page of a study's raters, all or the flagged ones; a page that does not exist is the nearest one.

    The same few queries whatever the study's size. All votes are looked at only for the flagged ones.
    """
    keys = _flagged(study) if only_flagged else list(study.raters.order_by("pk").values_list("pk", flat=True))
    n_pages = max(1, -(-len(keys) // per_page))
    number = min(max(page, 1), n_pages)
    shown = keys[(number - 1) * per_page : number * per_page]
    return RaterPage(tuple(_rows(study, shown)), len(keys), number, n_pages)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _rows(study: Study, keys: list[int]) -> Iterator[RaterRow]:
    checks, votes = study.how.checks, _votes().filter(trial__rater__in=keys)
    counts, medians = _counts(votes, fast_ms=checks.fast_ms), _medians(votes)
    has_begun = Exists(Trial.objects.filter(rater=OuterRef("pk")))
    for rater in study.raters.filter(pk__in=keys).annotate(has_begun=has_begun).order_by("pk"):
        of_rater = counts.get(rater.pk, Counts())
        yield RaterRow(
            rater.pk,
            name=rater.external_id or rater.code.hex,
            state=_state(rater, has_begun=rater.has_begun),
            entered_at=rater.created_at,
            ended_at=rater.ended_at,
            median_ms=medians.get(rater.pk),
            flags=tuple(_flags(of_rater, checks)),
            **of_rater._asdict(),
        )


def _state(rater: Rater, *, has_begun: bool) -> str:
    if rater.withdrawn_at is not None:
        return "withdrawn"
    return rater.outcome or ("rating" if has_begun else "entering")


def _flags(row: Counts, checks: Checks) -> Iterator[str]:
    if row.checks >= FEWEST_CHECKS and row.checks_right / row.checks < checks.least_right:
        yield (
            f"{_of(row.checks_right, row.checks)} checks were answered rightly; "
            f"at least {100 * checks.least_right:.0f} % are expected."
        )
    if row.repeats >= FEWEST_CHECKS and row.repeats_alike / row.repeats < checks.least_repeated:
        yield (
            f"{_of(row.repeats_alike, row.repeats)} repeated pairs were answered as at first; "
            f"at least {100 * checks.least_repeated:.0f} % are expected."
        )
    if row.timed >= FEWEST_TIMED and row.fast / row.timed > HASTY_SHARE:
        yield (
            f"{_of(row.fast, row.timed)} timed answers took less than {checks.fast_ms} ms; "
            f"more than {100 * HASTY_SHARE:.0f} % are doubtful."
        )


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.0f} %)"


def _flagged(study: Study) -> list[int]:
    checks, votes = study.how.checks, _votes().filter(trial__rater__study=study)
    counts = _counts(votes, fast_ms=checks.fast_ms)
    return sorted(key for key, of_rater in counts.items() if any(_flags(of_rater, checks)))


def _votes() -> VoteQuerySet:
    """The answers that count to the first question, practice left out."""
    return Vote.objects.standing().preferences().exclude(trial__kind=Trial.Kind.PRACTICE)


def _counts(votes: VoteQuerySet, *, fast_ms: int) -> dict[int, Counts]:
    """Each rater's counts, by the rater's key."""
    is_check = Q(trial__kind=Trial.Kind.GOLD)
    counts = (
        votes.with_outcome()
        .order_by()
        .values("trial__rater")
        .annotate(
            votes=Count("pk"),
            checks=Count("pk", filter=is_check),
            checks_right=Count("pk", filter=is_check & Q(outcome=F("trial__comparison__expected"))),
            timed=Count("response_ms"),
            fast=Count("pk", filter=Q(response_ms__lt=fast_ms)),
            sides=Count("pk", filter=~Q(choice=Vote.Choice.SAME)),
            left=Count("pk", filter=Q(choice=Vote.Choice.LEFT)),
            hidden=Sum("hidden_ms", default=0),
        )
        .values_list("trial__rater", "votes", "checks", "checks_right", "timed", "fast", "sides", "left", "hidden")
    )
    found = {rater: Counts(*of_rater) for rater, *of_rater in counts}
    for rater, repeats, alike in _repeats(votes):
        found[rater] = found[rater]._replace(repeats=repeats, repeats_alike=alike)
    return found


def _repeats(votes: VoteQuerySet) -> Iterable[tuple[int, int, int]]:
    """Each rater's key, repeats, and those that were answered as at first."""
    same = {field: OuterRef(field) for field in ("trial__rater", "trial__comparison", "outcome")}
    as_at_first = _votes().with_outcome().filter(trial__kind=Trial.Kind.NORMAL, **same)
    return (
        votes.filter(trial__kind=Trial.Kind.REPEAT)
        .with_outcome()
        .order_by()
        .values("trial__rater")
        .annotate(n=Count("pk"), alike=Count("pk", filter=Exists(as_at_first)))
        .values_list("trial__rater", "n", "alike")
    )


def _medians(votes: VoteQuerySet) -> dict[int, float]:
    """Each rater's median response time: the middle one or two times are found by the database."""
    place = Window(RowNumber(), partition_by="trial__rater", order_by="response_ms")
    n = Window(Count("*"), partition_by="trial__rater")
    middle = (
        votes.filter(response_ms__isnull=False)
        .annotate(off=2 * place - n)
        .filter(off__range=(0, 2))
        .order_by()
        .values_list("trial__rater", "response_ms")
    )
    times: dict[int, list[int]] = {}
    for rater, milliseconds in middle:
        times.setdefault(rater, []).append(milliseconds or 0)
    return {rater: mean(two) for rater, two in times.items()}
