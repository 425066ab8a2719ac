"""The rater's API: the same verbs as the pages, the same refusals, as JSON."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from survey_site.design.designs import Outcome
from survey_site.entrance.raters import end_rater
from survey_site.models import Rater, Study, Trial, Vote
from survey_site.studies import close_study, pause_study
from survey_site.voting.checks import expected_choice
from survey_site.voting.trials import lease_trials
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


# --- replies, replays, taking back ---


def test_a_vote_sent_again_is_answered_byte_for_byte(client: Client) -> None:
    trial = enter(client, make_study(8))["trials"][0]
    body = {"choice": "left", "response_ms": 700, "key": trial["key"]}
    first, again = (vote(client, trial["code"], body) for _ in range(2))
    assert first.content == again.content
    code = Trial.objects.values_list("rater__study__slug", flat=True)[0]
    assert client.get(reverse("api-trials", args=[code])).content == first.content


def test_two_browsers_of_one_person_see_the_same_pair_on_the_same_sides(client: Client) -> None:
    study = make_study(8)
    queue = enter(client, study)
    other = Client()
    other.cookies = client.cookies
    assert enter(other, study) == queue
    after = vote(other, queue["trials"][0]["code"], {"choice": "left", "key": queue["trials"][0]["key"]}).json()
    assert client.get(reverse("api-trials", args=[study.slug])).json() == after


def test_the_last_answer_is_offered_with_a_key_of_its_own_and_taken_back(client: Client) -> None:
    trial = enter(client, make_study(5))["trials"][0]
    last = vote(client, trial["code"], {"choice": "left", "key": trial["key"]}).json()["last"]
    assert (last["code"], last["choice"]) == (trial["code"], "left")
    assert {name: last[name] for name in trial if name != "key"} == {n: v for n, v in trial.items() if n != "key"}
    assert last["key"] != trial["key"]
    body = {"choice": "right", "key": last["key"], "takes_back": True}
    replies = [vote(client, trial["code"], body) for _ in range(2)]
    assert replies[0].content == replies[1].content
    assert replies[0].json()["last"]["choice"] == "right"
    assert replies[0].json()["n_votes"] == 1
    assert Vote.objects.standing().get().choice == "right"
    assert Vote.objects.count() == 2


def test_everything_that_a_vote_carries_is_taken(client: Client) -> None:
    page = {"strength": True, "reason": True, "questions": [{"key": "alignment", "text": "Which fits better?"}]}
    trial = enter(client, make_study(5, design={"page": page}))["trials"][0]
    body = {
        "choice": "left", "response_ms": 900, "hidden_ms": 10, "zoom_ms": 20, "pressed_with": "pen",
        "key": trial["key"],
        "strength": 1, "reason": "sharper", "others": {"alignment": "right"}, "takes_back": False,
    }  # fmt: skip
    assert vote(client, trial["code"], body).status_code == 200
    kept = Vote.objects.get(question="preference")
    assert (kept.strength, kept.reason, kept.hidden_ms, kept.zoom_ms, kept.pressed_with) == (
        1,
        "sharper",
        10,
        20,
        "pen",
    )
    assert Vote.objects.get(question="alignment").choice == "right"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"strength": 7}, "The strength must be 1"),
        ({"strength": 1}, "does not ask how clear"),
        ({"reason": "because"}, "does not ask for a reason"),
        ({"others": {"alignment": "left"}}, "does not ask"),
        ({"others": {"alignment": ["left"]}}, "is not an answer"),
        ({"others": "left"}, "does not ask"),
        ({"others": ["both"]}, "is not an answer"),
        ({"pressed_with": "foot"}, "key, mouse, touch or pen"),
        ({"hidden_ms": -1}, "A duration must be"),
        ({"zoom_ms": "long"}, "A duration must be"),
    ],
)
def test_what_is_said_beside_the_choice_is_checked(client: Client, data: dict[str, object], sentence: str) -> None:
    trial = enter(client, make_study(5))["trials"][0]
    response = vote(client, trial["code"], {"choice": "left", **data})
    assert response.status_code == 400
    assert sentence in response.json()["detail"]
    assert not Vote.objects.exists()


def test_practice_is_answered_with_what_was_right_and_nothing_else_is(client: Client) -> None:
    study = make_study(8, design={"welcome": {"practice": 1}})
    client.post(reverse("rate-enter", args=[study.slug]))
    Rater.objects.update(instructed_at="2026-01-01T00:00Z")
    lease_trials(Rater.objects.get())
    trial = client.get(reverse("api-trials", args=[study.slug])).json()["trials"][0]
    assert trial["is_practice"]
    reply = vote(client, trial["code"], {"choice": "same", "key": trial["key"]}).json()
    expected = expected_choice(Trial.objects.get(code=trial["code"]))
    assert reply["feedback"]["expected"] == expected
    assert reply["feedback"]["is_right"] == (expected == "same")
    assert (reply["n_votes"], reply["last"]) == (0, None)
    following = reply["trials"][0]
    assert not following["is_practice"]
    assert vote(client, following["code"], {"choice": "same", "key": following["key"]}).json()["feedback"] is None


def test_a_rater_who_has_ended_otherwise_is_told_so(client: Client) -> None:
    trial = enter(client, make_study(5))["trials"][0]
    end_rater(Rater.objects.get(), Outcome.TIMED_OUT)
    response = vote(client, trial["code"], {"choice": "left", "key": trial["key"]})
    assert response.status_code == 410
    assert "has ended" in response.json()["detail"]


def test_trials_cannot_be_told_apart_by_their_kind(client: Client) -> None:
    checks = {"block": 4, "per_block": 1, "identical": 3, "mismatched": 3}
    queue = enter(client, make_study(9, design={"checks": checks}))
    names, shapes = set(queue["trials"][0]), set()
    while queue["trials"]:
        shapes |= {(frozenset(trial), trial["is_practice"]) for trial in queue["trials"]}
        trial = queue["trials"][0]
        queue = vote(client, trial["code"], {"choice": "same", "key": trial["key"]}).json()
    assert shapes == {(frozenset(names), False)}
    assert {"normal", "gold"} <= set(Trial.objects.values_list("kind", flat=True))


@pytest.mark.parametrize("n_pairs", [40, 300])
@pytest.mark.parametrize("n_raters", [1, 5])
def test_a_vote_through_the_api_costs_at_most_eight_queries(
    n_pairs: int, n_raters: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    study = make_study(n_pairs, votes_wanted=3)
    clients = [Client() for _ in range(n_raters)]
    queues = [enter(client, study) for client in clients]
    for _ in range(6):
        for number, client in enumerate(clients):
            trial = queues[number]["trials"][0]
            # The test's own transaction makes a savepoint of BEGIN and COMMIT: two more. Nothing lies outside them.
            with django_assert_num_queries(8 + 2, exact=False):
                reply = vote(client, trial["code"], {"choice": "left", "key": trial["key"]})
            queues[number] = reply.json()
