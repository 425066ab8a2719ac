"""The page on which a rater withdraws: without an account, without the cookie, after the study's end too."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from survey_site.forms.withdrawing import WithdrawalForm
from survey_site.limits import Act, limited
from survey_site.models import Vote
from survey_site.rater_requests import visited_study
from survey_site.voting.withdrawals import withdraw


@never_cache
@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the code and say what will happen."""
    study = visited_study(slug)
    return render(request, "rating/withdraw.html", {"study": study, "form": WithdrawalForm(study)})


@limited(Act.GUESS)
@never_cache
@require_POST
def erase(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the code; ask once more, and then erase what belongs to it."""
    study = visited_study(slug)
    form = WithdrawalForm(study, request.POST.dict())
    if not form.is_valid():
        return render(request, "rating/withdraw.html", {"study": study, "form": form}, status=400)
    if not form.cleaned_data["confirmed"]:
        n_answered = Vote.objects.standing().filter(trial__rater=form.rater).values("trial").distinct().count()
        context = {"study": study, "code": form.cleaned_data["code"], "n_answered": n_answered}
        return render(request, "rating/withdraw_sure.html", context)
    withdraw(form.rater)
    return redirect("rate-withdrawn", slug)


@never_cache
@require_GET
def done(request: HttpRequest, slug: str) -> HttpResponse:
    """Say that everything is erased."""
    return render(request, "rating/withdrawn.html", {"study": visited_study(slug)})
