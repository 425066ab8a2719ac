"""The rater's pages. They work without JavaScript, and only a POST leases a trial."""

from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from generation.images import MissingFile, read_bytes
from survey_site.forms.votes import VoteForm
from survey_site.models import Rater, Study, Trial
from survey_site.querysets import TrialQuerySet
from survey_site.rater_requests import UnknownTrial, own_trial, rater_of, remember_rater, status_of
from survey_site.raters import enter_study
from survey_site.studies import StudyClosed, require_open
from survey_site.trials import Standing, VoteRefused, lease_trials, queue_of, record_vote


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
def trial(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the rater's next pair, or what there is instead of one."""
    study = get_object_or_404(Study, slug=slug)
    rater = rater_of(request, study)
    if rater is None or study.status != Study.Status.OPEN:
        return redirect("rate", slug)
    queue = queue_of(rater)
    if queue.standing is Standing.FINISHED:
        return redirect("rate-thanks", slug)
    if queue.standing is not Standing.OPEN:
        return render(request, "rating/wait.html", {"study": study, "queue": queue})
    shown = [(open_trial, uuid4()) for open_trial in queue.trials]
    return render(request, "rating/trial.html", {"study": study, "queue": queue, "shown": shown})


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


@cache_control(private=True, max_age=86400, immutable=True)
@require_GET
def image(request: HttpRequest, code: UUID, side: str) -> HttpResponse:
    """Send one image of the rater's own trial; both images of a pair come in equally many bytes."""
    shown = _own_trial_or_404(request, code, among=Trial.objects.with_images())
    try:
        data = read_bytes(shown.left_image if side == "left" else shown.right_image)
    except MissingFile as error:
        raise Http404("This image cannot be found. Please tell the person who sent you here.") from error
    # Decoders stop at a PNG's IEND: zeros after it hide which of the two files is the larger.
    length = max(shown.left_image.n_bytes, shown.right_image.n_bytes)
    return HttpResponse(data.ljust(length, b"\0"), content_type="image/png")


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


def _own_trial_or_404(request: HttpRequest, code: UUID, *, among: TrialQuerySet) -> Trial:
    try:
        return own_trial(request, code, among=among)
    except UnknownTrial as error:
        raise Http404(str(error)) from error


def _not_open(request: HttpRequest, study: Study, *, rater: Rater | None, reason: StudyClosed) -> HttpResponse:
    """Say that the study takes no answers now, and that those given are kept."""
    n_votes = queue_of(rater).n_votes if rater else 0
    return render(request, "rating/not_open.html", {"study": study, "reason": reason, "n_votes": n_votes})


def _problem(request: HttpRequest, slug: str, *, message: str, status: int) -> HttpResponse:
    return render(request, "rating/problem.html", {"slug": slug, "message": message}, status=status)
