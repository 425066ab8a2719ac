"""Charts drawn once and kept: drawing takes longer than everything else on a results page."""

from django.core.cache import cache

from analysis import Pairing, Report, Unavailable
from analysis.charts import draw_chart
from analysis.charts.rendering import svg_of


def drawn_chart(name: str, subject: Pairing | Report, *, kept_as: str) -> str | Unavailable:
    """Return one chart's SVG, or why there is none; `kept_as` names what the chart is drawn from."""
    key = f"{kept_as}-{name}"
    found = cache.get(key)
    if not isinstance(found, str):
        drawing = draw_chart(name, subject)
        if isinstance(drawing, Unavailable):
            return drawing
        found = svg_of(drawing)
        cache.set(key, found)
    return found
