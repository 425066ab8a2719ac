"""The walks of ARCHITECTURE.md, each from its door to its rows and back, in one piece."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from generation.models import Batch, Image
from generation.tasks import generate_chunk
from survey_site.models import Comparison, Study, Trial, Vote
from survey_site.tasks import open_ready_studies
from tests.factories import make_study_with_files
from tests.generation.factories import make_arms

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("researcher"))
    return client


def trials_shown(page: str) -> list[str]:
    return re.findall(r"/trial/([0-9a-f-]{36})/", page)


def answers_of(rater: Client, slug: str, *, choose_arm: str) -> Iterator[str]:
    """Rate as a browser without JavaScript would, always for one arm."""
    page = rater.post(f"/rate/{slug}/enter/", follow=True)
    while "choice" in page.content.decode():
        path = re.search(r'action="(/rate/[^"]+/trial/[0-9a-f-]{36}/)"', page.content.decode())
        assert path is not None
        trial = Trial.objects.get(code=path[1].split("/")[-2])
        choice = "left" if trial.left_image.arm.name == choose_arm else "right"
        yield choice
        page = rater.post(path[1], {"choice": choice, "response_ms": "900"}, follow=True)


def test_the_whole_main_job_from_checkpoints_to_the_table(researcher: Client, tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    form = {
        "name": "tiny",
        "arms": [arm.pk for arm in arms],
        "classes": "",
        "seeds_per_class": 2,
        "steps": 2,
        "first_seed": 0,
        "pairs_per_chunk": 4,
        "new-TOTAL_FORMS": 0,
        "new-INITIAL_FORMS": 0,
    }
    assert researcher.post("/batches/new/", form).status_code == 302
    batch = Batch.objects.get()
    draft = {"title": "Tiny", "question": "Which?", "batch": batch.pk, "opens_when_ready": "on"}
    assert researcher.post("/studies/new/", draft).status_code == 302
    study = Study.objects.get()

    open_ready_studies()
    study.refresh_from_db()
    assert study.status == Study.Status.DRAFT, "it must wait for its images"
    for chunk in batch.chunks.all():
        generate_chunk(chunk.pk)
    open_ready_studies()
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN

    answers = list(answers_of(Client(), study.slug, choose_arm="guided"))
    assert len(answers) == 6
    assert set(answers) == {"left", "right"}
    report = researcher.get(f"/studies/{study.slug}/results.json").json()
    assert report["threshold_table"]["80"]["percent"] == {"guided": 100.0, "plain": 0.0, "no_preference": 0.0}
    call_command("recount", "--check", stdout=io.StringIO())


def test_a_vote_walks_from_the_form_to_one_row_and_on_to_the_next_pair() -> None:
    study = make_study_with_files(2)
    rater = Client()
    page = rater.post(f"/rate/{study.slug}/enter/", follow=True).content.decode()
    code = trials_shown(page)[0]

    after = rater.post(f"/rate/{study.slug}/trial/{code}/", {"choice": "same", "response_ms": "1200"}, follow=True)

    vote = Vote.objects.select_related("trial__comparison").get()
    assert (str(vote.trial.code), vote.choice, vote.response_ms) == (code, "same", 1200)
    assert vote.trial.comparison.n_votes == 1
    assert trials_shown(after.content.decode())[0] != code


def test_an_upload_walks_from_the_zip_to_pairs_that_raters_see(researcher: Client, tmp_path: Path) -> None:

    rows = [(f"{arm}-{seed}.png", arm, "hen", seed) for arm in ("old", "new") for seed in (1, 2)]
    table = io.StringIO()
    csv.writer(table).writerows([("file_name", "arm", "label", "seed"), *rows])
    with zipfile.ZipFile(tmp_path / "hens.zip", "w") as archive:
        archive.writestr("metadata.csv", table.getvalue())
        for name, arm, _, seed in rows:
            image = io.BytesIO()
            PIL.Image.new("RGB", (16, 16), (40 * seed, 90, 200 if arm == "new" else 20)).save(image, "PNG")
            archive.writestr(name, image.getvalue())

    with (tmp_path / "hens.zip").open("rb") as file:
        assert researcher.post("/batches/upload/", {"name": "hens", "images": file}).status_code == 302

    assert Image.objects.filter(batch__name="hens").exclude(name="").count() == 4
    batch = Batch.objects.get()
    researcher.post("/studies/new/", {"title": "Hens", "question": "Which?", "batch": batch.pk})
    study = Study.objects.get()
    researcher.post(f"/studies/{study.slug}/open/")
    rater = Client()
    page = rater.post(f"/rate/{study.slug}/enter/", follow=True).content.decode()
    assert "hen" in page
    assert rater.get(f"/rate/image/{trials_shown(page)[0]}/left.png").status_code == 200


def test_a_results_page_walks_from_rows_to_the_same_numbers_in_every_form(researcher: Client) -> None:
    study = make_study_with_files(4)
    list(answers_of(Client(), study.slug, choose_arm="robust"))

    page = researcher.get(f"/studies/{study.slug}/results/").content.decode()
    table = csv.DictReader(io.StringIO(researcher.get(f"/studies/{study.slug}/results.csv").content.decode()))

    assert Comparison.objects.filter(study=study, n_votes=1).count() == 4
    lines = [line for line in table if line["table"] == "threshold_table" and line["figure"] == "robust"]
    robust = {line["row"]: line["value"] for line in lines}
    assert robust == dict.fromkeys(("50", "60", "70", "80"), "100.0")
    assert "100.0\N{NO-BREAK SPACE}%" in page


def test_researchers_pages_ask_strangers_to_sign_in() -> None:
    study = make_study_with_files(1)
    stranger = Client()
    for path in (
        "/studies/",
        "/studies/new/",
        f"/studies/{study.slug}/",
        f"/studies/{study.slug}/results/",
        "/batches/",
    ):
        assert stranger.get(path).headers["Location"].startswith("/sign-in/")
