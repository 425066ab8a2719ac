"""Leases that ran out: their trials lapse, so that their comparisons go to other raters."""

from django.db import transaction
from django.utils import timezone

from survey_site.models import Study, Trial
from survey_site.voting.counters import count_lapsed

# Expired leases of anybody that one transaction gives back.
AT_ONCE = 20


def reclaim(study_id: int) -> int:
    """Let a few of a study's expired trials lapse; return how many. Part of the caller's transaction.

    Trials and comparisons that anybody else holds are left for another time, so nobody waits here.
    """
    now = timezone.now()
    expired = Trial.objects.expired_at(now).filter(comparison__study=study_id, comparison__n_open__gt=0)
    free = expired.select_related("comparison").select_for_update(
        of=("self", "comparison"), no_key=True, skip_locked=True
    )
    trials = list(free.order_by("comparison")[:AT_ONCE])
    Trial.objects.filter(pk__in=[trial.pk for trial in trials]).update(lapsed_at=now)
    for trial in trials:
        count_lapsed(trial)
    return len(trials)


def sweep_leases() -> int:
    """Let all expired trials of open studies lapse, a few in each transaction; return how many.

    Raters' requests do the same where it matters to them; this keeps the researchers' pages right.
    """
    n_lapsed = 0
    for study_id in Study.objects.filter(status=Study.Status.OPEN).values_list("pk", flat=True):
        n = AT_ONCE
        while n == AT_ONCE:
            with transaction.atomic():
                n = reclaim(study_id)
            n_lapsed += n
    return n_lapsed
