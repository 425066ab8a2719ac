"""How the API knows that a rater's request comes from a page of this site."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def from_own_page(view: View[P]) -> View[P]:
    """Decorate a view that takes a POST: one that another site made this browser send gets a sentence in JSON.

    Nobody signs in here: the views look for the rater's cookie. The check is Django's own, whose answer is a page.
    """

    @csrf_exempt
    @wraps(view)
    def checked(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if _CHECK.process_view(request, view, (), {}) is not None:
            sentence = _("This answer did not come with the page's token. Allow cookies, and reload the page.")
            return JsonResponse({"detail": sentence}, status=403)
        return view(request, *args, **kwargs)

    return checked


class _Check(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return HttpResponse(reason, status=403)


_CHECK = _Check(lambda request: HttpResponse())
