"""What comes with a vote, what may be wrong with it, and the rows that it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from django.utils.translation import gettext as _

from survey_site.design.designs import PREFERENCE, Page
from survey_site.models import Strength, Trial, Vote

REASON_LENGTH = 500


class VoteRefused(Exception):
    """The vote was not kept; the message says why."""


class AlreadyVoted(VoteRefused):
    """The trial has a vote, and it says something else."""


class EnoughVotes(VoteRefused):
    """The comparison has all the votes it can take."""


class KeyReused(VoteRefused):
    """The idempotency key came with a vote on another trial."""


class InvalidVote(VoteRefused):
    """The vote says something that this study does not ask, or leaves out what it asks."""


class NotTakenBack(VoteRefused):
    """The earlier answer stands: the study, or what came after it, does not let it be changed."""


class RaterEnded(VoteRefused):
    """The rater's part has ended otherwise than by answering everything, or the rater has withdrawn."""


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


@dataclass(frozen=True)
class Sent:
    """A vote as it was sent: the choice, how long it took, the sender's idempotency key, and what came with it."""

    choice: str
    response_ms: int | None = None
    key: UUID | None = None
    details: VoteDetails = field(default_factory=VoteDetails)


def key_for(code: UUID, *, n_sent: int = 0) -> UUID:
    """Return the key to send a trial's next answer with: the same at every look, another once one was kept.

    n_sent: answers to the trial that are on record.
    """
    return uuid5(code, str(n_sent))


def require_valid(sent: Sent, *, page: Page) -> None:
    """Raise `InvalidVote` unless the vote answers what the study asks, and nothing else."""
    details = sent.details
    known = {question.key for question in page.questions}
    if details.others.keys() - known:
        raise InvalidVote(_("This answer is to a question that the study does not ask. Reload the page and try again."))
    if known - details.others.keys():
        raise InvalidVote(_("One of the questions has no answer yet. Answer each of them, then send again."))
    if not {sent.choice, *details.others.values()} <= set(Vote.Choice.values):
        raise InvalidVote(_("One of the answers is none of left, same and right. Choose one of these."))
    _require_valid_strength(sent, page=page)
    if details.reason and not page.reason:
        raise InvalidVote(_("This study does not ask for a reason. Leave it out."))
    if len(details.reason) > REASON_LENGTH:
        raise InvalidVote(_("The reason is too long. Shorten it to {n} letters.").format(n=REASON_LENGTH))


def votes_of(sent: Sent, *, trial: Trial, replaces: Mapping[str, Vote] | None = None) -> list[Vote]:
    """Return the rows that a vote becomes, the preference first. replaces: the standing votes, by question."""
    details, replaces = sent.details, replaces or {}
    preference = Vote(
        trial=trial,
        choice=sent.choice,
        response_ms=sent.response_ms,
        key=sent.key,
        strength=details.strength,
        reason=details.reason,
        hidden_ms=details.hidden_ms,
        zoom_ms=details.zoom_ms,
        pressed_with=details.pressed_with,
        replaces=replaces.get(PREFERENCE),
    )
    others = [
        Vote(trial=trial, question=question, choice=choice, replaces=replaces.get(question))
        for question, choice in details.others.items()
    ]
    return [preference, *others]


def _require_valid_strength(sent: Sent, *, page: Page) -> None:
    strength = sent.details.strength
    if strength is None:
        return
    if not page.strength:
        raise InvalidVote(_("This study does not ask how clear the difference is. Answer left, same or right."))
    if sent.choice == Vote.Choice.SAME:
        raise InvalidVote(_("Same is neither much nor slightly better. Choose a side, or leave the strength out."))
    if strength not in Strength.values:
        raise InvalidVote(_("The strength is neither slightly nor much. Choose one of these."))
