"""What a draft's design comes to in numbers: comparisons, trials of a rater, minutes, raters needed."""

from copy import copy
from dataclasses import dataclass
from math import ceil

from survey_site.design.check_plans import n_trials
from survey_site.design.designs import Design
from survey_site.drafts.durations import minutes_of
from survey_site.drafts.pairings import n_comparisons
from survey_site.models import Study


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
    # Nobody judges a comparison twice, so there are never fewer raters than votes wanted.
    needed = max(votes_wanted, ceil(comparisons * votes_wanted / per_rater)) if votes_wanted and per_rater else None
    minutes = minutes_of(design, n_pairs=rated)
    return DesignSize(comparisons, per_rater, rated + design.welcome.practice, minutes, needed)
