"""A rater's look-ahead: a few trials leased before they are shown, so that the next pair is there at once."""

from datetime import timedelta

from django.utils import timezone

from survey_site.design.check_plans import NORMAL
from survey_site.models import Comparison, Rater, Trial
from survey_site.voting.checks import CheckChoice, choose_check, practice_choices
from survey_site.voting.choosing import LOOK_AHEAD, Choice, choose, choose_patiently
from survey_site.voting.counters import count_opened
from survey_site.voting.lapses import reclaim
from survey_site.voting.sequences import Row, Sequence, sequence_of

LEASE = timedelta(minutes=15)
# A lease is lengthened when this much of it is left, not with every vote.
LEASE_MARGIN = timedelta(minutes=10)


def top_up(sequence: Sequence) -> Sequence:
    """Keep the rater's leases alive and lease more, up to the look-ahead; part of the vote's transaction.

    What others let expire is looked at only where nothing else is left.
    """
    _lengthen(sequence)
    filled = _filled(sequence)
    return filled if filled.held or filled.is_full else refill(filled)


def refill(sequence: Sequence) -> Sequence:
    """Do the same for a rater who comes, or comes back: with what lapsed meanwhile, of this rater and of others."""
    _lengthen(sequence)
    reclaim(sequence.rater.study_id)
    return _filled(_revived(sequence))


def lease_patiently(sequence: Sequence) -> Sequence:
    """Lease one trial, waiting for comparisons that others hold; in a transaction that holds none."""
    choice = choose_patiently(sequence)
    return sequence if choice is None else _leased(sequence, choice)


def _lengthen(sequence: Sequence) -> None:
    now = timezone.now()
    ending = [row.pk for row in sequence.held if row.expires_before(now + LEASE_MARGIN)]
    if ending:
        Trial.objects.filter(pk__in=ending, lapsed_at__isnull=True).update(expires_at=now + LEASE)


def _revived(sequence: Sequence) -> Sequence:
    """Renew the rater's own lapsed leases where their comparisons have room."""
    lapsed = sequence.lapsed
    at_most = LOOK_AHEAD - len(sequence.held)
    if not lapsed or at_most <= 0:
        return sequence
    unheld = Comparison.objects.select_for_update(skip_locked=True, no_key=True).order_by("pk")
    with_room = [comparison.pk for comparison in unheld.under_target().filter(pk__in=lapsed)[:at_most]]
    for trial in sequence.rater.trials.filter(pk__in=[lapsed[pk].pk for pk in with_room]):
        trial.lapsed_at, trial.expires_at = None, timezone.now() + LEASE
        trial.save(update_fields=["lapsed_at", "expires_at"])
        count_opened(trial)
    return sequence_of(sequence.rater, pool=sequence.pool) if with_room else sequence


def _filled(sequence: Sequence) -> Sequence:
    """Lease what comes next until the rater holds enough: practice first, then as the study's plan says."""
    practice = _practice(sequence)
    while len(sequence.held) < LOOK_AHEAD:
        choice = practice.pop(0) if practice else _next(sequence)
        if choice is None:
            break
        sequence = _leased(sequence, choice)
    return sequence


def _practice(sequence: Sequence) -> list[CheckChoice]:
    wanted = sequence.pool.design.welcome.practice
    # After the first trial of the plan there is no more practice.
    if not wanted or sequence.n_slots or sequence.n_practice >= wanted:
        return []
    return practice_choices(sequence.rater)


def _next(sequence: Sequence) -> Choice | CheckChoice | None:
    if sequence.is_practising or sequence.is_full:
        return None
    kind = sequence.next_kind
    check = choose_check(sequence.rater, kind) if kind != NORMAL else None
    return check or choose(sequence)


def _leased(sequence: Sequence, choice: Choice | CheckChoice) -> Sequence:
    trial = _trial(choice, rater=sequence.rater, position=sequence.next_position)
    trial.expires_at = trial.leased_at + LEASE
    trial.save(force_insert=True)
    row = Row(
        trial.pk,
        trial.position,
        trial.kind,
        trial.swapped,
        expires_at=trial.expires_at,
        lapsed_at=None,
        comparison=trial.comparison_id,
        code=str(trial.code),
        vote=None,
        choice=None,
    )
    return sequence.with_trial(row)


def _trial(choice: Choice | CheckChoice, *, rater: Rater, position: int) -> Trial:
    if isinstance(choice, Choice):
        return Trial(
            rater=rater,
            comparison_id=choice.comparison,
            position=position,
            swapped=choice.swapped,
            propensity=choice.propensity,
        )
    return Trial(
        rater=rater,
        comparison=choice.comparison,
        kind=choice.kind,
        repeat_no=choice.repeat_no,
        position=position,
        swapped=choice.swapped,
    )
