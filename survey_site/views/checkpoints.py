"""The researcher's checkpoints: what is registered, and what is known of each."""

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from generation.models import Arm, Checkpoint
from survey_site.forms.checkpoints import facts_in_words


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """List what is registered, by what it is for."""
    checkpoints = Checkpoint.objects.annotate(
        n_arms=Count("denoiser_arms", distinct=True) + Count("classifier_arms", distinct=True)
    ).order_by("role", "name")
    by_role = [
        (role.label, [(row, facts_in_words(row)) for row in checkpoints if row.role == role])
        for role in (Checkpoint.Role.DENOISER, Checkpoint.Role.CLASSIFIER, Checkpoint.Role.FEATURES)
    ]
    context = {"roles": [(label, rows) for label, rows in by_role if rows], "section": "checkpoints"}
    return render(request, "checkpoints/index.html", context)


@login_required
@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show everything that is known of a checkpoint."""
    checkpoint = get_object_or_404(Checkpoint, pk=pk)
    arms = Arm.objects.filter(Q(denoiser=checkpoint) | Q(classifier=checkpoint))
    context = {
        "checkpoint": checkpoint,
        "words": facts_in_words(checkpoint),
        "arms": arms[:20],
        "attack": sorted((checkpoint.adversarial or {}).items()),
        "facts": [(name, fact) for name, fact in checkpoint.facts.items() if not isinstance(fact, list | dict)],
        "section": "checkpoints",
    }
    return render(request, "checkpoints/page.html", context)
