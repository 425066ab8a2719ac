"""The steps before the first pair: consent, questionnaire, instructions. Each page leads to wherever the rater is.

So the back button, a reload, a second tab and another device all end up at the step that comes next.
"""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from survey_site.consents import OutdatedConsent, accept_consent, newest_version
from survey_site.design.designs import Outcome
from survey_site.entrance.raters import Step, answer_questionnaire, end_rater, finish_instructions, next_step
from survey_site.forms.entering import ConsentForm, QuestionnaireForm
from survey_site.models import Rater, Study
from survey_site.rater_requests import rater_of, visited_study
from survey_site.studies import StudyClosed
from survey_site.voting.trials import RaterEnded, Standing, lease_trials

PAGES = {
    Step.CONSENT: "rate-consent",
    Step.QUESTIONNAIRE: "rate-questionnaire",
    Step.INSTRUCTIONS: "rate-instructions",
    Step.RATE: "rate-trial",
    Step.ENDED: "rate-ended",
}
StepView = Callable[[HttpRequest, Rater], HttpResponse]


def to_step(rater: Rater) -> HttpResponse:
    """Lead to the page of what comes next for the rater."""
    return redirect(PAGES[next_step(rater)], rater.study.slug)


def go_on(rater: Rater) -> HttpResponse:
    """Answer a POST that brought the rater a step further: lease the first pairs if it is time, and lead on."""
    if next_step(rater) is Step.RATE:
        try:
            queue = lease_trials(rater)
        except (StudyClosed, RaterEnded):
            return redirect("rate", rater.study.slug)
        if queue.standing is Standing.FINISHED:
            rater = end_rater(rater, Outcome.COMPLETE if queue.n_votes else Outcome.QUOTA_FULL)
    return to_step(rater)


def at_step(step: Step) -> Callable[[StepView], Callable[[HttpRequest, str], HttpResponse]]:
    """Decorate a page of one step: only a rater who is there sees it, everybody else is led to the right one."""

    def decorate(view: StepView) -> Callable[[HttpRequest, str], HttpResponse]:
        @never_cache
        @require_http_methods(["GET", "POST"])
        @wraps(view)
        def stepped(request: HttpRequest, slug: str) -> HttpResponse:
            study = visited_study(slug)
            rater = rater_of(request, study)
            if rater is None or study.status != Study.Status.OPEN:
                return redirect("rate", slug)
            return view(request, rater) if next_step(rater) is step else to_step(rater)

        return stepped

    return decorate


@at_step(Step.CONSENT)
def consent(request: HttpRequest, rater: Rater) -> HttpResponse:
    """Show the newest consent text, and take a yes or a no."""
    form = ConsentForm(request.POST or None)
    complaint = ""
    if form.is_valid():
        if not form.cleaned_data["agrees"]:
            return to_step(end_rater(rater, Outcome.NO_CONSENT))
        try:
            return go_on(accept_consent(rater, version=form.cleaned_data["version"]))
        except OutdatedConsent as error:
            complaint = str(error)
    context = {"study": rater.study, "text": newest_version(rater.study), "complaint": complaint or form.complaint}
    return render(request, "rating/consent.html", context, status=400 if context["complaint"] else 200)


@at_step(Step.QUESTIONNAIRE)
def questionnaire(request: HttpRequest, rater: Rater) -> HttpResponse:
    """Ask the study's questions about the rater; an answer may end the rater's part."""
    form = QuestionnaireForm(request.POST or None, items=rater.study.how.welcome.questionnaire)
    if form.is_valid():
        return go_on(answer_questionnaire(rater, form.answers))
    context = {"study": rater.study, "form": form}
    return render(request, "rating/questionnaire.html", context, status=400 if form.errors else 200)


@at_step(Step.INSTRUCTIONS)
def instructions(request: HttpRequest, rater: Rater) -> HttpResponse:
    """Show how it goes, with an example; leaving the page leases the first pairs."""
    if request.method == "POST":
        return go_on(finish_instructions(rater))
    example = rater.study.comparisons.for_practice().first()
    # The site's own explanations have translations, a researcher's are as they are written.
    explanation = _(example.explanation) if example is not None and example.explanation else ""
    context = {"study": rater.study, "example": example, "explanation": explanation}
    return render(request, "rating/instructions.html", context)
