"""Registering weights: facts are read once, files may move, damaged ones are refused."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from django.core.management import CommandError, call_command
from torch import Tensor

from generation.arms import create_arm
from generation.arms_at_work import source_of
from generation.checkpoints import InvalidCheckpoint, UnusableCheckpoint, load, register_checkpoint
from generation.diffusion.checkpoints import Options
from generation.diffusion.classifiers import EncoderClassifier
from generation.diffusion.inception import Inception
from generation.diffusion.networks import UNet
from generation.diffusion.seed_matched import GuidedArm, sample_arms
from generation.models import Checkpoint
from tests.generation.diffusion.golden import arrays, golden_state, largest_difference
from tests.generation.diffusion.test_hub_classifiers import write_clip, write_resnet
from tests.generation.diffusion.test_hub_denoisers import write_dit, write_unet
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
    rows = list(Checkpoint.objects.order_by("pk"))
    assert out.getvalue().splitlines() == [
        f"{rows[0].pk} denoiser denoiser-0",
        '  adm-unet, 8 px, 3 classes from "cat" and one for none, linear over 1000 timesteps, '
        f"sha256 {rows[0].sha256[:12]}",
        f"{rows[1].pk} classifier classifier-1",
        '  adm-encoder, 8 px, 3 classes from "cat", trained on noised images, not adversarially, '
        f"sha256 {rows[1].sha256[:12]}",
    ]


def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write_denoiser(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CommandError, match=r"^denoiser-0\.safetensors is not a whole safetensors file"):
        call_command("register_checkpoint", path)
    with pytest.raises(CommandError, match=r"gone\.pt is neither a file nor a folder"):
        call_command("register_checkpoint", tmp_path / "gone.pt")
    assert not Checkpoint.objects.exists()


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    register_checkpoint(write_denoiser(tmp_path, seed=3), name="ours")
    with pytest.raises(CommandError, match='another file is registered as "ours"; give this one another --name'):
        call_command("register_checkpoint", write_denoiser(tmp_path, seed=4), "--name=ours")


CPU = torch.device("cpu")
DENOISER = ("--image-size=32", "--heads=4", "--attention-order=legacy", "--schedule=linear")


def published(folder: Path, name: str) -> Path:
    """A state dict as others publish them."""
    path = folder / f"{name}.pt"
    torch.save(golden_state(name), path)
    return path


def register(*arguments: object) -> list[str]:
    out = StringIO()
    call_command("register_checkpoint", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_a_published_denoiser_is_registered_and_loaded_with_what_was_said_of_it(tmp_path: Path) -> None:
    path, labels = published(tmp_path, "unet_cifar"), tmp_path / "labels.txt"
    labels.write_text("".join(f"thing {number}\n" for number in range(9)))
    lines = register(path, *DENOISER, "--labels", labels, "--name=cifar")
    denoiser = Checkpoint.objects.get(name="cifar")
    assert lines[1] == (
        '  adm-unet, 32 px, 9 classes from "thing 0" and one for none, linear over 1000 timesteps, '
        f"sha256 {denoiser.sha256[:12]}"
    )
    assert (denoiser.null_class, denoiser.takes_labels, denoiser.schedule) == (9, True, "linear")
    facts, network = load(denoiser, device=CPU)
    recorded = arrays("unet_cifar")
    assert isinstance(network, UNet)
    assert largest_difference(network(recorded["x"], recorded["t"], recorded["y"]), recorded["out"]) < 1e-5
    assert facts.class_labels == tuple(denoiser.class_labels)


def test_a_known_classifier_needs_nothing_to_be_said_but_its_robustness(tmp_path: Path) -> None:
    path = published(tmp_path, "classifier_cifar")
    lines = register(path, "--adversarial=l2:0.5:7:0.083", "--name=robust")
    robust = Checkpoint.objects.get(name="robust")
    assert robust.adversarial == {"norm": "l2", "eps": 0.5, "steps": 7, "step": 0.083}
    assert (robust.role, robust.noise_trained, robust.takes_timestep) == ("classifier", True, True)
    assert lines[1].startswith('  CIFAR-10 classifier, 32 px, 32 px, 10 classes from "class 0", trained on noised')
    assert isinstance(load(robust, device=CPU)[1], EncoderClassifier)


def test_an_attack_may_be_given_in_fractions(tmp_path: Path) -> None:
    register(published(tmp_path, "classifier_cifar"), "--adversarial=linf:8/255:7:2/255")
    attack = Checkpoint.objects.get().adversarial
    assert attack == {"norm": "linf", "eps": 8 / 255, "steps": 7, "step": 2 / 255}


def test_an_unconditional_denoiser_takes_no_labels(tmp_path: Path) -> None:
    register(published(tmp_path, "unet_plain"), "--image-size=16", "--heads=1", "--schedule=cosine")
    denoiser = Checkpoint.objects.get()
    assert (denoiser.takes_labels, denoiser.class_labels, denoiser.null_class) == (False, [], None)
    source = source_of(denoiser, device=CPU)
    images = sample_arms(source, [GuidedArm(name="a", class_conditional=False)], seeds=[1], requested=[[0]], steps=2)
    assert images.images["a"].shape == (1, 3, 16, 16)


def test_labels_can_be_those_of_another_checkpoint(tmp_path: Path) -> None:
    folder = write_resnet(tmp_path / "resnet")
    register(folder)
    register(write_unet(tmp_path / "ddpm", num_class_embeds=3), "--labels-from=resnet")
    assert Checkpoint.objects.get(name="ddpm").class_labels == Checkpoint.objects.get(name="resnet").class_labels
    with pytest.raises(CommandError, match='No checkpoint with labels is registered as "nobody"'):
        register(folder, "--labels-from=nobody")


def test_a_diffusers_folder_is_registered_loaded_and_sampled(tmp_path: Path) -> None:
    register(write_unet(tmp_path / "ddpm"))
    register(write_dit(tmp_path / "dit"))
    unet, dit = Checkpoint.objects.order_by("pk")
    assert (unet.extra, unet.takes_labels, unet.facts["latent"]) == ("diffusers", False, False)
    assert (dit.image_size, dit.null_class, dit.facts["latent"]) == (8, 5, True)
    for denoiser in (unet, dit):
        arms = [GuidedArm(name="a", class_conditional=denoiser.takes_labels)]
        made = sample_arms(source_of(denoiser, device=CPU), arms, seeds=[1, 2], requested=[[0], [1]], steps=2)
        assert made.images["a"].shape == (2, 3, 8, 8)
        assert made.images["a"].isfinite().all()


def test_an_image_classifier_and_clip_are_registered(tmp_path: Path) -> None:
    register(write_resnet(tmp_path / "resnet"), write_clip(tmp_path / "clip"))
    resnet, clip = Checkpoint.objects.order_by("pk")
    assert (resnet.role, resnet.facts["resizes"], resnet.noise_trained) == ("classifier", True, False)
    assert (clip.class_labels, clip.extra, clip.architecture) == ([], "transformers", "transformers-clip")
    assert load(clip, device=CPU)[0].class_labels == ()


def test_inception_weights_are_registered_as_features(tmp_path: Path) -> None:
    path = tmp_path / "inception.pth"
    torch.save(Inception().state_dict(), path)
    lines = register(path, "--features")
    features = Checkpoint.objects.get()
    assert (features.role, features.facts["published"]) == ("features", False)
    assert lines[1] == f"  inception-v3, not those that define FID, sha256 {features.sha256[:12]}"
    with pytest.raises(CommandError, match=r"unet_plain\.pt does not fill the Inception network"):
        register(published(tmp_path, "unet_plain"), "--features")


def test_what_was_said_is_kept_when_a_file_moves_and_may_change_until_an_arm_is_made(tmp_path: Path) -> None:
    path = published(tmp_path, "unet_cifar")
    said = Options(image_size=32, heads=4, attention_order="legacy", schedule="linear", null_class=9)
    first = register_checkpoint(path, options=said)
    moved = register_checkpoint(path.rename(tmp_path / "moved.pt"))
    assert (moved.pk, moved.null_class, moved.path) == (first.pk, 9, str(tmp_path / "moved.pt"))
    other = Options.of({**said.stored(), "schedule": "cosine"})
    assert register_checkpoint(tmp_path / "moved.pt", options=other).schedule == "cosine"
    create_arm(owner=None, name="plain", denoiser=Checkpoint.objects.get())
    with pytest.raises(InvalidCheckpoint, match='registered as "unet_cifar" and arms are made of it'):
        register_checkpoint(tmp_path / "moved.pt", options=said)
    register_checkpoint(tmp_path / "moved.pt", options=other)
    assert Checkpoint.objects.get().schedule == "cosine"


def test_a_name_that_no_page_could_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpoint, match="a name has at most 100 characters"):
        register_checkpoint(write_denoiser(tmp_path), name="x" * 101)


def _harmful(path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("run",)

    torch.save({"a": Harmful()}, path)


def _misshapen(path: Path) -> None:
    state: dict[str, Tensor] = golden_state("classifier_cifar")
    state["out.2.c_proj.bias"] = torch.zeros(3)
    torch.save(state, path)


def _truncated(path: Path) -> None:
    torch.save(golden_state("classifier_cifar"), path)
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (_harmful, r"^w\.pt wants to run code \(print\) and is not loaded"),
        (_misshapen, r"^w\.pt has out\.2\.c_proj\.bias of shape \(3,\), but its network needs \(10,\)"),
        (_truncated, r"^w\.pt is not a readable state dict"),
    ],
)
def test_a_refused_file_is_one_sentence_and_nothing_stored(tmp_path: Path, write: Any, sentence: str) -> None:
    path = tmp_path / "w.pt"
    write(path)
    with pytest.raises(CommandError, match=sentence) as refused:
        register(path)
    assert refused.value.returncode == 1
    assert "\n" not in str(refused.value)
    assert not Checkpoint.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--adversarial=l2:0.5",), "l2:0.5 is not NORM:EPS:STEPS:STEP"),
        (("--adversarial=l1:0.5:7:0.1",), "with the norm l2 or linf"),
        (("--labels=nowhere.txt",), "nowhere.txt can't be read as text"),
        (("--role=denoiser",), "classifier_cifar.pt is a classifier, not a denoiser"),
        (("--schedule=steep",), '"steep" is no schedule'),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        register(published(tmp_path, "classifier_cifar"), *arguments)
    assert sentence in str(refused.value)
    assert not Checkpoint.objects.exists()


def test_an_empty_line_among_the_labels_is_pointed_at(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("one\n\nthree\n")
    with pytest.raises(CommandError, match=r"must have one label a line, but line 2 is empty"):
        register(published(tmp_path, "classifier_cifar"), f"--labels={labels}")


def test_weights_that_were_changed_after_registration_are_not_used(tmp_path: Path) -> None:
    path = published(tmp_path, "classifier_cifar")
    checkpoint = register_checkpoint(path)
    state = golden_state("classifier_cifar")
    state["out.0.bias"] += 1
    torch.save(state, path)
    with pytest.raises(UnusableCheckpoint, match="is not the file that was registered"):
        load(checkpoint, device=CPU)
