import time
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from survey_site.limits import Act, as_json, client_address, client_network, is_robot, limited, seconds_to_wait
from survey_site.models import Rater, Study, Vote
from tests.factories import make_study

pytestmark = pytest.mark.django_db
NONE = {"enter": {}, "vote": {}, "image": {}, "guess": {}}


def allow(settings: Settings, **rates: dict[str, str | None]) -> None:
    """Set the only limits there are. A day's window: a test may not stand on the edge of two."""
    settings.LIMITS = {**NONE, **rates}


def enter(study: Study, client: Client, **extra: Any) -> HttpResponse:
    return client.post(f"{study.rating_path}enter/", **extra)


def entered(study: Study) -> Client:
    client = Client()
    assert enter(study, client).status_code == 302
    return client


def vote(client: Client, study: Study) -> Any:
    trials = client.get(f"/api/v1/studies/{study.slug}/trials/").json()["trials"]
    said = {"choice": "left", "key": trials[0]["key"]}
    return client.post(f"/api/v1/trials/{trials[0]['code']}/vote/", said, content_type="application/json")


def test_the_defaults_let_a_lab_behind_one_address_work(settings: Settings) -> None:
    assert settings.LIMITS["enter"]["address"] == "120/h"
    assert settings.LIMITS["vote"] == {"address": "6000/m", "rater": "240/m"}


def test_entering_is_counted_by_address(settings: Settings) -> None:
    allow(settings, enter={"address": "2/d"})
    study = make_study()
    for _number in range(2):
        entered(study)
    reply = enter(study, Client())
    assert reply.status_code == 429
    assert 1 <= int(reply["Retry-After"]) <= 86_400
    assert reply["Cache-Control"] == "no-store"
    assert b"Nothing you did is lost" in reply.content
    assert f'href="{study.rating_path}"' in reply.content.decode()
    assert Rater.objects.count() == 2
    assert enter(study, Client(), REMOTE_ADDR="10.0.0.2").status_code == 302


def test_whom_the_study_knows_goes_on_from_a_crowded_address(settings: Settings) -> None:
    allow(settings, enter={"address": "1/d"})
    study, other = make_study(), make_study(arms=("vivid", "plain"))
    client = entered(study)
    assert enter(study, Client()).status_code == 429
    for _number in range(3):
        assert enter(study, client).status_code == 302
    # To another study the same browser is a stranger.
    assert enter(other, client).status_code == 429


def test_one_browser_cannot_bring_one_person_after_the_other(settings: Settings) -> None:
    allow(settings, enter={"address": "2/d"})
    study = make_study(design={"entry": {"way": "platform", "platform": "prolific"}})
    client = Client()
    replies = [client.post(f"{study.rating_path}enter/", {"PROLIFIC_PID": f"made-up-{n}"}) for n in range(4)]
    assert [reply.status_code for reply in replies] == [302, 302, 429, 429]
    assert Rater.objects.count() == 2
    assert client.post(f"{study.rating_path}enter/", {"PROLIFIC_PID": "made-up-1"}).status_code == 302


def test_a_forged_cookie_makes_no_stranger_known(settings: Settings) -> None:
    allow(settings, enter={"address": "1/d"})
    study = make_study()
    entered(study)
    client = Client()
    client.cookies[f"twinseed-rater-{study.pk}"] = "0" * 32 + ":a:b"
    assert enter(study, client).status_code == 429


