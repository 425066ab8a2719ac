"""What stands between a link and the first pair, and between the last pair and the way home."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from survey_site.models import Rater, Study
from survey_site.rater_requests import rater_of, remember_rater
from survey_site.raters import enter_study
from survey_site.studies import StudyClosed, require_open
from survey_site.trials import Standing, lease_trials, queue_of


@never_cache
@require_GET
def welcome(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what will be asked; a rater who was here before goes on at once."""
    study = get_object_or_404(Study, slug=slug)
    rater = rater_of(request, study)
    try:
        require_open(study)
    except StudyClosed as reason:
        return _not_open(request, study, rater=rater, reason=reason)
    if rater is not None:
        return redirect("rate-trial", slug)
    n_comparisons = study.comparisons.normal().count()
    return render(request, "rating/welcome.html", {"study": study, "n_comparisons": n_comparisons})


@require_POST
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    """Let a new rater in, or an old one go on, and lease the next trials."""
    study = get_object_or_404(Study, slug=slug)
    try:
        rater = rater_of(request, study) or enter_study(study)
        lease_trials(rater)
    except StudyClosed:
        return redirect("rate", slug)
    response = redirect("rate-trial", slug)
    remember_rater(response, rater)
    return response


@never_cache
@require_GET
def thanks(request: HttpRequest, slug: str) -> HttpResponse:
    """Thank a rater who has finished, or who stops for now."""
    study = get_object_or_404(Study, slug=slug)
    rater = rater_of(request, study)
    if rater is None:
        return redirect("rate", slug)
    queue = queue_of(rater)
    may_continue = study.status == Study.Status.OPEN and queue.standing is not Standing.FINISHED
    return render(request, "rating/thanks.html", {"study": study, "queue": queue, "may_continue": may_continue})


def _not_open(request: HttpRequest, study: Study, *, rater: Rater | None, reason: StudyClosed) -> HttpResponse:
    """Say that the study takes no answers now, and that those given are kept."""
    n_votes = queue_of(rater).n_votes if rater else 0
    return render(request, "rating/not_open.html", {"study": study, "reason": reason, "n_votes": n_votes})
