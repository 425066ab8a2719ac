"""Raters: anonymous, one per browser and study."""

from survey_site.models import Rater, Study
from survey_site.studies import require_open


def enter_study(study: Study) -> Rater:
    """Let a new rater in. Raises `StudyClosed` or `StudyPaused`."""
    require_open(study)
    return Rater.objects.create(study=study)
