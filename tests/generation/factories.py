"""Checkpoints, arms and batches to test with: real networks, so small that a CPU samples them in a blink."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from generation.arms import create_arm
from generation.batches import create_batch
from generation.checkpoints import register_checkpoint
from generation.diffusion.checkpoints import Training, save_checkpoint
from generation.diffusion.classifiers import ClassifierConfig, EncoderClassifier
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.recipes import Guidance, Recipe
from generation.models import Arm, Batch, Checkpoint

LABELS = ("cat", "dog", "cow")
SIDE = 8
SMALL: dict[str, Any] = {
    "image_size": SIDE,
    "model_channels": 32,
    "num_res_blocks": 1,
    "attention_resolutions": (2,),
    "channel_mult": (1, 1),
    "num_head_channels": 32,
}


def write_denoiser(folder: Path, *, seed: int = 0, labels: tuple[str, ...] = LABELS) -> Path:
    """Write a denoiser with a null class and random weights."""
    network = UNet(UNetConfig(**SMALL, out_channels=6, num_classes=len(labels) + 1))
    return _written(folder / f"denoiser-{seed}.safetensors", network, seed=seed, training=Training(class_labels=labels))


def write_classifier(folder: Path, *, seed: int = 1, noise_trained: bool = True, spread: float = 1.0) -> Path:
    """Write a classifier with random weights, `spread` times as large as they should be."""
    network = EncoderClassifier(ClassifierConfig(**SMALL, out_channels=len(LABELS)))
    training = Training(class_labels=LABELS, noise_trained=noise_trained)
    return _written(folder / f"classifier-{seed}.safetensors", network, seed=seed, training=training, spread=spread)


def guided(scale: float = 1.0, **settings: Any) -> Recipe:
    """Return the recipe of classifier guidance at this scale."""
    return Recipe(guidance=Guidance.CLASSIFIER, scale=scale, **settings)


def make_arms(folder: Path, *, scale: float = 1.0) -> list[Arm]:
    """Make two arms of one denoiser, an unguided one and a guided one."""
    denoiser = register_checkpoint(write_denoiser(folder))
    classifier = register_checkpoint(write_classifier(folder))
    return [
        create_arm(owner=None, name="plain", denoiser=denoiser),
        create_arm(owner=None, name="guided", denoiser=denoiser, classifier=classifier, recipe=guided(scale)),
    ]


def make_batch(arms: list[Arm], **changes: Any) -> Batch:
    """Create a batch of four pairs in two chunks."""
    wanted: dict[str, Any] = {
        "owner": None,
        "name": "a batch",
        "arms": arms,
        "class_indices": [0, 2],
        "seeds_per_class": 2,
        "steps": 3,
        "pairs_per_chunk": 2,
    }
    return create_batch(**{**wanted, **changes})


def stored_checkpoint(**changes: Any) -> Checkpoint:
    """Return a checkpoint's row without its file, for what needs facts only."""
    facts: dict[str, Any] = {
        "name": f"checkpoint {Checkpoint.objects.count()}",
        "role": Checkpoint.Role.DENOISER,
        "path": "nowhere",
        "sha256": f"{Checkpoint.objects.count():064}",
        "architecture": "adm-unet",
        "image_size": SIDE,
        "class_labels": list(LABELS),
        "null_class": 3,
        "noise_trained": True,
        "takes_timestep": True,
    }
    return Checkpoint.objects.create(**{**facts, **changes})


def make_every_chunk(batch: Batch, work: Callable[[int], None]) -> None:
    """Work on the batch's chunks in order, as a worker would."""
    for chunk in batch.chunks.all():
        work(chunk.pk)


def bytes_of(batch: Batch) -> dict[tuple[str, int, int], str]:
    """Return the sha256 of every image by arm, class and seed."""
    rows = batch.images.values_list("arm__name", "class_index", "seed", "sha256")
    return {(arm, class_index, seed): sha256 for arm, class_index, seed, sha256 in rows}


def _written(path: Path, network: nn.Module, *, seed: int, training: Training, spread: float = 1.0) -> Path:
    # Training starts with zeros in the last layers; random numbers everywhere make every input matter.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            width = parameter.shape[1:].numel() ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * width * spread)
    save_checkpoint(path, network, training=training)
    return path
