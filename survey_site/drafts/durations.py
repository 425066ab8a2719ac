"""How long a rater's part takes, told on the first page."""

import math
from statistics import median
from typing import NamedTuple

from django.db.models import Max

from survey_site.design.check_plans import n_trials
from survey_site.design.designs import Design
from survey_site.models import Rater, Study, Vote

# Until the study has answers of its own, and what a pair takes besides: reading the label, looking, the next images.
FIRST_GUESS_MS = 5000
BESIDES_MS = 1000
FEWEST_TIMES = 20
# The latest raters, whose votes are found by an index however many the study has.
LATEST_RATERS = 20
LATEST_VOTES = 400
READING_MS = 30_000


class Part(NamedTuple):
    """What one rater is asked: pairs, without those for practice, and minutes."""

    n_pairs: int
    minutes: int
    may_be_fewer: bool
    """Others may give the votes that are wanted first."""


def expected_part(study: Study) -> Part:
    """Return what a rater who comes now can expect; the time is a median of those who came last, or a guess."""
    design = study.how
    normal = study.comparisons.normal().aggregate(last=Max("position", default=-1))["last"] + 1
    wanted = min(normal, design.order.trials_per_rater or normal)
    # Where the checks stand differs from rater to rater, and their number by one at most.
    n_pairs = n_trials(wanted, checks=design.checks, key=0, secret=study.secret)
    minutes = minutes_of(design, n_pairs=n_pairs, response_ms=_response_ms(study))
    return Part(n_pairs, minutes=minutes, may_be_fewer=study.votes_wanted is not None)


def minutes_of(design: Design, *, n_pairs: int, response_ms: float | None = None) -> int:
    """Return about how long a rater is busy with so many pairs and what comes before. Without a time, it is guessed."""
    welcome = design.welcome
    each = BESIDES_MS + (response_ms or FIRST_GUESS_MS * (1 + len(design.page.questions)))
    n_steps = sum(map(bool, (welcome.consent, welcome.questionnaire, welcome.instructions)))
    return max(1, math.ceil(((n_pairs + welcome.practice) * each + n_steps * READING_MS) / 60_000))


def _response_ms(study: Study) -> float | None:
    latest = list(Rater.objects.filter(study=study).order_by("-pk").values_list("pk", flat=True)[:LATEST_RATERS])
    votes = Vote.objects.preferences().filter(trial__rater__in=latest, response_ms__isnull=False)
    times = [ms for ms in votes.order_by().values_list("response_ms", flat=True)[:LATEST_VOTES] if ms is not None]
    return median(times) if len(times) >= FEWEST_TIMES else None
