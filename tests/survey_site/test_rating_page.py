"""The page of a pair, as a browser without scripts uses it: a changed answer, a break, practice, how much and why."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from survey_site.models import Rater, Study, Trial, Vote
from tests.factories import make_study

pytestmark = pytest.mark.django_db

ACTION = re.compile(r'action="(/rate/[^"]+/trial/[^"]+/)"')
KEY = re.compile(r'name="key" value="([^"]+)"')
QUESTIONS = [{"key": "photo", "text": "Which looks more like a photograph?"}]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def begin(client: Client, study: Study) -> str:
    """Enter, walk past the instructions where there are any, and return the first pair's page."""
    page = client.post(reverse("rate-enter", args=[study.slug]), follow=True)
    if page.redirect_chain[-1][0].endswith("/instructions/"):
        page = client.post(reverse("rate-instructions", args=[study.slug]), follow=True)
    return unescape(page.content.decode())


def look(client: Client, study: Study, query: str = "") -> str:
    """Open the page of the rater's next pair."""
    return unescape(client.get(reverse("rate-trial", args=[study.slug]) + query).content.decode())


def send(client: Client, page: str, **fields: str) -> str:
    """Send the page's form and return the page that follows."""
    form = {"key": KEY.findall(page)[0], "response_ms": "", **fields}
    if 'name="takes_back"' in page:
        form["takes_back"] = "1"
    return unescape(client.post(ACTION.findall(page)[0], form, follow=True).content.decode())


def test_the_last_answer_is_shown_again_with_the_same_sides_and_changed(client: Client) -> None:
    study = make_study(4)
    first = begin(client, study)
    second = send(client, first, choice="left")
    assert "?take-back" in second
    again = look(client, study, "?take-back")
    assert ACTION.findall(again) == ACTION.findall(first)
    assert "It was: <b data-earlier>Left</b>" in again
    assert "Pair 1 of 4" in again
    after = send(client, again, choice="right")
    assert ACTION.findall(after) == ACTION.findall(second)
    earlier, later = Vote.objects.order_by("pk")
    assert (earlier.choice, later.choice, later.replaces) == ("left", "right", earlier)


def test_without_an_answer_there_is_nothing_to_take_back(client: Client) -> None:
    study = make_study(4)
    page = begin(client, study)
    assert ACTION.findall(look(client, study, "?take-back")) == ACTION.findall(page)
    assert "takes_back" not in look(client, study, "?take-back")


def test_a_study_may_forbid_taking_back(client: Client) -> None:
    study = make_study(4, design={"page": {"takes_back": False}})
    page = send(client, begin(client, study), choice="left")
    assert "take-back" not in page
    assert "Take back" not in page
    assert ACTION.findall(look(client, study, "?take-back")) == ACTION.findall(page)


def test_a_button_says_the_side_and_how_clear_it_is(client: Client) -> None:
    study = make_study(4, design={"page": {"strength": True}})
    page = begin(client, study)
    assert page.count('name="choice" value="left-2"') == 1
    send(client, send(client, page, choice="left-2"), choice="same")
    assert list(Vote.objects.order_by("pk").values_list("choice", "strength")) == [("left", 2), ("same", None)]


def test_further_questions_and_the_reason_come_with_the_same_form(client: Client) -> None:
    study = make_study(4, design={"page": {"questions": QUESTIONS, "reason": True}})
    page = begin(client, study)
    send(client, page, choice="left", **{"others.photo": "same", "reason": "It shines."})
    answers = Vote.objects.order_by("pk").values_list("question", "choice", "reason")
    assert list(answers) == [("preference", "left", "It shines."), ("photo", "same", "")]


def test_a_break_comes_when_it_is_due_and_passes_once_it_was_taken(client: Client) -> None:
    study = make_study(6, design={"order": {"break_after": 2}})
    page = send(client, begin(client, study), choice="left")
    assert "Pair 2 of 6" in page
    page = send(client, page, choice="left")
    assert "Time for a short break" in page
    assert "2 of 6 pairs are done" in page
    (onwards,) = re.findall(r'href="[^"]+(\?rested=\d+)"', page)
    page = look(client, study, onwards)
    assert "Pair 3 of 6" in page
    send(client, page, choice="left")
    # The way past an earlier break is none past the next one.
    send(client, look(client, study), choice="left")
    assert "Time for a short break" in look(client, study, onwards)


