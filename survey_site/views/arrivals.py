"""Who comes: a person that a platform sent, someone with an invitation, or anybody; and what they bring for the end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponse

from survey_site.design.designs import Outcome
from survey_site.entrance.invitations import CODE_PARAMETER, invitation_of
from survey_site.entrance.platforms import MTURK, Completion, Person, completion, parameters_of, person_of
from survey_site.entrance.raters import person_hash, submission_hash
from survey_site.models import Invitation, Rater, Study

SALT = "survey_site.arrival"
WEEK = 7 * 24 * 60 * 60
VISIT = "visit"
"""The field with which an open link's page makes two presses of Start one rater."""


@dataclass(frozen=True)
class Arrival:
    """Who comes. Both are empty where the link is open to anybody."""

    person: Person | None = None
    invitation: Invitation | None = None

    def is_of(self, rater: Rater) -> bool:
        """Whether this is the rater whom the browser remembers, in the same submission; anybody may be."""
        if self.invitation is not None:
            return rater.invitation_id == self.invitation.pk
        if self.person is None:
            return True
        submission = submission_hash(rater.study, self.person)
        is_same = rater.person_hash == person_hash(rater.study, self.person)
        return is_same and (not submission or rater.submission_hash == submission)


def arrival_of(study: Study, parameters: Mapping[str, str]) -> Arrival:
    """Read who comes from a link or form. Raises `MissingPerson` or `InvalidInvitation`."""
    entry = study.how.entry
    if entry.way == "platform":
        return Arrival(person=person_of(parameters, entry))
    if entry.way == "invited":
        return Arrival(invitation=invitation_of(study, parameters.get(CODE_PARAMETER, "")))
    return Arrival()


def visitor(parameters: Mapping[str, str]) -> Person | None:
    """Return the person that one look at an open link's page stands for: pressed twice, it is the same rater."""
    visit = parameters.get(VISIT, "")
    return Person(platform="", person_id=visit) if visit else None


def carried(study: Study, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a platform's link that the page's form carries on."""
    entry = study.how.entry
    if entry.way != "platform":
        return {}
    return {name: parameters[name] for name in parameters_of(entry) if name in parameters}


def remember_way(response: HttpResponse, study: Study, parameters: Mapping[str, str]) -> None:
    """Keep in the browser what MTurk wants back at the end; the server stores no plain id for it."""
    brought = carried(study, parameters)
    if not brought or study.how.entry.platform != MTURK:
        return
    response.set_signed_cookie(
        _cookie_name(study),
        json.dumps(brought),
        salt=SALT,
        max_age=WEEK,
        httponly=True,
        samesite="Lax",
        secure=settings.SECURE_COOKIES,
    )


def completion_of(request: HttpRequest, study: Study, outcome: Outcome) -> Completion:
    """Return the code, the address or the form that a rater of this browser is given at the end."""
    return completion(study.how.entry, outcome, parameters=_way(request, study))


def _way(request: HttpRequest, study: Study) -> dict[str, str]:
    try:
        cookie = request.get_signed_cookie(_cookie_name(study), default="{}", salt=SALT)
        brought: dict[str, str] = json.loads(cookie or "{}")
    except (BadSignature, ValueError):
        # Forged or from before a change of the key: then there is a code to copy, and no form.
        return {}
    return brought


def _cookie_name(study: Study) -> str:
    return f"twinseed-way-{study.pk}"
