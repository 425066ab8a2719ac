"""Raters: anonymous, one a person and study. How they enter, what they pass before the first pair, how they end.

Whoever counts places locks the study first and the rater second, so that two people at one moment never share the
last place. An ending is final: the first one counts. Only a rater who did not agree, or came when everything was
taken and answered nothing, may try again; and one whom the platform took out and sends again with a new submission.
"""

import hmac
from collections.abc import Mapping
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from survey_site.design.designs import Item, Option, Outcome, Welcome
from survey_site.entrance.platforms import Person
from survey_site.models import Answer, Invitation, Rater, Study, new_withdrawal_code
from survey_site.studies import require_open

# The platform ended the rater's part, not the rater and not the study.
TAKEN_OUT = (Outcome.RETURNED, Outcome.TIMED_OUT)


class NotYetRating(Exception):
    """The rater has something to read or answer before the first pair; the message says so."""


class Step(StrEnum):
    """What comes next for a rater."""

    CONSENT = "consent"
    QUESTIONNAIRE = "questionnaire"
    INSTRUCTIONS = "instructions"
    RATE = "rate"
    ENDED = "ended"


def enter_study(study: Study, *, person: Person | None = None, invitation: Invitation | None = None) -> Rater:
    """Let a rater in, or return the one that this person or invitation already is, on whatever device.

    Where every place is taken, or every comparison has its votes, the rater comes back ended with `QUOTA_FULL`.
    Who must bring a person or an invitation is the door's to ask. Raises `StudyClosed` or `StudyPaused`; for a
    known rater never, who may come for the code of an ending.
    """
    with transaction.atomic():
        study = _locked_study(study.pk)
        rater = _known(study, person=person, invitation=invitation)
        if rater is None:
            require_open(study)
            return _new(study, person=person, invitation=invitation)
        rater.study = study
        return _returned(rater, person=person)


def resume_rater(rater: Rater) -> Rater:
    """Let a rater whom the browser remembers try again, where the ending allows it; else change nothing."""
    if not may_try_again(rater):
        return rater
    with transaction.atomic():
        rater.study = _locked_study(rater.study_id)
        return _returned(rater, person=None)


def next_step(rater: Rater) -> Step:
    """Return what the rater has to do next; a rater who is rating costs no query."""
    if rater.outcome or rater.withdrawn_at is not None:
        return Step.ENDED
    if rater.external_id:
        # Out of an imported table, or a program: nobody who reads.
        return Step.RATE
    welcome = rater.study.how.welcome
    if welcome.consent and rater.consent_id is None:
        return Step.CONSENT
    if rater.instructed_at is not None:
        return Step.RATE
    if welcome.questionnaire and not rater.answers.exists():
        return Step.QUESTIONNAIRE
    return Step.INSTRUCTIONS if instructs(welcome) else Step.RATE


def may_try_again(rater: Rater) -> bool:
    """Tell whether the rater's ending can be undone: no agreement, or no place and nothing answered."""
    turned_away = rater.outcome == Outcome.QUOTA_FULL and not rater.answers.exists() and not rater.trials.exists()
    return rater.outcome == Outcome.NO_CONSENT or turned_away


def instructs(welcome: Welcome) -> bool:
    """Tell whether there is a page of instructions; where there is none, the first page says how it goes."""
    return bool(welcome.instructions or welcome.practice)


def require_rating(rater: Rater) -> None:
    """Raise `NotYetRating` where something comes before the first pair; a rater who has ended passes."""
    if next_step(rater) not in {Step.RATE, Step.ENDED}:
        raise NotYetRating(_("There is something to read or answer first. Open the study's page to continue."))


def answer_questionnaire(rater: Rater, answers: Mapping[str, str]) -> Rater:
    """Store the answers by the items' keys; one that screens out, or whose quota is full, ends the rater.

    The first answers count: sent again, they change nothing.
    """
    with transaction.atomic():
        study = _locked_study(rater.study_id)
        rater = _locked(rater)
        if rater.outcome or rater.answers.exists():
            return rater
        items = study.how.welcome.questionnaire
        outcome = _outcome_of(study, [_chosen(item, answers) for item in items])
        # An empty answer has its row too: it tells that the question was asked.
        Answer.objects.bulk_create(Answer(rater=rater, item=i.key, text=answers.get(i.key, "")) for i in items)
        return _end(rater, outcome) if outcome else rater


def finish_instructions(rater: Rater) -> Rater:
    """Note that the rater has left the instructions; only the first time counts."""
    if next_step(rater) is Step.INSTRUCTIONS:
        Rater.objects.filter(pk=rater.pk, instructed_at__isnull=True).update(instructed_at=timezone.now())
        rater.refresh_from_db(fields=["instructed_at"])
    return rater


