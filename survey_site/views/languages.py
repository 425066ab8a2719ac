"""The language that a rater chooses, where the study leaves it to them."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from survey_site.rater_requests import visited_study


@require_POST
def choose(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the language in the browser, and lead back to the page that it was chosen on."""
    visited_study(slug)
    response = set_language(request)
    if settings.LANGUAGE_COOKIE_NAME in response.cookies:
        # One study's pages get it: whoever rates in two of them is not known by an unusual choice.
        response.cookies[settings.LANGUAGE_COOKIE_NAME]["path"] = reverse("rate", args=[slug])
    return response
