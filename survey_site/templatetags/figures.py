"""Numbers as a reader expects them in print."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from analysis import Unavailable
from analysis.charts import CHARTS, draw_chart
from analysis.charts.rendering import svg_of
from analysis.report import Pairing, Report

register = template.Library()

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


@register.inclusion_tag("results/_chart.html")
def chart(name: str, subject: Pairing | Report) -> dict[str, object]:
    """Draw one chart of a pairing or of the report into the page, or say why there is none."""
    drawing = draw_chart(name, subject)
    if isinstance(drawing, Unavailable):
        return {"kind": CHARTS[name], "missing": drawing.detail}
    # Safe: vl-convert escapes every text of the data that it draws, and `svg_of` the alt text.
    return {"kind": CHARTS[name], "svg": mark_safe(svg_of(drawing))}
