"""Which language a rater is spoken to: the study's, else the one they chose, else the browser's.

Researchers' pages speak English.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers

from survey_site.models import Study

API_NAMES = ("api-trials", "api-vote")


class RaterLanguage:
    """Middleware: activates a language for raters' pages and their API, and English for everything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer in a language that `process_view` may change, and leave none behind for the next request."""
        with translation.override("en"):
            response = self.get_response(request)
            if translation.get_language() != "en" or _is_raters(request):
                response.headers.setdefault("Content-Language", translation.get_language() or "en")
                patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response

    # Django hands over the view and its arguments as it likes.
    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Choose the language as soon as it is known which page of which study is asked for."""
        if _is_raters(request):
            translation.activate(_of_study(kwargs.get("slug")) or translation.get_language_from_request(request))


def _is_raters(request: HttpRequest) -> bool:
    # An image has no words, and must say nothing that could differ.
    name = (request.resolver_match and request.resolver_match.url_name) or ""
    return name in API_NAMES or name == "rate" or (name.startswith("rate-") and not name.startswith("rate-image"))


def _of_study(slug: str | None) -> str:
    design = Study.objects.filter(slug=slug).values_list("design__page__language", flat=True).first() if slug else None
    return str(design or "")
