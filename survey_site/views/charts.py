"""The charts of a study as files: SVG, PNG, PDF and the Vega-Lite specification."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from analysis import InvalidVotes, Pairing, Report, Unavailable
from analysis.charts import PAIRING_CHARTS, REPORT_CHARTS, draw_chart
from analysis.charts.rendering import Drawing, pdf_of, png_of, svg_of, turning_svg_of, vega_lite_of
from survey_site.models import Study
from survey_site.results import study_report

# Ending -> media type and how to write it.
FORMATS: dict[str, tuple[str, Callable[[Drawing], str | bytes]]] = {
    "svg": ("image/svg+xml", svg_of),
    "png": ("image/png", png_of),
    "pdf": ("application/pdf", pdf_of),
    "json": ("application/json", vega_lite_of),
}


@login_required
@require_GET
def chart(request: HttpRequest, slug: str, name: str, ending: str, pairing: int | None = None) -> HttpResponse:
    """One chart as a file to keep, or with `?shown` to show; pairing: its number from 1, for a chart of two arms."""
    study = get_object_or_404(Study, slug=slug)
    if ending not in FORMATS or name not in (REPORT_CHARTS if pairing is None else PAIRING_CHARTS):
        raise Http404
    try:
        drawing = draw_chart(name, _subject(study_report(study), pairing))
    except InvalidVotes as error:
        return JsonResponse(error.as_json(), status=409)
    if isinstance(drawing, Unavailable):
        return JsonResponse(drawing.as_json(), status=409)
    if "shown" in request.GET and ending == "svg":
        return HttpResponse(turning_svg_of(drawing), content_type="image/svg+xml")
    media_type, write = FORMATS[ending]
    response = HttpResponse(write(drawing), content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{_file_name(study, name, pairing, ending)}"'
    return response


def _subject(report: Report, pairing: int | None) -> Report | Pairing:
    if pairing is None:
        return report
    if not 1 <= pairing <= len(report.pairings):
        raise Http404
    return report.pairings[pairing - 1]


def _file_name(study: Study, name: str, pairing: int | None, ending: str) -> str:
    number = "" if pairing is None else f"-{pairing}"
    return f"{study.slug}{number}-{name}.{'vl.json' if ending == 'json' else ending}"