def test_votes_are_counted_by_rater_and_none_that_came_is_lost(settings: Settings) -> None:
    allow(settings, vote={"rater": "2/d"})
    study = make_study(8)
    client, other = entered(study), entered(study)
    replies = [vote(client, study) for _number in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert "Nothing you did is lost" in replies[2].json()["detail"]
    assert int(replies[2]["Retry-After"]) >= 1
    assert Vote.objects.count() == 2
    assert vote(other, study).status_code == 200


def test_a_refused_vote_is_taken_when_it_comes_again(settings: Settings) -> None:
    allow(settings, vote={"rater": "1/d"})
    study = make_study(8)
    client = entered(study)
    assert vote(client, study).status_code == 200
    assert vote(client, study).status_code == 429
    allow(settings)
    assert vote(client, study).status_code == 200
    assert Vote.objects.count() == 2


def test_votes_are_counted_by_address_too(settings: Settings) -> None:
    allow(settings, vote={"address": "1/d"})
    study = make_study(8)
    assert [vote(entered(study), study).status_code for _number in range(2)] == [200, 429]


def test_the_page_s_votes_are_counted_like_those_of_the_api(settings: Settings) -> None:
    allow(settings, vote={"rater": "1/d"})
    study = make_study(8)
    client = entered(study)
    codes = list(Rater.objects.get().trials.order_by("position").values_list("code", flat=True))
    replies = [client.post(f"{study.rating_path}trial/{code}/", {"choice": "left"}) for code in codes[:2]]
    assert [reply.status_code for reply in replies] == [302, 429]
    assert b"<h1>" in replies[1].content


def test_images_are_counted(settings: Settings) -> None:
    allow(settings, image={"rater": "1/d"})
    study = make_study()
    client = entered(study)
    code = Rater.objects.get().trials.order_by("position").first().code
    # The rows have no files here: 404 is what the view itself says.
    assert [client.get(f"/rate/image/{code}/left.png").status_code for _number in range(2)] == [404, 429]


def test_withdrawal_codes_cannot_be_tried_in_series(settings: Settings) -> None:
    allow(settings, guess={"address": "2/d"})
    path = f"{make_study().rating_path}withdraw/erase/"
    replies = [Client().post(path, {"code": f"guess{number}"}) for number in range(3)]
    assert replies[-1].status_code == 429
    assert all(reply.status_code != 429 for reply in replies[:2])


def test_a_rate_of_none_is_no_limit(settings: Settings) -> None:
    allow(settings, enter={"address": None})
    request = RequestFactory().post("/")
    assert [seconds_to_wait(request, Act.ENTER) for _number in range(300)] == [0] * 300


def test_raters_go_on_while_the_cache_is_down(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    allow(settings, vote={"rater": "1/m", "address": "1/d"})
    nobody_listens = "redis://127.0.0.1:1/"
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": nobody_listens}
    settings.CACHES = {**settings.CACHES, "limits": redis}
    request = RequestFactory().post("/")
    assert [seconds_to_wait(request, Act.VOTE) for _number in range(3)] == [0, 0, 0]
    assert "nothing is limited" in caplog.text


def test_a_decorated_view_is_not_called_past_the_limit(settings: Settings) -> None:
    allow(settings, vote={"address": "1/d"})
    calls = []

    @limited(Act.VOTE, reply=as_json)
    def view(request: HttpRequest) -> HttpResponse:
        calls.append(request)
        return HttpResponse()

    assert [view(RequestFactory().post("/")).status_code for _number in range(3)] == [200, 429, 429]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, "6.6.6.6", "127.0.0.1"),
        (1, "6.6.6.6, 5.5.5.5", "5.5.5.5"),
        (2, "6.6.6.6, 5.5.5.5, 10.0.0.1", "5.5.5.5"),
        (2, "5.5.5.5", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_only_our_own_proxies_say_where_a_request_came_from(
    settings: Settings, hops: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = hops
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", headers=headers)) == address


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_a_household_with_many_addresses_is_one(address: str, network: str) -> None:
    assert client_network(RequestFactory().get("/", REMOTE_ADDR=address)) == network


def test_a_robot_that_fills_every_field_is_told_apart_and_makes_nothing(client: Client) -> None:
    study = make_study()
    assert not is_robot(RequestFactory().post("/", {"remark": ""}))
    reply = client.post(f"{study.rating_path}enter/", {"remark": "cheap watches"})
    assert reply.status_code in {200, 400}
    assert not Rater.objects.exists()
    assert client.post(f"{study.rating_path}enter/", {"remark": ""}).status_code == 302


def test_people_neither_see_nor_reach_the_field_for_robots(client: Client) -> None:
    page = client.get(make_study().rating_path).content.decode()
    trap = page[page.index("<div hidden") :]
    trap = trap[: trap.index("</div>")]
    assert 'name="remark"' in trap
    assert 'tabindex="-1"' in trap
    assert 'autocomplete="off"' in trap
    assert 'aria-hidden="true"' in trap


def test_counting_costs_little_beside_a_vote(settings: Settings) -> None:
    client = entered(make_study())
    request = RequestFactory().post("/")
    request.COOKIES = {name: cookie.value for name, cookie in client.cookies.items()}
    seconds_to_wait(request, Act.VOTE)
    started = time.process_time()
    for _number in range(200):
        seconds_to_wait(request, Act.VOTE)
    # Three times what is promised, for a machine that does other things.
    assert (time.process_time() - started) / 200 < 0.0006
