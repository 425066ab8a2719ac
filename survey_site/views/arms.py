"""The researcher's arms: list, look at one, make one. An arm is never changed; another one is made like it."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from generation.arms import InvalidArm, create_arm, recipe_of
from generation.diffusion.recipes import PRESETS, InvalidRecipe, Recipe
from generation.models import Arm, Checkpoint
from generation.recipe_files import read_recipe_file, recipe_file
from survey_site.forms.arms import ArmForm, PastedRecipeForm, initial_like, initial_of, initial_of_file
from survey_site.forms.methods import methods_by_paper
from survey_site.researchers import researcher_of

ARMS_A_PAGE = 25


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """List the arms that generate, the newest first."""
    arms = (
        Arm.objects.filter(source=Arm.Source.GENERATED)
        .select_related("denoiser", "classifier")
        .annotate(n_batches=Count("batches"))
        .order_by("-pk")
    )
    page = Paginator(arms, ARMS_A_PAGE).get_page(request.GET.get("page"))
    rows = [(arm, recipe_of(arm)) for arm in page]
    return render(request, "arms/index.html", {"page": page, "rows": rows, "section": "arms"})


@login_required
@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what an arm is: its checkpoints, every setting of its recipe, and what was made with it."""
    arm = _generating(pk)
    recipe = recipe_of(arm)
    changed = recipe.settings()
    context = {
        "arm": arm,
        "recipe": recipe,
        "settings": [(name, value, name in changed) for name, value in recipe_file(arm)["recipe"].items()],
        "batches": arm.batches.all()[:10],
        "section": "arms",
    }
    return render(request, "arms/page.html", context)


@login_required
@require_GET
def recipe(request: HttpRequest, pk: int) -> HttpResponse:
    """Download an arm's recipe."""
    arm = _generating(pk)
    headers = {"Content-Disposition": f'attachment; filename="arm-{arm.pk}.json"'}
    return JsonResponse(recipe_file(arm), json_dumps_params={"indent": 2}, headers=headers)


@login_required
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Make an arm: from nothing, a published method, another arm or a pasted recipe."""
    pasted = PastedRecipeForm(request.GET if "recipe" in request.GET else None)
    form = ArmForm(request.POST) if request.method == "POST" else ArmForm(initial=_start(request, pasted))
    if request.method == "POST" and form.is_valid():
        arm = _created(request, form)
        if arm is not None:
            messages.success(request, f"The arm {arm.name} is there.")
            return redirect("arm", arm.pk)
    context = {
        "form": form,
        "pasted": pasted,
        "methods": methods_by_paper(),
        "chosen": request.GET.get("preset", ""),
        "method": PRESETS.get(request.GET.get("preset", "")),
        "has_denoiser": Checkpoint.objects.filter(role=Checkpoint.Role.DENOISER).exists(),
        "section": "arms",
    }
    return render(request, "arms/create.html", context, status=400 if form.errors or pasted.errors else 200)


def _generating(pk: int) -> Arm:
    arm = get_object_or_404(Arm.objects.select_related("denoiser", "classifier", "owner"), pk=pk)
    if arm.source != Arm.Source.GENERATED:
        raise Http404(f'Arm "{arm.name}" was made elsewhere: nothing is known of how.')
    return arm


def _created(request: HttpRequest, form: ArmForm) -> Arm | None:
    data = form.cleaned_data
    try:
        return create_arm(
            owner=researcher_of(request),
            name=data["name"],
            denoiser=data["denoiser"],
            classifier=data["classifier"],
            recipe=data["recipe"],
            class_conditional=data["told"],
        )
    except InvalidArm as error:
        form.add_error(None, str(error))
    return None


def _start(request: HttpRequest, pasted: PastedRecipeForm) -> dict[str, Any]:  # Any: form values of many types
    # What is already filled in goes along in the address when another method is chosen.
    kept = {name: request.GET[name] for name in ("name", "denoiser", "classifier") if request.GET.get(name)}
    if pasted.is_bound and pasted.is_valid():
        try:
            return {**initial_of_file(read_recipe_file(pasted.cleaned_data["recipe"])), **kept}
        except InvalidRecipe as error:
            pasted.add_error("recipe", str(error))
    if like := request.GET.get("like", ""):
        return initial_like(_generating(int(like) if like.isdigit() else 0))
    preset = PRESETS.get(request.GET.get("preset", ""))
    return {**initial_of(preset.recipe if preset else Recipe()), **kept}
