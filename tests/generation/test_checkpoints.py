"""Registering weights: facts are read once, files may move, damaged ones are refused."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from generation.checkpoints import register_checkpoint
from generation.models import Checkpoint
from tests.generation.factories import LABELS, SIDE, write_classifier, write_denoiser

pytestmark = pytest.mark.django_db


def test_a_denoisers_facts_are_stored(tmp_path: Path) -> None:
    denoiser = register_checkpoint(write_denoiser(tmp_path))
    assert (denoiser.role, denoiser.name, denoiser.image_size) == ("denoiser", "denoiser-0", SIDE)
    assert (denoiser.class_labels, denoiser.null_class, denoiser.timesteps) == (list(LABELS), len(LABELS), 1000)


def test_a_classifiers_two_kinds_of_training_are_two_facts(tmp_path: Path) -> None:
    classifier = register_checkpoint(write_classifier(tmp_path, noise_trained=False))
    assert (classifier.role, classifier.noise_trained, classifier.takes_timestep) == ("classifier", False, True)
    assert classifier.adversarial is None


def test_a_file_is_registered_once_and_may_move(tmp_path: Path) -> None:
    path = write_denoiser(tmp_path)
    first = register_checkpoint(path)
    moved = path.rename(tmp_path / "moved.safetensors")
    again = register_checkpoint(moved)
    assert (again.pk, again.name, again.path) == (first.pk, "denoiser-0", str(moved))
    assert Checkpoint.objects.count() == 1


def test_the_command_registers_several_files_and_says_what_they_are(tmp_path: Path) -> None:
    out = StringIO()
    call_command("register_checkpoint", write_denoiser(tmp_path), write_classifier(tmp_path), stdout=out)
    lines = [line.split(" ", 1)[1] for line in out.getvalue().splitlines()]
    assert lines == ["denoiser denoiser-0", "classifier classifier-1"]


def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write_denoiser(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CommandError, match=r"^denoiser-0\.safetensors is not a whole safetensors file"):
        call_command("register_checkpoint", path)
    with pytest.raises(CommandError, match=r"gone\.pt is not a file"):
        call_command("register_checkpoint", tmp_path / "gone.pt")
    assert not Checkpoint.objects.exists()


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    register_checkpoint(write_denoiser(tmp_path, seed=3), name="ours")
    with pytest.raises(CommandError, match='another file is registered as "ours"; give this one another --name'):
        call_command("register_checkpoint", write_denoiser(tmp_path, seed=4), "--name=ours")
