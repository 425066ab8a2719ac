"""How large must a study be? One page that answers a wish; its address is the wish."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from analysis.planning import FEWEST_PAIRS, FEWEST_RATERS, plan_study
from survey_site.forms.planning import PlanningForm


@login_required
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Answer the wish in the address, or say at which field it cannot be answered."""
    form = PlanningForm(request.GET.dict())
    context: dict[str, object] = {"form": form, "section": "planning"}
    if form.is_valid() and form.wish is not None:
        # Imported when first drawn: Altair and vl-convert take a second to load.
        from analysis.charts.planning import draw
        from analysis.charts.rendering import svg_of

        planning = plan_study(form.wish, form.components)
        context |= {
            "planning": planning,
            # Safe: vl-convert escapes every text of the data that it draws, and `svg_of` the alt text.
            "svg": SafeString(svg_of(draw(planning))),
            "fewest": {"raters": FEWEST_RATERS, "pairs": FEWEST_PAIRS},
        }
    return render(request, "planning/page.html", context)
