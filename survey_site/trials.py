"""Trials: leased to a rater a few ahead, shown, answered once, the last answer taken back if the study lets it.

Locks: every transaction takes the rater first, so one rater's tabs take turns, and then that rater's trial. Only the
comparison of the trial that is being answered is waited for, while no other comparison is held; every other one, and
every other rater's trial, is skipped where somebody else holds it. So nobody waits in a circle. An open trial lapses
only under its own lock and its comparison's.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from survey_site.counters import count_lapsed, count_vote
from survey_site.designs import PREFERENCE, Outcome
from survey_site.leases import lease_patiently, refill, top_up
from survey_site.models import Rater, Trial, Vote
from survey_site.raters import require_rating
from survey_site.sequences import Sequence
from survey_site.standings import (
    Desk,
    Standing,
    desk_of,
    has_ended,
    has_ended_early,
    own_sequence,
    progress_of,
    standing_of,
    to_take_back,
)
from survey_site.studies import require_open
from survey_site.trial_locks import lock_trial
from survey_site.turns import writing
from survey_site.votes import (
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
    require_valid,
    votes_of,
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

T = TypeVar("T")
NO_DETAILS = VoteDetails()
# PostgreSQL: serialization_failure, deadlock_detected. Nothing was kept, and the same again may go well.
WORTH_A_RETRY = frozenset({"40001", "40P01"})
RETRIES = 2


class UnknownTrial(Exception):
    """There is no such trial, or it is somebody else's."""


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


@dataclass(frozen=True)
class Cast:
    """A vote that stands, and what lies before the rater after it."""

    vote: Vote
    desk: Desk


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
    sequence = _settled(lambda: _leased(rater))
    if standing_of(sequence) is not Standing.READY:
        return _queue(sequence)
    # Others held every row that was left. Wait for them before saying that there is nothing.
    return _queue(_settled(lambda: lease_patiently(own_sequence(_locked(rater)))))


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


def _settled(act: Callable[[], T]) -> T:
    """Do an act in a transaction of its own; once more, and once more, where PostgreSQL asks for it."""
    for _attempt in range(RETRIES):
        try:
            with writing():
                return act()
        except OperationalError as error:
            if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", "") not in WORTH_A_RETRY:
                raise
    with writing():
        return act()


def _locked(rater: Rater) -> Rater:
    return Rater.objects.select_for_update(of=("self",), no_key=True).select_related("study").get(pk=rater.pk)


def _leased(rater: Rater) -> Sequence:
    rater = _locked(rater)
    require_open(rater.study)
    _require_not_ended(rater)
    require_rating(rater)
    sequence = own_sequence(rater)
    return sequence if has_ended(rater) else _completed(refill(sequence))


def _cast(code: UUID, sent: Sent, *, raters: Collection[UUID] | None = None) -> Cast:
    try:
        cast = _settled(lambda: _answered(_own_trial(code, raters=raters), sent))
    except IntegrityError as error:
        if sent.key is None or not Vote.objects.filter(key=sent.key).exists():
            raise
        raise _key_reused() from error
    if cast is None:
        raise EnoughVotes(_("Meanwhile other raters have given this pair all the votes it needs: yours was not kept."))
    return cast


def _own_trial(code: UUID, *, raters: Collection[UUID] | None) -> Trial:
    trial = lock_trial(code)
    if trial is None or (raters is not None and trial.rater.code not in raters):
        raise UnknownTrial(_("This pair is not one of yours. Open the study's page to continue."))
    return trial


def _answered(trial: Trial, sent: Sent) -> Cast | None:
    """Keep a vote and lease what comes next; None where the comparison has no room for it."""
    sequence = own_sequence(trial.rater)
    row = next(known for known in sequence.rows if known.pk == trial.pk)
    if row.vote is not None:
        return _answered_again(trial, sent, sequence=sequence)
    _require_taking(trial.rater)
    require_valid(sent, page=sequence.pool.design.page)
    if not count_vote(trial):
        _give_up(trial)
        _completed(top_up(own_sequence(trial.rater)))
        return None
    vote = _keep(votes_of(sent, trial=trial))
    return _onwards(sequence.with_answer(row, vote=vote.pk, choice=vote.choice), vote=vote)


def _answered_again(trial: Trial, sent: Sent, *, sequence: Sequence) -> Cast:
    """Deal with another answer to an answered trial: the same once more, another one, or one taken back."""
    known = list(Vote.objects.filter(trial=trial).order_by("pk"))
    standing = {vote.question: vote for vote in known}
    preference = standing[PREFERENCE]
    row = next(row for row in sequence.rows if row.pk == trial.pk)
    is_known = sent.key is not None and any(vote.key == sent.key for vote in known)
    is_same = sent.choice == preference.choice and (sent.key is None or not sent.details.takes_back)
    if is_known or is_same:
        _require_own_key(trial, sent.key)
        return Cast(preference, desk_of(sequence))
    if not sent.details.takes_back:
        raise AlreadyVoted(_("You have answered this pair already, differently. Your first answer counts."))
    _require_taking(trial.rater)
    if to_take_back(sequence) != row:
        raise NotTakenBack(_("Only the last answer can be changed, and only where the study allows it. Yours stands."))
    require_valid(sent, page=sequence.pool.design.page)
    vote = _keep(votes_of(sent, trial=trial, replaces=standing))
    return Cast(vote, desk_of(sequence.with_answer(row, vote=vote.pk, choice=vote.choice)))


def _onwards(sequence: Sequence, *, vote: Vote) -> Cast:
    rater = sequence.rater
    sequence = sequence if has_ended(rater) else _completed(top_up(sequence))
    return Cast(vote, desk_of(sequence))


def _completed(sequence: Sequence) -> Sequence:
    """End the part of a rater who has answered everything that there is to answer."""
    rater = sequence.rater
    if not sequence.held and sequence.n_votes and standing_of(sequence) is Standing.FINISHED:
        rater.outcome, rater.ended_at = Outcome.COMPLETE, timezone.now()
        rater.save(update_fields=["outcome", "ended_at"])
    return sequence


def _keep(votes: list[Vote]) -> Vote:
    if len(votes) == 1:
        votes[0].save(force_insert=True)
    else:
        Vote.objects.bulk_create(votes)
    return votes[0]


def _give_up(trial: Trial) -> None:
    """Let a trial lapse that nobody can answer any more."""
    if trial.lapsed_at is None:
        Trial.objects.filter(pk=trial.pk).update(lapsed_at=timezone.now())
        count_lapsed(trial)


def _require_taking(rater: Rater) -> None:
    _require_not_ended(rater)
    require_open(rater.study)


def _require_not_ended(rater: Rater) -> None:
    if has_ended_early(rater):
        raise RaterEnded(_("Your part in this study has ended: it takes no more answers from you. Thank you."))


def _require_own_key(trial: Trial, key: UUID | None) -> None:
    if key is not None and Vote.objects.filter(key=key).exclude(trial=trial).exists():
        raise _key_reused()


def _key_reused() -> KeyReused:
    return KeyReused(_("This answer was sent with the key of another pair. Reload the page and answer again."))
