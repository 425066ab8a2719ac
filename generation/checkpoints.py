"""Registering and loading weights. Imports torch: for workers and commands, never for the web process."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from django.conf import settings
from django.db.models import Q
from torch import nn

from generation.diffusion.checkpoints import (
    CheckpointFacts,
    CheckpointMismatch,
    Options,
    RefusedCheckpoint,
    digest_of,
    inspect_checkpoint,
    load_classifier,
    load_denoiser,
)
from generation.diffusion.inception import SIDE, UnusableInception, is_published, load_inception
from generation.models import Arm, Checkpoint

LONGEST_NAME, LONGEST_PATH = 100, 500


class InvalidCheckpoint(Exception):
    """The file cannot be used; the message says why."""


class UnusableCheckpoint(Exception):
    """The weights are gone, or no longer the ones that were registered."""


def register_checkpoint(
    path: Path, *, name: str | None = None, options: Options | None = None, role: str | None = None
) -> Checkpoint:
    """Store what a file or folder of weights is; options: what it does not say itself. Raises InvalidCheckpoint.

    role: what it must be, anything but a feature network if None. Weights that are known by their sha256 keep their row
    and name, and get their new path. What was said of them stays, unless something else is said now and no arm is made
    of them yet.
    """
    try:
        known = Checkpoint.objects.filter(sha256=digest_of(path)).first() if path.exists() else None
        said = options or (_said(known) if known else Options())
        columns = _features(path) if role == Checkpoint.Role.FEATURES else _columns(path, said, role=role)
    except (RefusedCheckpoint, UnusableInception, OSError) as error:
        raise InvalidCheckpoint(str(error)) from error
    if known is None:
        return _new(path, columns, name=name or (path.resolve().name if path.is_dir() else path.stem))
    if said != _said(known) and _arms(known):
        raise InvalidCheckpoint(
            f'{path}: it is registered as "{known}" and arms are made of it, so what was said of it stays as it is.'
        )
    for column, value in columns.items():
        setattr(known, column, value)
    known.save(update_fields=tuple(columns))
    return known


def load(checkpoint: Checkpoint, *, device: torch.device) -> tuple[CheckpointFacts, nn.Module]:
    """Return a registered network and its facts, read once per process. Raises UnusableCheckpoint."""
    said = json.dumps(checkpoint.facts.get("options", {}), sort_keys=True)
    return _load(checkpoint.sha256, settings.BASE_DIR / checkpoint.path, said, checkpoint.role, device)


# A batch rarely needs more than one denoiser and three classifiers; a GPU may not hold many more.
@lru_cache(maxsize=6)
def _load(sha256: str, path: Path, said: str, role: str, device: torch.device) -> tuple[CheckpointFacts, nn.Module]:
    try:
        facts = inspect_checkpoint(path, Options.of(json.loads(said)))
        load_network = load_denoiser if role == Checkpoint.Role.DENOISER else load_classifier
        network: nn.Module = load_network(path, facts, device=device)
    except (OSError, RefusedCheckpoint) as error:
        raise UnusableCheckpoint(f"Weights cannot be loaded: {error}") from error
    if facts.sha256 != sha256:
        raise UnusableCheckpoint(
            f"{path} is not the {'folder' if path.is_dir() else 'file'} that was registered (its sha256 differs); "
            "put that one back, or register the new one and make arms with it."
        )
    return facts, network


def _said(checkpoint: Checkpoint) -> Options:
    return Options.of(checkpoint.facts.get("options", {}))


def _arms(checkpoint: Checkpoint) -> bool:
    return Arm.objects.filter(Q(denoiser=checkpoint) | Q(classifier=checkpoint)).exists()


def _columns(path: Path, said: Options, *, role: str | None) -> dict[str, Any]:  # Any: columns differ in type
    facts = inspect_checkpoint(path, said)
    if role is not None and facts.kind != role:
        raise CheckpointMismatch(f"{path.name} is a {facts.kind}, not a {role}.")
    return {
        "role": Checkpoint.Role(facts.kind.value),
        "path": _stored_path(path),
        "sha256": facts.sha256,
        "architecture": facts.architecture.value,
        "image_size": facts.image_size,
        "class_labels": list(facts.class_labels),
        "null_class": facts.null_class,
        "takes_labels": facts.takes_labels,
        "head": Checkpoint.Head(facts.head.value),
        "schedule": facts.schedule,
        "timesteps": facts.timesteps,
        "noise_trained": facts.noise_trained,
        "takes_timestep": facts.takes_t,
        "adversarial": facts.adversarial,
        "extra": facts.extra,
        "facts": {"options": said.stored(), "config": facts.config, "card": facts.card, **facts.details},
    }


def _features(path: Path) -> dict[str, Any]:  # Any: as above
    load_inception(path)
    return {
        "role": Checkpoint.Role.FEATURES,
        "path": _stored_path(path),
        "sha256": digest_of(path),
        "architecture": "inception-v3",
        "image_size": SIDE,
        "class_labels": [],
        "takes_labels": False,
        "facts": {"published": is_published(path), "resizes": True},
    }


def _new(path: Path, columns: dict[str, Any], *, name: str) -> Checkpoint:  # Any: as above
    if len(name) > LONGEST_NAME or len(columns["path"]) > LONGEST_PATH:
        raise InvalidCheckpoint(
            f"{path}: a name has at most {LONGEST_NAME} characters and a path {LONGEST_PATH}; shorten it, or --name."
        )
    if Checkpoint.objects.filter(name=name).exists():
        raise InvalidCheckpoint(f'{path}: another file is registered as "{name}"; give this one another --name.')
    return Checkpoint.objects.create(name=name, **columns)


def _stored_path(path: Path) -> str:
    # Relative inside the project, so that a clone may be moved; joined to an absolute path, BASE_DIR gives way.
    full = path.resolve()
    return str(full.relative_to(settings.BASE_DIR)) if full.is_relative_to(settings.BASE_DIR) else str(full)
