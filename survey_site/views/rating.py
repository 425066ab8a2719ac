"""The rater's pages. They work without JavaScript, and only a POST leases a trial."""

from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from survey_site.entrance.raters import Step, next_step
from survey_site.forms.votes import VoteForm
from survey_site.limits import Act, limited
from survey_site.models import Rater, Study, Trial
from survey_site.querysets import TrialQuerySet
from survey_site.rater_requests import UnknownTrial, box_of, own_trial, rater_of, status_of, visited_study
from survey_site.studies import StudyClosed
from survey_site.views.steps import to_step
from survey_site.voting.checks import feedback_on
from survey_site.voting.trials import Queue, Standing, VoteRefused, queue_of, record_vote


@never_cache
@require_GET
def trial(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the rater's next pair, or what there is instead of one."""
    study = visited_study(slug)
    rater = rater_of(request, study)
    if rater is None or study.status != Study.Status.OPEN:
        return redirect("rate", slug)
    if next_step(rater) is not Step.RATE:
        return to_step(rater)
    queue = queue_of(rater)
    if queue.standing is Standing.FINISHED:
        return redirect("rate-thanks", slug)
    takes_back = queue.last is not None and "take-back" in request.GET
    if queue.standing is not Standing.OPEN and not takes_back:
        return render(request, "rating/wait.html", {"study": study, "queue": queue, "box": box_of(rater)})
    if queue.break_due and not takes_back and request.GET.get("rested") != str(queue.n_votes):
        return render(request, "rating/break.html", {"study": study, "queue": queue})
    return _pair(request, rater, queue=queue, takes_back=takes_back)


@require_http_methods(["GET", "POST"])
@limited(Act.VOTE)
def vote(request: HttpRequest, slug: str, code: UUID) -> HttpResponse:
    """Take the answer to a trial, then show the next; a GET says what was right in practice, or only leads back."""
    if request.method == "GET":
        return _after(request, slug, code=code)
    answered = _own_trial_or_404(request, code, among=Trial.objects.all())
    form = VoteForm(_said(request.POST))
    if not form.is_valid():
        return _problem(request, slug, message=form.complaint, status=400)
    said = form.cleaned_data
    try:
        record_vote(answered, said["choice"], response_ms=said["response_ms"], key=said["key"], details=form.details)
    except (VoteRefused, StudyClosed) as refusal:
        return _problem(request, slug, message=str(refusal), status=status_of(refusal))
    if answered.kind == Trial.Kind.PRACTICE:
        return redirect("rate-vote", slug, code)
    return redirect("rate-trial", slug)


def _pair(request: HttpRequest, rater: Rater, *, queue: Queue, takes_back: bool) -> HttpResponse:
    """Show one pair, and name those that a script shows next."""
    ahead = [(trial, uuid4()) for trial in queue.trials]
    taken = [(queue.last, uuid4())] if queue.last else []
    context = {
        "study": rater.study,
        "how": rater.study.how.page,
        "queue": queue,
        "shown": (taken if takes_back else []) + ahead,
        "ahead": ahead,
        "taken": taken,
        "takes_back": takes_back,
        "number": min(queue.n_votes + (not takes_back), queue.n_comparisons),
        "rested_at": request.GET.get("rested", ""),
        "box": box_of(rater),
    }
    return render(request, "rating/trial.html", context)


def _said(data: QueryDict) -> dict[str, str]:
    """Return what the form says; a button has one value, which names the side and how clear the preference is."""
    choice, _, strength = data.get("choice", "").partition("-")
    return {"strength": strength, **{name: str(data[name]) for name in data}, "choice": choice}


def _after(request: HttpRequest, slug: str, *, code: UUID) -> HttpResponse:
    """Tell what was right about a practice trial that has been answered."""
    try:
        answered = own_trial(request, code, among=Trial.objects.with_images())
    except UnknownTrial:
        return redirect("rate-trial", slug)
    last = answered.votes.preferences().order_by("pk").last() if answered.kind == Trial.Kind.PRACTICE else None
    feedback = feedback_on(last) if last else None
    if feedback is None:
        return redirect("rate-trial", slug)
    study = answered.rater.study
    context = {"study": study, "how": study.how.page, "trial": answered, "feedback": feedback}
    return render(request, "rating/feedback.html", context)


def _own_trial_or_404(request: HttpRequest, code: UUID, *, among: TrialQuerySet) -> Trial:
    try:
        return own_trial(request, code, among=among)
    except UnknownTrial as error:
        raise Http404(str(error)) from error


def _problem(request: HttpRequest, slug: str, *, message: str, status: int) -> HttpResponse:
    return render(request, "rating/problem.html", {"slug": slug, "message": message}, status=status)
