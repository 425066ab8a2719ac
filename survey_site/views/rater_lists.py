"""The raters of a study: how each of them rated, and what stands out. No result is shown."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from survey_site.forms.rater_lists import RatersForm
from survey_site.models import Study
from survey_site.rater_counts import counts_of
from survey_site.rater_lists import rater_rows


@login_required
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """List a study's raters, all or the flagged ones."""
    study = get_object_or_404(Study, slug=slug)
    form = RatersForm(request.GET)
    raters = rater_rows(study, only_flagged=form.only_flagged, page=form.page)
    context = {
        "study": study,
        "raters": raters,
        "only_flagged": form.only_flagged,
        "counts": counts_of(study),
        "checks": study.how.checks,
        "section": "studies",
    }
    return render(request, "studies/raters.html", context)
