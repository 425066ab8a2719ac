"""The rater's API: the queue, and the vote. The same verbs as behind the pages."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.decorators import api_view, authentication_classes, parser_classes, permission_classes
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.api.authentication import RaterCookie
from survey_site.api.serializers import QueueSerializer
from survey_site.forms.votes import VoteForm
from survey_site.limits import Act, as_json, limited
from survey_site.models import Rater, Study, Trial
from survey_site.rater_requests import UnknownTrial, own_trial, rater_of, status_of
from survey_site.studies import StudyClosed, require_open
from survey_site.trials import VoteRefused, queue_of, record_vote


@api_view(["GET"])
@authentication_classes([RaterCookie])
@permission_classes([AllowAny])
def trials(request: Request, slug: str) -> Response:
    """Return the open trials of this browser's rater. Leases nothing."""
    study = get_object_or_404(Study, slug=slug)
    rater = rater_of(request._request, study)
    if rater is None:
        return _complaint("This browser has not entered the study. Open its page and press Start.", status=404)
    try:
        require_open(study)
    except StudyClosed as reason:
        return _complaint(str(reason), status=status_of(reason))
    return _queue(rater)


@limited(Act.VOTE, reply=as_json)
@api_view(["POST"])
@authentication_classes([RaterCookie])
@permission_classes([AllowAny])
@parser_classes([JSONParser])
def vote(request: Request, code: UUID) -> Response:
    """Take a vote (choice, response_ms, key) and return the queue as it is then."""
    try:
        answered = own_trial(request._request, code, among=Trial.objects.all())
    except UnknownTrial as error:
        return _complaint(str(error), status=404)
    form = VoteForm(request.data if isinstance(request.data, dict) else {})
    if not form.is_valid():
        return _complaint(form.complaint, status=400)
    try:
        record_vote(
            answered,
            form.cleaned_data["choice"],
            response_ms=form.cleaned_data["response_ms"],
            key=form.cleaned_data["key"],
            details=form.details,
        )
    except (VoteRefused, StudyClosed) as refusal:
        return _complaint(str(refusal), status=status_of(refusal))
    return _queue(answered.rater)


def _queue(rater: Rater) -> Response:
    return Response(QueueSerializer(queue_of(rater)).data, headers={"Cache-Control": "no-store"})


def _complaint(detail: str, *, status: int) -> Response:
    return Response({"detail": detail}, status=status)
