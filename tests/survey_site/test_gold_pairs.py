"""Gold pairs, chosen from a draft's pictures."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from generation.models import Image
from survey_site.design.designs import Design, GoldPair
from survey_site.drafts.design_changes import change_design
from survey_site.models import Study
from survey_site.studies import create_study
from tests.factories import make_batch, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


@pytest.fixture
def draft() -> Study:
    return make_draft(6)


def stored(study: Study) -> Design:
    return Study.objects.get(pk=study.pk).how


def two_images(study: Study) -> tuple[Image, Image]:
    first, second = Image.objects.filter(batch__studies=study, class_index=0, seed=0).order_by("pk")
    return first, second


def test_a_gold_pair_is_taken_from_pictures_and_removed(researcher: Client, draft: Study) -> None:
    first, second = two_images(draft)
    address = f"/studies/{draft.slug}/design/gold/"
    page = researcher.get(f"{address}?image_a={first.pk}").content.decode()
    assert f"?image_a={first.pk}&amp;image_b={second.pk}#pair" in page
    chosen = {"image_a": first.pk, "image_b": second.pk, "expected": "b", "for_practice": "on", "explanation": "Odd."}
    page = researcher.post(address, chosen, follow=True).content.decode()
    assert "the second is right" in page
    pair = GoldPair(image_a=first.pk, image_b=second.pk, expected="b", for_practice=True, explanation="Odd.")
    assert stored(draft).checks.gold == (pair,)
    assert "1 chosen, 1 of them for practice" in researcher.get(f"/studies/{draft.slug}/design/").content.decode()
    # A pair for practice is practised.
    assert stored(draft).welcome.practice == 1
    researcher.post(f"{address}0/remove/")
    assert stored(draft).checks.gold == ()


@pytest.mark.parametrize(
    ("b", "expected", "sentence"),
    [
        ("999999", "a", "Image 999999 is no finished image of this study"),
        ("", "a", "This field is required."),
        ("first", "a", "Enter a whole number."),
        ("{first}", "a", "This is one image twice, so Same is the right answer."),
        ("{large}", "a", "differ in size"),
        ("{taken}", "a", "a gold pair already"),
        ("{second}", "c", "Select a valid choice"),
    ],
)
def test_two_images_that_make_no_gold_pair_are_refused(
    researcher: Client, draft: Study, b: str, expected: str, sentence: str
) -> None:
    first, second = two_images(draft)
    large, taken = Image.objects.filter(batch__studies=draft, seed=1)
    Image.objects.filter(pk=large.pk).update(width=128, height=128)
    known = GoldPair(image_a=taken.pk, image_b=first.pk, expected="a")
    change_design(draft, Design.of({"checks": {"gold": [known.model_dump()]}}))
    keys = {"first": first.pk, "second": second.pk, "large": large.pk, "taken": taken.pk}
    sent = {"image_a": first.pk, "image_b": b.format(**keys) if "{" in b else b, "expected": expected}
    page = researcher.post(f"/studies/{draft.slug}/design/gold/", sent).content.decode()
    assert sentence in page
    assert stored(draft).checks.gold == (known,)


def test_pictures_come_in_pages_and_by_class_and_their_count_costs_no_queries(
    researcher: Client, django_assert_max_num_queries: Any
) -> None:
    batch = make_batch(60)
    study = create_study(owner=None, title="many", arms=list(batch.arms.all()), batches=[batch])
    address = f"/studies/{study.slug}/design/gold/"
    with django_assert_max_num_queries(12):
        page = researcher.get(address).content.decode()
    assert page.count('<figure class="picture">') == 24
    assert "Page 1 of 5" in page
    one = researcher.get(f"{address}?label={batch.pk}-1").content.decode()
    assert "Page 1 of 3" in one
    assert "golf ball</strong>" not in one
    for odd in ("label=7-7", "label=x", "page=x", "image_a=99999999999999999999", "page=99"):
        assert researcher.get(f"{address}?{odd}").status_code == 200
