"""The researcher's studies: list, create, watch, open, pause, close."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from survey_site.design.designs import Design
from survey_site.drafts.design_words import described as described_design
from survey_site.forms.entries import PlatformSecretForm
from survey_site.forms.studies import StudyForm
from survey_site.models import Study
from survey_site.plans import described, plan_is_intact
from survey_site.rater_counts import counts_of, n_below
from survey_site.rating_links import rating_link
from survey_site.researchers import researcher_of
from survey_site.results import tally_of
from survey_site.studies import StudyNotReady, close_study, create_study, open_study, pause_study
from survey_site.voting.withdrawals import withdrawn_tally


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """List all studies with what has been answered so far."""
    studies = Study.objects.annotate(n_votes=Sum("comparisons__n_votes", default=0)).prefetch_related("arms")
    return render(request, "studies/index.html", {"studies": studies, "section": "studies"})


@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Set up a study on a batch."""
    form = StudyForm(request.POST or None, initial={"batch": request.GET.get("batch")})
    if not form.is_valid():
        return render(request, "studies/create.html", {"form": form, "section": "studies"})
    data = form.cleaned_data
    study = create_study(
        owner=researcher_of(request),
        title=data["title"],
        arms=data["arms"],
        batches=[data["batch"]],
        question=data["question"],
        votes_wanted=data["votes_wanted"],
        opens_when_ready=data["opens_when_ready"],
    )
    messages.success(request, f"{study.title} is a draft now. Open it when you are ready.")
    return redirect("study", study.slug)


@login_required
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show where a study stands and what can be done next."""
    study = get_object_or_404(Study, slug=slug)
    how = study.how
    context = {
        "study": study,
        "how": how,
        "design": described_design(how),
        "tally": tally_of(study),
        "counts": counts_of(study),
        "n_below": n_below(study, how.order.votes_min) if how.order.votes_min else None,
        "withdrawn": withdrawn_tally(study),
        "plan": described(study.analysis_plan),
        "plan_is_intact": plan_is_intact(study),
        "link": rating_link(how.entry, address=request.build_absolute_uri(study.rating_path)),
        "message_address": _message_address(request, study, how) if how.entry.platform else "",
        "secret_form": PlatformSecretForm(),
        "section": "studies",
    }
    return render(request, "studies/page.html", context)


@login_required
@require_POST
def set_status(request: HttpRequest, slug: str, act: str) -> HttpResponse:
    """Open, pause or close a study."""
    study = get_object_or_404(Study, slug=slug)
    verb, done = {
        "open": (open_study, "is open: send the rating link to your raters."),
        "pause": (pause_study, "is paused: raters are told to come back later."),
        "close": (close_study, "is closed: no more votes are taken."),
    }[act]
    try:
        verb(study)
    except StudyNotReady as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{study.title} {done}")
    return redirect("study", study.slug)


def _message_address(request: HttpRequest, study: Study, how: Design) -> str:
    return request.build_absolute_uri(reverse("platform-message", args=[how.entry.platform, study.slug]))
