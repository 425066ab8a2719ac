"""Invitations: one-time codes that let people into a study for invited raters."""

import csv
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO

from django.db import transaction
from django.utils.translation import gettext as _

from survey_site.design.designs import Outcome
from survey_site.models import CLEAR_LETTERS, Invitation, Study

CODE_PARAMETER = "code"
"""The name under which a link and the welcome page's form carry the code."""
# 31 ** 12 codes: 59 bits, which nobody guesses a study's few hundred out of, one request at a time.
CODE_LENGTH = 12
GROUP = 4
MOST_AT_ONCE = 5000
LONGEST_NOTE = 100


class InvalidInvitation(Exception):
    """The code lets nobody in; the message is for the rater."""


class TooManyInvitations(ValueError):
    """The invitations cannot be made as asked; the message says why."""


class State(StrEnum):
    """What became of an invitation."""

    UNUSED = "unused"
    ENTERED = "entered"
    COMPLETE = "complete"
    ENDED = "ended"
    """The rater's part ended otherwise: screened out, quota full, no consent, returned, timed out."""


@dataclass(frozen=True)
class Listed:
    """An invitation as a researcher reads it. path: with the code in it, on this site."""

    code: str
    note: str
    path: str
    state: State


def create_invitations(study: Study, n: int, *, notes: Sequence[str] = ()) -> list[Invitation]:
    """Draw `n` codes; the first get the notes, in their order. Raises `TooManyInvitations`."""
    if not 1 <= n <= MOST_AT_ONCE:
        raise TooManyInvitations(f"Between 1 and {MOST_AT_ONCE} invitations can be made at once, not {n}.")
    if len(notes) > n:
        raise TooManyInvitations(f"There are {len(notes)} notes for {n} invitations; ask for {len(notes)} or more.")
    padded = [*notes, *[""] * (n - len(notes))]
    rows = [Invitation(study=study, code=_drawn_code(), note=note[:LONGEST_NOTE]) for note in padded]
    with transaction.atomic():
        return Invitation.objects.bulk_create(rows, batch_size=500)


def notes_in(text: str) -> list[str]:
    """Return the notes of a pasted list or a file: one a line, empty lines left out."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def invitation_of(study: Study, code: str) -> Invitation:
    """Return the study's invitation with this code, however it was typed. Raises `InvalidInvitation`."""
    invitation = study.invitations.filter(code=_as_stored(code)).first()
    if invitation is None:
        raise InvalidInvitation(
            _("This code lets nobody into this study. Look at it again, or ask the person who sent it.")
        )
    return invitation


def as_spoken(code: str) -> str:
    """Return a code in groups that can be dictated: abcd-efgh-jkmn."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def listed(study: Study) -> list[Listed]:
    """Return the study's invitations, the oldest first."""
    invitations = study.invitations.select_related("rater").order_by("pk")
    return [
        Listed(
            code=as_spoken(invitation.code),
            note=invitation.note,
            path=f"{study.rating_path}?{CODE_PARAMETER}={as_spoken(invitation.code)}",
            state=state_of(invitation),
        )
        for invitation in invitations
    ]


def state_of(invitation: Invitation) -> State:
    """Return what became of an invitation."""
    rater = getattr(invitation, "rater", None)
    if rater is None:
        return State.UNUSED
    if not rater.outcome:
        return State.ENTERED
    return State.COMPLETE if rater.outcome == Outcome.COMPLETE else State.ENDED


def as_csv(invitations: Iterable[Listed], *, site: str = "") -> str:
    """Write invitations as a CSV table. site: what comes before the path, such as https://study.example.org."""
    table = StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("code", "note", "link", "state"))
    writer.writerows((row.code, _inert(row.note), f"{site}{row.path}", row.state) for row in invitations)
    return table.getvalue()


def _inert(note: str) -> str:
    """Return a note that no spreadsheet takes for a formula."""
    return f"'{note}" if note.startswith(("=", "+", "-", "@")) else note


def _drawn_code() -> str:
    return "".join(secrets.choice(CLEAR_LETTERS) for _number in range(CODE_LENGTH))


def _as_stored(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter in CLEAR_LETTERS)
