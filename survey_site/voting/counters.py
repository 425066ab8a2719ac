"""The comparisons' four counters: every move they make, and the proof that they are right.

Called only inside the transaction that writes the trial or the vote. Open and answered trials are on the books of
a side; a lapsed one is on none, so `n_votes = n_a_left + n_a_right - n_open` holds after every move.
"""

from functools import partial
from typing import Protocol

from django.db import transaction
from django.db.models import F, Q
from django.db.models.expressions import CombinedExpression

from survey_site.models import Comparison, Trial
from survey_site.querysets import ComparisonQuerySet
from survey_site.voting.statements import Change

COUNTERS = ("n_votes", "n_open", "n_a_left", "n_a_right")
ANY = Q()
WITH_ROOM = Q(votes_max__isnull=True) | Q(votes_max__gt=F("n_votes"))


def _claim(pk: int, *seen: int, side: str) -> tuple[ComparisonQuerySet, dict[str, CombinedExpression]]:
    as_seen = Comparison.objects.filter(pk=pk, **dict(zip(COUNTERS, seen, strict=True)))
    free = as_seen.select_for_update(skip_locked=True, no_key=True)
    # Asked for once more outside: PostgreSQL looks again at a row that changed while the statement ran.
    return as_seen.filter(pk__in=free.values("pk")), {"n_open": F("n_open") + 1, side: F(side) + 1}


CLAIM = Change(partial(_claim, side="n_a_left"), n=5)
CLAIM_SWAPPED = Change(partial(_claim, side="n_a_right"), n=5)
VOTE = Change(
    lambda pk: (
        Comparison.objects.filter(WITH_ROOM, pk=pk),
        {"n_votes": F("n_votes") + 1, "n_open": F("n_open") - 1},
    ),
    n=1,
)


class Counted(Protocol):
    """A comparison's counters as somebody read them."""

    @property
    def pk(self) -> int: ...
    @property
    def n_votes(self) -> int: ...
    @property
    def n_open(self) -> int: ...
    @property
    def n_a_left(self) -> int: ...
    @property
    def n_a_right(self) -> int: ...


def claim(seen: Counted, *, swapped: bool) -> bool:
    """Count a new trial of a comparison; False, and nothing is done, where it is held by others or has changed.

    So whoever decided on what was read decided right, and nobody waits: a claimer may hold other comparisons.
    """
    change = CLAIM_SWAPPED if swapped else CLAIM
    return bool(change.make(seen.pk, seen.n_votes, seen.n_open, seen.n_a_left, seen.n_a_right))


def count_opened(trial: Trial) -> None:
    """A trial was leased, or its lapsed lease was renewed."""
    _move(trial, votes=0, leases=1, shown=1)


def count_lapsed(trial: Trial) -> None:
    """An open trial lapsed."""
    _move(trial, votes=0, leases=-1, shown=-1)


def count_vote(trial: Trial) -> bool:
    """A trial gets its first vote; False, and nothing is done, where its comparison has no room for another.

    Waits for whoever holds the comparison. The caller holds the trial, so that it cannot lapse meanwhile. A lapsed
    one gave its place back long ago, and now takes its side again.
    """
    if trial.kind != Trial.Kind.NORMAL:
        return True
    if trial.lapsed_at is None:
        return bool(VOTE.make(trial.comparison_id))
    return _move(trial, votes=1, leases=0, shown=1, where=WITH_ROOM)


def count_erased(trial: Trial, *, is_answered: bool) -> None:
    """A trial is about to be erased with its votes, because its rater withdraws."""
    if is_answered:
        _move(trial, votes=-1, leases=0, shown=-1)
    elif trial.lapsed_at is None:
        _move(trial, votes=0, leases=-1, shown=-1)


def mend_counters() -> int:
    """Set wrong counters to what the trials and votes say; return how many comparisons were wrong."""
    with transaction.atomic():
        suspects = list(Comparison.objects.miscounted().values_list("pk", flat=True))
        # Locked, then counted once more: a vote may have come in between.
        list(Comparison.objects.select_for_update().filter(pk__in=suspects).order_by("pk").values_list("pk", flat=True))
        wrong = list(Comparison.objects.filter(pk__in=suspects).miscounted())
        for comparison in wrong:
            for counter in COUNTERS:
                setattr(comparison, counter, getattr(comparison, f"true_{counter}"))
        Comparison.objects.bulk_update(wrong, COUNTERS, batch_size=50)
    return len(wrong)


def _move(trial: Trial, *, votes: int, leases: int, shown: int, where: Q = ANY) -> bool:
    """Move the counters of a normal trial's comparison; tell whether the condition let it happen."""
    if trial.kind != Trial.Kind.NORMAL:
        return True
    side = "n_a_right" if trial.swapped else "n_a_left"
    moves = {"n_votes": votes, "n_open": leases, side: shown}
    changes = {counter: F(counter) + by for counter, by in moves.items() if by}
    return bool(Comparison.objects.filter(where, pk=trial.comparison_id).update(**changes))
