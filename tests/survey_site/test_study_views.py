"""The researcher's study pages, by their doors."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from generation.models import Arm
from survey_site.models import Study
from tests.factories import make_batch, make_study, rate
from tests.factories import make_rater as enter

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("researcher"))
    return client


def draft_of(researcher: Client, **changes: Any) -> Any:
    """Send the form for a new study on a fresh batch."""
    batch = make_batch()
    good = {"title": "Balls", "question": "Which?", "batch": batch.pk}
    return researcher.post("/studies/new/", {**good, **changes})


def test_without_studies_the_list_says_what_to_do(researcher: Client) -> None:
    page = researcher.get("/studies/").content.decode()
    assert "No study yet" in page
    assert "/batches/new/" in page


def test_the_list_asks_a_fixed_number_of_questions(researcher: Client, django_assert_num_queries: Any) -> None:
    for _ in range(3):
        make_study()
    # Session, user, studies with their votes, arms.
    with django_assert_num_queries(4):
        researcher.get("/studies/")


def test_a_new_study_compares_all_arms_of_its_batch(researcher: Client) -> None:
    assert draft_of(researcher).status_code == 302
    assert [arm.name for arm in Study.objects.get().arms.all()] == ["robust", "vanilla"]


def test_the_form_chooses_the_batch_that_a_link_names(researcher: Client) -> None:
    batch = make_batch()
    assert f'<option value="{batch.pk}" selected>' in researcher.get(f"/studies/new/?batch={batch.pk}").content.decode()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": ""}, "This field is required"),
        ({"batch": 4711}, "Select a valid choice"),
        ({"batch": "' OR 1=1"}, "Select a valid choice"),
        ({"votes_wanted": 0}, "greater than or equal to 1"),
        ({"votes_wanted": 10**30}, "less than or equal to 10000"),
        ({"votes_wanted": "many"}, "Enter a whole number"),
        ({"title": "x" * 500}, "at most 120 characters"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_made(researcher: Client, changes: dict[str, Any], sentence: str) -> None:
    page = draft_of(researcher, **changes)
    assert sentence in page.content.decode()
    assert not Study.objects.exists()


def test_a_single_arm_is_refused(researcher: Client) -> None:
    batch = make_batch()
    one = batch.arms.first()
    assert one is not None
    page = researcher.post("/studies/new/", {"title": "t", "question": "q", "batch": batch.pk, "arms": [one.pk]})
    assert "A comparison needs two arms" in page.content.decode()


def test_an_arm_of_another_batch_is_refused(researcher: Client) -> None:
    other = make_batch()
    foreign = Arm.objects.filter(batches=other).values_list("pk", flat=True)
    page = draft_of(researcher, arms=list(foreign))
    assert "is not an arm of" in page.content.decode()


def test_a_study_whose_images_are_missing_says_so_and_stays_a_draft(researcher: Client) -> None:
    batch = make_batch(made=False)
    researcher.post("/studies/new/", {"title": "t", "question": "q", "batch": batch.pk})
    study = Study.objects.get()
    page = researcher.post(f"/studies/{study.slug}/open/", follow=True).content.decode()
    assert "8 images of batch a batch are not there yet" in page
    assert Study.objects.get().status == Study.Status.DRAFT


def test_a_study_is_opened_paused_opened_and_closed(researcher: Client) -> None:
    draft_of(researcher)
    study = Study.objects.get()
    seen = []
    for act in ("open", "pause", "open", "close"):
        researcher.post(f"/studies/{study.slug}/{act}/")
        seen.append(Study.objects.get().status)
    assert seen == ["open", "paused", "open", "closed"]


def test_a_closed_study_cannot_be_opened_again(researcher: Client) -> None:
    study = make_study()
    researcher.post(f"/studies/{study.slug}/close/")
    page = researcher.post(f"/studies/{study.slug}/open/", follow=True).content.decode()
    assert "closed for good" in page
    assert Study.objects.get().status == Study.Status.CLOSED


def test_the_page_counts_what_has_been_answered(researcher: Client) -> None:
    study = make_study(4)
    rate(enter(study), times=3)
    page = researcher.get(f"/studies/{study.slug}/").content.decode()
    assert f"http://testserver/rate/{study.slug}/" in page
    assert "<dt>Votes</dt><dd>3</dd>" in page
    assert "<dt>Raters</dt><dd>1</dd>" in page


def test_a_get_changes_no_status(researcher: Client) -> None:
    study = make_study()
    assert researcher.get(f"/studies/{study.slug}/close/").status_code == 405
    assert Study.objects.get().status == Study.Status.OPEN


def test_results_before_the_first_vote_say_so(researcher: Client) -> None:
    study = make_study(4)
    page = researcher.get(f"/studies/{study.slug}/results/")
    assert page.status_code == 200
    assert "nobody has voted yet" in page.content.decode()


def test_results_of_a_draft_say_that_there_are_none(researcher: Client) -> None:
    draft_of(researcher)
    slug = Study.objects.get().slug
    assert "nothing to analyse yet" in researcher.get(f"/studies/{slug}/results/").content.decode()
    assert researcher.get(f"/studies/{slug}/results.json").json()["error"] == "no_votes"


@pytest.mark.parametrize(
    "path", ["/studies/nowhere/", "/studies/nowhere/results/", "/batches/99999999999999999999999/"]
)
def test_what_is_not_there_is_a_404(researcher: Client, path: str) -> None:
    assert researcher.get(path).status_code == 404
