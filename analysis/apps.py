"""The analysis app's registration: it has no rows, only numbers."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """Preference statistics."""

    name = "analysis"