def test_practice_is_explained_on_a_page_that_can_be_read_again(client: Client) -> None:
    study = make_study(20, design={"welcome": {"practice": 2}})
    page = begin(client, study)
    trial = Trial.objects.get(code=UUID.findall(ACTION.findall(page)[0])[0])
    assert trial.kind == "practice"
    a_is_right = trial.comparison.expected == "a"
    expected = {"tie": "same"}.get(trial.comparison.expected, "left" if a_is_right != trial.swapped else "right")
    wrong = "same" if expected != "same" else "left"
    feedback = send(client, page, choice=wrong)
    assert "Not quite." in feedback
    assert f"The right answer: {expected.capitalize()}." in feedback
    assert trial.comparison.explanation in feedback
    path = reverse("rate-vote", args=[study.slug, trial.code])
    assert "Not quite." in client.get(path).content.decode()
    # Nobody else reads it, and there is none for other trials.
    assert Client().get(path).status_code == 302
    after = look(client, study)
    assert client.get(ACTION.findall(after)[0]).status_code == 302


def test_only_practice_differs_from_other_trials(client: Client) -> None:
    checks = {"per_block": 2, "block": 5, "mismatched": 3, "identical": 3}
    study = make_study(20, design={"checks": checks})
    page, seen = begin(client, study), set()
    for _ in range(10):
        seen.add(Trial.objects.get(code=UUID.findall(ACTION.findall(page)[0])[0]).kind)
        plain = UUID.sub("CODE", re.sub(r'name="csrf\w+" value="\w+"|golf ball|tennis ball|\d+', "", page))
        assert "gold" not in plain
        assert "repeat" not in plain
        assert "identical" not in plain
        assert "data-is-practice" not in plain
        page = send(client, page, choice="left")
    assert "normal" in seen
    assert len(seen) > 1


def test_the_browsers_store_has_a_name_of_the_raters_own_that_tells_nothing(client: Client) -> None:
    study = make_study(4)
    (mine,) = re.findall(r'data-box="(\w{16})"', begin(client, study))
    (others,) = re.findall(r'data-box="(\w{16})"', begin(Client(), study))
    assert mine != others
    assert re.findall(r'data-box="(\w{16})"', look(client, study)) == [mine]
    assert str(Rater.objects.order_by("pk")[0].code) not in look(client, study)


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_the_page_says_its_language_and_direction_and_keeps_left_left(
    client: Client, language: str, direction: str
) -> None:
    page = begin(client, make_study(4, design={"page": {"language": language, "frame": "dark"}}))
    assert f'<html lang="{language}" dir="{direction}" data-frame="dark">' in page
    assert re.search(r'class="pair[^"]*" dir="ltr"', page)
    assert re.search(r'class="answers" dir="ltr"', page)
    assert page.index('data-side="left"') < page.index('data-side="right"')


@pytest.mark.parametrize(
    ("scaling", "size", "is_pixelated"), [("auto", 64, True), ("pixelated", 64, True), ("smooth", 64, False)]
)
def test_small_images_are_pixelated_unless_the_study_says_otherwise(
    client: Client, scaling: str, size: int, is_pixelated: bool
) -> None:
    page = begin(client, make_study(4, design={"page": {"scaling": scaling}}))
    assert f'width="{size}"' in page
    assert ("pair is-pixelated" in page) == is_pixelated


def test_a_page_costs_the_same_queries_early_and_late(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    study = make_study(12, design={"page": {"questions": QUESTIONS, "reason": True}})
    page = begin(client, study)
    for _ in range(6):
        with django_assert_max_num_queries(6):
            look(client, study)
        page = send(client, page, choice="left", **{"others.photo": "same"})
