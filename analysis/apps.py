"""Analysis as a Django app, so that the project can list it. It has no models."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    name = "analysis"
    verbose_name = "Analysis"
