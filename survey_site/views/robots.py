"""What is asked of search engines' robots."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from survey_site.entrance.rater_headers import HIDDEN


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Keep robots off raters' pages: a study's link is for those to whom it was given."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in HIDDEN), ""]
    return HttpResponse("\n".join(lines), content_type="text/plain")
