"""Trainings, scores along them, and reproductions, asked for in the browser."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from generation.commissions import create_reproduction, create_run_scoring, create_training
from generation.models import Work
from generation.scoring_options import InvalidScoring
from generation.training_options import PLANS, InvalidTraining
from survey_site.forms.trainings import PUBLISHED, ReproductionForm, RunScoringForm, TrainingForm
from survey_site.researchers import researcher_of


@login_required
@require_http_methods(["GET", "POST"])
def train(request: HttpRequest, role: str) -> HttpResponse:
    """Ask for a training, from a published plan or the project's own."""
    if role not in PLANS:
        raise Http404("Classifiers and denoisers can be trained.")
    start = PUBLISHED[role].get(request.GET.get("preset", ""))
    form = TrainingForm(request.POST or None, role=role, start=start)
    if request.method == "POST" and form.is_valid():
        try:
            work = create_training(owner=researcher_of(request), role=role, changes=form.changes())
        except InvalidTraining as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Queued. Its weights are registered when it is done.")
            return redirect("work", work.pk)
    context = {
        "form": form,
        "role": role,
        "published": sorted(PUBLISHED[role]),
        "chosen": request.GET.get("preset", ""),
        "section": "works",
    }
    return render(request, "works/train.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def score_run(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a training to be scored along the weights that it kept."""
    training = get_object_or_404(Work, pk=pk, kind=Work.Kind.TRAINING)
    form = RunScoringForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            work = create_run_scoring(
                training,
                owner=researcher_of(request),
                reference=form.reference(),
                features=data["features"],
                n=data["n"],
                steps=data["steps"],
            )
        except (InvalidTraining, InvalidScoring) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Queued. The scores are among its files when it is done.")
            return redirect("work", work.pk)
    context = {"form": form, "training": training, "section": "works"}
    return render(request, "works/score_run.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def reproduce(request: HttpRequest) -> HttpResponse:
    """Ask for a paper's experiment to be run again."""
    form = ReproductionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        work = create_reproduction(owner=researcher_of(request), options=form.cleaned_data["options"])
        messages.success(request, "Queued. The report is among its files when it is done.")
        return redirect("work", work.pk)
    context = {"form": form, "section": "works"}
    return render(request, "works/reproduce.html", context, status=400 if request.method == "POST" else 200)
