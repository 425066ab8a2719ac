"""What a draft's design comes to in numbers: comparisons, trials of a rater, minutes, raters needed."""

from copy import copy
from dataclasses import dataclass
from math import ceil

from survey_site.check_plans import n_trials
from survey_site.designs import Design
from survey_site.models import Study
from survey_site.pairings import n_comparisons

# Kawar et al.'s raters took about four seconds a pair; ours look at the description too.
SECONDS_A_PAIR = 5
SECONDS_A_QUESTION = 3
SECONDS_AN_ITEM = 8
WORDS_A_MINUTE = 200


@dataclass(frozen=True)
class DesignSize:
    """comparisons: of the study. per_rater: of them at most one rater's. trials: with checks and practice."""

    comparisons: int
    per_rater: int
    trials: int
    minutes: int
    raters_needed: int | None
    """To bring every comparison to the votes wanted; None where no number is wanted."""


def size_of(study: Study, design: Design, *, votes_wanted: int | None) -> DesignSize:
    """Work out a draft's size under a design. Raises `pairings.NotPairable` where it cannot be followed."""
    wanted = copy(study)
    wanted.votes_wanted = votes_wanted
    comparisons = n_comparisons(wanted, design)
    per_rater = min(design.order.trials_per_rater or comparisons, comparisons)
    rated = n_trials(per_rater, checks=design.checks, key=0, secret="")
    trials = rated + design.welcome.practice
    # Nobody judges a comparison twice, so there are never fewer raters than votes wanted.
    needed = max(votes_wanted, ceil(comparisons * votes_wanted / per_rater)) if votes_wanted and per_rater else None
    return DesignSize(comparisons, per_rater, trials, _minutes(design, trials=trials), needed)


def _minutes(design: Design, *, trials: int) -> int:
    welcome = design.welcome
    asked = SECONDS_A_PAIR + SECONDS_A_QUESTION * len(design.page.questions)
    words = len(f"{welcome.consent} {welcome.instructions}".split())
    seconds = trials * asked + len(welcome.questionnaire) * SECONDS_AN_ITEM + 60 * words / WORDS_A_MINUTE
    return max(1, ceil(seconds / 60))
