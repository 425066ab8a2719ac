"""The researcher's batch pages, as a browser without JavaScript uses them, and what the scripts poll."""

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from generation.arms import create_arm, recipe_of
from generation.class_lists import read_classes
from generation.diffusion.recipes import PRESETS, Recipe
from generation.models import Arm, Batch, Image
from generation.runner import make_chunk
from survey_site.templatetags.batches import time_left
from tests.generation.factories import guided, make_arms, make_batch, make_every_chunk, stored_checkpoint
from tests.generation.upload_files import LABELS, ROWS, folder_files, npz_of, samples, zip_of

pytestmark = pytest.mark.django_db

# The session and the researcher, of every page behind the login.
WHO = 2


@pytest.fixture
def researcher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("researcher"))
    return client


def uploaded(name: str, data: BytesIO) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data.getvalue())


def good_zip() -> SimpleUploadedFile:
    upload = zip_of(folder_files())
    return SimpleUploadedFile(upload.name, upload.file.read())


def new_batch(**fields: object) -> dict[str, object]:
    return {
        "name": "first",
        "classes": "",
        "seeds_per_class": 2,
        "steps": 50,
        "first_seed": 0,
        "pairs_per_chunk": 8,
        "new-TOTAL_FORMS": 2,
        "new-INITIAL_FORMS": 0,
        **fields,
    }


def new_arms() -> dict[str, object]:
    denoiser, guide = stored_checkpoint(), stored_checkpoint(role="classifier")
    return {
        "new-0-name": "plain",
        "new-0-denoiser": denoiser.pk,
        "new-1-name": "guided",
        "new-1-denoiser": denoiser.pk,
        "new-1-classifier": guide.pk,
        "new-1-scale": 0.5,
    }


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("batches", []),
        ("batch-create", []),
        ("batch-upload", []),
        ("batch", [1]),
        ("batch-progress", [1]),
        ("batch-cancel", [1]),
        ("batch-retry", [1]),
        ("image", [1]),
    ],
)
def test_batch_pages_are_for_researchers_only(client: Client, name: str, args: list[int]) -> None:
    for response in (client.get(reverse(name, args=args)), client.post(reverse(name, args=args))):
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/")


def test_the_first_visit_says_what_to_do(researcher: Client) -> None:
    assert "No batch yet." in researcher.get("/batches/").content.decode()
    assert "register_checkpoint" in researcher.get("/batches/new/").content.decode()


