"""The rater's pages, as a browser without JavaScript sees them."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from generation.images import read_bytes
from survey_site.models import Rater, Study, Trial, Vote
from survey_site.studies import close_study, create_study, pause_study
from tests.factories import make_batch, make_study, make_study_with_files, rate

pytestmark = pytest.mark.django_db

FORM_ACTION = re.compile(r'action="(/rate/[^"]+/trial/[^"]+/)" data-answers')
KEY = re.compile(r'name="key" value="([^"]+)"')


def enter(client: Client, study: Study) -> str:
    """Press Start and return the page that follows."""
    return client.post(reverse("rate-enter", args=[study.slug]), follow=True).content.decode()


def vote(client: Client, page: str, **fields: str) -> tuple[int, str]:
    """Send the page's form; return the status and the page that follows."""
    (action,), (key,) = FORM_ACTION.findall(page), KEY.findall(page)
    response = client.post(action, {"choice": "left", "response_ms": "", "key": key, **fields}, follow=True)
    return response.status_code, response.content.decode()


def test_rating_all_pairs_without_javascript_ends_on_the_thanks_page(client: Client) -> None:
    study = make_study(4)
    page = client.get(study.rating_path).content.decode()
    assert study.question in page
    assert "<b>4 pairs</b>" in page
    page = enter(client, study)
    for number in range(1, 5):
        assert f"Pair {number} of 4" in page
        assert study.question in page
        assert re.search(r"golf ball|tennis ball", page)
        _, page = vote(client, page, choice="same")
    assert "Thank you" in page
    assert "<b>4 pairs</b>" in page
    assert Vote.objects.filter(choice="same", response_ms=None).count() == 4


def test_looking_at_pages_leases_nothing(client: Client) -> None:
    study = make_study(4)
    client.get(study.rating_path)
    client.get(reverse("rate-trial", args=[study.slug]), follow=True)
    assert client.get(reverse("rate-enter", args=[study.slug])).status_code == 405
    assert not Rater.objects.exists()
    enter(client, study)
    n_trials = Trial.objects.count()
    for name in ("rate", "rate-trial", "rate-thanks", "api-trials"):
        client.get(reverse(name, args=[study.slug]), follow=True)
    assert Trial.objects.count() == n_trials


def test_the_same_browser_resumes_where_it_was(client: Client) -> None:
    study = make_study(4)
    page = enter(client, study)
    assert FORM_ACTION.findall(client.get(study.rating_path, follow=True).content.decode()) == FORM_ACTION.findall(page)
    assert FORM_ACTION.findall(enter(client, study)) == FORM_ACTION.findall(page)
    assert Rater.objects.count() == 1


def test_another_browser_is_another_rater(client: Client) -> None:
    study = make_study(4)
    enter(client, study)
    enter(Client(), study)
    assert Rater.objects.count() == 2


