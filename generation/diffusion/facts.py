"""What is known of weights before a network is built: their facts, and what only a researcher can say of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from generation.diffusion.classifiers import Head
from generation.diffusion.process import Diffusion, InvalidSchedule

Attack = Mapping[str, str | float | int]
"""Adversarial training: norm, eps, steps, and step, the size of one."""


class RefusedCheckpoint(ValueError):
    """Weights cannot be used; the message says why."""


class UnreadableCheckpoint(RefusedCheckpoint):
    """A file is no weights file, or a damaged one."""


class CheckpointMismatch(RefusedCheckpoint):
    """A file's weights don't fit the network that it says it is."""


class UntoldFacts(RefusedCheckpoint):
    """A file does not say, and its shapes don't show, something that its use depends on."""


class MissingExtra(RefusedCheckpoint):
    """Loading these weights takes an optional library that is not installed."""

    def __init__(self, name: str, *, library: str) -> None:
        super().__init__(f"{name} needs {library}, which is optional: pip install -r requirements-extras.txt")


class Kind(StrEnum):
    """What a checkpoint is for."""

    DENOISER = "denoiser"
    CLASSIFIER = "classifier"


class Architecture(StrEnum):
    """Which network a checkpoint fills."""

    UNET = "adm-unet"
    ENCODER = "adm-encoder"
    CLEAN = "clean-cnn"
    DIFFUSERS_UNET = "diffusers-unet"
    EDM_UNET = "diffusers-edm-unet"
    DIT = "diffusers-dit"
    IMAGE_CLASSIFIER = "transformers-classifier"
    CLIP = "transformers-clip"


class AttentionOrder(StrEnum):
    """How the channels of an attention's queries, keys and values are laid out; the shapes are the same."""

    LEGACY = "legacy"
    """[head][q, k, v][channel]."""
    NEW = "new"
    """[q, k, v][head][channel]."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a researcher says of weights that don't say it themselves; None: nothing said.

    heads: attention heads at every level; head_width: or the width of each. res_blocks: residual blocks a level.
    predicts: "epsilon", "v_prediction" or "sample". null_class: index for "no class". prompt: the
    sentence that CLIP reads a label in, with {} in its place.
    """

    class_labels: tuple[str, ...] | None = None
    image_size: int | None = None
    schedule: str | None = None
    timesteps: int | None = None
    heads: int | None = None
    head_width: int | None = None
    attention_order: str | None = None
    res_blocks: int | None = None
    norm_groups: int | None = None
    null_class: int | None = None
    predicts: str | None = None
    noise_trained: bool | None = None
    adversarial: Attack | None = None
    prompt: str | None = None

    def __bool__(self) -> bool:
        return bool(self.stored())

    def stored(self) -> dict[str, Any]:  # Any: JSON
        """What was said, as JSON."""
        said = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Options":  # Any: JSON
        """The options that `stored` came from; what this version does not know is left out."""
        known = {item.name for item in fields(cls)}
        said = {name: value for name, value in stored.items() if name in known}
        if "class_labels" in said:
            said["class_labels"] = tuple(said["class_labels"])
        return cls(**said)


@dataclass(frozen=True, kw_only=True)
class CheckpointFacts:
    """What is known of weights without building the network.

    null_class: index of the class that means "none", None if the denoiser has no such class. takes_labels: whether a
    denoiser is told the class. takes_t: whether a network is told the timestep. sha256: of the whole file, or of a
    folder's files. extra: the optional library that loading takes. details: what else loading or using it needs;
    "latent": samples are an autoencoder's latents; "resizes": any image size will do; "relus": how many it has.
    """

    kind: Kind
    architecture: Architecture
    config: dict[str, Any]  # Any: each architecture has its own fields
    image_size: int
    class_labels: tuple[str, ...]
    null_class: int | None
    schedule: str
    timesteps: int
    noise_trained: bool
    takes_t: bool
    adversarial: dict[str, str | float | int] | None
    card: dict[str, str | float | int]
    sha256: str
    takes_labels: bool = True
    head: Head = Head.SOFTMAX
    extra: str = ""
    details: dict[str, Any] = field(default_factory=dict)  # Any: JSON


def digest_of(path: Path) -> str:
    """The sha256 of a file; of a folder, that of its files' relative names and digests, hidden files left out."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            within = file.relative_to(path)
            if file.is_file() and not any(part.startswith(".") for part in within.parts):
                digest.update(f"{digest_of(file)}  {within.as_posix()}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def numbered_labels(count: int) -> tuple[str, ...]:
    """Texts for classes that have none."""
    return tuple(f"class {index}" for index in range(count))


def checked_labels(told: tuple[str, ...] | None, *, count: int, name: str) -> tuple[str, ...]:
    """The labels told, or numbered ones. Raises CheckpointMismatch unless there are `count`."""
    if told is not None and len(told) != count:
        raise CheckpointMismatch(f"{name} has {count} classes, but {len(told)} labels were given.")
    return numbered_labels(count) if told is None else told


def classes_of(rows: int | None, *, name: str, options: Options) -> tuple[tuple[str, ...], int | None]:
    """Labels and null class of a denoiser whose class embedding has that many rows, None for an unconditional one.

    The null class is the last row, if that was told, or if the labels told are one fewer. Raises CheckpointMismatch.
    """
    told = options.class_labels
    if rows is None:
        return checked_labels(told or (), count=0, name=name), None
    if options.null_class not in (None, rows - 1):
        raise CheckpointMismatch(f"{name} has classes 0 to {rows - 1}; only the last can be the one for none.")
    has_null = options.null_class is not None or (told is not None and len(told) == rows - 1)
    labels = checked_labels(told, count=rows - has_null, name=name)
    return labels, rows - 1 if has_null else None


def check_chain(schedule: str, timesteps: int, *, name: str) -> None:
    """Raise CheckpointMismatch unless there is such a chain of noise levels."""
    try:
        Diffusion.make(schedule, timesteps)
    except InvalidSchedule as error:
        raise CheckpointMismatch(f"{name}: {error}") from error


def first_line(error: BaseException) -> str:
    """An exception's message without what follows its first line, or the second where the first announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
