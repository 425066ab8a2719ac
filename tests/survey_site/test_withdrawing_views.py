"""A rater withdraws by a code alone: no cookie, no account, no JavaScript, after the study's end too."""

import pytest
from django.test import Client
from django.urls import reverse

from survey_site.models import Rater, Study, Vote
from survey_site.studies import close_study
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db


def send(client: Client, study: Study, **fields: str) -> tuple[int, str]:
    """Send a form of the page; return the status and the page that follows."""
    response = client.post(reverse("rate-withdraw-erase", args=[study.slug]), fields, follow=True)
    return response.status_code, response.content.decode()


def test_a_rater_types_the_code_is_asked_once_more_and_is_gone(client: Client) -> None:
    study = make_study(3)
    rater = make_rater(study)
    rate(rater)
    study = close_study(study)
    assert "Your withdrawal code" in client.get(reverse("rate-withdraw", args=[study.slug])).content.decode()
    _, sure = send(client, study, code=rater.withdrawal_code.upper())
    assert "<b>3 answered pairs</b> belong to this code" in sure
    assert Vote.objects.count() == 3
    status, done = send(client, study, code=rater.withdrawal_code.upper(), confirmed="1")
    assert status == 200
    assert "Your answers are erased" in done
    assert not Vote.objects.exists()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("wrongwrongwr", "Nothing in this study belongs to this code"),
        ("", "Type the code that was shown to you"),
        ("x" * 61, "This is longer than a code"),
    ],
)
def test_a_wrong_code_gets_one_sentence_and_erases_nothing(client: Client, code: str, sentence: str) -> None:
    study = make_study(2)
    rate(make_rater(study))
    status, page = send(client, study, code=code, confirmed="1")
    assert status == 400
    assert sentence in page
    assert Vote.objects.count() == 2


def test_opening_the_erasing_address_changes_nothing(client: Client) -> None:
    study = make_study(2)
    rater = make_rater(study)
    rate(rater)
    path = reverse("rate-withdraw-erase", args=[study.slug])
    assert client.get(f"{path}?code={rater.withdrawal_code}&confirmed=1").status_code == 405
    assert Vote.objects.count() == 2


def test_the_browser_of_a_rater_who_withdrew_is_a_strangers(client: Client) -> None:
    study = make_study(2)
    client.post(reverse("rate-enter", args=[study.slug]))
    rater = Rater.objects.get()
    rate(rater, times=1)
    image = reverse("rate-image-left", args=[rater.trials.all()[0].code])
    send(client, study, code=rater.withdrawal_code, confirmed="1")
    assert client.get(image).status_code == 404
    assert "Start" in client.get(study.rating_path, follow=True).content.decode()


def test_guessing_codes_is_slowed_down(client: Client) -> None:
    study = make_study(2)
    statuses = [send(client, study, code=f"guess{number}")[0] for number in range(40)]
    assert statuses[0] == 400
    assert statuses[-1] == 429