def test_the_raters_cookie_is_kept_from_scripts_and_other_sites(client: Client) -> None:
    study = make_study(4)
    enter(client, study)
    cookie = client.cookies[f"twinseed-rater-{study.pk}"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_a_cookie_for_one_study_opens_no_other(client: Client) -> None:
    mine, other = make_study(2), make_study(2)
    enter(client, mine)
    client.cookies[f"twinseed-rater-{other.pk}"] = client.cookies[f"twinseed-rater-{mine.pk}"].value
    assert "Start" in client.get(other.rating_path).content.decode()


def test_a_forged_cookie_is_a_stranger(client: Client) -> None:
    study = make_study(2)
    enter(client, study)
    client.cookies[f"twinseed-rater-{study.pk}"] = f"{Rater.objects.get().code}:forged"
    assert "Start" in client.get(study.rating_path, follow=True).content.decode()


def test_two_clicks_on_one_page_are_one_vote(client: Client) -> None:
    page = enter(client, make_study(4))
    assert vote(client, page)[0] == 200
    assert vote(client, page)[0] == 200
    assert Vote.objects.count() == 1


def test_a_second_answer_to_a_pair_is_refused_with_a_way_on(client: Client) -> None:
    page = enter(client, make_study(4))
    vote(client, page)
    status, refusal = vote(client, page, choice="right", key=str(uuid4()))
    assert status == 409
    assert "Your first answer counts" in refusal
    assert "Go on" in refusal


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"choice": "both"}, "“both” is not an answer. Choose left, same or right."),
        ({"choice": ""}, "No answer came with this request."),
        ({"response_ms": "-1"}, "from 0 to 86400000 (a day)"),
        ({"response_ms": "86400001"}, "from 0 to 86400000 (a day)"),
        ({"response_ms": "soon"}, "whole number of milliseconds"),
        ({"key": "4711"}, "The key must be a UUID"),
    ],
)
def test_what_is_no_answer_is_refused_and_keeps_nothing(client: Client, fields: dict[str, str], sentence: str) -> None:
    page = enter(client, make_study(4))
    status, refusal = vote(client, page, **fields)
    assert status == 400
    assert sentence in refusal.replace("&quot;", '"')
    assert not Vote.objects.exists()


def test_a_response_time_is_stored(client: Client) -> None:
    vote(client, enter(client, make_study(4)), response_ms="1234")
    assert Vote.objects.get().response_ms == 1234


def test_forged_and_foreign_trial_codes_are_not_found(client: Client) -> None:
    study = make_study_with_files(4)
    enter(Client(), study)
    enter(client, study)
    foreign = Trial.objects.filter(rater=Rater.objects.order_by("pk")[0])[0].code
    for code in (foreign, uuid4()):
        for path in (reverse("rate-image-left", args=[code]), reverse("rate-image-right", args=[code])):
            assert client.get(path).status_code == 404
        response = client.post(reverse("rate-vote", args=[study.slug, code]), {"choice": "left"})
        assert response.status_code == 404
        assert "nothing at this address" in response.content.decode()
    assert not Vote.objects.exists()


def test_an_unknown_study_is_not_found(client: Client) -> None:
    for name in ("rate", "rate-trial", "rate-thanks"):
        assert client.get(reverse(name, args=["no-such-study"])).status_code == 404
    assert client.post(reverse("rate-enter", args=["no-such-study"])).status_code == 404


@pytest.mark.parametrize(
    ("act", "status", "sentence"),
    [(pause_study, 409, "This study is paused"), (close_study, 410, "This study is closed")],
)
def test_a_vote_after_the_end_is_kept_out_and_said_so(client: Client, act: object, status: int, sentence: str) -> None:
    study = make_study(4)
    page = enter(client, study)
    _, page = vote(client, page)
    act(study)
    refused, refusal = vote(client, page)
    assert refused == status
    assert sentence in refusal
    assert Vote.objects.count() == 1
    after = client.get(reverse("rate-trial", args=[study.slug]), follow=True).content.decode()
    assert sentence in after
    assert "Your answer is saved" in after
    assert sentence in enter(Client(), study)
    assert Rater.objects.count() == 1


def test_a_draft_is_as_unknown_as_a_slug_that_nobody_has(client: Client) -> None:
    batch = make_batch(2)
    study = create_study(owner=None, title="which?", arms=list(batch.arms.all()), batches=[batch])
    assert client.get(study.rating_path).status_code == 404


def test_a_rater_is_told_to_wait_and_gets_the_pair_when_it_is_free(client: Client) -> None:
    study = make_study(1, votes_wanted=1)
    enter(Client(), study)
    waiting = enter(client, study)
    assert "One moment" in waiting
    assert "data-again-after" in waiting
    Trial.objects.update(expires_at="2000-01-01T00:00Z")
    assert "Your next pair is ready" in client.get(reverse("rate-trial", args=[study.slug])).content.decode()
    assert "Pair 1 of up to 1" in enter(client, study)