def test_the_list_asks_the_same_few_questions_for_many_batches(
    researcher: Client, tmp_path: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    arms = make_arms(tmp_path)
    for _ in range(3):
        make_batch(arms)
    with django_assert_num_queries(WHO + 3):
        page = researcher.get("/batches/").content.decode()
    assert page.count("0 of 8") == 3


def test_a_batch_is_made_from_arms_that_are_made_on_the_way(researcher: Client) -> None:
    response = researcher.post("/batches/new/", new_batch(**new_arms(), classes="dog, 0"))
    batch = Batch.objects.get()
    assert response["Location"] == f"/batches/{batch.pk}/"
    assert (batch.name, batch.steps, batch.images.count()) == ("first", 50, 2 * 2 * 2)
    assert batch.class_table == {"0": "cat", "1": "dog"}
    assert [(arm.name, arm.scale, arm.owner.username) for arm in batch.arms.all() if arm.owner] == [
        ("guided", 0.5, "researcher"),
        ("plain", 0.0, "researcher"),
    ]


def test_a_batch_is_made_from_known_arms(researcher: Client, tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    researcher.post("/batches/new/", new_batch(arms=[arm.pk for arm in arms]))
    assert set(Batch.objects.get().arms.all()) == set(arms)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"classes": "cat, unicorn"}, "There is no class &quot;unicorn&quot;"),
        ({"classes": "0-7"}, "There is no class 3; the denoiser knows classes 0 to 2."),
        ({"steps": 5000}, "5000 steps: the denoiser has 1000"),
        ({"new-0-name": "guided"}, "Two arms are called &quot;guided&quot;"),
        ({"new-1-scale": 1e9}, "The scale is 1000000000.0; choose one from 0 to 100"),
        ({"new-0-scale": 2}, "there is no guidance to scale"),
        ({"new-1-preset": "unguided", "new-1-scale": ""}, "has a classifier, but its guidance is &quot;none&quot;"),
        ({"classes": "0+0"}, "two or more different classes"),
        ({"precision": "float8"}, "float8 is not one of the available choices"),
        ({"new-0-denoiser": ""}, "This field is required"),
        ({"seeds_per_class": "many"}, "Enter a whole number"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused_and_makes_no_arm(
    researcher: Client, fields: dict[str, object], sentence: str
) -> None:
    response = researcher.post("/batches/new/", new_batch(**{**new_arms(), **fields}))
    assert response.status_code == 400
    assert sentence in response.content.decode()
    assert not Batch.objects.exists()
    assert not Arm.objects.exists()


def test_two_classes_are_asked_for_at_once_in_the_chosen_precision(researcher: Client, tmp_path: Path) -> None:
    arms = [
        create_arm(owner=None, name=arm.name, denoiser=arm.denoiser, class_conditional=False)
        for arm in make_arms(tmp_path)[:1]
        if arm.denoiser
    ]
    fields = new_batch(arms=[arm.pk for arm in arms], classes="0, 0+2", precision="bfloat16")
    assert researcher.post("/batches/new/", fields).status_code == 302
    batch = Batch.objects.get()
    assert batch.class_table == {"0": "cat", "3": "cat and cow"}
    assert (batch.requested(3), batch.precision) == ((0, 2), "bfloat16")


def test_the_form_comes_with_the_arm_that_was_looked_at(researcher: Client, tmp_path: Path) -> None:
    plain, guided = make_arms(tmp_path)
    page = researcher.get(f"/batches/new/?arm={guided.pk}").content.decode()
    assert re.findall(r'name="arms" value="(\d+)"[^>]* checked', page) == [str(guided.pk)]
    assert "guided (denoiser-0; classifier-1: classifier on x_t, s = 1, DDPM)" in page
    assert f'value="{plain.pk}"' in page


@pytest.mark.parametrize(
    ("row", "made"),
    [
        ({"new-1-preset": "robust", "new-1-scale": ""}, PRESETS["robust"].recipe),
        ({"new-1-preset": "non-robust-ema", "new-1-scale": 3}, replace(PRESETS["non-robust-ema"].recipe, scale=3)),
        ({"new-1-preset": "", "new-1-scale": ""}, guided(1)),
    ],
)
def test_a_new_row_takes_a_published_method_and_maybe_another_scale(
    researcher: Client, row: dict[str, object], made: Recipe
) -> None:
    researcher.post("/batches/new/", new_batch(**{**new_arms(), **row}))
    assert recipe_of(Arm.objects.get(name="guided")) == made


def test_a_batch_without_arms_is_refused(researcher: Client) -> None:
    stored_checkpoint()
    response = researcher.post("/batches/new/", new_batch())
    assert "A batch needs at least one arm" in response.content.decode()


def test_a_zip_is_uploaded(researcher: Client) -> None:
    response = researcher.post("/batches/upload/", {"name": "mine", "images": good_zip()}, follow=True)
    page = response.content.decode()
    assert "mine is here, all of it." in page
    assert "4 of 4 pairs" in page
    assert page.count("<img") == len(ROWS)


def test_arrays_are_uploaded_together(researcher: Client) -> None:
    files = [
        SimpleUploadedFile(name, npz_of(name, samples(), LABELS % 2).file.read()) for name in ("old.npz", "new.npz")
    ]
    researcher.post("/batches/upload/", {"name": "mine", "images": files, "class_texts": "cat\r\ndog\r\n"})
    batch = Batch.objects.get()
    assert sorted(arm.name for arm in batch.arms.all()) == ["new", "old"]
    assert batch.class_table == {"1": "dog"}


def test_a_bad_upload_is_refused_with_its_sentence_and_kept_fields(researcher: Client) -> None:
    form = {"name": "mine", "images": good_zip(), "arms": "old, newer"}
    response = researcher.post("/batches/upload/", form)
    page = response.content.decode()
    assert response.status_code == 400
    assert "metadata.csv, row 6: unknown arm &quot;new&quot;; the arms of this upload are old, newer." in page
    assert 'value="mine"' in page
    assert not Batch.objects.exists()


def test_an_upload_without_files_is_refused(researcher: Client) -> None:
    assert researcher.post("/batches/upload/", {"name": "mine"}).status_code == 400


def test_the_page_fills_as_images_arrive(
    researcher: Client, tmp_path: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch = make_batch(make_arms(tmp_path))
    empty = researcher.get(f"/batches/{batch.pk}/").content.decode()
    assert (empty.count("not made yet"), "0 of 4 pairs" in empty, "Cancel" in empty) == (8, True, True)
    first, second = batch.chunks.all()
    make_chunk(first.pk)
    # Batch, arms, two to count, the sheet, and what made it.
    with django_assert_num_queries(WHO + 6):
        half = researcher.get(f"/batches/{batch.pk}/progress/").content.decode()
    assert (half.count("not made yet"), half.count("<img"), "2 of 4 pairs" in half) == (4, 4, True)
    assert "<html" not in half
    make_chunk(second.pk)
    full = researcher.get(f"/batches/{batch.pk}/").content.decode()
    assert (full.count("<img"), 'data-unfinished="0"' in full) == (8, True)
    assert f"/studies/new/?batch={batch.pk}" in full
    assert "torch " in full


def test_a_pair_stands_in_one_row_under_its_arms(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    make_every_chunk(batch, make_chunk)
    page = researcher.get(f"/batches/{batch.pk}/").content.decode()
    assert page.index("<th>guided</th>") < page.index("<th>plain</th>")
    rows = page.split("<tbody>")[1].split("</tr>")[:4]
    for row, (class_index, seed) in zip(rows, [(0, 0), (0, 3), (2, 2), (2, 5)], strict=True):
        keys = (
            batch.images.filter(class_index=class_index, seed=seed).order_by("arm__name").values_list("pk", flat=True)
        )
        places = [row.index(f"/images/{key}.png") for key in keys]
        assert places == sorted(places)


def test_a_long_sheet_has_pages(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path), seeds_per_class=20)
    pages = [researcher.get(f"/batches/{batch.pk}/?page={number}").content.decode() for number in (1, 2)]
    assert [page.count("not made yet") for page in pages] == [48, 32]
    assert "Page 2 of 2" in pages[1]


def test_cancel_and_retry_are_buttons(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    page = researcher.post(f"/batches/{batch.pk}/cancel/", follow=True).content.decode()
    assert "Cancelled. What is made stays." in page
    assert "Make what is missing" in page
    assert "is finished already" in researcher.post(f"/batches/{batch.pk}/cancel/", follow=True).content.decode()
    page = researcher.post(f"/batches/{batch.pk}/retry/", follow=True).content.decode()
    assert "Queued again." in page
    assert "nothing to try again" in researcher.post(f"/batches/{batch.pk}/retry/", follow=True).content.decode()
    assert researcher.get(f"/batches/{batch.pk}/cancel/").status_code == 405


def test_a_failed_batch_says_why(researcher: Client) -> None:
    batch = Batch.objects.create(name="broken", status=Batch.Status.FAILED, problem="The weights <are> gone.", steps=5)
    assert "The weights &lt;are&gt; gone." in researcher.get(f"/batches/{batch.pk}/").content.decode()


def test_images_are_served_to_researchers_and_missing_ones_are_not_found(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    first, second = batch.chunks.all()
    make_chunk(first.pk)
    made, missing = (Image.objects.filter(chunk=chunk).first() for chunk in (first, second))
    assert made is not None
    assert missing is not None
    response = researcher.get(f"/images/{made.pk}.png")
    assert (response["Content-Type"], response.content[:4]) == ("image/png", b"\x89PNG")
    assert researcher.get(f"/images/{missing.pk}.png").status_code == 404
    assert researcher.get("/batches/9999/").status_code == 404


def test_classes_are_read_as_numbers_ranges_names_and_combinations() -> None:
    labels = ["cat", "dog", "cow", "salt+pepper"]
    assert read_classes("", labels).alone == [0, 1, 2, 3]
    assert read_classes(" 2-3, dog,2", labels).alone == [2, 3, 1]
    asked = read_classes("0+2, salt+pepper, cat + dog, 0+2", labels)
    assert (asked.alone, asked.together) == ([3], [(0, 2), (0, 1)])


def test_the_time_left_is_said_in_words() -> None:
    words = [time_left(seconds) for seconds in (None, 20, 61, 3000, 7300)]
    assert words == [
        "time left: not known yet",
        "less than a minute left",
        "about 1 min left",
        "about 50 min left",
        "about 2 h left",
    ]
