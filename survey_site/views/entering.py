"""The first page: what will be asked, and the button that lets a rater in."""

from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from survey_site.drafts.durations import expected_part
from survey_site.entrance.invitations import CODE_PARAMETER, InvalidInvitation
from survey_site.entrance.platforms import MissingPerson
from survey_site.entrance.raters import Step, enter_study, instructs, may_try_again, next_step, resume_rater
from survey_site.limits import Act, is_robot, limited
from survey_site.models import Rater, Study
from survey_site.rater_requests import rater_of, remember_rater, visited_study
from survey_site.studies import StudyClosed, require_open
from survey_site.views.arrivals import arrival_of, carried, remember_way, visitor
from survey_site.views.endings import PLATFORMS, not_open
from survey_site.views.steps import go_on, to_step


@never_cache
@require_GET
def welcome(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what will be asked; a rater who was here before goes on at once."""
    study = visited_study(slug)
    rater = _remembered(request, study)
    has_ended = rater is not None and next_step(rater) is Step.ENDED
    if rater is not None and has_ended and not may_try_again(rater):
        return redirect("rate-ended", slug)
    try:
        require_open(study)
    except StudyClosed as reason:
        return not_open(request, study, rater=rater, reason=str(reason))
    if rater is not None and not has_ended:
        return to_step(rater)
    if study.how.entry.way == "platform" and rater is None:
        try:
            arrival_of(study, request.GET)
        except MissingPerson as error:
            return _no_entry(request, study, complaint=str(error))
    return _welcome(request, study)


def _is_back(request: HttpRequest, slug: str) -> bool:
    """Whether a rater comes back, who makes no new one; a link that names somebody else is a newcomer's."""
    study = Study.objects.filter(slug=slug).first()
    return study is not None and _remembered(request, study) is not None


@require_POST
@limited(Act.ENTER, is_free=_is_back)
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a new rater in, or an old one go on, and lease the next trials."""
    study = visited_study(slug)
    if is_robot(request):
        complaint = _("A field was filled in that is to stay empty. Open the study again and press the button only.")
        return _no_entry(request, study, complaint=complaint)
    try:
        rater = _let_in(request, study)
    except StudyClosed:
        return redirect("rate", slug)
    except MissingPerson as error:
        return _no_entry(request, study, complaint=str(error))
    except InvalidInvitation as error:
        return _welcome(request, study, complaint=str(error))
    response = go_on(rater)
    remember_rater(response, rater)
    remember_way(response, study, request.POST)
    return response


def _remembered(request: HttpRequest, study: Study) -> Rater | None:
    """Return the rater whom the browser remembers, unless the link names somebody else."""
    rater = rater_of(request, study)
    if rater is None:
        return None
    parameters = request.POST or request.GET
    try:
        arrival = arrival_of(study, parameters)
    except (MissingPerson, InvalidInvitation):
        # The link names nobody, as the pages of the study themselves don't.
        return rater
    return rater if arrival.is_of(rater) else None


def _let_in(request: HttpRequest, study: Study) -> Rater:
    rater = _remembered(request, study)
    if rater is not None:
        return resume_rater(rater)
    arrival = arrival_of(study, request.POST)
    anybody = visitor(request.POST) if study.how.entry.way == "open" else None
    return enter_study(study, person=arrival.person or anybody, invitation=arrival.invitation)


def _welcome(request: HttpRequest, study: Study, *, complaint: str = "") -> HttpResponse:
    parameters = request.POST or request.GET
    context = {
        "study": study,
        "part": expected_part(study),
        "instructs": instructs(study.how.welcome),
        "platform": PLATFORMS.get(study.how.entry.platform, ""),
        "carried": carried(study, parameters),
        "code": parameters.get(CODE_PARAMETER, ""),
        "visit": uuid4(),
        "complaint": complaint,
    }
    return render(request, "rating/welcome.html", context, status=400 if complaint else 200)


def _no_entry(request: HttpRequest, study: Study, *, complaint: str) -> HttpResponse:
    """Say on one page why nobody can enter like this, and what to do."""
    return render(request, "rating/no_entry.html", {"study": study, "complaint": complaint}, status=400)
