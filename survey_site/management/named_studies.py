"""The study that a command was given by its slug."""

from django.core.management.base import CommandError

from survey_site.models import Study


def named_study(slug: str) -> Study:
    """Return the study with this slug. Raises `CommandError` with a sentence."""
    study = Study.objects.filter(slug=slug).first()
    if study is None:
        raise CommandError(f"There is no study {slug!r}. The page /studies/ lists them.")
    return study
