"""The researcher's audit of a study's blinding: press, wait a few seconds, read what would tell the arms apart."""

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from survey_site.blinding.audit_sentences import remedy, sentence_on_power
from survey_site.blinding.audits import Audit, CannotAudit, PairingAudit, audit_blinding
from survey_site.models import Study

# What a page may take; with the second look at an alarm, twice as long. The command has no such limit.
SECONDS = 10.0


@login_required
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the last audit; a POST makes a new one."""
    study = get_object_or_404(Study, slug=slug)
    context: dict[str, object] = {"study": study, "section": "studies"}
    if request.method == "POST":
        try:
            cache.set(_kept_as(study), audit_blinding(study, seconds=SECONDS))
        except CannotAudit as reason:
            context["problem"] = str(reason)
    audit = cache.get(_kept_as(study))
    if isinstance(audit, Audit):
        context |= {"audit": audit, "pairings": [_shown(pairing) for pairing in audit.pairings]}
    return render(request, "blinding/page.html", context)


def _kept_as(study: Study) -> str:
    return f"audit-{study.pk}-{study.secret}"


def _shown(pairing: PairingAudit) -> dict[str, object]:
    """What the page shows of two arms: what tells them apart first, and what was the same on both sides last."""
    tested = [finding for finding in pairing.findings if finding.p_holm is not None]
    return {
        "arms": pairing.arms,
        "n_pairs": pairing.n_pairs,
        "alarms": [(finding, remedy(finding.name)) for finding in pairing.alarms],
        "tested": sorted(tested, key=lambda finding: finding.p_holm or 0.0),
        "same": [finding.name for finding in pairing.findings if finding.p_holm is None],
        "explained": pairing.explained,
        "power": sentence_on_power(pairing.power),
    }
