"""From a file or folder to finished images: every kind of denoiser and classifier, as rows, arms and chunks."""

from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch

from generation.arms import InvalidArm, create_arm
from generation.batches import InvalidBatch
from generation.checkpoints import register_checkpoint
from generation.diffusion.checkpoints import Training, load_denoiser, save_checkpoint
from generation.diffusion.classifiers import CleanClassifier, CleanConfig, Outputs, attribute_labels
from generation.diffusion.facts import Options
from generation.diffusion.recipes import Reads, Recipe, Sampler, Stabiliser
from generation.models import Arm, Batch, Checkpoint
from generation.runner import make_chunk
from tests.generation.diffusion.test_hub_denoisers import write_dit, write_unet
from tests.generation.diffusion.test_offshelf import clip as clip
from tests.generation.diffusion.test_offshelf import resnet as resnet
from tests.generation.factories import (
    LABELS,
    SIDE,
    bytes_of,
    guided,
    make_batch,
    make_every_chunk,
    write_classifier,
    write_denoiser,
)

pytestmark = pytest.mark.django_db


def arm(name: str, denoiser: Checkpoint, classifier: Checkpoint | None = None, **settings: Any) -> Arm:
    recipe = guided(90.0, **settings) if classifier else Recipe(**settings)
    return create_arm(owner=None, name=name, denoiser=denoiser, classifier=classifier, recipe=recipe)


def made(arms: list[Arm], **changes: Any) -> dict[tuple[str, int, int], str]:
    """Make a batch of these arms to its end; the sha256 of its images."""
    batch = make_batch(arms, **{"class_indices": [0, 1], "seeds_per_class": 1, "steps": 2, **changes})
    make_every_chunk(batch, make_chunk)
    batch.refresh_from_db()
    assert (batch.status, batch.problem) == (Batch.Status.COMPLETE, "")
    return bytes_of(batch)


def assert_guided(images: dict[tuple[str, int, int], str], name: str, *, unguided: str = "plain") -> None:
    """Every image of an arm differs from the unguided one of its class and seed."""
    pairs = [(sha256, images[unguided, c, seed]) for (arm_name, c, seed), sha256 in images.items() if arm_name == name]
    assert pairs
    assert all(ours != theirs for ours, theirs in pairs)


def test_a_hub_unet_is_guided_by_a_classifier_off_the_shelf(tmp_path: Path, resnet: Path) -> None:
    denoiser = register_checkpoint(write_unet(tmp_path / "unet"), name="hub")
    classifier = register_checkpoint(resnet, name="resnet")
    arms = [
        arm("plain", denoiser),
        arm("through", denoiser, classifier, reads=Reads.X_0, stabiliser=Stabiliser.ADAM),
        arm("EluCD", denoiser, classifier, reads=Reads.DETACHED_X_0, softplus_beta=3.0, conditional_temperature=0.5),
    ]
    images = made(arms)
    assert_guided(images, "through")
    assert_guided(images, "EluCD")


def test_an_edm_network_is_guided_too(tmp_path: Path, resnet: Path) -> None:
    folder = write_unet(tmp_path / "edm", scheduler=diffusers.EDMEulerScheduler())
    denoiser = register_checkpoint(folder, name="edm")
    classifier = register_checkpoint(resnet, name="resnet")
    ddim = {"sampler": Sampler.DDIM, "reads": Reads.DETACHED_X_0}
    images = made([arm("plain", denoiser, sampler=Sampler.DDIM), arm("guided", denoiser, classifier, **ddim)])
    assert_guided(images, "guided")


def test_a_clip_takes_the_denoisers_labels_as_texts(tmp_path: Path, clip: Path) -> None:
    denoiser = register_checkpoint(write_denoiser(tmp_path))
    texts = register_checkpoint(clip, name="clip")
    assert texts.class_labels == []
    images = made([arm("plain", denoiser), arm("texts", denoiser, texts, reads=Reads.DETACHED_X_0)])
    assert_guided(images, "texts")


def test_a_latent_denoiser_decodes_its_images_and_refuses_a_classifier_of_latents(tmp_path: Path) -> None:
    denoiser = register_checkpoint(write_dit(tmp_path / "dit"), name="dit")
    config = CleanConfig(image_size=denoiser.image_size, out_channels=len(denoiser.class_labels), widths=(4,))
    network = CleanClassifier(config)
    path = tmp_path / "things.safetensors"
    save_checkpoint(path, network, training=Training(class_labels=tuple(denoiser.class_labels), noise_trained=False))
    classifier = register_checkpoint(path)
    with pytest.raises(InvalidArm, match="works on latents"):
        arm("on x_t", denoiser, classifier)
    images = made([arm("plain", denoiser), arm("guided", denoiser, classifier, reads=Reads.X_0, normalised=True)])
    assert_guided(images, "guided")


def test_attributes_are_asked_for_one_by_one_and_together(tmp_path: Path) -> None:
    network = CleanClassifier(CleanConfig(image_size=SIDE, out_channels=2, widths=(4,), outputs=Outputs.ATTRIBUTES))
    path = tmp_path / "faces.safetensors"
    labels = attribute_labels(("Smiling", "Male"))
    save_checkpoint(path, network, training=Training(class_labels=labels, noise_trained=False))
    attributes = register_checkpoint(path)
    denoiser = register_checkpoint(write_unet(tmp_path / "unet"), name="hub")
    arms = [
        arm("plain", denoiser),
        arm("guided", denoiser, attributes, reads=Reads.X_0, conditional_temperature=0.0, normalised=True),
    ]
    images = made(arms, class_indices=[1], combined=[(1, 2)])
    batch = Batch.objects.get()
    assert batch.class_table == {"1": "Smiling", "4": "Smiling and not Male"}
    assert batch.requested(4) == (1, 2)
    assert_guided(images, "guided")


def test_two_classes_at_once_are_not_told_to_the_denoiser(tmp_path: Path) -> None:
    denoiser = register_checkpoint(write_denoiser(tmp_path))
    classifier = register_checkpoint(write_classifier(tmp_path))
    arms = [arm("plain", denoiser), arm("guided", denoiser, classifier)]
    images = made(arms, class_indices=[], combined=[(0, 2)])
    assert Batch.objects.get().class_table == {"3": f"{LABELS[0]} and {LABELS[2]}"}
    assert_guided(images, "guided")


@pytest.mark.parametrize(
    ("combined", "sentence"),
    [([(0,)], "two or more different classes"), ([(1, 1)], "two or more different"), ([(0, 9)], "There is no class 9")],
)
def test_a_combination_that_makes_no_sense_is_refused(
    tmp_path: Path, combined: list[tuple[int, ...]], sentence: str
) -> None:
    denoiser = register_checkpoint(write_denoiser(tmp_path))
    with pytest.raises(InvalidBatch, match=sentence):
        make_batch([arm("plain", denoiser)], combined=combined)


def test_a_published_state_dict_generates(tmp_path: Path) -> None:
    path = write_denoiser(tmp_path)
    published = tmp_path / "published.pt"
    network = load_denoiser(path)
    assert isinstance(network, torch.nn.Module)
    torch.save(network.state_dict(), published)
    options = {"image_size": SIDE, "schedule": "linear", "attention_order": "legacy", "head_width": 32}
    checkpoint = register_checkpoint(published, name="published", options=Options.of(options))
    ours = register_checkpoint(path)
    assert made([arm("plain", checkpoint)]) == made([arm("plain", ours)])
