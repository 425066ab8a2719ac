"""The rater's API: the same verbs as the pages, the same refusals, as JSON."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from survey_site.models import Study, Trial, Vote
from survey_site.studies import close_study, pause_study
from tests.factories import make_study

pytestmark = pytest.mark.django_db


def enter(client: Client, study: Study) -> dict[str, Any]:
    client.post(reverse("rate-enter", args=[study.slug]))
    return client.get(reverse("api-trials", args=[study.slug])).json()


def vote(client: Client, code: object, data: object) -> Any:
    return client.post(reverse("api-vote", args=[code]), data, content_type="application/json")


def test_the_queue_holds_what_a_page_needs_and_nothing_more(client: Client) -> None:
    queue = enter(client, make_study(5))
    assert (queue["standing"], queue["n_votes"], queue["n_comparisons"]) == ("open", 0, 5)
    assert len(queue["trials"]) == 3
    assert set(queue["trials"][0]) == {"code", "key", "class_label", "left", "right", "width", "height", "is_practice"}


def test_rating_to_the_end_through_the_api(client: Client) -> None:
    study = make_study(5)
    queue = enter(client, study)
    while queue["trials"]:
        trial = queue["trials"][0]
        response = vote(client, trial["code"], {"choice": "right", "response_ms": 900, "key": trial["key"]})
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        queue = response.json()
    assert (queue["standing"], queue["n_votes"]) == ("finished", 5)
    assert Vote.objects.filter(choice="right", response_ms=900).count() == 5


def test_a_vote_sent_twice_counts_once_and_is_answered_twice(client: Client) -> None:
    trial = enter(client, make_study(5))["trials"][0]
    replies = [vote(client, trial["code"], {"choice": "left", "key": trial["key"]}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    codes = [[open_trial["code"] for open_trial in reply.json()["trials"]] for reply in replies]
    assert codes[0] == codes[1]
    assert Vote.objects.count() == 1


def test_another_choice_for_a_trial_is_a_conflict(client: Client) -> None:
    trial = enter(client, make_study(5))["trials"][0]
    vote(client, trial["code"], {"choice": "left", "key": trial["key"]})
    response = vote(client, trial["code"], {"choice": "right", "key": str(uuid4())})
    assert response.status_code == 409
    assert "Your first answer counts" in response.json()["detail"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"choice": "both"}, "not an answer"),
        ({}, "No answer came"),
        ([], "No answer came"),
        ({"choice": "left", "response_ms": -5}, "whole number of milliseconds"),
        ({"choice": "left", "response_ms": 1e12}, "whole number of milliseconds"),
        ({"choice": "left", "response_ms": "soon"}, "whole number of milliseconds"),
        ({"choice": "left", "key": "4711"}, "The key must be a UUID"),
        ("{", "JSON parse error"),
    ],
)
def test_what_is_no_vote_is_refused_with_a_sentence(client: Client, data: object, sentence: str) -> None:
    trial = enter(client, make_study(5))["trials"][0]
    response = vote(client, trial["code"], data)
    assert response.status_code == 400
    assert sentence in response.json()["detail"]
    assert not Vote.objects.exists()


def test_a_key_of_another_pair_is_refused(client: Client) -> None:
    first, second, _ = enter(client, make_study(5))["trials"]
    vote(client, first["code"], {"choice": "left", "key": first["key"]})
    response = vote(client, second["code"], {"choice": "left", "key": first["key"]})
    assert response.status_code == 400
    assert "key of another pair" in response.json()["detail"]


def test_forged_and_foreign_codes_are_not_found(client: Client) -> None:
    study = make_study(5)
    enter(client, study)
    for code in (uuid4(), Trial.objects.all()[0].code):
        response = vote(Client(), code, {"choice": "left"})
        assert response.status_code == 404
        assert "not one of yours" in response.json()["detail"]


def test_a_browser_that_has_not_entered_is_told_how(client: Client) -> None:
    response = client.get(reverse("api-trials", args=[make_study(2).slug]))
    assert response.status_code == 404
    assert "press Start" in response.json()["detail"]
    assert client.get(reverse("api-trials", args=["no-such-study"])).status_code == 404


@pytest.mark.parametrize(("act", "status"), [(pause_study, 409), (close_study, 410)])
def test_a_study_that_takes_no_votes_says_so(client: Client, act: object, status: int) -> None:
    study = make_study(5)
    trial = enter(client, study)["trials"][0]
    act(study)
    assert vote(client, trial["code"], {"choice": "left"}).status_code == status
    response = client.get(reverse("api-trials", args=[study.slug]))
    assert response.status_code == status
    assert response.json()["detail"].startswith("This study is")
    assert not Vote.objects.exists()


def test_another_site_cannot_make_a_browser_vote() -> None:
    client = Client(enforce_csrf_checks=True)
    study = make_study(2)
    page = client.get(study.rating_path).content.decode()
    token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    client.post(reverse("rate-enter", args=[study.slug]), {"csrfmiddlewaretoken": token})
    code = Trial.objects.all()[0].code
    assert vote(client, code, {"choice": "left"}).status_code == 403
    with_token = client.post(
        reverse("api-vote", args=[code]),
        {"choice": "left"},
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    assert with_token.status_code == 200
