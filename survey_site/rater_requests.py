"""What the rating pages and the API share: who is asking, whose trial it is, which status a refusal has.

A rater is known by a signed cookie, one a study, so that two studies on one server cannot be joined.
"""

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from survey_site.models import Rater, Study, Trial
from survey_site.querysets import TrialQuerySet
from survey_site.studies import StudyClosed, StudyPaused
from survey_site.voting.trials import InvalidVote, KeyReused, RaterEnded, VoteRefused
from survey_site.voting.trials import UnknownTrial as UnknownTrial

SALT = "survey_site.rater"
COOKIE = "twinseed-rater-"
YEAR = 365 * 24 * 60 * 60


def visited_study(slug: str) -> Study:
    """Return the study that a rater asks for. Raises `Http404`: a draft is as unknown as a slug that nobody has."""
    return get_object_or_404(Study.objects.exclude(status=Study.Status.DRAFT), slug=slug)


def rater_of(request: HttpRequest, study: Study) -> Rater | None:
    """Return the rater this browser is in the study; None for a browser that has not entered."""
    code = _code_in_cookie(request, study.pk)
    rater = None if code is None else study.raters.filter(code=code).first()
    if rater is not None:
        rater.study = study
    return rater


def known_codes(request: HttpRequest) -> list[str]:
    """Return the codes of all raters that this browser is, one a study; forged cookies are none."""
    study_ids = (name.removeprefix(COOKIE) for name in request.COOKIES if name.startswith(COOKIE))
    codes = (_code_in_cookie(request, int(study_id)) for study_id in study_ids if study_id.isdecimal())
    return [str(code) for code in codes if code is not None]


def remember_rater(response: HttpResponseBase, rater: Rater) -> None:
    """Give the browser the cookie by which it is known."""
    response.set_signed_cookie(
        _cookie_name(rater.study_id),
        str(rater.code),
        salt=SALT,
        max_age=YEAR,
        httponly=True,
        samesite="Lax",
        secure=settings.SECURE_COOKIES,
    )


def box_of(rater: Rater) -> str:
    """Return the name under which the rater's browser keeps answers not sent yet; it says nothing else."""
    return salted_hmac(f"{SALT}.box", str(rater.code)).hexdigest()[:16]


def own_trial(request: HttpRequest, code: UUID, *, among: TrialQuerySet) -> Trial:
    """Return the trial with this code if this browser's rater has it. Raises `UnknownTrial`."""
    trial = among.select_related("rater__study").filter(code=code).first()
    if trial is None or _code_in_cookie(request, trial.rater.study_id) != trial.rater.code:
        raise UnknownTrial(_("This pair is not one of yours. Open the study's page to continue."))
    return trial


def status_of(refusal: VoteRefused | StudyClosed) -> int:
    """Return the HTTP status that tells a program what the message tells a person."""
    if isinstance(refusal, KeyReused | InvalidVote):
        return 400
    if isinstance(refusal, RaterEnded):
        return 410
    return 409 if isinstance(refusal, VoteRefused | StudyPaused) else 410


def _cookie_name(study_id: int) -> str:
    return f"{COOKIE}{study_id}"


def _code_in_cookie(request: HttpRequest, study_id: int) -> UUID | None:
    name = _cookie_name(study_id)
    if name not in request.COOKIES:
        return None
    try:
        return UUID(request.get_signed_cookie(name, salt=SALT))
    except (BadSignature, ValueError):
        # Forged, or signed with a key that has been changed since: a stranger, who may enter anew.
        return None
