"""The rater's API: the queue, and the vote. The same verbs as behind the pages.

Plain views: a vote costs the server a few milliseconds, and a framework's parsing and rendering would double them.
"""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from survey_site.api.authentication import from_own_page
from survey_site.api.serializers import desk_as_json
from survey_site.forms.votes import VoteForm
from survey_site.limits import Act, as_json, limited
from survey_site.rater_requests import UnknownTrial, known_codes, rater_of, status_of, visited_study
from survey_site.studies import StudyClosed, require_open
from survey_site.voting.checks import Feedback, feedback_on
from survey_site.voting.standings import Desk
from survey_site.voting.trials import VoteRefused, cast_vote, desk_for


@require_GET
def trials(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the open trials of this browser's rater. Leases nothing."""
    study = visited_study(slug)
    rater = rater_of(request, study)
    if rater is None:
        return _complaint(_("This browser has not entered the study. Open its page and press Start."), status=404)
    try:
        require_open(study)
    except StudyClosed as reason:
        return _complaint(str(reason), status=status_of(reason))
    return _desk(desk_for(rater))


@limited(Act.VOTE, reply=as_json)
@from_own_page
@require_POST
def vote(request: HttpRequest, code: UUID) -> HttpResponse:
    """Take a vote and return what lies before the rater then."""
    try:
        form = VoteForm(_body(request))
    except ValueError as error:
        return _complaint(_("JSON parse error: {error}").format(error=error), status=400)
    if not form.is_valid():
        return _complaint(form.complaint, status=400)
    try:
        cast = cast_vote(code, form.sent, raters=map(UUID, known_codes(request)))
    except UnknownTrial as error:
        return _complaint(str(error), status=404)
    except (VoteRefused, StudyClosed) as refusal:
        return _complaint(str(refusal), status=status_of(refusal))
    return _desk(cast.desk, feedback=feedback_on(cast.vote))


def _body(request: HttpRequest) -> dict[str, Any]:  # Any: what JSON can hold
    said = json.loads(request.body)
    return said if isinstance(said, dict) else {}


def _desk(desk: Desk, *, feedback: Feedback | None = None) -> HttpResponse:
    return JsonResponse(desk_as_json(desk, feedback=feedback), headers={"Cache-Control": "no-store"})


def _complaint(detail: str, *, status: int) -> HttpResponse:
    return JsonResponse({"detail": detail}, status=status, headers={"Cache-Control": "no-store"})
