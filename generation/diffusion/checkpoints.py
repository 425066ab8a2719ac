"""Weights files: our safetensors format, the published PyTorch ones, and what can be known without building a network.

A safetensors file of ours carries its facts as JSON under the metadata key "twinseed". Published files are
pickled state dicts, read with weights_only=True, which runs no code from them.
"""

import hashlib
import json
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from generation.diffusion.classifiers import ClassifierConfig, CleanClassifier, CleanConfig, EncoderClassifier
from generation.diffusion.networks import UNet, UNetConfig

METADATA_KEY = "twinseed"
Config = UNetConfig | ClassifierConfig | CleanConfig
Shapes = dict[str, tuple[int, ...]]


class UnreadableCheckpoint(ValueError):
    """A file is no weights file, or a damaged one."""


class CheckpointMismatch(ValueError):
    """A file's weights don't fit the network that it says it is."""


class Kind(StrEnum):
    """What a checkpoint is for."""

    DENOISER = "denoiser"
    CLASSIFIER = "classifier"


class Architecture(StrEnum):
    """Which network a checkpoint fills."""

    UNET = "adm-unet"
    ENCODER = "adm-encoder"
    CLEAN = "clean-cnn"


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a checkpoint records of how it came to be. adversarial: norm, eps, step and steps of the attack, or None."""

    class_labels: tuple[str, ...]
    schedule: str = "linear"
    timesteps: int = 1000
    noise_trained: bool = True
    adversarial: Mapping[str, str | float | int] | None = None
    card: Mapping[str, str | float | int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CheckpointFacts:
    """What a weights file says of itself, known without building the network.

    null_class: index of the class that means "none", None if the denoiser has no such class. takes_t: whether the
    network is told the timestep. sha256: of the whole file.
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


def save_checkpoint(path: Path, module: nn.Module, *, training: Training, half: bool = False) -> None:
    """Write a network's weights and its facts, at half precision if asked (loading makes them float32 again)."""
    architecture = _ARCHITECTURES[type(module)]
    config: Config = module.config  # type: ignore[assignment]  # nn.Module attributes are untyped
    facts = {
        "architecture": architecture.value,
        "config": asdict(config),
        "training": {**asdict(training), "card": dict(training.card)},
    }
    dtype = torch.float16 if half else torch.float32
    weights = {
        name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for name, value in module.state_dict().items()
    }
    unfinished = path.with_suffix(".part")
    save_file(weights, str(unfinished), metadata={METADATA_KEY: json.dumps(facts, sort_keys=True)})
    # A temporary file is private to its owner; weights are for every user of the machine.
    unfinished.chmod(0o644)
    unfinished.replace(path)


def inspect_checkpoint(path: Path) -> CheckpointFacts:
    """Read a file's facts. Raises UnreadableCheckpoint or CheckpointMismatch."""
    facts, shapes = _header(path)
    config, training = _config(path.name, facts), _training(path.name, facts)
    architecture = Architecture(facts["architecture"])
    _check_shapes(path.name, expected=_expected_shapes(config), found=shapes)
    labels = tuple(training.class_labels)
    return CheckpointFacts(
        kind=Kind.DENOISER if architecture is Architecture.UNET else Kind.CLASSIFIER,
        architecture=architecture,
        config=asdict(config),
        image_size=config.image_size,
        class_labels=labels,
        null_class=_null_class(config, labels),
        schedule=training.schedule,
        timesteps=training.timesteps,
        noise_trained=training.noise_trained,
        takes_t=architecture is Architecture.ENCODER,
        adversarial=dict(training.adversarial) if training.adversarial else None,
        card=dict(training.card),
        sha256=_sha256(path),
    )


def load_denoiser(path: Path, *, device: torch.device | str = "cpu") -> UNet:
    """A denoiser with its weights, frozen, in float32. Raises as inspect_checkpoint, or CheckpointMismatch."""
    network = _load(path, device)
    if not isinstance(network, UNet):
        raise CheckpointMismatch(f"{path.name} is a classifier, not a denoiser.")
    return network


def load_classifier(path: Path, *, device: torch.device | str = "cpu") -> EncoderClassifier | CleanClassifier:
    """A classifier with its weights, frozen, in float32. Raises as load_denoiser."""
    network = _load(path, device)
    if not isinstance(network, EncoderClassifier | CleanClassifier):
        raise CheckpointMismatch(f"{path.name} is a denoiser, not a classifier.")
    return network