def end_rater(rater: Rater, outcome: Outcome) -> Rater:
    """End the rater's part; where it has ended already, the first outcome stays."""
    with transaction.atomic():
        rater = _locked(rater)
        return rater if next_step(rater) is Step.ENDED else _end(rater, outcome)


def person_hash(study: Study, person: Person) -> str:
    """Return the keyed hash by which a study knows a person again; no two studies' hashes can be joined."""
    return _keyed(study, "person", person.platform, person.person_id)


def submission_hash(study: Study, person: Person) -> str:
    """Return the keyed hash of what the platform calls this person's part; empty where it has no name for it."""
    return _keyed(study, "submission", person.platform, person.submission_id) if person.submission_id else ""


def _keyed(study: Study, *parts: str) -> str:
    return hmac.new(study.secret.encode(), "\0".join(parts).encode(), "sha256").hexdigest()


def _locked_study(pk: int) -> Study:
    return Study.objects.select_for_update(no_key=True).get(pk=pk)


def _locked(rater: Rater) -> Rater:
    return Rater.objects.select_for_update(of=("self",), no_key=True).select_related("study").get(pk=rater.pk)


def _known(study: Study, *, person: Person | None, invitation: Invitation | None) -> Rater | None:
    if invitation is not None:
        return study.raters.filter(invitation=invitation).first()
    return study.raters.filter(person_hash=person_hash(study, person)).first() if person else None


def _new(study: Study, *, person: Person | None, invitation: Invitation | None) -> Rater:
    rater = Rater(study=study, invitation=invitation, withdrawal_code=new_withdrawal_code())
    if person is not None:
        rater.platform = person.platform
        rater.person_hash, rater.submission_hash = person_hash(study, person), submission_hash(study, person)
        rater.platform_id = person.person_id if person.platform and study.how.entry.keeps_platform_ids else ""
    if not _has_place(study):
        rater.outcome, rater.ended_at = Outcome.QUOTA_FULL, timezone.now()
    rater.save(force_insert=True)
    return rater


def _returned(rater: Rater, *, person: Person | None) -> Rater:
    """Take up a new submission of the same person, and give a place to a rater who may try again."""
    study, rater = rater.study, _locked(rater)
    submission = submission_hash(study, person) if person is not None else ""
    is_sent_again = bool(submission) and submission != rater.submission_hash and rater.outcome in {"", *TAKEN_OUT}
    if is_sent_again:
        rater.submission_hash = submission
    may_go_on = may_try_again(rater) or (is_sent_again and rater.outcome != "")
    if may_go_on and study.status == Study.Status.OPEN and _has_place(study):
        rater.outcome, rater.ended_at = "", None
    rater.save(update_fields=["submission_hash", "outcome", "ended_at"])
    return rater


def _has_place(study: Study) -> bool:
    wanted = study.how.entry.raters_wanted
    if wanted is not None and _with_place(study.raters.all()).count() >= wanted:
        return False
    if study.votes_wanted is None:
        return True
    # What others hold may come back; the raters' pages say so to whoever waits for it.
    normal = study.comparisons.normal()
    return normal.under_target().exists() or normal.filter(n_open__gt=0).exists()


def _with_place(raters: QuerySet[Rater]) -> QuerySet[Rater]:
    """Keep the raters who take a place: those still at it, and those who completed."""
    return raters.filter(Q(outcome="") | Q(outcome=Outcome.COMPLETE), withdrawn_at__isnull=True)


def _chosen(item: Item, answers: Mapping[str, str]) -> tuple[Item, Option | None]:
    text = answers.get(item.key, "")
    return item, next((option for option in item.options if option.text == text), None)


def _outcome_of(study: Study, chosen: list[tuple[Item, Option | None]]) -> Outcome | None:
    """Return how the chosen options end the rater's part, if they do; screening out goes before a full quota."""
    options = [(item, option) for item, option in chosen if option is not None]
    if any(option.screens_out for _item, option in options):
        return Outcome.SCREENED_OUT
    if any(_is_full(study, item=item, option=option) for item, option in options):
        return Outcome.QUOTA_FULL
    return None


def _is_full(study: Study, *, item: Item, option: Option) -> bool:
    if option.quota is None:
        return False
    alike = study.raters.filter(answers__item=item.key, answers__text=option.text)
    return _with_place(alike).count() >= option.quota


def _end(rater: Rater, outcome: Outcome) -> Rater:
    rater.outcome, rater.ended_at = outcome, timezone.now()
    rater.save(update_fields=["outcome", "ended_at"])
    return rater
