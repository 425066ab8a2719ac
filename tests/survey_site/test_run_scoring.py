"""Scoring a training along its kept weights: asked for in the browser, done by a worker."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from generation import laboratory
from generation.commissions import create_training
from generation.models import Work
from generation.works import read_file

pytestmark = pytest.mark.django_db

TINY: dict[str, Any] = {"name": "run", "steps": 4, "keep_every": 2, "batch_size": 2, "width": 8, "save_every": 4}
ANSWERS = {"reference": "", "features": "pixels-2", "n": 20, "steps": 1}


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.CHECKPOINT_DIR = tmp_path


def training(**changes: Any) -> Work:
    work = create_training(owner=None, role="denoiser", changes={**TINY, **changes})
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    return work


def test_a_training_is_scored_along_the_weights_it_kept(admin_client: Client) -> None:
    run = training()
    assert reverse("run-score", args=[run.pk]) in admin_client.get(reverse("work", args=[run.pk])).content.decode()
    answer = admin_client.post(reverse("run-score", args=[run.pk]), ANSWERS)
    assert answer.status_code == 302, answer.content.decode()
    work = Work.objects.latest("pk")
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    document = json.loads(read_file(work, "scores-along-the-run.json")[0])
    assert [one["step"] for one in document["snapshots"]] == [2, 4]
    assert all(one["scores"]["frechet"] > 0 for one in document["snapshots"])
    assert (document["n"], document["n_reference"]) == (20, 1000)
    assert "is least at step" in work.note


def test_a_training_that_kept_nothing_is_not_scored(admin_client: Client) -> None:
    run = create_training(owner=None, role="denoiser", changes={**TINY, "keep_every": 0})
    assert "Score the weights" not in admin_client.get(reverse("work", args=[run.pk])).content.decode()
    answer = admin_client.post(reverse("run-score", args=[run.pk]), ANSWERS)
    assert answer.status_code == 400
    assert "kept no weights along its way" in answer.content.decode()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [({"features": "eyes"}, "There are no features"), ({"n": 1}, "greater than or equal to 20")],
)
def test_scores_that_cannot_be_had_are_refused(admin_client: Client, answers: dict[str, Any], sentence: str) -> None:
    run = create_training(owner=None, role="denoiser", changes=TINY)
    answer = admin_client.post(reverse("run-score", args=[run.pk]), {**ANSWERS, **answers})
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert Work.objects.count() == 1
