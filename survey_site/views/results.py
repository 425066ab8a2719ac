"""What people preferred: a page and files, all made from one report."""

import csv
from collections.abc import Callable, Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from analysis import InvalidVotes, Report
from analysis.charts.rendering import get_ready
from analysis.files.citations import bibtex
from analysis.files.csv_tables import tidy_csv
from analysis.files.html import html_of
from analysis.files.latex import latex_file
from analysis.files.methods_paragraph import methods_latex, methods_text, references_of
from analysis.files.sections import page_tables, tables_of
from analysis.headlines import SIMULATED
from survey_site.logs.exports import vote_rows
from survey_site.models import Study
from survey_site.plans import described, plan_is_intact
from survey_site.preferred_pairs import preferred_pairs
from survey_site.results import KeptReport, kept_report, study_report
from survey_site.voting.withdrawals import withdrawn_tally

FLAGGED_SHOWN = 12


@login_required
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the report of a study, or why there is none yet."""
    study = get_object_or_404(Study, slug=slug)
    context: dict[str, object] = {"study": study, "withdrawn": withdrawn_tally(study), "section": "studies"}
    try:
        context |= _shown(study, kept_report(study, meanwhile=get_ready))
    except InvalidVotes as error:
        context["problem"] = error.detail
    return render(request, "results/page.html", context)


def _shown(study: Study, kept: KeptReport) -> dict[str, object]:
    """What the page shows besides the report's own figures: tables as the files have them, pictures, flagged raters."""
    report = kept.report
    pictures = preferred_pairs(study, report)
    anchors = [f"pairing-{number}-" for number in range(1, len(report.pairings) + 1)]
    return {
        "report": report,
        "kept_as": kept.key,
        # A simulated study says so above everything else, in its own words.
        "warnings": [words for words in report.warnings if words != SIMULATED or not study.is_simulated],
        "only_pairing": report.pairings[0] if len(report.arms) == 2 else None,
        "folded": list(zip(anchors, report.pairings, pictures, strict=True)),
        "tables": {(table.name, table.arms): table for table in page_tables(report)},
        "flagged": _flagged(report),
        "plan": described(report.plan),
        "plan_is_intact": plan_is_intact(study),
    }


def _flagged(report: Report) -> dict[str, object]:
    """The flagged raters with the most votes: a page shows some, never thousands."""
    raters = report.rater_quality.raters.items()
    flagged = sorted((rater for rater in raters if rater[1].flags), key=lambda rater: -rater[1].votes)
    return {"total": len(flagged), "shown": flagged[:FLAGGED_SHOWN], "more": len(flagged[FLAGGED_SHOWN:])}


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
    """Every table of the report as one tidy CSV."""
    return _file(slug, ending="csv", write=lambda report: _text(tidy_csv(tables_of(report)), "text/csv"))


@login_required
@require_GET
def as_latex(request: HttpRequest, slug: str) -> HttpResponse:
    """Every table of the report for LaTeX."""
    return _file(slug, ending="tex", write=lambda report: _text(latex_file(tables_of(report)), "application/x-tex"))


@login_required
@require_GET
def as_html(request: HttpRequest, slug: str) -> HttpResponse:
    """The report as one page that needs nothing else, to keep or to send."""
    return _file(slug, ending="html", write=lambda report: _text(html_of(report), "text/html"))


@login_required
@require_GET
def methods(request: HttpRequest, slug: str) -> HttpResponse:
    """The methods paragraph with the study's own numbers; with `?as=latex` its LaTeX."""
    write, ending = (methods_latex, "tex") if request.GET.get("as") == "latex" else (methods_text, "txt")
    return _file(slug, ending=f"methods.{ending}", write=lambda report: _text(write(report), "text/plain"))


@login_required
@require_GET
def references(request: HttpRequest, slug: str) -> HttpResponse:
    """The publications that the report's methods come from, as BibTeX."""
    return _file(slug, ending="bib", write=lambda report: _text(bibtex(references_of(report)), "application/x-bibtex"))


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


def _text(text: str, content_type: str) -> HttpResponse:
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8")


class _Echo:
    """A file that hands each written line back, so that a CSV can be streamed."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(rows: Iterator[tuple[object, ...]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    return (str(writer.writerow(row)) for row in rows)
