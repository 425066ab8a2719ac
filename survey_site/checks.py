"""Which check a rater gets next, on which sides it stands, and what practice tells about an answer."""

from dataclasses import dataclass

from survey_site.models import Comparison, Rater, Trial, Vote


@dataclass(frozen=True)
class CheckChoice:
    """A comparison that is about to be leased as a check, a repeat or practice. kind: the trial's."""

    comparison: Comparison
    kind: Trial.Kind
    repeat_no: int
    swapped: bool


@dataclass(frozen=True)
class Feedback:
    """What a rater is told after a practice trial, in terms of the screen."""

    expected: Vote.Choice
    is_right: bool
    explanation: str


def choose_check(rater: Rater, kind: str) -> CheckChoice | None:
    """Return the check that comes next where the rater's plan says "gold", "identical" or "repeat".

    The caller holds the rater's lock, and leases what it is given before asking again. None where nothing of the kind
    is left for this rater: a normal trial comes instead.
    """
    del rater, kind
    return None


def practice_choices(rater: Rater) -> list[CheckChoice]:
    """Return the practice trials that this rater still has to be given, in their order."""
    del rater
    return []


def feedback_on(vote: Vote) -> Feedback | None:
    """Return what to tell about the answer to a practice trial; None for every other trial."""
    del vote
    return None
