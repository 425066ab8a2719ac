"""Registering and loading weights. Imports torch: for workers and commands, never for the web process."""

from functools import lru_cache
from pathlib import Path

import torch
from django.conf import settings
from torch import nn

from generation.diffusion.checkpoints import (
    CheckpointFacts,
    CheckpointMismatch,
    UnreadableCheckpoint,
    inspect_checkpoint,
    load_classifier,
    load_denoiser,
)
from generation.models import Checkpoint


class InvalidCheckpoint(Exception):
    """The file cannot be used; the message says why."""


class UnusableCheckpoint(Exception):
    """The weights are gone, or no longer the ones that were registered."""


def register_checkpoint(path: Path, *, name: str | None = None) -> Checkpoint:
    """Store a file's facts. A file that is known by its sha256 keeps its row, and gets its new path."""
    if not path.is_file():
        raise InvalidCheckpoint(f"{path} is not a file.")
    try:
        facts = inspect_checkpoint(path)
    except (UnreadableCheckpoint, CheckpointMismatch) as error:
        raise InvalidCheckpoint(str(error)) from error
    known = Checkpoint.objects.filter(sha256=facts.sha256).first()
    if known is None:
        return _new(path, facts, name=name or path.stem)
    known.path = _stored_path(path)
    known.save(update_fields=("path",))
    return known


def load(checkpoint: Checkpoint, *, device: torch.device) -> tuple[CheckpointFacts, nn.Module]:
    """Return a registered network and its facts, read once per process."""
    return _load(checkpoint.sha256, settings.BASE_DIR / checkpoint.path, checkpoint.role, device)


# A batch rarely needs more than one denoiser and three classifiers; a GPU may not hold many more.
@lru_cache(maxsize=6)
def _load(sha256: str, path: Path, role: str, device: torch.device) -> tuple[CheckpointFacts, nn.Module]:
    try:
        facts = inspect_checkpoint(path)
        load_network = load_denoiser if role == Checkpoint.Role.DENOISER else load_classifier
        network = load_network(path, device=device)
    except (OSError, UnreadableCheckpoint, CheckpointMismatch) as error:
        raise UnusableCheckpoint(f"Weights cannot be loaded: {error}") from error
    if facts.sha256 != sha256:
        raise UnusableCheckpoint(
            f"{path} is not the file that was registered (its sha256 differs); put that one back, "
            "or register the new one and make arms with it."
        )
    return facts, network


def _new(path: Path, facts: CheckpointFacts, *, name: str) -> Checkpoint:
    if Checkpoint.objects.filter(name=name).exists():
        raise InvalidCheckpoint(f'{path}: another file is registered as "{name}"; give this one another --name.')
    return Checkpoint.objects.create(
        name=name,
        role=Checkpoint.Role(facts.kind.value),
        path=_stored_path(path),
        sha256=facts.sha256,
        architecture=facts.architecture.value,
        image_size=facts.image_size,
        class_labels=list(facts.class_labels),
        null_class=facts.null_class,
        timesteps=facts.timesteps,
        noise_trained=facts.noise_trained,
        takes_timestep=facts.takes_t,
        adversarial=facts.adversarial,
    )


def _stored_path(path: Path) -> str:
    # Relative inside the project, so that a clone may be moved; joined to an absolute path, BASE_DIR gives way.
    full = path.resolve()
    return str(full.relative_to(settings.BASE_DIR)) if full.is_relative_to(settings.BASE_DIR) else str(full)
