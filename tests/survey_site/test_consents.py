"""Consent texts have versions that never change, and every agreement names the one that was read."""

import pytest

from survey_site.consents import ConsentNotChanged, OutdatedConsent, accept_consent, add_version, newest_version
from survey_site.design.designs import Outcome
from survey_site.entrance.raters import Step, end_rater, next_step
from survey_site.models import ConsentText, Rater
from survey_site.studies import close_study, open_study, pause_study
from tests.factories import make_draft, make_rater, make_study

pytestmark = pytest.mark.django_db

ASKING = {"welcome": {"consent": "May we?"}}


def test_opening_writes_the_designs_text_as_the_first_version_and_reopening_no_other() -> None:
    study = make_study(2, design=ASKING)
    open_study(pause_study(study))
    assert [(text.version, text.text) for text in study.consent_texts.all()] == [(1, "May we?")]


def test_a_study_without_a_text_has_no_version_and_asks_nobody() -> None:
    study = make_study(2)
    assert newest_version(study) is None
    assert next_step(make_rater(study)) is Step.RATE


def test_agreeing_stores_the_version_and_the_moment_once() -> None:
    study = make_study(2, design=ASKING)
    rater = accept_consent(make_rater(study), version=1)
    assert rater.consent == newest_version(study)
    moment = rater.consented_at
    assert moment is not None
    assert accept_consent(rater, version=1).consented_at == moment


def test_a_new_version_is_for_new_raters_and_the_others_keep_theirs() -> None:
    study = make_study(2, design=ASKING)
    early, reading = make_rater(study), make_rater(study)
    accept_consent(early, version=1)
    assert add_version(study, " May we, please? ").version == 2
    with pytest.raises(OutdatedConsent, match="read it again"):
        accept_consent(reading, version=1)
    assert next_step(reading) is Step.CONSENT
    accept_consent(reading, version=2)
    versions = Rater.objects.order_by("pk").values_list("consent__version", "consent__text")
    assert list(versions) == [(1, "May we?"), (2, "May we, please?")]
    assert next_step(early) is Step.RATE


def test_the_text_that_stands_makes_no_new_version() -> None:
    study = make_study(2, design=ASKING)
    assert add_version(study, "May we?").version == 1
    assert ConsentText.objects.count() == 1


def test_a_rater_who_has_ended_agrees_to_nothing() -> None:
    rater = end_rater(make_rater(make_study(2, design=ASKING)), Outcome.NO_CONSENT)
    assert accept_consent(rater, version=1).consent is None


def test_a_text_that_cannot_change_says_why() -> None:
    study = make_study(2, design=ASKING)
    with pytest.raises(ConsentNotChanged, match="empty"):
        add_version(study, "  ")
    with pytest.raises(ConsentNotChanged, match="draft"):
        add_version(make_draft(2), "May we?")
    with pytest.raises(ConsentNotChanged, match="opened without a consent text"):
        add_version(make_study(2), "May we?")
    with pytest.raises(ConsentNotChanged, match="closed"):
        add_version(close_study(study), "May we not?")
