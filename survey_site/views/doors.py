"""The doors of an open study: invitations, the platform's secret, versions of the consent text."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from survey_site.consents import ConsentNotChanged, add_version
from survey_site.entrance.invitations import TooManyInvitations, as_csv, create_invitations, listed
from survey_site.forms.entries import ConsentForm, InvitationsForm, PlatformSecretForm
from survey_site.models import Study
from survey_site.studies import keep_platform_secret


@login_required
def invitations(request: HttpRequest, slug: str) -> HttpResponse:
    """List a study's invitations and what became of them; make more."""
    study = get_object_or_404(Study, slug=slug)
    form = InvitationsForm(request.POST or None)
    if form.is_valid():
        try:
            made = create_invitations(study, form.cleaned_data["n"], notes=form.cleaned_data["notes"])
        except TooManyInvitations as error:
            form.add_error("n", str(error))
        else:
            messages.success(request, f"{len(made)} more invitation{'' if len(made) == 1 else 's'}.")
            return redirect("study-invitations", slug)
    site = request.build_absolute_uri("/").rstrip("/")
    context = {"study": study, "form": form, "rows": listed(study), "site": site, "section": "studies"}
    return render(request, "studies/invitations.html", context)


@login_required
@require_GET
def invitations_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """The invitations as a table, with the link of each."""
    study = get_object_or_404(Study, slug=slug)
    table = as_csv(listed(study), site=request.build_absolute_uri("/").rstrip("/"))
    response = HttpResponse(table, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{study.slug}-invitations.csv"'
    return response


@login_required
@require_POST
def platform_secret(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the secret that signs the platform's messages."""
    study = get_object_or_404(Study, slug=slug)
    form = PlatformSecretForm(request.POST)
    if form.is_valid():
        keep_platform_secret(study, form.cleaned_data["secret"])
        kept = form.cleaned_data["secret"] != ""
        messages.success(request, "The secret is kept." if kept else "No secret is kept: messages are refused.")
    else:
        messages.error(request, "A secret has at most 200 characters. Copy it anew from the platform.")
    return redirect("study", slug)


@login_required
def consent(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the versions of an open study's consent text, and add one."""
    study = get_object_or_404(Study, slug=slug)
    versions = study.consent_texts.order_by("-version")
    newest = versions.first()
    form = ConsentForm(request.POST or None, initial={"text": newest.text if newest else ""})
    if form.is_valid():
        try:
            version = add_version(study, form.cleaned_data["text"])
        except ConsentNotChanged as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, f"New raters agree to version {version.version}.")
            return redirect("study-consent", slug)
    context = {"study": study, "form": form, "versions": versions, "section": "studies"}
    return render(request, "studies/consent.html", context)
