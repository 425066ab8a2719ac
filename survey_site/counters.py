"""The comparisons' four counters: every move they make, and the proof that they are right.

Called only inside the transaction that writes the trial or the vote. Open and answered trials are on the books of
a side; a lapsed one is on none, so `n_votes = n_a_left + n_a_right - n_open` holds after every move.
"""

from django.db import transaction
from django.db.models import F

from survey_site.models import Comparison, Trial

COUNTERS = ("n_votes", "n_open", "n_a_left", "n_a_right")


def count_opened(trial: Trial) -> None:
    """A trial was leased, or its lapsed lease was renewed."""
    _move(trial, votes=0, leases=1, shown=1)


def count_lapsed(trial: Trial) -> None:
    """An open trial lapsed."""
    _move(trial, votes=0, leases=-1, shown=-1)


def count_vote(trial: Trial) -> None:
    """A trial got its first vote. A lapsed one gave its place back long ago, and now takes its side again."""
    if trial.lapsed_at is None:
        _move(trial, votes=1, leases=-1, shown=0)
    else:
        _move(trial, votes=1, leases=0, shown=1)


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
        list(Comparison.objects.select_for_update().filter(pk__in=suspects).values_list("pk", flat=True))
        wrong = list(Comparison.objects.filter(pk__in=suspects).miscounted())
        for comparison in wrong:
            for counter in COUNTERS:
                setattr(comparison, counter, getattr(comparison, f"true_{counter}"))
        Comparison.objects.bulk_update(wrong, COUNTERS, batch_size=50)
    return len(wrong)


def _move(trial: Trial, *, votes: int, leases: int, shown: int) -> None:
    if trial.kind != Trial.Kind.NORMAL:
        return
    side = "n_a_right" if trial.swapped else "n_a_left"
    Comparison.objects.filter(pk=trial.comparison_id).update(
        n_votes=F("n_votes") + votes, n_open=F("n_open") + leases, **{side: F(side) + shown}
    )
