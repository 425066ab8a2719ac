"""Studies whose own votes say how large the next one must be."""

from django.db.models import Sum

from analysis.precision import Components, components_of
from analysis.records import Unavailable
from survey_site.logs.vote_logs import votes_of
from survey_site.models import Study
from survey_site.querysets import StudyQuerySet


def possible_pilots() -> StudyQuerySet:
    """Return the studies with votes, the newest first, each with its `n_votes`."""
    return Study.objects.annotate(n_votes=Sum("comparisons__n_votes", default=0)).filter(n_votes__gt=0)


def components_of_study(study: Study) -> Components | Unavailable:
    """Return what a study's votes say of pairs, raters and single votes, or why they say nothing."""
    source = f"the study {study.title}" + (", in which programs voted" if study.is_simulated else "")
    return components_of(votes_of(study), source=source)
