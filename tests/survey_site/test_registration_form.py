"""Registering published weights in the browser, with what they don't say of themselves."""

from pathlib import Path

import pytest
import torch
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from generation import laboratory
from generation.diffusion.checkpoints import load_denoiser
from generation.models import Checkpoint, Work
from tests.generation.factories import SIDE, write_denoiser

pytestmark = pytest.mark.django_db

SAID = {"image_size": SIDE, "schedule": "linear", "attention_order": "legacy", "head_width": 32, "null_class": 3}


@pytest.fixture
def published(settings: Settings, tmp_path: Path) -> Path:
    """A state dict without any word about itself, in the installation's folder."""
    settings.CHECKPOINT_DIR = tmp_path
    network = load_denoiser(write_denoiser(tmp_path))
    assert isinstance(network, torch.nn.Module)
    path = tmp_path / "published.pt"
    torch.save(network.state_dict(), path)
    return path


def register(client: Client, path: Path, **answers: object) -> Work:
    answer = client.post(reverse("registration-create"), {"path": path.name, "noise_trained": "unknown", **answers})
    assert answer.status_code == 302, answer.content.decode()
    work = Work.objects.latest("pk")
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    return work


def test_a_published_file_is_registered_with_what_the_researcher_says(admin_client: Client, published: Path) -> None:
    work = register(admin_client, published, labels="cat\ndog\ncow\n", role="denoiser", **SAID)
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    checkpoint = Checkpoint.objects.get(name="published")
    assert (checkpoint.class_labels, checkpoint.null_class) == (["cat", "dog", "cow"], 3)


def test_what_is_missing_is_named(admin_client: Client, published: Path) -> None:
    work = register(admin_client, published)
    assert work.status == Work.Status.FAILED
    assert "image" in work.problem
    assert not Checkpoint.objects.exists()


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"adversarial": "much"}, "much is not NORM:EPS:STEPS:STEP"),
        ({"adversarial": "l2:0:7:0.1"}, "attacks nothing"),
        ({"labels": "cat\n\ncow"}, "Line 2 is empty"),
    ],
)
def test_a_slip_is_named_and_nothing_typed_is_lost(
    admin_client: Client, published: Path, answers: dict[str, str], sentence: str
) -> None:
    answer = admin_client.post(reverse("registration-create"), {"path": published.name, "prompt": "kept", **answers})
    assert answer.status_code == 400
    text = answer.content.decode()
    assert sentence in text
    assert 'value="kept"' in text
    assert not Work.objects.exists()
