"""The last pages: how a rater's part ended and what there is to take along, or what is saved so far."""

from datetime import timedelta
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from survey_site.design.designs import Outcome
from survey_site.entrance.invitations import as_spoken
from survey_site.entrance.raters import Step, may_try_again, next_step
from survey_site.models import Rater, Study
from survey_site.rater_requests import box_of, rater_of, visited_study
from survey_site.views.arrivals import completion_of
from survey_site.voting.trials import Standing, queue_of

# Only a rater who has just come to the end is taken along; whoever opens the page again may want to read it.
JUST_NOW = timedelta(minutes=1)


class Words(NamedTuple):
    """What an ending says."""

    heading: str | Promise
    sentence: str | Promise


WORDS = {
    Outcome.COMPLETE: Words(_("Thank you!"), _("You have come to the end.")),
    Outcome.SCREENED_OUT: Words(
        _("This study ends here for you"),
        _("It looks for people who answer its first questions differently. You did nothing wrong. Thank you!"),
    ),
    Outcome.QUOTA_FULL: Words(
        _("All places are taken"), _("The study has found everybody it needs. Thank you for coming!")
    ),
    Outcome.NO_CONSENT: Words(
        _("You did not agree"),
        _("So you are asked nothing. If you change your mind, open the study again and read the text once more."),
    ),
    Outcome.RETURNED: Words(
        _("You have given your place back"), _("The platform that sent you told us so. The answers you gave are saved.")
    ),
    Outcome.TIMED_OUT: Words(
        _("The time is over"), _("The platform that sent you told us so. The answers you gave are saved.")
    ),
}
PLATFORMS = {"prolific": "Prolific", "mturk": "Mechanical Turk", "connect": "Connect"}


@never_cache
@require_GET
def ended(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how the rater's part ended, with the code or the way back to the platform, whenever it is asked for."""
    study = visited_study(slug)
    rater = rater_of(request, study)
    if rater is None:
        return redirect("rate", slug)
    if next_step(rater) is not Step.ENDED:
        return redirect("rate-thanks", slug)
    # Not a rater who withdrew: no cookie leads to that row any more.
    outcome = Outcome(rater.outcome)
    context = {
        "words": WORDS[outcome],
        "is_complete": outcome is Outcome.COMPLETE,
        "completion": completion_of(request, study, outcome),
        "platform": PLATFORMS.get(study.how.entry.platform, ""),
        "goes_on": outcome is Outcome.COMPLETE and _has_just_ended(rater),
        "may_try_again": study.status == Study.Status.OPEN and may_try_again(rater),
        **_kept(study, rater),
    }
    return render(request, "rating/ended.html", context)


@never_cache
@require_GET
def thanks(request: HttpRequest, slug: str) -> HttpResponse:
    """Thank a rater who stops for now: what is saved, and how to go on. No completion code before the end."""
    study = visited_study(slug)
    rater = rater_of(request, study)
    if rater is None:
        return redirect("rate", slug)
    if next_step(rater) is Step.ENDED:
        return redirect("rate-ended", slug)
    context = {
        "is_open": study.status == Study.Status.OPEN,
        "gives_code": bool(study.how.entry.endings),
        "is_over": queue_of(rater).standing is Standing.FINISHED,
        **_kept(study, rater),
    }
    return render(request, "rating/thanks.html", context)


def not_open(request: HttpRequest, study: Study, *, rater: Rater | None, reason: str) -> HttpResponse:
    """Say that the study takes no answers now, and that those given are kept."""
    words = Words(_("No answers are taken now"), reason)
    return render(request, "rating/ended.html", {"words": words, **_kept(study, rater)})


def _has_just_ended(rater: Rater) -> bool:
    return rater.ended_at is not None and timezone.now() - rater.ended_at < JUST_NOW


def _kept(study: Study, rater: Rater | None) -> dict[str, object]:
    """Return what every last page tells: how many answers are saved, and the code with which they can be erased."""
    if rater is None or rater.outcome == Outcome.NO_CONSENT:
        return {"study": study}
    return {
        "study": study,
        "n_votes": queue_of(rater).n_votes,
        "box": box_of(rater),
        "withdrawal_code": as_spoken(rater.withdrawal_code),
    }
