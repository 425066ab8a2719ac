"""The comparisons that serve as attention checks and for practice, built when a study opens."""

import random

from survey_site.models import Comparison, Study


class InvalidChecks(ValueError):
    """The checks that the design asks for cannot be built; the message says which, and what to change."""


def check_comparisons(study: Study, *, rng: random.Random) -> list[Comparison]:
    """Return the gold, identical and practice comparisons that the design of a study asks for, not yet saved.

    None for a study without checks and practice. Raises `InvalidChecks`.
    """
    del study, rng
    return []
