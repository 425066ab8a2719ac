"""Trials: leased to a rater a few ahead, shown, answered once, the last answer taken back if the study lets it.

Locks: every transaction takes the rater first, so one rater's tabs take turns, and then that rater's trial. Only the
comparison of the trial that is being answered is waited for, while no other comparison is held; every other one, and
every other rater's trial, is skipped where somebody else holds it. So nobody waits in a circle. An open trial lapses
only under its own lock and its comparison's.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError
from django.utils.translation import gettext as _

from survey_site.entrance.raters import require_rating
from survey_site.models import Rater, Trial, Vote
from survey_site.studies import require_open
from survey_site.voting.ballots import Cast, UnknownTrial, answer, completed, key_reused, own_trial, require_not_ended
from survey_site.voting.leases import lease_patiently, refill
from survey_site.voting.sequences import Sequence
from survey_site.voting.standings import (
    Desk,
    Standing,
    desk_of,
    has_ended,
    own_sequence,
    progress_of,
    standing_of,
    to_take_back,
)
from survey_site.voting.turns import settled
from survey_site.voting.votes import (
    AlreadyVoted,
    EnoughVotes,
    InvalidVote,
    KeyReused,
    NotTakenBack,
    RaterEnded,
    Sent,
    VoteDetails,
    VoteRefused,
    key_for,
)

__all__ = [
    "AlreadyVoted",
    "Cast",
    "EnoughVotes",
    "InvalidVote",
    "KeyReused",
    "NotTakenBack",
    "Queue",
    "RaterEnded",
    "Sent",
    "Standing",
    "UnknownTrial",
    "VoteDetails",
    "VoteRefused",
    "cast_vote",
    "desk_for",
    "key_for",
    "lease_trials",
    "queue_of",
    "record_vote",
]

NO_DETAILS = VoteDetails()


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
    """The trial whose answer may be taken back."""
    last_choice: str = ""
    """What that answer is."""


def queue_of(rater: Rater) -> Queue:
    """Return what a rater has to do, changing nothing."""
    return _queue(own_sequence(rater))


def desk_for(rater: Rater) -> Desk:
    """Return the same as `queue_of`, with cards for rows."""
    return desk_of(own_sequence(rater))


def lease_trials(rater: Rater) -> Queue:
    """Fill up a rater's look-ahead and return the queue; a rater who has answered everything is complete then.

    Raises `StudyClosed`, `StudyPaused`, `NotYetRating` or `RaterEnded`.
    """
    sequence = settled(lambda: _leased(rater))
    if standing_of(sequence) is not Standing.READY:
        return _queue(sequence)
    # Others held every row that was left. Wait for them before saying that there is nothing.
    return _queue(settled(lambda: lease_patiently(own_sequence(_locked(rater)))))


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
    `EnoughVotes`, `InvalidVote`, `NotTakenBack`, `RaterEnded`, `StudyClosed` or `StudyPaused`; nothing is kept then.
    """
    return _cast(trial.code, Sent(choice, response_ms, key, details)).vote


def cast_vote(code: UUID, sent: Sent, *, raters: Iterable[UUID]) -> Cast:
    """Do the same for a trial of one of these raters, by its code; return with it what lies before the rater then.

    raters: the codes of all raters that the sender is. Raises `UnknownTrial` as well.
    """
    return _cast(code, sent, raters=set(raters))


def _queue(sequence: Sequence) -> Queue:
    progress, last = progress_of(sequence), to_take_back(sequence)
    held = [] if has_ended(sequence.rater) else [row.pk for row in sequence.held]
    wanted = [*held, *([last.pk] if last else [])]
    trials = {trial.pk: trial for trial in Trial.objects.with_images().filter(pk__in=wanted)} if wanted else {}
    return Queue(
        [trials[pk] for pk in held],
        progress.standing,
        progress.n_votes,
        progress.n_comparisons,
        break_due=progress.break_due,
        last=trials[last.pk] if last else None,
        last_choice=(last.choice or "") if last else "",
    )


def _locked(rater: Rater) -> Rater:
    return Rater.objects.select_for_update(of=("self",), no_key=True).select_related("study").get(pk=rater.pk)


def _leased(rater: Rater) -> Sequence:
    rater = _locked(rater)
    require_open(rater.study)
    require_not_ended(rater)
    require_rating(rater)
    sequence = own_sequence(rater)
    return sequence if has_ended(rater) else completed(refill(sequence))


def _cast(code: UUID, sent: Sent, *, raters: Collection[UUID] | None = None) -> Cast:
    try:
        cast = settled(lambda: answer(own_trial(code, raters=raters), sent))
    except IntegrityError as error:
        if sent.key is None or not Vote.objects.filter(key=sent.key).exists():
            raise
        raise key_reused() from error
    if cast is None:
        raise EnoughVotes(_("Meanwhile other raters have given this pair all the votes it needs: yours was not kept."))
    return cast
