"""Questions about many rows, each with a name."""

from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, Q, Value, When

if TYPE_CHECKING:
    from survey_site.models import Comparison, Study, Trial, Vote


class StudyQuerySet(models.QuerySet["Study"]):
    """Questions about studies."""


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    """Questions about comparisons."""


class TrialQuerySet(models.QuerySet["Trial"]):
    """Questions about trials."""


class VoteQuerySet(models.QuerySet["Vote"]):
    """Questions about votes."""

    def with_outcome(self) -> "VoteQuerySet":
        """Annotate `outcome` (a, b or tie): the one translation from the screen's sides to the arms."""
        a_left = Q(choice="left", trial__swapped=False) | Q(choice="right", trial__swapped=True)
        return self.annotate(
            outcome=Case(When(choice="same", then=Value("tie")), When(a_left, then=Value("a")), default=Value("b"))
        )

    def standing(self) -> "VoteQuerySet":
        """Keep the votes that count: those that no later vote replaces."""
        return self.filter(replaced_by__isnull=True)
