"""A vote on its way into the books: what is checked, counted, written and leased within its one transaction."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from survey_site.design.designs import PREFERENCE, Outcome
from survey_site.models import Rater, Trial, Vote
from survey_site.studies import require_open
from survey_site.voting.counters import count_lapsed, count_vote
from survey_site.voting.leases import top_up
from survey_site.voting.sequences import Sequence
from survey_site.voting.standings import (
    Desk,
    Standing,
    desk_of,
    has_ended,
    has_ended_early,
    own_sequence,
    standing_of,
    to_take_back,
)
from survey_site.voting.trial_locks import lock_trial
from survey_site.voting.votes import (
    AlreadyVoted,
    KeyReused,
    NotTakenBack,
    RaterEnded,
    Sent,
    require_valid,
    votes_of,
)


class UnknownTrial(Exception):
    """There is no such trial, or it is somebody else's."""


@dataclass(frozen=True)
class Cast:
    """A vote that stands, and what lies before the rater after it."""

    vote: Vote
    desk: Desk


def own_trial(code: UUID, *, raters: Collection[UUID] | None) -> Trial:
    """Lock a trial and its rater, who must be one of these. Raises `UnknownTrial`."""
    trial = lock_trial(code)
    if trial is None or (raters is not None and trial.rater.code not in raters):
        raise UnknownTrial(_("This pair is not one of yours. Open the study's page to continue."))
    return trial


def answer(trial: Trial, sent: Sent) -> Cast | None:
    """Keep a vote and lease what comes next; None where the comparison has no room for it."""
    sequence = own_sequence(trial.rater)
    row = next(known for known in sequence.rows if known.pk == trial.pk)
    if row.vote is not None:
        return _answer_again(trial, sent, sequence=sequence)
    _require_taking(trial.rater)
    require_valid(sent, page=sequence.pool.design.page)
    if not count_vote(trial):
        _give_up(trial)
        completed(top_up(own_sequence(trial.rater)))
        return None
    vote = _keep(votes_of(sent, trial=trial))
    return _onwards(sequence.with_answer(row, vote=vote.pk, choice=vote.choice), vote=vote)


def _answer_again(trial: Trial, sent: Sent, *, sequence: Sequence) -> Cast:
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
    sequence = sequence if has_ended(rater) else completed(top_up(sequence))
    return Cast(vote, desk_of(sequence))


def completed(sequence: Sequence) -> Sequence:
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
    require_not_ended(rater)
    require_open(rater.study)


def require_not_ended(rater: Rater) -> None:
    """Raise `RaterEnded` for a rater who ended otherwise than by answering everything."""
    if has_ended_early(rater):
        raise RaterEnded(_("Your part in this study has ended: it takes no more answers from you. Thank you."))


def _require_own_key(trial: Trial, key: UUID | None) -> None:
    if key is not None and Vote.objects.filter(key=key).exclude(trial=trial).exists():
        raise key_reused()


def key_reused() -> KeyReused:
    """Return the refusal of a key that came with another trial's vote."""
    return KeyReused(_("This answer was sent with the key of another pair. Reload the page and answer again."))
