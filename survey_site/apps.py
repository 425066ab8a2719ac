"""The survey app's registration."""

from django.apps import AppConfig


class SurveyConfig(AppConfig):
    """Studies, comparisons, raters, trials and votes."""

    name = "survey_site"
    label = "survey"
    default_auto_field = "django.db.models.BigAutoField"
