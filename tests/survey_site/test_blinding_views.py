"""The researcher's page about a study's blinding."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from survey_site.models import Rater, Study
from survey_site.studies import create_study
from tests.factories import make_study_with_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create(username="researcher"))
    return client


def page_of(client: Client, study: Study, *, press: bool = False) -> str:
    """Open the page, or press its button."""
    path = reverse("study-blinding", args=[study.slug])
    return (client.post(path) if press else client.get(path)).content.decode()


def test_looking_audits_nothing_and_pressing_does(researcher: Client) -> None:
    study = make_study_with_files(3)
    assert (
        reverse("study-blinding", args=[study.slug])
        in researcher.get(reverse("study", args=[study.slug])).content.decode()
    )
    assert "robust against vanilla" not in page_of(researcher, study)
    pressed = page_of(researcher, study, press=True)
    assert "No alarm." in pressed
    assert "robust against vanilla" in pressed
    assert "3 pairs are too few to find anything" in pressed
    assert not Rater.objects.exists()


def test_the_last_audit_stays_on_the_page(researcher: Client) -> None:
    study = make_study_with_files(3)
    page_of(researcher, study, press=True)
    assert "3 pairs played on" in page_of(researcher, study)
    assert "played on" not in page_of(researcher, make_study_with_files(3))


def test_an_alarm_stands_on_top_with_its_remedy(
    researcher: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is: all the pairs.
    monkeypatch.setattr("survey_site.views.blinding.SECONDS", 300.0)
    study = make_study_with_files(20)
    settings.MIDDLEWARE = ["tests.survey_site.planted_leaks.StorageHeader", *settings.MIDDLEWARE]
    page = page_of(researcher, study, press=True)
    assert "Alarm: something besides the images tells the arms apart." in page
    assert "<b>Header X-Served-By</b> guesses the arm right in" in page
    assert "remove it where it is set" in page


def test_a_study_that_cannot_be_audited_says_why(researcher: Client) -> None:
    study = create_study(owner=None, title="draft", arms=[], batches=[])
    assert "The study cannot be audited." in page_of(researcher, study, press=True)


def test_strangers_and_raters_see_no_audit(client: Client) -> None:
    study = make_study_with_files(2)
    for send in (client.get, client.post):
        response = send(reverse("study-blinding", args=[study.slug]))
        assert response.status_code == 302
        assert response.headers["Location"].startswith(reverse("login"))
