"""Trials: leased to a rater a few ahead, shown, answered once.

Each transaction locks the rater first, so one rater's tabs take turns, then comparisons. Only the comparison
of the trial that is being answered is waited for; every other one is skipped where somebody else holds it. A trial's
state changes only under its comparison's lock.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from survey_site.choosing import LOOK_AHEAD, Choice, choose, choose_patiently, n_comparisons
from survey_site.counters import count_lapsed, count_opened, count_vote
from survey_site.models import Comparison, Rater, Trial, Vote
from survey_site.querysets import ComparisonQuerySet
from survey_site.studies import require_open

LEASE = timedelta(minutes=15)
# A lease is lengthened when this much of it is left, not with every vote.
LEASE_MARGIN = timedelta(minutes=10)
# Expired leases of anybody that one request gives back.
LAPSES_A_REQUEST = 20


class VoteRefused(Exception):
    """The vote was not kept; the message says why."""


class AlreadyVoted(VoteRefused):
    """The trial has a vote, and it says something else."""


class EnoughVotes(VoteRefused):
    """The comparison has all the votes it can take."""


class KeyReused(VoteRefused):
    """The idempotency key came with a vote on another trial."""


class RaterEnded(VoteRefused):
    """The rater's part has ended otherwise than by answering everything, or the rater has withdrawn."""


class Standing(StrEnum):
    """What a rater can do next."""

    OPEN = "open"
    """There are trials to answer."""
    READY = "ready"
    """There are none yet, but leasing would find some."""
    WAITING = "waiting"
    """Others hold everything that this rater could still get, and may give it back."""
    FINISHED = "finished"


@dataclass(frozen=True)
class Queue:
    """A rater's open trials, the next first, and how far the rater is."""

    trials: list[Trial]
    standing: Standing
    n_votes: int
    """Trials answered, practice left out."""
    n_comparisons: int
    """Trials that this rater will get, checks among them, practice left out."""
    break_due: bool = False
    """A break is due before the first of the trials."""
    last: Trial | None = None
    """The trial whose answer may be taken back; its votes are fetched."""


@dataclass(frozen=True)
class VoteDetails:
    """What comes with a choice where the study asks for it or the page can tell.

    others: answers to the design's further questions, by key. takes_back: this is a new answer to the rater's last
    answered trial; the earlier one stays on record.
    """

    strength: int | None = None
    reason: str = ""
    hidden_ms: int | None = None
    zoom_ms: int | None = None
    pressed_with: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    takes_back: bool = False


NO_DETAILS = VoteDetails()


def queue_of(rater: Rater) -> Queue:
    """Return what a rater has to do, changing nothing."""
    trials = list(rater.trials.open().with_images().order_by("position"))
    return Queue(
        trials,
        standing=Standing.OPEN if trials else _standing_without_trials(rater),
        n_votes=Vote.objects.filter(trial__rater=rater, replaces__isnull=True).count(),
        n_comparisons=n_comparisons(rater.study_id),
    )


def lease_trials(rater: Rater) -> Queue:
    """Fill up a rater's look-ahead and return the queue. Raises `StudyClosed` or `StudyPaused`."""
    with transaction.atomic():
        rater = _locked(rater)
        require_open(rater.study)
        _fill(rater)
    queue = queue_of(rater)
    if queue.standing is not Standing.READY:
        return queue
    # Others held every row that was left. Wait for them before saying that there is nothing.
    with transaction.atomic():
        _lease(_locked(rater), choose_patiently(rater))
    return queue_of(rater)


def record_vote(
    trial: Trial,
    choice: str,
    *,
    response_ms: int | None = None,
    key: UUID | None = None,
    details: VoteDetails = NO_DETAILS,
) -> Vote:
    """Write the one vote of a trial, move the counters and lease the next trials: one transaction.

    Sent again (same key or same choice), it returns the vote that stands. Raises `AlreadyVoted`, `KeyReused`,
    `EnoughVotes`, `StudyClosed` or `StudyPaused`; the vote is not kept then.
    """
    vote = Vote(
        trial=trial,
        choice=choice,
        response_ms=response_ms,
        key=key,
        strength=details.strength,
        reason=details.reason,
        hidden_ms=details.hidden_ms,
        zoom_ms=details.zoom_ms,
        pressed_with=details.pressed_with,
    )
    with transaction.atomic():
        rater = _locked(trial.rater)
        standing = _standing_vote(vote)
        if standing is not None:
            return standing
        require_open(rater.study)
        is_kept = _keep(vote)
        _fill(rater)
    if not is_kept:
        raise EnoughVotes("Meanwhile other raters have given this pair all the votes it needs: yours was not kept.")
    return vote


