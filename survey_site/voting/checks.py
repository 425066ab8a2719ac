"""Which check a rater gets next, on which sides it stands, and what practice tells about an answer."""

import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from django.db.models import Count, Exists, Max, OuterRef, Q
from django.utils.translation import gettext as _

from survey_site.design.check_plans import REPEAT, Supply, kinds_from, n_trials
from survey_site.design.designs import Checks
from survey_site.models import Comparison, Rater, Trial, Vote
from survey_site.voting.orders import position_at

# A repeat comes at least so many trials after its original, where the study has room for it.
REPEAT_AFTER = 10
# In the smallest study; as many as a rater holds ahead, so that the original is answered by then.
REPEAT_AFTER_AT_LEAST = 3
# Earlier trials that one repeat is drawn from.
WINDOW = 200
WITH_A_SIDE = ("a", "b")


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


class Sizes(NamedTuple):
    """How many comparisons of each kind a study has; they never change once it is open."""

    normal: int
    gold: int
    identical: int


class Seen(NamedTuple):
    """How far a rater is, and how many checks the rater was shown. sided: gold ones with a right side."""

    next_position: int
    gold: int
    identical: int
    sided: int


def choose_check(rater: Rater, kind: str) -> CheckChoice | None:
    """Return the check that comes next where the rater's plan says "gold", "identical" or "repeat".

    Where nothing of the kind is left for this rater, another kind of the study's takes its place, so that the share
    of checks stays as it was designed; None where nothing of any is left, and a normal trial comes instead. The
    caller holds the rater's lock, and leases what it is given before asking again.
    """
    seen, design = _seen_by(rater), rater.study.how
    for other in kinds_from(kind, design.checks.kinds):
        if other == REPEAT:
            choice = _repeat(rater, seen=seen, wanted=design.order.trials_per_rater)
        else:
            choice = _known_answer(rater, other, seen=seen)
        if choice is not None:
            return choice
    return None


def n_trials_of(rater: Rater, n_normal: int, *, checks: Checks) -> int:
    """Return how many trials, checks included, bring a rater to the last of some normal ones.

    checks: of the design of the rater's study, which the caller has at hand.
    """
    if not checks.per_block:
        return n_normal
    sizes = _sizes(rater.study_id, rater.study.secret)
    supply = Supply(sizes.gold, sizes.identical, repeat_after=_distance(n_normal))
    return n_trials(n_normal, checks=checks, key=rater.order_key, secret=rater.study.secret, supply=supply)


def practice_choices(rater: Rater) -> list[CheckChoice]:
    """Return the practice trials that this rater still has to be given, in their order."""
    if not rater.study.how.welcome.practice:
        return []
    leased = set(rater.trials.filter(kind=Trial.Kind.PRACTICE).values_list("comparison", flat=True))
    choices, n_sided = [], 0
    for comparison in rater.study.comparisons.filter(kind=Comparison.Kind.PRACTICE).order_by("position"):
        swapped = _swapped(comparison, rater=rater, number=n_sided)
        n_sided += comparison.expected in WITH_A_SIDE
        if comparison.pk not in leased:
            choices.append(CheckChoice(comparison, Trial.Kind.PRACTICE, repeat_no=0, swapped=swapped))
    return choices


def feedback_on(vote: Vote) -> Feedback | None:
    """Return what to tell about the answer to a practice trial; None for every other trial."""
    trial = vote.trial
    if trial.kind != Trial.Kind.PRACTICE:
        return None
    expected, explanation = expected_choice(trial), trial.comparison.explanation
    # Of an empty text gettext returns the catalogue's own header.
    return Feedback(expected, vote.choice == expected, explanation=_(explanation) if explanation else "")


def expected_choice(trial: Trial) -> Vote.Choice:
    """Return the right answer to a trial of a gold, identical or practice comparison, in terms of the screen."""
    if trial.comparison.expected == Comparison.Expected.TIE:
        return Vote.Choice.SAME
    a_is_right = trial.comparison.expected == Comparison.Expected.A
    return Vote.Choice.LEFT if a_is_right != trial.swapped else Vote.Choice.RIGHT


