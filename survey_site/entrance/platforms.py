"""Crowd platforms: what they call their people in a URL, and where these go at the end.

A platform sends a person with parameters in the link: Prolific, Mechanical Turk (MTurk) and CloudResearch Connect
have fixed names for them, any other has those that the study's design names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from django.utils.translation import gettext as _

from survey_site.design.designs import Ending, Entry, Outcome

PROLIFIC, MTURK, CONNECT, OTHER = "prolific", "mturk", "connect", "other"
PROLIFIC_COMPLETION = "https://app.prolific.com/submissions/complete?cc={code}"
# The only hosts that a worker's browser is made to post to.
MTURK_HOSTS = ("www.mturk.com", "workersandbox.mturk.com")
MTURK_SUBMIT = "/mturk/externalSubmit"
# What MTurk sends as the assignment while a worker only looks.
MTURK_PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
LONGEST_ID = 200
# Ids of all four kinds, and e-mail addresses; a placeholder such as {{%PROLIFIC_PID%}} that was not filled in is none.
ID = re.compile(r"[A-Za-z0-9._:@+=~-]+")

# The words of Prolific, of MTurk's notifications, and our own for a bridge; written as `outcome_of` reads them.
OUTCOMES = {
    "returned": Outcome.RETURNED,
    "assignmentreturned": Outcome.RETURNED,
    "timed_out": Outcome.TIMED_OUT,
    "assignmentabandoned": Outcome.TIMED_OUT,
    "screened_out": Outcome.SCREENED_OUT,
}


class MissingPerson(Exception):
    """The link does not say who comes; the message says what to do."""


class PreviewOnly(MissingPerson):
    """Somebody looks at the task on MTurk and has not accepted it."""


class Names(NamedTuple):
    """The names of a platform's URL parameters. kept: others that are needed at the end."""

    person: str
    submission: str
    kept: tuple[str, ...] = ()


NAMES = {
    PROLIFIC: Names("PROLIFIC_PID", "SESSION_ID", kept=("STUDY_ID",)),
    MTURK: Names("workerId", "assignmentId", kept=("hitId", "turkSubmitTo")),
    CONNECT: Names("participantId", "assignmentId", kept=("projectId",)),
}


@dataclass(frozen=True)
class Person:
    """Whom a platform sent. submission_id: its name for this person's part in the study; may be empty."""

    platform: str
    person_id: str
    submission_id: str = ""


@dataclass(frozen=True)
class PostedForm:
    """A form that the rater's browser posts to the platform."""

    action: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Completion:
    """What a rater is given at the end: a code to copy, an address to go on to, a form to post; or none of them."""

    code: str = ""
    url: str = ""
    form: PostedForm | None = None


def parameters_of(entry: Entry) -> tuple[str, ...]:
    """Return the names of the URL parameters to carry from the first page to the last."""
    names = _names(entry)
    return tuple(name for name in (names.person, names.submission, *names.kept) if name)


def person_of(parameters: Mapping[str, str], entry: Entry) -> Person:
    """Read who comes from the URL parameters. Raises `MissingPerson` or, for a look on MTurk, `PreviewOnly`."""
    names = _names(entry)
    if entry.platform == MTURK and parameters.get(names.submission) == MTURK_PREVIEW:
        raise PreviewOnly(_("This is a preview. Accept the HIT on MTurk to begin."))
    person_id = parameters.get(names.person, "")
    if not person_id:
        raise MissingPerson(
            _("Your link lacks {name}, which says who you are. Open the study from the platform again.").format(
                name=names.person
            )
        )
    submission_id = parameters.get(names.submission, "") if names.submission else ""
    return Person(
        entry.platform,
        person_id=_checked(person_id, name=names.person),
        submission_id=_checked(submission_id, name=names.submission) if submission_id else "",
    )


def completion(entry: Entry, outcome: Outcome, *, parameters: Mapping[str, str]) -> Completion:
    """Return what a rater with this outcome is given. parameters: those of `parameters_of` that the rater brought."""
    ending = entry.endings.get(outcome, Ending())
    url = ending.url
    if not url and ending.code and entry.platform == PROLIFIC:
        url = PROLIFIC_COMPLETION
    # Who did not take part returns the HIT, unless the study has an ending for that, which may pay for the time.
    is_submitted = outcome is Outcome.COMPLETE or outcome in entry.endings
    form = _mturk_form(ending, parameters) if entry.platform == MTURK and is_submitted else None
    return Completion(code=ending.code, url=url.replace("{code}", ending.code), form=form)


def outcome_of(status: str) -> Outcome | None:
    """Return how a platform's status ends a rater's part; None where it does not."""
    return OUTCOMES.get(status.strip().lower().replace("-", "_").replace(" ", "_"))


def _names(entry: Entry) -> Names:
    return NAMES.get(entry.platform) or Names(entry.person_parameter, entry.submission_parameter)


def _checked(said: str, *, name: str) -> str:
    if len(said) <= LONGEST_ID and ID.fullmatch(said):
        return said
    raise MissingPerson(
        _(
            "{name} in your link is no id: an id has at most {longest} letters, digits and signs, and no spaces. "
            "Open the study from the platform again."
        ).format(name=name, longest=LONGEST_ID)
    )


def _mturk_form(ending: Ending, parameters: Mapping[str, str]) -> PostedForm | None:
    """Return the form by which MTurk learns that the worker is done; it wants one field besides the assignment."""
    names = NAMES[MTURK]
    assignment = parameters.get(names.submission, "")
    action = _mturk_action(parameters.get("turkSubmitTo", ""))
    if not action or not ID.fullmatch(assignment) or assignment == MTURK_PREVIEW:
        return None
    return PostedForm(action, fields=((names.submission, assignment), ("code", ending.code or "complete")))


def _mturk_action(submit_to: str) -> str:
    """Return Amazon's address for finished work, or nothing: anybody can write a turkSubmitTo into a link."""
    try:
        parts = urlsplit(submit_to)
    except ValueError:
        return ""
    is_amazon = parts.scheme == "https" and parts.netloc in MTURK_HOSTS
    return f"https://{parts.netloc}{MTURK_SUBMIT}" if is_amazon else ""
