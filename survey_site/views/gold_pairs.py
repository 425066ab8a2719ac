"""Choosing a draft's gold pairs from its pictures. What is taken so far stands in the address: no script is needed."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from generation.models import Image
from survey_site.drafts.design_changes import DesignFrozen
from survey_site.drafts.gold_pairs import InvalidGoldPair, add_gold_pair, images_of, pictured, remove_gold_pair
from survey_site.forms.gold_pairs import GoldPairForm, PicturesForm
from survey_site.models import Study

STIMULI_A_PAGE = 12
FIELDS = ("image_a", "image_b")


@login_required
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a draft's gold pairs and its pictures; take one more pair."""
    study = get_object_or_404(Study, slug=slug)
    if study.status != Study.Status.DRAFT:
        return redirect("study-design", slug)
    pictures = PicturesForm(request.GET, classes=_classes(study))
    form = GoldPairForm(request.POST or None, initial={key: pictures.chosen(key) for key in FIELDS})
    if form.is_valid():
        try:
            add_gold_pair(study, form.pair)
        except (InvalidGoldPair, DesignFrozen) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The gold pair is saved.")
            return redirect("study-gold", slug)
    return render(request, "designs/gold.html", _context(study, form=form, pictures=pictures))


@login_required
@require_POST
def remove(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Take a gold pair away."""
    study = get_object_or_404(Study, slug=slug)
    try:
        remove_gold_pair(study, number)
    except DesignFrozen as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The gold pair is removed.")
    return redirect("study-gold", slug)


def _context(study: Study, *, form: GoldPairForm, pictures: PicturesForm) -> dict[str, object]:
    images = images_of(study)
    taken = {image.pk: image for image in images.filter(pk__in=[key for key in _taken(form) if key])}
    label = pictures.cleaned_data.get("label", "") if pictures.is_valid() else ""
    if label:
        batch, _, class_index = label.partition("-")
        images = images.filter(batch=int(batch), class_index=int(class_index))
    sheet = _sheet(images, number=pictures.chosen("page") or 1)
    return {
        "study": study,
        "form": form,
        "pictures": pictures,
        "gold": pictured(study),
        "taken": [
            (name, taken.get(key or 0), form[field])
            for name, field, key in zip(("First", "Second"), FIELDS, _taken(form), strict=True)
        ],
        "sheet": sheet,
        "stimuli": _stimuli(images, sheet),
        "section": "studies",
    }


def _taken(form: GoldPairForm) -> list[int | None]:
    said = [str(form[name].value() or "") for name in FIELDS]
    return [int(word) if word.isdecimal() and len(word) < 10 else None for word in said]


def _sheet(images: QuerySet[Image], *, number: int) -> Page[tuple[int, int, int]]:
    stimuli = images.order_by("batch", "class_index", "seed").values_list("batch", "class_index", "seed").distinct()
    return Paginator(stimuli, STIMULI_A_PAGE).get_page(number)


def _stimuli(images: QuerySet[Image], sheet: Page[tuple[int, int, int]]) -> list[tuple[str, int, list[Image]]]:
    """Return what the sheet's page shows: label, seed, and the images side by side."""
    stimuli: dict[tuple[int, int, int], list[Image]] = {stimulus: [] for stimulus in sheet.object_list}
    batches, classes, seeds = ({stimulus[part] for stimulus in stimuli} for part in range(3))
    for image in images.filter(batch__in=batches, class_index__in=classes, seed__in=seeds):
        key = (image.batch_id, image.class_index, image.seed)
        if key in stimuli:
            stimuli[key].append(image)
    return [(row[0].batch.label_of(row[0].class_index), row[0].seed, row) for row in stimuli.values()]


def _classes(study: Study) -> list[tuple[str, str]]:
    """Return the classes that there are finished images of, as the address names them and as people read them."""
    cells = images_of(study).order_by("batch", "class_index").values_list("batch", "class_index").distinct()
    batches = {batch.pk: batch for batch in study.batches.all()}
    return [(f"{batch}-{index}", batches[batch].label_of(index)) for batch, index in cells]
