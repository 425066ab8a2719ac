"""How often one address or one rater may do a thing, and a field that only robots fill in.

django-ratelimit counts, in the cache called "limits". Its windows are fixed, and each key's begins at another time.
"""

import ipaddress
import logging
import math
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_ratelimit.core import get_usage  # type: ignore[import-untyped]
from redis import RedisError

from survey_site.rater_requests import known_codes

logger = logging.getLogger(__name__)

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

HONEYPOT = "remark"
"""The field of `rating/_honeypot.html`. People do not see it, and no browser fills it in."""


class Act(StrEnum):
    """What is counted."""

    ENTER = "enter"
    """Somebody whom the study does not know yet asks to be let in."""
    VOTE = "vote"
    IMAGE = "image"
    GUESS = "guess"
    """A code is tried: an invitation's, or the one with which a rater withdraws."""


Reply = Callable[[HttpRequest, str], HttpResponse]


def page(request: HttpRequest, sentence: str) -> HttpResponse:
    """Say that it was too often, as a page."""
    slug = request.resolver_match.kwargs.get("slug", "") if request.resolver_match else ""
    return render(request, "rating/too_often.html", {"sentence": sentence, "slug": slug}, status=429)


def as_json(request: HttpRequest, sentence: str) -> HttpResponse:
    """Say that it was too often, as the API does."""
    return JsonResponse({"detail": sentence}, status=429)


def limited(
    act: Act, *, reply: Reply = page, is_free: Callable[..., bool] | None = None
) -> Callable[[View[P]], View[P]]:
    """Decorate a view: past the limit it is not called, and the answer is 429 with Retry-After.

    is_free: tells from the view's own arguments that a request is not counted. Around an API view it stands
    outermost: `@limited(Act.VOTE, reply=as_json)` above `@api_view(["POST"])`.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def counted(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            is_counted = is_free is None or not is_free(request, *args, **kwargs)
            seconds = seconds_to_wait(request, act) if is_counted else 0
            if not seconds:
                return view(request, *args, **kwargs)
            response = reply(request, _sentence(seconds))
            response["Retry-After"] = str(seconds)
            response["Cache-Control"] = "no-store"
            return response

        return counted

    return decorate


def seconds_to_wait(request: HttpRequest, act: Act) -> int:
    """Count one act and return 0, or how long to wait where it was one too many."""
    waits = [_wait(request, act, who="address", key=client_network(request))]
    waits += [_wait(request, act, who="rater", key=code) for code in known_codes(request)]
    return max(waits)


def is_robot(request: HttpRequest) -> bool:
    """Whether the form came with the field filled in that people do not see."""
    return bool(request.POST.get(HONEYPOT))


def client_address(request: HttpRequest) -> str:
    """Return the address that a request came from, as far as it can be trusted.

    Each proxy of ours adds the address it was called from at the end of X-Forwarded-For; what stands before those was
    written by the caller and may be anything.
    """
    hops = settings.TRUSTED_PROXIES
    forwarded = [address.strip() for address in request.headers.get("X-Forwarded-For", "").split(",") if address]
    if hops and len(forwarded) >= hops:
        return forwarded[-hops]
    return str(request.META.get("REMOTE_ADDR", ""))


def client_network(request: HttpRequest) -> str:
    """Return the client's address, of IPv6 the first 64 bits: a household or a phone has all the others."""
    address = client_address(request)
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        # A Unix socket has no address. Without TRUSTED_PROXIES, all that come through it are one.
        return "unknown"
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network(f"{known}/64", strict=False))


def _wait(request: HttpRequest, act: Act, *, who: str, key: str) -> int:
    rate = settings.LIMITS[act].get(who)
    if rate is None:
        return 0
    group = f"{act}.{who}"
    try:
        usage = get_usage(request, group, key=lambda _group, _request: key, rate=rate, increment=True)
    except RedisError:
        # Raters go on without limits rather than not at all.
        logger.warning("The cache that counts what raters do cannot be reached; nothing is limited.", exc_info=True)
        return 0
    return max(1, int(usage["time_left"])) if usage and usage["should_limit"] else 0


def _sentence(seconds: int) -> str:
    if seconds < 120:
        wait = ngettext("{n} second", "{n} seconds", seconds).format(n=seconds)
    else:
        minutes = math.ceil(seconds / 60)
        wait = ngettext("{n} minute", "{n} minutes", minutes).format(n=minutes)
    return _(
        "Very many requests came from your network in a short time. Nothing you did is lost: please go on in {wait}."
    ).format(wait=wait)
