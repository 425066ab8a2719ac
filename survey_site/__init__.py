"""The Django project and the survey app: studies, raters, trials, votes, and their pages."""

from survey_site.celery import app as celery_app

__all__ = ["celery_app"]
