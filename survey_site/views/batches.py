"""The researcher's batches: list, generate, upload, watch, cancel, try again."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from generation.arms import InvalidArm, class_labels_of, create_arm
from generation.batches import (
    BatchFinished,
    InvalidBatch,
    NothingToRetry,
    cancel_batch,
    create_batch,
    progress_of,
    retry_batch,
)
from generation.class_lists import InvalidClasses, read_classes
from generation.images import MissingFile, read_bytes
from generation.models import Arm, Batch, Checkpoint, Image
from generation.uploads import InvalidUpload, import_batch
from survey_site.forms.batches import BatchForm, NewArmFormSet, UploadForm
from survey_site.researchers import researcher_of
from survey_site.views.laboratory import laboratory_of

BATCHES_A_PAGE = 25
PAIRS_A_PAGE = 24


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """List all batches, the newest first."""
    batches = (
        Batch.objects.annotate(n_images=Count("images"), n_made=Count("images", filter=~Q(images__name="")))
        .prefetch_related("arms")
        .order_by("-created_at", "-pk")
    )
    page = Paginator(batches, BATCHES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "batches/index.html", {"page": page, "section": "batches"})


@login_required
@require_http_methods(["GET", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    """Set up a generation run."""
    form = BatchForm(request.POST or None, initial={"arms": request.GET.getlist("arm")})
    new_arms = NewArmFormSet(request.POST or None, prefix="new")
    if request.method == "POST" and form.is_valid() and new_arms.is_valid():
        batch = _created(form, new_arms.cleaned_data, owner=researcher_of(request))
        if batch is not None:
            messages.success(request, f"{batch.name} is queued. This page follows it.")
            return redirect("batch", batch.pk)
    checkpoints = Checkpoint.objects.filter(role=Checkpoint.Role.DENOISER)
    context = {"form": form, "new_arms": new_arms, "denoisers": checkpoints, "section": "batches"}
    return render(request, "batches/create.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """Take images made elsewhere."""
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            batch = import_batch(
                form.uploads(),
                owner=researcher_of(request),
                name=form.cleaned_data["name"],
                arms=form.expected_arms(),
                class_texts=form.cleaned_data["class_texts"].splitlines(),
            )
        except InvalidUpload as error:
            form.add_error("images", str(error))
        else:
            messages.success(request, f"{batch.name} is here, all of it.")
            return redirect("batch", batch.pk)
    context = {"form": form, "section": "batches"}
    return render(request, "batches/upload.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a batch: how far it is, its pairs side by side, what made it."""
    batch = get_object_or_404(Batch, pk=pk)
    context = {**laboratory_of(batch), **_live(request, batch), "section": "batches"}
    return render(request, "batches/page.html", context)


@login_required
@require_GET
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the part of the batch's page that changes while it is made."""
    return render(request, "batches/_live.html", _live(request, get_object_or_404(Batch, pk=pk)))


@login_required
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a batch."""
    try:
        cancel_batch(get_object_or_404(Batch, pk=pk))
    except BatchFinished as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Cancelled. What is made stays.")
    return redirect("batch", pk)


@login_required
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue what is missing."""
    try:
        retry_batch(get_object_or_404(Batch, pk=pk))
    except NothingToRetry as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Queued again. What was made before stays.")
    return redirect("batch", pk)


@login_required
@require_GET
@cache_control(private=True, max_age=3600)
def image(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve one image to a researcher. `?v=` in the address is its sha256, so that a new file is a new address."""
    try:
        data = read_bytes(get_object_or_404(Image, pk=pk))
    except MissingFile as error:
        raise Http404(str(error)) from error
    return HttpResponse(data, content_type="image/png")


# Cleaned data is untyped in Django; a row left as it was has none.
def _created(form: BatchForm, new_arms: Sequence[dict[str, Any]], *, owner: User) -> Batch | None:
    # Either the new arms and the batch, or neither.
    try:
        with transaction.atomic():
            arms = [*form.cleaned_data["arms"], *(_new_arm(data, owner=owner) for data in new_arms if data)]
            return _create_batch(form, arms, owner=owner)
    except (InvalidArm, InvalidBatch) as error:
        form.add_error(None, str(error))
    except InvalidClasses as error:
        form.add_error("classes", str(error))
    return None


def _new_arm(data: dict[str, Any], *, owner: User) -> Arm:
    return create_arm(
        owner=owner,
        name=data["name"],
        denoiser=data["denoiser"],
        classifier=data["classifier"],
        recipe=data["recipe"],
    )


def _create_batch(form: BatchForm, arms: Sequence[Arm], *, owner: User) -> Batch:
    data = form.cleaned_data
    labels = next((labels for labels in map(class_labels_of, arms) if labels), [])
    classes = read_classes(data["classes"], labels)
    return create_batch(
        owner=owner,
        name=data["name"],
        arms=arms,
        class_indices=classes.alone,
        combined=classes.together,
        seeds_per_class=data["seeds_per_class"],
        steps=data["steps"],
        first_seed=data["first_seed"],
        precision=data["precision"] or Batch.Precision.FLOAT32,
        pairs_per_chunk=data["pairs_per_chunk"],
    )


def _live(request: HttpRequest, batch: Batch) -> dict[str, object]:
    # The page is chosen by pairs, which all have one image an arm.
    arms = list(batch.arms.select_related("denoiser", "classifier"))
    so_far = progress_of(batch)
    pages = Paginator(range(so_far.wanted), PAIRS_A_PAGE)
    sheet = pages.get_page(request.GET.get("page"))
    first, n_arms = max(sheet.start_index() - 1, 0), len(arms)
    images = batch.images.order_by("class_index", "seed", "arm__name", "arm")
    shown = list(images[first * n_arms : (first + PAIRS_A_PAGE) * n_arms])
    pairs = [shown[start : start + n_arms] for start in range(0, len(shown), n_arms or 1)]
    return {
        "batch": batch,
        "arms": arms,
        "progress": so_far,
        "sheet": sheet,
        "pairs": [(batch.label_of(pair[0].class_index), pair[0].seed, pair) for pair in pairs],
        "made_with": batch.images.exclude(torch_version="").order_by().first(),
    }
