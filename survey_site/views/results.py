"""What people preferred: a page and files, all made from one report."""

import csv
from collections.abc import Callable, Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from analysis import InvalidVotes, Report
from survey_site.exports import vote_rows
from survey_site.models import Study
from survey_site.results import study_report


@login_required
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the report of a study, or why there is none yet."""
    study = get_object_or_404(Study, slug=slug)
    context: dict[str, object] = {"study": study, "section": "studies"}
    try:
        context["report"] = study_report(study)
    except InvalidVotes as error:
        context["problem"] = error.detail
    return render(request, "results/page.html", context)


@login_required
@require_GET
def as_json(request: HttpRequest, slug: str) -> HttpResponse:
    """The whole report as JSON."""
    return _file(
        slug, ending="json", write=lambda report: JsonResponse(report.as_json(), json_dumps_params={"indent": 2})
    )


@login_required
@require_GET
def as_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The threshold table as CSV."""
    return _file(slug, ending="csv", write=lambda report: HttpResponse(report.as_csv(), content_type="text/csv"))


@login_required
@require_GET
def votes(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every vote that counts as CSV, in the columns that `import_votes` reads."""
    study = get_object_or_404(Study, slug=slug)
    response = StreamingHttpResponse(_csv_lines(vote_rows(study)), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{study.slug}-votes.csv"'
    return response


def _file(slug: str, *, ending: str, write: Callable[[Report], HttpResponse]) -> HttpResponse:
    study = get_object_or_404(Study, slug=slug)
    try:
        response = write(study_report(study))
    except InvalidVotes as error:
        return JsonResponse(error.as_json(), status=409)
    response["Content-Disposition"] = f'attachment; filename="{study.slug}-results.{ending}"'
    return response


class _Echo:
    """A file that hands each written line back, so that a CSV can be streamed."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    return (str(writer.writerow(row)) for row in rows)
