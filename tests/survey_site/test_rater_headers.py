import pytest
from django.test import Client

from tests.factories import make_study

pytestmark = pytest.mark.django_db
MTURK = {"entry": {"way": "platform", "platform": "mturk"}}
WORKER = {"workerId": "A1", "assignmentId": "3X", "hitId": "H", "turkSubmitTo": "https://www.mturk.com"}
FRAMED = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}


def test_search_engines_list_no_page_of_a_rater(client: Client) -> None:
    study = make_study()
    assert client.get(study.rating_path)["X-Robots-Tag"] == "noindex, nofollow"
    assert client.get("/rate/nowhere/")["X-Robots-Tag"] == "noindex, nofollow"
    assert client.get(f"/api/v1/studies/{study.slug}/trials/")["X-Robots-Tag"] == "noindex, nofollow"
    assert "X-Robots-Tag" not in client.get("/")


def test_robots_are_asked_to_stay_away_and_told_of_no_study(client: Client) -> None:
    study = make_study()
    reply = client.get("/robots.txt")
    assert reply["Content-Type"] == "text/plain"
    assert reply.content.decode().splitlines()[:2] == ["User-agent: *", "Disallow: /rate/"]
    assert study.slug not in reply.content.decode()


def test_no_other_site_may_frame_a_rater_s_page(client: Client) -> None:
    study = make_study()
    for headers in ({}, FRAMED):
        assert client.get(study.rating_path, headers=headers)["X-Frame-Options"] == "DENY"


def test_amazon_s_worker_sites_may_frame_the_pages_of_an_mturk_study(client: Client) -> None:
    study = make_study(design=MTURK)
    reply = client.get(study.rating_path, WORKER, headers=FRAMED)
    assert "X-Frame-Options" not in reply
    policy = reply["Content-Security-Policy"]
    assert policy.startswith("frame-ancestors https://worker.mturk.com https://workersandbox.mturk.com")
    assert "*" not in policy


def test_an_mturk_study_s_page_outside_a_frame_stays_as_it_was(client: Client) -> None:
    reply = client.get(make_study(design=MTURK).rating_path, WORKER)
    assert reply["X-Frame-Options"] == "DENY"
    assert reply.cookies["csrftoken"]["samesite"] == "Lax"


def test_researchers_pages_are_framed_by_nobody(client: Client) -> None:
    study = make_study(design=MTURK)
    assert client.get(f"/studies/{study.slug}/", headers=FRAMED)["X-Frame-Options"] == "DENY"
    assert client.get("/sign-in/", headers=FRAMED)["X-Frame-Options"] == "DENY"


def test_every_cookie_that_a_frame_gets_can_come_back_from_it(client: Client) -> None:
    study = make_study(design=MTURK)
    client.get(study.rating_path, WORKER, headers=FRAMED)
    reply = client.post(f"{study.rating_path}enter/", WORKER, headers=FRAMED)
    assert reply.status_code == 302
    cookies = [cookie.OutputString() for cookie in reply.cookies.values()]
    assert any(cookie.startswith("twinseed-rater-") and "HttpOnly" in cookie for cookie in cookies)
    for cookie in cookies:
        assert "SameSite=None" in cookie
        assert "; Secure" in cookie
        assert cookie.endswith("; Partitioned")


def test_the_rater_s_cookie_is_signed_and_kept_from_scripts_and_other_sites(client: Client) -> None:
    study = make_study()
    cookie = client.post(f"{study.rating_path}enter/").cookies[f"twinseed-rater-{study.pk}"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie.value.count(":") == 2
    client.cookies[cookie.key] = cookie.value.replace(cookie.value[:8], "0" * 8)
    assert client.get(f"/api/v1/studies/{study.slug}/trials/").status_code == 404
