"""A batch's laboratory: its scores and figures, and the forms that ask for more of them."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from generation.drawings import create_figure
from generation.figure_kinds import FIGURES, InvalidFigure
from generation.models import Batch, Work
from generation.scorings import TITLES, InvalidScoring, create_scoring, reference_folder, scores_table
from survey_site.forms.figures import FigureForm
from survey_site.forms.scorings import MEANINGS, ScoringForm
from survey_site.researchers import researcher_of

# More would make the page long: older ones are among the works.
FIGURES_SHOWN = 12


@login_required
@require_GET
def section(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the part of a batch's page that changes while it is measured and drawn."""
    return render(request, "works/_laboratory.html", laboratory_of(get_object_or_404(Batch, pk=pk)))


@login_required
@require_http_methods(["GET", "POST"])
def score(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for scores of a batch."""
    batch = get_object_or_404(Batch, pk=pk)
    form = ScoringForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            create_scoring(batch, options=form.options(), owner=researcher_of(request), inside=reference_folder())
        except InvalidScoring as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Queued. The scores appear below when they are measured.")
            return redirect("batch", batch.pk)
    context = {"form": form, "batch": batch, "meanings": _meanings(), "section": "batches"}
    return render(request, "works/score.html", context, status=400 if request.method == "POST" else 200)


@login_required
@require_http_methods(["GET", "POST"])
def draw(request: HttpRequest, kind: str, pk: int | None = None) -> HttpResponse:
    """Ask for a figure: of a batch, or of classifiers alone."""
    batch = None if pk is None else get_object_or_404(Batch, pk=pk)
    figure = FIGURES.get(kind)
    if figure is None or (batch is None and figure.batch_needed):
        raise Http404("There is no such figure.")
    form = FigureForm(request.POST or None, kind=figure, batch=batch)
    if request.method == "POST" and form.is_valid():
        try:
            work = create_figure(batch, kind=kind, options=form.options(), owner=researcher_of(request))
        except InvalidFigure as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Queued: {work.title}.")
            return redirect("batch", batch.pk) if batch else redirect("work", work.pk)
    context = {"form": form, "batch": batch, "figure": figure, "section": "batches" if batch else "works"}
    return render(request, "works/draw.html", context, status=400 if request.method == "POST" else 200)


def laboratory_of(batch: Batch) -> dict[str, object]:
    """Return what a batch's page shows of its scores and figures."""
    works = list(batch.works.select_related("owner"))
    table = scores_table(batch)
    done = [work for work in works if work.status == Work.Status.DONE]
    figures = [work for work in done if work.kind == Work.Kind.FIGURE]
    return {
        "batch": batch,
        "works": [work for work in works if work not in done],
        "n_unfinished": sum(work.is_unfinished for work in works),
        "newest_done": max((work.pk for work in done), default=0),
        "scores": table,
        "whole": [row for row in table.rows if not row.part],
        "parts": [row for row in table.rows if row.part],
        "drawn": figures[:FIGURES_SHOWN],
        "n_older": max(len(figures) - FIGURES_SHOWN, 0),
        "kinds": FIGURES.values(),
        "meanings": _meanings(),
    }


def _meanings() -> list[tuple[str, str]]:
    return [(TITLES[metric], meaning) for metric, meaning in MEANINGS.items()]
