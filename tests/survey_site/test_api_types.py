"""Whatever JSON a script sends, the API answers in a sentence and never with an error of its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from generation.models import Batch
from tests.generation.factories import make_batch, stored_checkpoint
from tests.generation.test_batches import two_arms

pytestmark = pytest.mark.django_db

STRANGE: tuple[Any, ...] = (None, True, 0, -1, 1.5, 10**30, "", "x", "\x00", [], ["x"], [[1]], {}, {"kind": 3})
OPTIONS: dict[str, tuple[str, ...]] = {
    "scoring": ("metrics", "arms", "reference", "features", "judge", "per_class", "levels", "guide_images"),
    "figure": ("arms", "classes", "seeds", "count", "steps", "levels", "classifiers", "source", "target", "metric"),
    "training": ("role", "plan"),
    "reproduction": ("which", "budget", "n", "steps", "scale", "training_steps", "data"),
    "registration": ("path", "name", "said", "role"),
}
GOOD: dict[str, dict[str, Any]] = {
    "scoring": {"metrics": ["frechet"], "reference": {"kind": "sportballs"}},
    "figure": {},
    "training": {"role": "classifier", "plan": {}},
    "reproduction": {"which": "gradcheck"},
    "registration": {"path": "a.pt"},
}
PLAN = ("name", "data", "image_size", "steps", "learning_rate", "flips", "kind", "eps", "norm", "init_from", "device")
REFERENCE = ("kind", "batch", "arm", "path", "n", "seed")


def requests(kind: str, batch: Batch) -> Iterator[dict[str, Any]]:
    figures = ("pairs", "gradients", "targeted", "trajectory", "stability", "sweep") if kind == "figure" else ("",)
    for figure in figures:
        for name in OPTIONS[kind]:
            for value in STRANGE:
                yield {"kind": kind, "batch": batch.pk, "figure": figure, "options": {**GOOD[kind], name: value}}
    for value in STRANGE:
        if kind == "training":
            for name in PLAN:
                yield {"kind": kind, "options": {"role": "classifier", "plan": {name: value}}}
        if kind == "scoring":
            for name in REFERENCE:
                for known in ("batch_arm", "folder", "npz", "sportballs"):
                    reference = {"kind": known, name: value}
                    yield {"kind": kind, "batch": batch.pk, "options": {**GOOD[kind], "reference": reference}}


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_options_of_any_type_are_taken_or_refused_in_a_sentence(kind: str) -> None:
    stored_checkpoint(role="classifier", null_class=None, takes_timestep=False, name="a judge")
    batch = make_batch(two_arms())
    Batch.objects.update(status=Batch.Status.COMPLETE)
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("ada"))
    wrong = []
    for asked in requests(kind, batch):
        answer = client.post(reverse("api-works"), json.dumps(asked), content_type="application/json")
        if answer.status_code not in (201, 400) or (answer.status_code == 400 and not answer.json()["detail"]):
            wrong.append((answer.status_code, asked))
    assert wrong == []
