"""A study's analysis plan: write it while the study is a draft, take it away at any time."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from analysis.plan import InvalidPlan, Plan, usual_rho
from survey_site.forms.plans import PlanFileForm, PlanForm, SizeForm
from survey_site.models import Study
from survey_site.plans import PlanFrozen, change_plan, stimuli_of

SAVED = "The plan is saved. It is frozen when the study opens."


@login_required
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a draft's plan as a form and take it back; the act `fill` only works rho out, `usual` starts over."""
    study = get_object_or_404(Study, slug=slug)
    if study.status != Study.Status.DRAFT:
        return redirect("study", study.slug)
    act = request.POST.get("act", "save")
    if request.method == "POST" and act == "usual":
        return _saved(request, study, Plan(question=study.question), "This is the usual plan again.")
    if request.method == "POST" and act == "fill":
        return _filled(request, study)
    form = PlanForm.of(study.analysis_plan, request.POST or None)
    if form.is_valid():
        return _saved(request, study, form.cleaned_data["plan"], SAVED)
    return _shown(request, study, form=form, size=SizeForm(initial=_size(study)))


@login_required
@require_POST
def import_file(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a draft's plan from a TOML file."""
    study = get_object_or_404(Study, slug=slug)
    form = PlanFileForm(request.POST, request.FILES)
    if form.is_valid():
        return _saved(request, study, form.cleaned_data["file"], f"{SAVED} It is the one of the file.")
    for sentence in form.errors["file"]:
        messages.error(request, f"The plan was not taken over. {sentence}")
    return redirect("study-plan", study.slug)


@login_required
@require_GET
def as_toml(request: HttpRequest, slug: str) -> HttpResponse:
    """The plan as a TOML file that reads back to the same hash."""
    study = get_object_or_404(Study, slug=slug)
    response = HttpResponse(study.analysis_plan.as_toml(), content_type="application/toml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{study.slug}-plan.toml"'
    return response


def _filled(request: HttpRequest, study: Study) -> HttpResponse:
    """Show the form again as it was sent, with the rho of the planned size; nothing is saved."""
    sent, size = request.POST.copy(), SizeForm(request.POST)
    if size.is_valid():
        sent["rho"] = f"{usual_rho(size.design):g}"
        messages.info(
            request, f"rho is {sent['rho']} for {size.design.votes:,} planned votes. Save the plan to keep it."
        )
    return _shown(request, study, form=PlanForm.of(study.analysis_plan, sent), size=size)


def _saved(request: HttpRequest, study: Study, plan: Plan, sentence: str) -> HttpResponse:
    try:
        change_plan(study, plan)
    except (PlanFrozen, InvalidPlan) as error:
        messages.error(request, f"The plan was not saved. {error}")
    else:
        messages.success(request, sentence)
    return redirect("study", study.slug)


def _shown(request: HttpRequest, study: Study, *, form: PlanForm, size: SizeForm) -> HttpResponse:
    context = {"study": study, "form": form, "size": size, "file_form": PlanFileForm(), "section": "studies"}
    return render(request, "plans/page.html", context)


def _size(study: Study) -> dict[str, object]:
    return {"pairs": stimuli_of(study) or 200, "votes_per_pair": study.votes_wanted}
