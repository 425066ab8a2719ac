"""Numbers as a reader expects them in print."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from analysis import Unavailable
from analysis.charts import threshold_bars

register = template.Library()
register.filter(threshold_bars)

MINUS = "\N{MINUS SIGN}"


@register.filter
def percent(value: float, decimals: int = 1) -> str:
    """Show a number that is already in per cent."""
    return f"{value:.{decimals}f}".replace("-", MINUS) + "\N{NO-BREAK SPACE}%"


@register.filter
def share(value: float, decimals: int = 1) -> str:
    """Show a share from 0 to 1 in per cent."""
    return percent(100 * value, decimals)


@register.filter
def points(value: float) -> str:
    """Show a difference of shares in signed percentage points."""
    return f"{100 * value:+.1f}".replace("-", MINUS)


@register.filter
def p_value(value: float) -> str:
    """Show a p-value to three places; below 0.001 only that it is below."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


@register.filter
def interval(ci95: tuple[float, float]) -> SafeString:
    """Show a 95 % interval of shares as 'from to to', in per cent."""
    low, high = (f"{100 * bound:.1f}".replace("-", MINUS) for bound in ci95)
    return format_html('<span class="interval">{} to {}</span>', low, high)


@register.filter
def is_unavailable(figure: object) -> bool:
    """Tell whether a figure could not be computed; its `detail` says why."""
    return isinstance(figure, Unavailable)
