"""Consent: the versions of what raters agree to, and their agreement. A version never changes."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from survey_site.models import ConsentText, Rater, Study


class ConsentNotChanged(Exception):
    """The study cannot have this text as a new version; the message says why."""


class OutdatedConsent(Exception):
    """The rater agreed to a text that has been replaced meanwhile."""


def write_first_version(study: Study) -> None:
    """Store the design's consent text as version 1, if it has one; for a study that opens the first time."""
    text = study.how.welcome.consent
    if text:
        ConsentText.objects.create(study=study, version=1, text=text)


def add_version(study: Study, text: str) -> ConsentText:
    """Replace the text that new raters are shown; whoever agreed to an earlier version keeps it.

    The text that stands already is returned as it is. Raises `ConsentNotChanged`.
    """
    text = text.strip()
    with transaction.atomic():
        study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        newest = _changeable(study)
        if not text:
            raise ConsentNotChanged("The new consent text is empty. Write what raters are to agree to.")
        if newest.text == text:
            return newest
        return ConsentText.objects.create(study=study, version=newest.version + 1, text=text)


def newest_version(study: Study) -> ConsentText | None:
    """Return the text that new raters are shown; None where the study asks for no consent."""
    return study.consent_texts.order_by("-version").first()


def accept_consent(rater: Rater, *, version: int) -> Rater:
    """Store that the rater agreed, to which version and when; the first time counts. Raises `OutdatedConsent`."""
    newest = newest_version(rater.study)
    if newest is None or newest.version != version:
        raise OutdatedConsent(_("This text has been changed a moment ago. Please read it again."))
    waiting = Rater.objects.filter(pk=rater.pk, consent__isnull=True, outcome="", withdrawn_at__isnull=True)
    waiting.update(consent=newest, consented_at=timezone.now())
    rater.refresh_from_db(fields=["consent", "consented_at"])
    return rater


def _changeable(study: Study) -> ConsentText:
    if study.status == Study.Status.DRAFT:
        raise ConsentNotChanged("The study is a draft. Change the consent text in its rating design.")
    if study.status == Study.Status.CLOSED:
        raise ConsentNotChanged("The study is closed: nobody can agree to a new text any more.")
    newest = newest_version(study)
    if newest is None:
        raise ConsentNotChanged(
            "The study opened without a consent text, so its raters were never asked. Set up another study to ask them."
        )
    return newest
