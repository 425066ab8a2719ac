"""Filters of the planning page."""

from django import template

from analysis.planning import chance, points, short_chance
from analysis.wishes import Workload

register = template.Library()
register.filter("chance", chance)
register.filter("points_plain", points)


@register.filter
def whole_percent(share: float) -> str:
    """Show a share that somebody typed, with as many places as they gave."""
    return f"{100 * share:.4g}\N{NO-BREAK SPACE}%"


@register.filter
def chance_short(power: float) -> str:
    """Show a probability in a cell."""
    return short_chance(power).replace(" ", "\N{NO-BREAK SPACE}")


@register.filter
def component(value: float) -> str:
    """Show a variance component to two figures that count."""
    return f"{value:.2g}"


@register.filter
def workload(judged: Workload) -> str:
    """Say how many pairs a rater judges."""
    if judged.pairs is not None:
        return f"{judged.pairs:,}"
    return "all" if judged.share == 1 else whole_percent(judged.share)
