"""Headers of raters' pages: no search engine lists them, and only MTurk may show them in a frame.

MTurk shows a task inside a frame of its own page. There a cookie is one of another site: browsers keep it only if it
says SameSite=None, Secure and, where they keep such cookies apart for each outer site, Partitioned.
"""

from collections.abc import Callable, Container
from http.cookies import Morsel

from django.http import HttpRequest, HttpResponseBase

from survey_site.entrance.platforms import MTURK
from survey_site.models import Study

HIDDEN = ("/rate/", "/api/", "/platforms/")
"""What starts like this is of no use to a search engine."""
FRAMES = (
    "https://worker.mturk.com",
    "https://workersandbox.mturk.com",
    "https://www.mturk.com",
    "https://requester.mturk.com",
    "https://requestersandbox.mturk.com",
)


class PartitionedMorsel(Morsel[str]):
    """A cookie that browsers keep apart for each outer site. Python's own learns the attribute with 3.14."""

    # http.cookies names it so.
    def OutputString(self, attrs: Container[str] | None = None) -> str:
        """Return the cookie as a header's text."""
        return f"{super().OutputString(attrs)}; Partitioned"


class RaterHeaders:
    """Middleware: stands above those that set cookies and X-Frame-Options."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Add the headers to the answer."""
        response = self.get_response(request)
        if request.path.startswith(HIDDEN):
            response["X-Robots-Tag"] = "noindex, nofollow"
        if _is_for_mturk(request):
            _allow_frames(response)
        return response


def _is_for_mturk(request: HttpRequest) -> bool:
    """Whether a page of an MTurk study is asked for from inside a frame; asking costs a query there, and only there."""
    match = request.resolver_match
    if request.headers.get("Sec-Fetch-Dest") != "iframe" or match is None or "slug" not in match.kwargs:
        return False
    of_mturk = Study.objects.filter(slug=match.kwargs["slug"], design__entry__platform=MTURK)
    return request.path.startswith("/rate/") and of_mturk.exists()


def _allow_frames(response: HttpResponseBase) -> None:
    del response["X-Frame-Options"]
    ancestors = f"frame-ancestors {' '.join(FRAMES)}"
    others = response.get("Content-Security-Policy", "")
    response["Content-Security-Policy"] = f"{others}; {ancestors}" if others else ancestors
    for name, cookie in response.cookies.items():
        cookie["samesite"], cookie["secure"] = "None", True
        response.cookies[name] = _partitioned(cookie)


def _partitioned(cookie: Morsel[str]) -> PartitionedMorsel:
    partitioned = PartitionedMorsel()
    partitioned.set(cookie.key, cookie.value, cookie.coded_value)
    partitioned.update(cookie)
    return partitioned
