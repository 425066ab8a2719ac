"""What somebody can find out, or do, who was not let in."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from survey_site.models import Rater, Study, Trial, Vote
from survey_site.studies import create_study
from survey_site.voting.trials import record_vote
from tests.factories import make_batch, make_study

pytestmark = pytest.mark.django_db
# What any stranger may see. The admin has a door of its own, tested by Django.
OPEN_TO_ALL = {"home", "login", "logout", "robots", "platform-message", "withdraw"}


def entered(study: Study) -> tuple[Client, Rater]:
    client = Client()
    assert client.post(f"{study.rating_path}enter/").status_code == 302
    return client, study.raters.latest("pk")


def a_draft(slug: str) -> Study:
    batch = make_batch(2, arms=("x", "y"))
    return create_study(owner=None, title="secret plans", arms=list(batch.arms.all()), batches=[batch], slug=slug)


def pages(patterns: list[URLPattern | URLResolver], *, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and route of every page of the site."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from pages(pattern.url_patterns, prefix=route)
        else:
            yield str(pattern.name), route


def filled(route: str, *, slug: str, code: UUID) -> str:
    """Return a route's address for a study's slug and a trial's code; numbers are 1."""
    values = {"slug": slug, "uuid": str(code), "int": "1", "str": "name", "path": "name"}
    for kind, value in values.items():
        while f"<{kind}:" in route:
            start = route.index(f"<{kind}:")
            end = route.index(">", start)
            name = route[start + len(kind) + 2 : end]
            route = route[:start] + (value if name in {"slug", "code"} or kind != "slug" else "json") + route[end + 1 :]
    return f"/{route}"


def test_no_page_of_a_researcher_opens_for_a_stranger_or_a_rater() -> None:
    study = make_study()
    rater_client, rater = entered(study)
    trial = rater.trials.first()
    assert trial is not None
    n_checked = 0
    for name, route in pages(get_resolver().url_patterns):
        if name in OPEN_TO_ALL or name.startswith("rate") or name in {"api-trials", "api-vote"}:
            continue
        address = filled(route, slug=study.slug, code=trial.code)
        for client in (Client(), rater_client):
            for reply in (client.get(address), client.post(address)):
                is_refused = reply.status_code in {401, 403, 404, 405}
                is_led_away = reply.status_code == 302 and "/sign-in/" in reply["Location"]
                assert is_refused or is_led_away, f"{name} answers {reply.status_code}"
        n_checked += 1
    assert n_checked > 40


def test_drafts_and_slugs_that_nobody_has_answer_alike() -> None:
    draft = a_draft("abcd2345")
    addresses = [
        ("get", "/rate/{}/"),
        ("post", "/rate/{}/enter/"),
        ("get", "/rate/{}/trial/"),
        ("get", "/rate/{}/thanks/"),
        ("get", "/rate/{}/ended/"),
        ("get", "/rate/{}/consent/"),
        ("get", "/rate/{}/withdraw/"),
        ("post", "/rate/{}/withdraw/erase/"),
        ("get", "/api/v1/studies/{}/trials/"),
    ]
    for method, address in addresses:
        replies = [getattr(Client(), method)(address.format(slug)) for slug in (draft.slug, "zyxw9876")]
        assert [reply.status_code for reply in replies] == [404, 404], address
        first, second = (reply.content.decode() for reply in replies)
        assert first.replace(draft.slug, "") == second.replace("zyxw9876", ""), address
        assert "secret plans" not in first


def test_pages_for_strangers_name_no_study() -> None:
    study = make_study()
    for address in ("/", "/sign-in/", "/robots.txt", "/rate/", "/api/v1/", "/api/v1/studies/", "/rate/nowhere/"):
        reply = Client().get(address, follow=True)
        assert study.slug not in reply.content.decode(), address
        assert study.title not in reply.content.decode(), address


def test_a_trial_of_somebody_else_answers_like_one_that_never_was() -> None:
    study = make_study()
    _owner, rater = entered(study)
    client, other = entered(study)
    codes = (rater.trials.latest("pk").code, uuid4())
    address = "/api/v1/trials/{}/vote/"
    votes = [client.post(address.format(c), {"choice": "left"}, content_type="application/json") for c in codes]
    page = f"/rate/{study.slug}/trial/{{}}/"
    presses = [client.post(page.format(code), {"choice": "left"}) for code in codes]
    images = [[client.get(f"/rate/image/{code}/{side}.png") for code in codes] for side in ("left", "right")]
    for first, second in (votes, presses, *images):
        assert (first.status_code, second.status_code) == (404, 404)
        assert first.content == second.content
    assert not Vote.objects.exists()
    assert other.trials.exists()


def test_nobody_votes_for_another_rater() -> None:
    study = make_study()
    owner, rater = entered(study)
    thief, _other = entered(study)
    trial = rater.trials.order_by("position").first()
    assert trial is not None
    said = {"choice": "left"}
    address = f"/api/v1/trials/{trial.code}/vote/"
    for client in (thief, Client()):
        assert client.post(address, said, content_type="application/json").status_code == 404
    name = f"twinseed-rater-{study.pk}"
    for forged in (str(rater.code), f"{rater.code}:x:y", thief.cookies[name].value.replace(":", f"{rater.code}:", 1)):
        client = Client()
        client.cookies[name] = forged
        assert client.post(address, said, content_type="application/json").status_code == 404
    assert not Vote.objects.exists()
    assert owner.post(address, said, content_type="application/json").status_code == 200


def test_the_cookie_of_one_study_opens_no_other() -> None:
    study, other = make_study(), make_study(arms=("x", "y"))
    client, _rater = entered(study)
    _client, theirs = entered(other)
    mine = client.cookies[f"twinseed-rater-{study.pk}"].value
    client.cookies[f"twinseed-rater-{other.pk}"] = mine
    assert client.get(f"/api/v1/studies/{other.slug}/trials/").status_code == 404
    code = theirs.trials.latest("pk").code
    assert client.get(f"/rate/image/{code}/left.png").status_code == 404


def test_another_site_cannot_make_a_rater_s_browser_vote() -> None:
    study = make_study()
    client = Client(enforce_csrf_checks=True)
    page = client.get(study.rating_path)
    token = {"csrfmiddlewaretoken": page.cookies["csrftoken"].value}
    assert client.post(f"{study.rating_path}enter/", token).status_code == 302
    trial = Trial.objects.order_by("position")[0]
    said = {"choice": "left"}
    assert client.post(f"/api/v1/trials/{trial.code}/vote/", said, content_type="application/json").status_code == 403
    assert client.post(f"{study.rating_path}trial/{trial.code}/", said).status_code == 403
    assert not Vote.objects.exists()


def test_codes_of_trials_and_raters_are_drawn_and_not_counted() -> None:
    study = make_study()
    entered(study)
    codes = [*Trial.objects.values_list("code", flat=True), *Rater.objects.values_list("code", flat=True)]
    assert len(set(codes)) == len(codes)
    assert {code.version for code in codes} == {4}


def test_a_rater_learns_nothing_of_the_answers_of_others() -> None:
    study = make_study(votes_wanted=3)
    _other, theirs = entered(study)
    client, _rater = entered(study)
    before = client.get(f"/api/v1/studies/{study.slug}/trials/").json()
    trial = theirs.trials.order_by("position").first()
    assert trial is not None
    record_vote(trial, "left")
    after = client.get(f"/api/v1/studies/{study.slug}/trials/").json()
    # A trial's key is drawn anew each time it is shown.
    for reply in (before, after):
        for shown in reply["trials"]:
            del shown["key"]
    assert before == after
