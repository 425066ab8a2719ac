"""What the survey has done in the background."""

from celery import shared_task

from survey_site import studies
from survey_site.voting import lapses


@shared_task(name="survey_site.tasks.open_ready_studies")
def open_ready_studies() -> None:
    """Open the studies that were waiting for their images. Safe to run twice."""
    studies.open_ready_studies()


@shared_task(name="survey_site.tasks.sweep_leases")
def sweep_leases() -> None:
    """Let leases lapse that ran out. Safe to run twice."""
    lapses.sweep_leases()