def load_published(path: Path, config: Config, *, device: torch.device | str = "cpu") -> nn.Module:
    """Fill a network with a published .pt state dict of the same key names. Raises as load_denoiser."""
    try:
        weights: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise UnreadableCheckpoint(f"{path.name} is not a readable PyTorch state dict ({_line(error)}).") from error
    return _filled(config, weights, name=path.name, device=device)


def _load(path: Path, device: torch.device | str) -> nn.Module:
    facts, _ = _header(path)
    config = _config(path.name, facts)
    try:
        weights = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise UnreadableCheckpoint(f"{path.name} can't be read to its end ({_line(error)}).") from error
    return _filled(config, weights, name=path.name, device=device)


def _filled(config: Config, weights: Mapping[str, Tensor], *, name: str, device: torch.device | str) -> nn.Module:
    found = {key: tuple(value.shape) for key, value in weights.items()}
    _check_shapes(name, expected=_expected_shapes(config), found=found)
    with torch.device("meta"):
        network = _NETWORKS[type(config)](config)
    # Half-precision files are for the disk only: arithmetic is float32 unless a sampler says otherwise.
    full = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    network.load_state_dict(full, strict=True, assign=True)
    filled: nn.Module = network.to(device).eval().requires_grad_(False)
    return filled


def _header(path: Path) -> tuple[dict[str, Any], Shapes]:
    """The facts as stored, and every tensor's shape. Raises UnreadableCheckpoint."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  # no dict
    except (OSError, SafetensorError) as error:
        raise UnreadableCheckpoint(
            f"{path.name} is not a whole safetensors file ({_line(error)}); copy or download it again."
        ) from error
    if METADATA_KEY not in metadata:
        raise UnreadableCheckpoint(
            f"{path.name} is a safetensors file without Twinseed's description (metadata key "
            f'"{METADATA_KEY}"); write it with save_checkpoint.'
        )
    try:
        facts: dict[str, Any] = json.loads(metadata[METADATA_KEY])
    except json.JSONDecodeError as error:
        raise UnreadableCheckpoint(f"{path.name} has a description that is no JSON ({error}).") from error
    return facts, shapes


def _config(name: str, facts: Mapping[str, Any]) -> Config:
    try:
        return _CONFIGS[Architecture(facts["architecture"])](**facts["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableCheckpoint(f"{name} describes its network in a way that can't be read: {error}.") from error


def _training(name: str, facts: Mapping[str, Any]) -> Training:
    try:
        return Training(**facts["training"])
    except (KeyError, TypeError) as error:
        raise UnreadableCheckpoint(f"{name} describes its training in a way that can't be read: {error}.") from error


def _expected_shapes(config: Config) -> Shapes:
    with torch.device("meta"):
        network = _NETWORKS[type(config)](config)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _check_shapes(name: str, *, expected: Shapes, found: Shapes) -> None:
    """Raise CheckpointMismatch for the first missing, unexpected or misshapen key."""
    for key, shape in expected.items():
        if key not in found:
            raise CheckpointMismatch(f"{name} lacks the tensor {key}, which its network needs.")
        if found[key] != shape:
            raise CheckpointMismatch(f"{name} has {key} of shape {found[key]}, but its network needs {shape}.")
    for key in found:
        if key not in expected:
            raise CheckpointMismatch(f"{name} has a tensor {key}, which its network does not know.")


def _null_class(config: Config, labels: Sequence[str]) -> int | None:
    """The class after the last label, where the denoiser has one."""
    has_null = isinstance(config, UNetConfig) and config.num_classes == len(labels) + 1
    return len(labels) if has_null else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


_CONFIGS: dict[Architecture, Callable[..., Config]] = {
    Architecture.UNET: UNetConfig,
    Architecture.ENCODER: ClassifierConfig,
    Architecture.CLEAN: CleanConfig,
}
_NETWORKS: dict[type, Callable[[Any], nn.Module]] = {
    UNetConfig: UNet,
    ClassifierConfig: EncoderClassifier,
    CleanConfig: CleanClassifier,
}
_ARCHITECTURES: dict[type, Architecture] = {
    UNet: Architecture.UNET,
    EncoderClassifier: Architecture.ENCODER,
    CleanClassifier: Architecture.CLEAN,
}