def _locked(rater: Rater) -> Rater:
    return Rater.objects.select_for_update(of=("self",), no_key=True).select_related("study").get(pk=rater.pk)


def _standing_vote(vote: Vote) -> Vote | None:
    """Return the trial's vote if there is one and this one repeats it."""
    same_key = Q(key=vote.key) if vote.key else Q()
    for known in Vote.objects.standing().filter(Q(trial=vote.trial) | same_key):
        if known.trial_id != vote.trial_id:
            raise KeyReused("This answer was sent with the key of another pair. Reload the page and answer again.")
        if known.choice != vote.choice and (vote.key is None or known.key != vote.key):
            raise AlreadyVoted("You have answered this pair already, differently. Your first answer counts.")
        return known
    return None


def _keep(vote: Vote) -> bool:
    """Save the vote unless its comparison is full; a trial that nobody can answer any more lapses."""
    comparison = Comparison.objects.select_for_update(no_key=True).get(pk=vote.trial.comparison_id)
    # Read anew under the lock: somebody may have reclaimed it a moment ago.
    vote.trial = Trial.objects.get(pk=vote.trial_id)
    if comparison.votes_max is not None and comparison.n_votes >= comparison.votes_max:
        _lapse([vote.trial] if vote.trial.lapsed_at is None else [], now=timezone.now())
        return False
    vote.save(force_insert=True)
    count_vote(vote.trial)
    return True


def _fill(rater: Rater) -> None:
    """Keep the rater's leases alive and lease more, up to the look-ahead."""
    now = timezone.now()
    unanswered = list(rater.trials.unanswered().order_by("position"))
    held = [trial for trial in unanswered if trial.lapsed_at is None]
    _lengthen(held, now=now)
    _reclaim(rater.study_id, now=now)
    if len(held) >= LOOK_AHEAD:
        return
    lapsed = {trial.comparison_id: trial for trial in unanswered if trial.lapsed_at is not None}
    n_revived = _revive(lapsed, at_most=LOOK_AHEAD - len(held)) if lapsed else 0
    _lease(rater, choose(rater, n_held=len(held) + n_revived))


def _lengthen(trials: Iterable[Trial], *, now: datetime) -> None:
    ending = [trial.pk for trial in trials if trial.expires_at < now + LEASE_MARGIN]
    if ending:
        Trial.objects.filter(pk__in=ending, lapsed_at__isnull=True).update(expires_at=now + LEASE)


def _reclaim(study_id: int, *, now: datetime) -> None:
    """Let a few of the study's expired leases lapse, so that their comparisons go to other raters."""
    expired = Trial.objects.expired_at(now).filter(comparison__study=study_id, comparison__n_open__gt=0)
    comparisons = set(expired.values_list("comparison", flat=True)[:LAPSES_A_REQUEST])
    if comparisons:
        # First the lock, then a fresh look: a vote that came in between keeps its trial.
        locked = list(_unheld().filter(pk__in=comparisons))
        _lapse(Trial.objects.expired_at(now).filter(comparison__in=locked)[:LAPSES_A_REQUEST], now=now)


def _lapse(trials: Iterable[Trial], *, now: datetime) -> None:
    for trial in trials:
        Trial.objects.filter(pk=trial.pk).update(lapsed_at=now)
        count_lapsed(trial)


def _revive(trials: dict[int, Trial], *, at_most: int) -> int:
    """Renew lapsed leases of a rater who came back, where their comparisons have room; return how many."""
    with_room = _unheld().under_target().filter(pk__in=trials)[:at_most]
    revived = [trials[comparison.pk] for comparison in with_room]
    for trial in revived:
        Trial.objects.filter(pk=trial.pk).update(lapsed_at=None, expires_at=timezone.now() + LEASE)
        count_opened(trial)
    return len(revived)


def _unheld() -> ComparisonQuerySet:
    """Lock comparisons, skipping those that somebody else has locked."""
    return Comparison.objects.select_for_update(skip_locked=True, no_key=True).order_by("pk")


def _lease(rater: Rater, choices: Iterator[Choice]) -> None:
    expires_at = timezone.now() + LEASE
    for choice in choices:
        trial = Trial.objects.create(
            rater=rater,
            comparison=choice.comparison,
            position=choice.position,
            swapped=choice.swapped,
            expires_at=expires_at,
        )
        count_opened(trial)


def _standing_without_trials(rater: Rater) -> Standing:
    attainable = Comparison.objects.unanswered_by(rater)
    held = attainable.filter(n_open__gt=0)
    expired = Trial.objects.expired_at(timezone.now()).filter(comparison__in=held)
    if attainable.under_target().exists() or expired.exists():
        return Standing.READY
    return Standing.WAITING if held.exists() else Standing.FINISHED
