"""Which two arms a rater is shown next, where a study draws them by expected information gain."""

import random
from itertools import combinations
from typing import NamedTuple

from survey_site.designs import Sampling
from survey_site.models import Rater


class DrawnArms(NamedTuple):
    """Two arms by their keys, the one first by name first, as comparisons have them; and how likely their draw was."""

    arm_a: int
    arm_b: int
    propensity: float


def draw_arms(rater: Rater, *, rng: random.Random) -> DrawnArms | None:
    """Draw the two arms of a rater's next normal trial, or return None where the study does not sample actively.

    The chance of every two arms of the study is above zero, and all chances sum to one.
    """
    if rater.study.how.order.sampling is not Sampling.ACTIVE:
        return None
    arms = sorted(rater.study.arms.all(), key=lambda arm: arm.name)
    pairs = list(combinations(arms, 2))
    first, second = rng.choice(pairs)
    return DrawnArms(first.pk, second.pk, propensity=1 / len(pairs))
