"""Trainings and reproductions as works: refused in a sentence, done by a worker, cancelled and gone on with."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from generation import laboratory
from generation.commissions import create_reproduction, create_training
from generation.holds import Hold, Report
from generation.models import Checkpoint, Work
from generation.reproduction_options import GRADCHECK, InvalidReproduction, ReproductionOptions
from generation.training_options import InvalidTraining
from generation.trainings import folder_of_training
from generation.works import cancel_work, read_file, repeat_work
from tests.generation.factories import stored_checkpoint

pytestmark = pytest.mark.django_db

SMALL: dict[str, Any] = {"name": "small", "steps": 4, "batch_size": 2, "width": 8, "held_out": 5, "save_every": 1}


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"


def test_a_training_registers_its_weights_and_keeps_its_card() -> None:
    work = create_training(owner=None, role="classifier", changes=SMALL)
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    checkpoint = Checkpoint.objects.get(name="small")
    assert checkpoint.role == Checkpoint.Role.CLASSIFIER
    assert (work.done_units, work.all_units) == (4, 4)
    card, content_type = read_file(work, "small.md")
    assert content_type == "text/markdown"
    assert b"train_classifier" in card


def test_a_cancelled_training_goes_on_when_it_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    work = create_training(owner=None, role="classifier", changes=SMALL)
    train = laboratory.KINDS["training"]
    steps: list[int] = []

    def cancelled(hold: Hold, report: Report) -> None:
        def at_two(done: int, total: int, note: str = "") -> None:
            if done == 2:
                cancel_work(hold.work)
                hold.report(total, total)
            steps.append(done)

        train(hold, at_two)

    monkeypatch.setitem(laboratory.KINDS, "training", cancelled)
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, steps) == (Work.Status.CANCELLED, [1])
    assert (folder_of_training(work.pk) / "small.state").exists()
    monkeypatch.setitem(laboratory.KINDS, "training", train)
    repeat_work(work)
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert work.status == Work.Status.DONE


@pytest.mark.parametrize(
    ("role", "changes", "sentence"),
    [
        ("judge", {}, 'There is no training of a "judge"'),
        ("classifier", {"steps": 0}, "Steps must be more than 0"),
        ("classifier", {"name": "taken"}, 'A checkpoint is called "taken" already'),
        ("classifier", {"name": "busy"}, 'A training called "busy" is under way'),
        ("denoiser", {"schedule": "square"}, "Schedule is linear or cosine"),
    ],
)
def test_a_training_that_cannot_be_done_is_refused_before_it_is_queued(
    role: str, changes: dict[str, Any], sentence: str
) -> None:
    stored_checkpoint(name="taken")
    create_training(owner=None, role="classifier", changes={**SMALL, "name": "busy"})
    with pytest.raises(InvalidTraining, match=sentence):
        create_training(owner=None, role=role, changes=changes)
    assert Work.objects.count() == 1


def test_a_training_on_a_folder_that_is_not_there_fails_in_a_sentence() -> None:
    work = create_training(owner=None, role="classifier", changes={**SMALL, "data": "nowhere", "image_size": 16})
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert work.status == Work.Status.FAILED
    assert "nowhere" in work.problem
    assert "Traceback" not in work.problem


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"which": "everything"}, 'There is no experiment "everything"'),
        ({"n": 3}, "ask for 16 to 50000"),
        ({"steps": 2000}, "2000 sampling steps"),
        ({"scale": 0.0}, "The scale is 0"),
        ({"budget": "long"}, "is no length of time"),
        ({"training_steps": -1}, "-1 training steps"),
    ],
)
def test_a_reproduction_that_cannot_be_done_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ReproductionOptions(**{"which": GRADCHECK, **changes})


def test_a_reproduction_names_the_command_that_does_the_same() -> None:
    options = ReproductionOptions(which=GRADCHECK, n=32, scale=5.0)
    assert options.command() == "python manage.py reproduce gradcheck --n 32 --steps 40 --scale 5.0"
    assert issubclass(InvalidReproduction, ValueError)


def test_a_reproduction_is_queued_with_all_its_options() -> None:
    work = create_reproduction(owner=None, options=ReproductionOptions(which=GRADCHECK))
    assert work.kind == Work.Kind.REPRODUCTION
    assert ReproductionOptions(**work.options) == ReproductionOptions(which=GRADCHECK)


# It trains, samples and judges in full: a minute, on a busy machine several.
@pytest.mark.timeout(900)
def test_a_reproductions_report_is_the_works_files(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    options = ReproductionOptions(which=GRADCHECK, n=16, steps=2, training_steps=1)
    work = create_reproduction(owner=None, options=options)
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    names = {file["name"] for file in work.files}
    assert names == {"gradcheck.md", "gradcheck.json", "gradcheck-images.png", "gradcheck-stability.svg"}
    page, _ = read_file(work, "gradcheck.md")
    assert b"(gradcheck-images.png)" in page
