"""The generation app's registration."""

from django.apps import AppConfig


class GenerationConfig(AppConfig):
    """Checkpoints, arms, batches and images."""

    name = "generation"
    default_auto_field = "django.db.models.BigAutoField"
