"""Registering weights files. Reads them, so it imports torch: for workers and commands, never for the web process."""

from pathlib import Path

from django.conf import settings

from generation.diffusion.checkpoints import (
    CheckpointFacts,
    CheckpointMismatch,
    UnreadableCheckpoint,
    inspect_checkpoint,
)
from generation.models import Checkpoint


class InvalidCheckpoint(Exception):
    """The file cannot be used; the message says why."""


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


def path_of(checkpoint: Checkpoint) -> Path:
    """Return where the weights are."""
    return settings.BASE_DIR / checkpoint.path


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