def test_stopping_early_thanks_and_offers_to_continue(client: Client) -> None:
    study = make_study(4)
    vote(client, enter(client, study))
    page = client.get(reverse("rate-thanks", args=[study.slug])).content.decode()
    assert "<b>1 pair</b>" in page
    assert "Continue" in page


def test_a_form_without_its_token_is_refused_with_a_sentence() -> None:
    study = make_study(2)
    response = Client(enforce_csrf_checks=True).post(reverse("rate-enter", args=[study.slug]))
    assert response.status_code == 403
    assert "Allow cookies" in response.content.decode()


def test_reloading_a_refused_vote_leads_back_to_the_pair(client: Client) -> None:
    study = make_study(2)
    (action,) = FORM_ACTION.findall(enter(client, study))
    assert client.get(action, follow=True).redirect_chain[-1][0] == reverse("rate-trial", args=[study.slug])


def test_the_images_are_those_of_the_trials_sides(client: Client) -> None:
    study = make_study_with_files(2)
    enter(client, study)
    for trial in Trial.objects.all():
        for side, image in (("left", trial.left_image), ("right", trial.right_image)):
            sent = client.get(reverse(f"rate-image-{side}", args=[trial.code])).content
            assert sent.startswith(read_bytes(image))


def test_an_image_whose_file_is_gone_is_not_found(client: Client) -> None:
    study = make_study(2)
    enter(client, study)
    code = Trial.objects.all()[0].code
    assert client.get(reverse("rate-image-left", args=[code])).status_code == 404


def test_nothing_a_raters_browser_receives_tells_the_arms_apart(client: Client) -> None:
    study = make_study_with_files(4)
    sizes = study.comparisons.values_list("image_a__n_bytes", "image_b__n_bytes")
    assert all(a != b for a, b in sizes), "the files must differ for this test to mean anything"
    received = [client.get(study.rating_path), client.post(reverse("rate-enter", args=[study.slug]))]
    received += [client.get(reverse(name, args=[study.slug])) for name in ("rate-trial", "api-trials", "rate-thanks")]
    images = {}
    for trial in Trial.objects.select_related("comparison"):
        images[trial] = [client.get(reverse(f"rate-image-{side}", args=[trial.code])) for side in ("left", "right")]
        received += images[trial]
    secrets = ["vanilla", "robust", study.title, *study.comparisons.values_list("pair_id", flat=True)]
    for image in (image for pair in study.comparisons.all() for image in (pair.image_a, pair.image_b)):
        secrets += [image.name, image.sha256]
    for response in received:
        everything = (str(response.headers) + str(response.cookies)).encode() + response.content
        for secret in secrets:
            assert secret.encode() not in everything
    for trial, (left, right) in images.items():
        assert dict(left.headers) == dict(right.headers)
        assert len(left.content) == len(right.content) == max(trial.left_image.n_bytes, trial.right_image.n_bytes)
        assert "private" in left.headers["Cache-Control"]
        assert not {"Last-Modified", "ETag"} & set(left.headers)


def test_a_trial_page_costs_five_queries_and_an_image_one(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    study = make_study_with_files(6)
    enter(client, study)
    with django_assert_num_queries(5):
        client.get(reverse("rate-trial", args=[study.slug]))
    code = Trial.objects.values_list("code", flat=True)[0]
    with django_assert_num_queries(1):
        client.get(reverse("rate-image-left", args=[code]))


def test_a_raters_pages_touch_no_session(client: Client) -> None:
    study = make_study(2)
    vote(client, enter(client, study))
    assert "sessionid" not in client.cookies


def test_a_rater_who_has_seen_everything_is_thanked_on_return(client: Client) -> None:
    study = make_study(2)
    enter(client, study)
    rate(Rater.objects.get())
    page = client.get(study.rating_path, follow=True).content.decode()
    assert "Thank you!" in page
    assert "<b>2 pairs</b>" in page
