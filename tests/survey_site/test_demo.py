"""The demo that `make run` starts with is made once, of the shipped weights."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from generation.models import Batch, Image
from survey_site.demo import DEMO_SLUG, PAIRS_PER_CLASS, RESEARCHER, STEPS
from survey_site.models import Study

pytestmark = pytest.mark.django_db

WEIGHTS = Path(__file__).parent.parent.parent / "generation" / "weights"


@pytest.fixture
def _shipped_weights() -> None:
    paths = [str(path) for path in sorted(WEIGHTS.glob("*.safetensors"))]
    call_command("register_checkpoint", *paths, stdout=io.StringIO(), stderr=io.StringIO())


def run_demo() -> str:
    out = io.StringIO()
    call_command("demo", stdout=out)
    return out.getvalue()


def test_the_demo_without_weights_says_which_command_is_missing() -> None:
    with pytest.raises(CommandError, match="register_checkpoint generation/weights"):
        run_demo()


@pytest.mark.usefixtures("_shipped_weights")
def test_the_password_is_shown_once_and_works(client: Client) -> None:
    password = run_demo().split("password: ")[1].splitlines()[0]
    assert client.login(username=RESEARCHER, password=password)
    assert "password" not in run_demo()


@pytest.mark.usefixtures("_shipped_weights")
def test_the_demo_is_made_once() -> None:
    run_demo()
    run_demo()
    assert (Batch.objects.count(), Study.objects.count()) == (1, 1)


@pytest.mark.usefixtures("_shipped_weights")
def test_the_demo_is_forty_pairs_of_vanilla_and_robust() -> None:
    run_demo()
    study = Study.objects.get(slug=DEMO_SLUG)
    assert sorted((arm.name, arm.scale) for arm in study.arms.all()) == [("robust", 1.0), ("vanilla", 0.5)]
    assert study.opens_when_ready
    assert study.batches.get().steps == STEPS >= 50
    assert Image.objects.count() == 2 * 4 * PAIRS_PER_CLASS >= 80
