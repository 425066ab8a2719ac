"""Filters of the batch pages."""

from django import template

from generation.arms import recipe_of
from generation.models import Arm

register = template.Library()


@register.filter
def time_left(seconds: float | None) -> str:
    """Say a measured rest in words: nobody needs its seconds."""
    if seconds is None:
        return "time left: not known yet"
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {minutes} min left"
    return f"about {minutes / 60:.0f} h left"


@register.filter
def percent(share: float) -> int:
    """Write a share from 0 to 1 in whole per cent; 100 only when it is all."""
    return int(share * 100)


@register.filter
def recipe_in_words(arm: Arm) -> str:
    """Say how an arm that generates is guided."""
    return recipe_of(arm).describe()


@register.filter
def score(value: float) -> str:
    """Write a score so that arms can be compared: four figures that count."""
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
