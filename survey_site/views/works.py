"""Long work besides making images: list it, follow it, cancel, repeat, take its files."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from generation.figure_kinds import FIGURES, FigureKind
from generation.intake import InvalidRegistration, create_registration
from generation.models import Work
from generation.works import MissingResult, NothingToRepeat, WorkFinished, cancel_work, read_file, repeat_work
from survey_site.forms.works import RegistrationForm
from survey_site.researchers import researcher_of

WORKS_A_PAGE = 25
# Drawn by our own workers, but shown from the site's own address: no script in it may run.
FILE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "X-Content-Type-Options": "nosniff",
}


@login_required
@require_GET
def index(request: HttpRequest) -> HttpResponse:
    """List all works, the newest first."""
    return render(request, "works/index.html", {**_listed(request), "kinds": _kinds(), "section": "works"})


@login_required
@require_GET
def progress(request: HttpRequest) -> HttpResponse:
    """Show the part of the list that changes."""
    return render(request, "works/_works.html", _listed(request))


@login_required
@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a work: how far it is, what it was asked for, what came out."""
    work = _work(pk)
    options = [(name, value) for name, value in work.options.items() if value not in (None, "", [], {})]
    return render(request, "works/page.html", {"work": work, "options": options, "section": "works"})


@login_required
@require_GET
def state(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the part of a work's page that changes."""
    return render(request, "works/_state.html", {"work": _work(pk)})


@login_required
@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop a work."""
    work = _work(pk)
    try:
        cancel_work(work)
    except WorkFinished as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Cancelled: {work.title}.")
    return _back(request, work)


@login_required
@require_POST
def repeat(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue a stopped work again."""
    work = _work(pk)
    try:
        repeat_work(work)
    except NothingToRepeat as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Queued again: {work.title}.")
    return _back(request, work)


@login_required
@require_GET
@cache_control(private=True, max_age=60)
def file(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Serve a result; with `?download` as a file to keep."""
    try:
        data, content_type = read_file(_work(pk), name)
    except MissingResult as error:
        raise Http404(str(error)) from error
    response = HttpResponse(data, content_type=content_type, headers=FILE_HEADERS)
    if "download" in request.GET:
        response["Content-Disposition"] = _attachment(name)
    return response


@login_required
@require_http_methods(["GET", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """Ask for a checkpoint of the installation's folder to be registered."""
    form = RegistrationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            work = create_registration(
                owner=researcher_of(request), path=data["path"], name=data["name"], said=form.said(), role=data["role"]
            )
        except InvalidRegistration as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Queued. A worker looks at it, and registers it or says why not.")
            return redirect("work", work.pk)
    return _form_page(request, "works/register.html", form)


def _work(pk: int) -> Work:
    return get_object_or_404(Work.objects.select_related("batch", "owner"), pk=pk)


def _listed(request: HttpRequest) -> dict[str, object]:
    works = Work.objects.select_related("batch", "owner")
    if (batch := request.GET.get("batch", "")).isdigit():
        works = works.filter(batch=int(batch))
    page = Paginator(works, WORKS_A_PAGE).get_page(request.GET.get("page"))
    return {"page": page, "works": list(page), "n_unfinished": sum(work.is_unfinished for work in page)}


def _kinds() -> list[FigureKind]:
    return [kind for kind in FIGURES.values() if not kind.batch_needed]


def _back(request: HttpRequest, work: Work) -> HttpResponse:
    if request.POST.get("back") == "work":
        return redirect("work", work.pk)
    if work.batch_id is not None:
        return redirect("batch", work.batch_id)
    return redirect("works")


def _attachment(name: str) -> str:
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    return f'attachment; filename="{plain}"'


def _form_page(request: HttpRequest, template: str, form: RegistrationForm) -> HttpResponse:
    status = 400 if request.method == "POST" else 200
    return render(request, template, {"form": form, "section": "works"}, status=status)
