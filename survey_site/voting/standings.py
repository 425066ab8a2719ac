"""Where a rater stands: what is open, how far the rater is, what may be taken back, whether anything can still come."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.utils import timezone

from survey_site.design.designs import Outcome
from survey_site.models import Comparison, Rater, Trial
from survey_site.voting.checks import n_trials_of
from survey_site.voting.pools import pool_of
from survey_site.voting.sequences import Row, Sequence, sequence_of
from survey_site.voting.votes import key_for


class Standing(StrEnum):
    """What a rater can do next."""

    OPEN = "open"
    """There are trials to answer."""
    READY = "ready"
    """There are none yet, but leasing would find some."""
    WAITING = "waiting"
    """Others hold everything that this rater could still get, and may give it back."""
    FINISHED = "finished"


class Progress(NamedTuple):
    """How far a rater is. n_votes, n_comparisons: trials answered and to be answered, practice left out."""

    standing: Standing
    n_votes: int
    n_comparisons: int
    break_due: bool


class Card(NamedTuple):
    """What a page is told of a trial before its images come: nothing tells the arms or a check."""

    code: UUID
    key: UUID
    class_label: str
    width: int
    height: int
    is_practice: bool


@dataclass(frozen=True)
class Desk:
    """What lies before a rater: the cards of the open trials, the next first, and of the one to take back."""

    cards: list[Card]
    progress: Progress
    last: Card | None
    last_choice: str


def own_sequence(rater: Rater) -> Sequence:
    """Read the sequence of a rater."""
    pool = pool_of(rater.study)
    if "design" in rater.study.get_deferred_fields():
        rater.study.design = pool.said
    return sequence_of(rater, pool=pool)


def progress_of(sequence: Sequence) -> Progress:
    """Return how far the rater is."""
    n_votes, break_after = sequence.n_votes, sequence.pool.design.order.break_after
    standing = standing_of(sequence)
    return Progress(
        standing,
        n_votes,
        n_comparisons=max(_n_trials(sequence), n_votes),
        break_due=bool(break_after and n_votes and n_votes % break_after == 0 and standing is not Standing.FINISHED),
    )


def _n_trials(sequence: Sequence) -> int:
    return n_trials_of(sequence.rater, sequence.n_wanted, checks=sequence.pool.design.checks)


def desk_of(sequence: Sequence) -> Desk:
    """Return what lies before the rater, from what the sequence and its pool know."""
    last = to_take_back(sequence)
    return Desk(
        [_card(row, sequence=sequence) for row in sequence.held],
        progress_of(sequence),
        last=_card(last, sequence=sequence) if last else None,
        last_choice=(last.choice or "") if last else "",
    )


def to_take_back(sequence: Sequence) -> Row | None:
    """Return the trial whose answer may be taken back: the last answered one, where the study allows it."""
    return sequence.last_answered if sequence.pool.design.page.takes_back else None


def standing_of(sequence: Sequence) -> Standing:
    """Return what the rater can do next; asks the database only where nothing is open."""
    rater = sequence.rater
    if has_ended(rater):
        return Standing.FINISHED
    if sequence.held:
        return Standing.OPEN
    if sequence.is_full:
        return Standing.FINISHED
    attainable = Comparison.objects.unanswered_by(rater)
    held = attainable.filter(n_open__gt=0)
    expired = Trial.objects.expired_at(timezone.now()).filter(comparison__in=held)
    if attainable.under_target().exists() or expired.exists():
        return Standing.READY
    return Standing.WAITING if held.exists() else Standing.FINISHED


def has_ended(rater: Rater) -> bool:
    """Tell whether the rater's part has ended, in whatever way."""
    return bool(rater.outcome) or rater.withdrawn_at is not None


def has_ended_early(rater: Rater) -> bool:
    """Tell whether the rater's part has ended otherwise than by answering everything."""
    return has_ended(rater) and rater.outcome != Outcome.COMPLETE


def _card(row: Row, *, sequence: Sequence) -> Card:
    look, code = sequence.pool.look_of(row.comparison), UUID(row.code)
    width, height = look.size_b if row.swapped else look.size_a
    is_practice = row.kind == Trial.Kind.PRACTICE
    return Card(code, key_for(code, n_sent=row.n_sent), look.class_label, width, height, is_practice)
