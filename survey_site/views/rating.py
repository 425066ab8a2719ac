"""The rater's pages. They work without JavaScript, and only a POST leases a trial."""

from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from survey_site.forms.votes import VoteForm
from survey_site.limits import Act, limited
from survey_site.models import Study, Trial
from survey_site.querysets import TrialQuerySet
from survey_site.rater_requests import UnknownTrial, own_trial, rater_of, status_of
from survey_site.raters import Step, next_step
from survey_site.studies import StudyClosed
from survey_site.trials import Standing, VoteRefused, queue_of, record_vote
from survey_site.views.steps import to_step


@never_cache
@require_GET
def trial(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the rater's next pair, or what there is instead of one."""
    study = get_object_or_404(Study, slug=slug)
    rater = rater_of(request, study)
    if rater is None or study.status != Study.Status.OPEN:
        return redirect("rate", slug)
    if next_step(rater) is not Step.RATE:
        return to_step(rater)
    queue = queue_of(rater)
    if queue.standing is Standing.FINISHED:
        return redirect("rate-thanks", slug)
    if queue.standing is not Standing.OPEN:
        return render(request, "rating/wait.html", {"study": study, "queue": queue})
    shown = [(open_trial, uuid4()) for open_trial in queue.trials]
    return render(request, "rating/trial.html", {"study": study, "queue": queue, "shown": shown})


@limited(Act.VOTE)
@require_http_methods(["GET", "POST"])
def vote(request: HttpRequest, slug: str, code: UUID) -> HttpResponse:
    """Take the answer to a trial, then show the next; a GET (a reloaded error page) only leads back."""
    if request.method == "GET":
        return redirect("rate-trial", slug)
    answered = _own_trial_or_404(request, code, among=Trial.objects.all())
    form = VoteForm(request.POST)
    if not form.is_valid():
        return _problem(request, slug, message=form.complaint, status=400)
    try:
        record_vote(
            answered,
            form.cleaned_data["choice"],
            response_ms=form.cleaned_data["response_ms"],
            key=form.cleaned_data["key"],
        )
    except (VoteRefused, StudyClosed) as refusal:
        return _problem(request, slug, message=str(refusal), status=status_of(refusal))
    return redirect("rate-trial", slug)


def _own_trial_or_404(request: HttpRequest, code: UUID, *, among: TrialQuerySet) -> Trial:
    try:
        return own_trial(request, code, among=among)
    except UnknownTrial as error:
        raise Http404(str(error)) from error


def _problem(request: HttpRequest, slug: str, *, message: str, status: int) -> HttpResponse:
    return render(request, "rating/problem.html", {"slug": slug, "message": message}, status=status)
