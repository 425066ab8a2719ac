"""How a study asks: set it while the study is a draft, read it and take it away at any time."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from survey_site.design.design_files import as_json_text, as_toml
from survey_site.design.designs import Design
from survey_site.drafts.design_changes import DesignFrozen, change_design, want_votes
from survey_site.drafts.design_sizes import size_of
from survey_site.drafts.design_words import counted, described
from survey_site.drafts.gold_pairs import fitting
from survey_site.drafts.pairings import NotPairable
from survey_site.forms.designs import CopyForm, DesignFileForm, DesignForms
from survey_site.models import Study

SAVED = "How the study asks is saved. It is frozen when the study opens."
SECTIONS = ("entry", "welcome", "order", "checks", "page")
FILES = {"toml": ("application/toml", as_toml), "json": ("application/json", as_json_text)}


@login_required
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a draft's design as a form and take it back; once the study has opened, only show it."""
    study = get_object_or_404(Study, slug=slug)
    if study.status != Study.Status.DRAFT:
        return _frozen(request, study)
    forms = DesignForms(study, request.POST or None)
    act = request.POST.get("act", "save")
    if request.method != "POST" or not forms.is_valid() or act == "work-out":
        return _shown(request, study, forms=forms)
    try:
        _save(study, forms)
    except DesignFrozen as error:
        messages.error(request, str(error))
        return redirect("study-design", slug)
    messages.success(request, SAVED)
    return redirect("study-gold" if act == "gold" else "study-design", slug)


@login_required
@require_POST
def size(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what the sent design comes to, as a fragment; nothing is saved."""
    study = get_object_or_404(Study, slug=slug)
    forms = DesignForms(study, request.POST)
    forms.is_valid()
    return render(request, "designs/_size.html", _size(study, forms))


@login_required
@require_POST
def import_file(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a draft's design from a TOML or JSON file."""
    study = get_object_or_404(Study, slug=slug)
    form = DesignFileForm(request.POST, request.FILES)
    if form.is_valid():
        return _taken_over(request, study, form.cleaned_data["file"], "the file")
    for sentence in form.errors["file"]:
        messages.error(request, f"The design was not taken over. {sentence}")
    return redirect("study-design", slug)


@login_required
@require_POST
def copy(request: HttpRequest, slug: str) -> HttpResponse:
    """Take over another study's design."""
    study = get_object_or_404(Study, slug=slug)
    form = CopyForm(request.POST)
    if form.is_valid():
        source = form.cleaned_data["source"]
        return _taken_over(request, study, source.how, f"{source.title}")
    messages.error(request, "Choose the study whose design is to be taken over.")
    return redirect("study-design", slug)


@login_required
@require_GET
def as_file(request: HttpRequest, slug: str, ending: str) -> HttpResponse:
    """The design as a file that reads back to the same hash."""
    study = get_object_or_404(Study, slug=slug)
    if ending not in FILES:
        raise Http404("A design comes as design.toml or design.json.")
    content_type, written = FILES[ending]
    response = HttpResponse(written(study.how), content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{study.slug}-design.{ending}"'
    return response


def _save(study: Study, forms: DesignForms) -> None:
    assert forms.design is not None, "only valid forms are saved"
    with transaction.atomic():
        change_design(study, forms.design)
        want_votes(study, forms.votes_wanted)


def _taken_over(request: HttpRequest, study: Study, design: Design, source: str) -> HttpResponse:
    kept, n_lost = fitting(study, design)
    try:
        change_design(study, kept)
    except DesignFrozen as error:
        messages.error(request, f"The design was not taken over. {error}")
        return redirect("study", study.slug)
    messages.success(request, f"The study asks as in {source} now.")
    if n_lost:
        messages.warning(
            request,
            f"{counted(n_lost, 'gold pair')} {'is' if n_lost == 1 else 'are'} left out: not of this study's images.",
        )
    return redirect("study-design", study.slug)


def _frozen(request: HttpRequest, study: Study) -> HttpResponse:
    design = study.how
    context = {"study": study, "design": described(design), "toml": as_toml(design), "section": "studies"}
    return render(request, "designs/frozen.html", context)


def _shown(request: HttpRequest, study: Study, *, forms: DesignForms) -> HttpResponse:
    n_arms = study.arms.count()
    context = {
        "study": study,
        "forms": forms,
        "sections": _sections(study),
        "n_arms": n_arms,
        "several_arms": n_arms > 2,
        "file_form": DesignFileForm(),
        "copy_form": CopyForm(),
        "section": "studies",
        **_size(study, forms),
    }
    return render(request, "designs/page.html", context)


def _sections(study: Study) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return each section: its name, its heading, how it reads as saved, its template."""
    headings = zip(SECTIONS, described(study.how), strict=True)
    return [(name, heading, sentences, f"designs/_{name}.html") for name, (heading, sentences) in headings]


def _size(study: Study, forms: DesignForms) -> dict[str, object]:
    """Return what the forms come to: a size, or why there is none; and the questionnaire as it was read."""
    if forms.design is None:
        return {}
    items = forms.design.welcome.questionnaire
    try:
        return {"size": size_of(study, forms.design, votes_wanted=forms.votes_wanted), "items": items}
    except NotPairable as reason:
        return {"refusal": str(reason), "items": items}