def _seen_by(rater: Rater) -> Seen:
    checks = Q(kind=Trial.Kind.GOLD)
    counts = rater.trials.aggregate(
        last=Max("position", default=-1),
        gold=Count("pk", filter=checks & Q(comparison__kind=Comparison.Kind.GOLD)),
        identical=Count("pk", filter=checks & Q(comparison__kind=Comparison.Kind.IDENTICAL)),
        sided=Count("pk", filter=checks & Q(comparison__expected__in=WITH_A_SIDE)),
    )
    return Seen(counts["last"] + 1, counts["gold"], counts["identical"], counts["sided"])


def _known_answer(rater: Rater, kind: str, *, seen: Seen) -> CheckChoice | None:
    """The next gold or identical comparison of this rater's own order of them."""
    sizes = _sizes(rater.study_id, rater.study.secret)
    n, n_seen = (sizes.gold, seen.gold) if kind == Comparison.Kind.GOLD else (sizes.identical, seen.identical)
    if n_seen >= n:
        return None
    position = position_at(n_seen, key=rater.order_key, n=n)
    comparison = Comparison.objects.get(study=rater.study_id, kind=kind, position=position)
    swapped = _swapped(comparison, rater=rater, number=seen.sided)
    return CheckChoice(comparison, Trial.Kind.GOLD, repeat_no=0, swapped=swapped)


def _repeat(rater: Rater, *, seen: Seen, wanted: int | None) -> CheckChoice | None:
    """An own answered normal trial of some while ago, its sides swapped; each once. wanted: None for all there are."""
    n_normal = _sizes(rater.study_id, rater.study.secret).normal
    last = seen.next_position - _distance(min(wanted or n_normal, n_normal))
    repeated = rater.trials.filter(kind=Trial.Kind.REPEAT).order_by().values("comparison")
    earlier = (
        rater.trials.filter(Exists(Vote.objects.filter(trial=OuterRef("pk"))), kind=Trial.Kind.NORMAL)
        .filter(position__lte=last)
        .exclude(comparison__in=repeated)
        .order_by("-position")
        .values_list("comparison", "swapped")
    )
    originals = list(earlier[:WINDOW])
    if not originals:
        return None
    key, swapped = originals[_drawn(rater, "repeat", seen.next_position) % len(originals)]
    return CheckChoice(Comparison.objects.get(pk=key), Trial.Kind.REPEAT, repeat_no=1, swapped=not swapped)


def _distance(n_normal: int) -> int:
    """How many trials after its original a repeat may come, where a rater gets so many normal ones."""
    return min(REPEAT_AFTER, max(REPEAT_AFTER_AT_LEAST, n_normal // 2))


@lru_cache(maxsize=1000)
def _sizes(study_id: int, secret: str) -> Sizes:
    """Count an open study's comparisons. secret: tells studies apart whose keys a database gave out twice."""
    del secret
    ends = (
        Comparison.objects.filter(study=study_id, kind=kind).aggregate(last=Max("position", default=-1))["last"]
        for kind in Sizes._fields
    )
    # Positions have no gaps: the last one is found in the index, without counting.
    return Sizes(*(int(last) + 1 for last in ends))


def _swapped(comparison: Comparison, *, rater: Rater, number: int) -> bool:
    """Draw the sides of a rater's check. number: of checks with a right side that the rater was shown before.

    Of each two the right answer stands left once and right once: whoever always presses one side has half of them.
    """
    if comparison.expected not in WITH_A_SIDE:
        return bool(_drawn(rater, "tie", comparison.pk) & 1)
    # Practice draws its own: it tells the right sides.
    is_left = bool(_drawn(rater, f"{comparison.kind} side", number // 2) & 1) != bool(number % 2)
    return is_left != (comparison.expected == Comparison.Expected.A)


def _drawn(rater: Rater, purpose: str, number: int) -> int:
    message = f"check {purpose} {rater.order_key} {number}".encode()
    return int.from_bytes(hmac.digest(rater.study.secret.encode(), message, "sha256"))
