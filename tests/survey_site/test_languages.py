"""Raters are spoken to in their language, researchers in English."""

import pytest
from django.test import Client

from survey_site.models import Study
from tests.factories import make_study

pytestmark = pytest.mark.django_db


def fix_language(study: Study, language: str) -> None:
    study.design["page"]["language"] = language
    study.save(update_fields=["design"])


@pytest.mark.parametrize(("accepts", "language", "direction"), [("de-CH, en;q=0.5", "de", "ltr"), ("ar", "ar", "rtl")])
def test_a_browser_is_answered_in_its_language(client: Client, accepts: str, language: str, direction: str) -> None:
    page = client.get(f"/rate/{make_study().slug}/", headers={"accept-language": accepts})
    assert f'<html lang="{language}" dir="{direction}"' in page.text
    assert page.headers["Content-Language"] == language
    assert "Accept-Language" in page.headers["Vary"]


def test_a_language_that_is_not_spoken_is_answered_in_english(client: Client) -> None:
    page = client.get(f"/rate/{make_study().slug}/", headers={"accept-language": "tlh"})
    assert '<html lang="en" dir="ltr"' in page.text


def test_a_study_can_fix_the_language(client: Client) -> None:
    study = make_study()
    fix_language(study, "de")
    page = client.get(f"/rate/{study.slug}/", headers={"accept-language": "ar"})
    assert '<html lang="de"' in page.text


def test_researchers_pages_stay_english_and_no_language_leaks_into_the_next_request(client: Client) -> None:
    client.get(f"/rate/{make_study().slug}/", headers={"accept-language": "de"})
    page = client.get("/sign-in/", headers={"accept-language": "de"})
    assert "Content-Language" not in page.headers
    assert "Sign in" in page.text
