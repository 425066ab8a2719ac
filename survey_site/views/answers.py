"""The complete log of a study, for review: files to take away."""

from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from survey_site.logs.answer_files import answer_file, columns_file
from survey_site.models import Study

CSV = "text/csv; charset=utf-8"


@login_required
@require_GET
def as_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every vote ever given as CSV."""
    study = get_object_or_404(Study, slug=slug)
    return _file(answer_file(study, "csv"), name=f"{study.slug}-answers.csv", content_type=CSV)


@login_required
@require_GET
def as_json_lines(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Every vote ever given as JSON, one a line."""
    study = get_object_or_404(Study, slug=slug)
    return _file(answer_file(study, "jsonl"), name=f"{study.slug}-answers.jsonl", content_type="application/jsonl")


@login_required
@require_GET
def as_pwcmp(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The answers that count in the columns of pwcmp and other scaling programs."""
    study = get_object_or_404(Study, slug=slug)
    return _file(answer_file(study, "pwcmp"), name=f"{study.slug}-pwcmp.csv", content_type=CSV)


@login_required
@require_GET
def columns(request: HttpRequest) -> StreamingHttpResponse:
    """What each column of the complete log holds."""
    return _file(columns_file(), name="answers-columns.csv", content_type=CSV)


def _file(pieces: Iterator[str], *, name: str, content_type: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
