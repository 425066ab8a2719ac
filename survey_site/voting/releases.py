"""Giving trials back at once, so that others get them without waiting for the leases to run out."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from survey_site.design.designs import Outcome
from survey_site.entrance.platforms import Person
from survey_site.entrance.raters import end_rater, person_hash, submission_hash
from survey_site.models import Comparison, Rater, Study, Trial
from survey_site.voting.counters import count_lapsed


@dataclass(frozen=True)
class EndedPart:
    """A part that the platform ended. n_released: open trials that went back."""

    rater: Rater
    n_released: int


def release_trials(rater: Rater) -> int:
    """Let all open trials of a rater lapse; return how many.

    Locks as every verb on trials does: the rater first, then the rater's trials, then their comparisons in the order
    of their keys. All who wait for more than one comparison wait in that order, so nobody waits in a circle.
    """
    with transaction.atomic():
        list(Rater.objects.select_for_update(of=("self",), no_key=True).filter(pk=rater.pk))
        open_trials = rater.trials.open().order_by("pk")
        trials = list(open_trials.select_for_update(of=("self",), no_key=True))
        shown = Comparison.objects.filter(pk__in=[trial.comparison_id for trial in trials]).order_by("pk")
        list(shown.select_for_update(no_key=True))
        # First the locks, then a fresh look: one may have lapsed a moment ago.
        held = list(open_trials.filter(pk__in=[trial.pk for trial in trials]))
        Trial.objects.filter(pk__in=[trial.pk for trial in held]).update(lapsed_at=timezone.now())
        for trial in held:
            count_lapsed(trial)
    return len(held)


def end_part(study: Study, person: Person, *, outcome: Outcome) -> EndedPart | None:
    """End the part of somebody whom a platform sent and give the open trials back; None for nobody we know.

    A rater who ended before, such as by answering everything, keeps that outcome.
    """
    with transaction.atomic():
        rater = part_of(study, person)
        if rater is None:
            return None
        rater = end_rater(rater, outcome)
        return EndedPart(rater, n_released=release_trials(rater))


def part_of(study: Study, person: Person) -> Rater | None:
    """Return the rater of a submission, or of a person whose link named no submission."""
    raters = study.raters.filter(platform=person.platform, withdrawn_at__isnull=True)
    if person.submission_id and (known := raters.filter(submission_hash=submission_hash(study, person)).first()):
        return known
    # A person's earlier submission, such as one that was returned, must not end the one that came after it.
    nameless = raters.filter(submission_hash="")
    return nameless.filter(person_hash=person_hash(study, person)).first() if person.person_id else None
