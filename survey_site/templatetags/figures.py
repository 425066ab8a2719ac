"""Numbers as a reader expects them in print; tables, charts and badges of a report."""

from collections.abc import Iterator

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from analysis import Unavailable
from analysis.charts import CHARTS, PAIRING_CHARTS
from analysis.files.sections import EXPLORATORY
from analysis.files.table import Cell, Table, printed, printed_interval
from analysis.methods import METHODS
from analysis.report import Pairing, Report
from survey_site.drawn_charts import drawn_chart

register = template.Library()

# A page with thousands of rows is read by nobody; the files hold them.
MOST_ROWS = 50

# From this many votes on, a page does not wait for its charts.
DRAWN_APART = 100_000

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
def seconds(ms: float) -> str:
    """Show milliseconds as seconds."""
    return f"{ms / 1000:.1f}\N{NO-BREAK SPACE}s"


@register.filter
def is_unavailable(figure: object) -> bool:
    """Tell whether a figure could not be computed; its `detail` says why."""
    return isinstance(figure, Unavailable)


@register.filter
def is_there(figure: object) -> bool:
    """Tell whether a figure was computed."""
    return figure is not None and not isinstance(figure, Unavailable)


@register.filter
def cell(figure: Cell) -> SafeString:
    """Show a cell of a table with its interval below; why it is empty, where it should not be."""
    if isinstance(figure, Unavailable):
        return format_html('<span class="soft small">{}</span>', figure.detail)
    bounds = printed_interval(figure)
    if not bounds:
        return format_html("{}", printed(figure))
    words = " to ".join(bounds) if isinstance(bounds, tuple) else bounds
    return format_html('{}<br><span class="interval">{}</span>', printed(figure), words)


@register.simple_tag(takes_context=True)
def badge(context: template.Context, section: str) -> str | SafeString:
    """Say of a section whether the fixed plan named it; nothing where there was no plan, which is said once above."""
    report: Report = context["report"]
    if not report.plan_is_fixed:
        return ""
    name, word = ("is-planned", "Planned") if report.is_planned(section) else ("is-exploratory", "Exploratory")
    return format_html('<span class="badge {}">{}</span>', name, word)


@register.inclusion_tag("results/_table.html", takes_context=True)
def table(context: template.Context, name: str, subject: Pairing | Report, without: str = "") -> dict[str, object]:
    """One table of the files, or its first rows; `without` leaves out a row that stands elsewhere on the page."""
    arms = subject.arms if isinstance(subject, Pairing) else ()
    found: Table | None = context["tables"].get((name, arms))
    rows = [] if found is None else [_row(found, key, row) for key, row in found.named_rows() if key != without]
    notes = [note for note in found.notes if note != EXPLORATORY] if found else []
    if len(rows) > MOST_ROWS:
        notes.append(f"The first {MOST_ROWS} of {len(rows):,} rows; the files hold all of them.")
    return {"table": found, "rows": rows[:MOST_ROWS], "notes": notes, "report": context["report"]}


def _row(found: Table, key: str, row: tuple[Cell, ...]) -> dict[str, object]:
    method = METHODS.get(key) if found.name == "tests" else None
    cells = list(zip((column.title for column in found.columns[1:]), row[1:], strict=True))
    return {"name": row[0], "section": f"tests.{key}" if method else "", "method": method, "cells": cells}


@register.inclusion_tag("results/_chart.html", takes_context=True)
def chart(context: template.Context, name: str, subject: Pairing | Report) -> dict[str, object]:
    """One chart of a pairing or of the report, drawn into the page; or why there is none.

    Of the folded pairings of many arms the charts are images, which a browser asks for once they are unfolded; of a
    very large study too, so that nobody waits for charts further down.
    """
    shown: dict[str, object] = {"kind": CHARTS[name], "files": (files := list(_chart_files(context, name, subject)))}
    if _comes_apart(CHARTS[name].section, subject, report=context["report"]):
        return {**shown, "image": files[0][1], "arms": subject.arms if isinstance(subject, Pairing) else ()}
    drawn = drawn_chart(name, subject, kept_as=context["kept_as"])
    if isinstance(drawn, Unavailable):
        return {**shown, "missing": drawn.detail}
    # Safe: vl-convert escapes every text of the data that it draws, and `svg_of` the alt text.
    return {**shown, "svg": SafeString(drawn)}


def _comes_apart(section: str, subject: Pairing | Report, *, report: Report) -> bool:
    if isinstance(subject, Pairing) and len(report.arms) > 2:
        return True
    return report.votes >= DRAWN_APART and not isinstance(getattr(subject, section, None), Unavailable)


def _chart_files(context: template.Context, name: str, subject: Pairing | Report) -> Iterator[tuple[str, str]]:
    """What each file of a chart is called on the page, and its address; a pairing is known by its number from 1."""
    numbers = [n for n, pairing in enumerate(context["report"].pairings, 1) if pairing is subject]
    view, start = ("results-pairing-chart", numbers[:1]) if name in PAIRING_CHARTS else ("results-chart", [])
    for ending, word in (("svg", "SVG"), ("pdf", "PDF"), ("png", "PNG"), ("json", "Vega-Lite")):
        yield word, reverse(view, args=[context["study"].slug, *start, name, ending])
