"""Raters are spoken to in their language, researchers in English."""

from typing import get_args

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import translation
from django.views.defaults import server_error

from survey_site.design.designs import Page
from survey_site.drafts import design_words
from survey_site.models import Study
from tests.factories import make_study

pytestmark = pytest.mark.django_db

ITEM = {"key": "age", "text": "How old are you?"}


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


def choose(client: Client, slug: str, language: str, *, then: str) -> HttpResponse:
    return client.post(f"/rate/{slug}/language/", {"language": language, "next": then})


def test_a_rater_chooses_a_language_and_comes_back_to_the_page_as_it_was(client: Client) -> None:
    link = f"/rate/{make_study().slug}/?somewhere=from"
    page = client.get(link, headers={"accept-language": "de"})
    assert f'name="next" value="{link}"' in page.text
    assert '<button class="act" name="language" value="ar" lang="ar">العربيّة</button>' in page.text
    assert 'value="de" lang="de" aria-current="true">Deutsch</button>' in page.text
    assert choose(client, link.split("/")[2], "ar", then=link).headers["Location"] == link
    page = client.get(link, headers={"accept-language": "de"})
    assert '<html lang="ar" dir="rtl"' in page.text
    assert "Cookie" in page.headers["Vary"]


def test_a_chosen_language_is_told_to_that_study_alone(client: Client) -> None:
    study = make_study()
    cookie = choose(client, study.slug, "ar", then="/").cookies["twinseed-language"]
    assert (cookie.value, cookie["path"]) == ("ar", f"/rate/{study.slug}/")
    assert (cookie["samesite"], cookie["httponly"]) == ("Lax", True)


@pytest.mark.parametrize("elsewhere", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_choosing_a_language_leads_to_no_other_site(client: Client, elsewhere: str) -> None:
    assert choose(client, make_study().slug, "ar", then=elsewhere).headers["Location"] == "/"


def test_a_language_that_is_not_offered_is_not_kept(client: Client) -> None:
    assert not choose(client, make_study().slug, "../../etc", then="/").cookies


def test_a_link_that_somebody_sends_changes_no_language(client: Client) -> None:
    slug = make_study().slug
    assert client.get(f"/rate/{slug}/language/", {"language": "ar"}).status_code == 405
    assert choose(client, "nobody-has-this", "ar", then="/").status_code == 404


def test_where_the_study_fixes_the_language_there_is_no_choice(client: Client) -> None:
    study = make_study()
    fix_language(study, "de")
    choose(client, study.slug, "ar", then="/")
    page = client.get(f"/rate/{study.slug}/")
    assert '<html lang="de"' in page.text
    assert "/language/" not in page.text


@pytest.mark.parametrize("design", [{"consent": "Yes?"}, {"instructions": "Look."}, {"questionnaire": [ITEM]}])
def test_every_step_before_the_first_pair_offers_the_choice(client: Client, design: dict[str, object]) -> None:
    slug = make_study(design={"welcome": design}).slug
    page = client.post(f"/rate/{slug}/enter/", follow=True)
    assert f'action="/rate/{slug}/language/"' in page.text


def test_a_form_that_is_refused_is_refused_in_the_raters_language() -> None:
    strict = Client(enforce_csrf_checks=True)
    page = strict.post(f"/rate/{make_study().slug}/enter/", headers={"accept-language": "de"})
    assert page.status_code == 403
    assert '<html lang="de"' in page.text


def test_a_study_can_fix_every_language_that_raters_are_spoken_to_in() -> None:
    spoken = {code for code, _ in settings.LANGUAGES}
    assert set(get_args(Page.model_fields["language"].annotation)) == {"", *spoken}
    assert design_words.LANGUAGES.keys() == {"", *spoken}


def test_the_api_speaks_the_language_it_is_asked_in(client: Client) -> None:
    path = f"/api/v1/studies/{make_study().slug}/trials/"
    assert "noch nicht" in client.get(path, headers={"accept-language": "de"}).json()["detail"]
    assert "press Start" in client.get(path, headers={"accept-language": "en"}).json()["detail"]


def test_a_link_that_leads_nowhere_says_so_in_the_raters_language(client: Client) -> None:
    page = client.get("/rate/nobody-has-this/", headers={"accept-language": "de"})
    assert page.status_code == 404
    assert "Unter dieser Adresse gibt es nichts" in page.text


def test_a_failure_of_ours_is_told_in_the_raters_language() -> None:
    with translation.override("ar"):
        page = server_error(RequestFactory().get("/"))
    assert page.status_code == 500
    assert '<html lang="ar" dir="rtl">' in page.text


def test_a_language_is_chosen_inside_mturks_frame_too(client: Client) -> None:
    entry = {"way": "platform", "platform": "mturk"}
    slug = make_study(design={"entry": entry}).slug
    path = f"/rate/{slug}/language/"
    answer = client.post(path, {"language": "de", "next": f"/rate/{slug}/"}, headers={"sec-fetch-dest": "iframe"})
    cookie = answer.cookies["twinseed-language"]
    assert (cookie["samesite"], cookie["path"]) == ("None", f"/rate/{slug}/")
    assert "Partitioned" in cookie.OutputString()
