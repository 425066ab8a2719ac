"""Weights of every kind: which reader a file or folder needs, and our own safetensors format.

A safetensors file of ours carries its facts as JSON under the metadata key "twinseed". Files of other endings are
published state dicts, folders are models in the formats of diffusers and transformers, which are optional.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from generation.diffusion import hub_classifiers, hub_denoisers, published
from generation.diffusion.classifiers import (
    Classifier,
    ClassifierConfig,
    CleanClassifier,
    CleanConfig,
    EncoderClassifier,
    Head,
    Outputs,
    with_head,
)
from generation.diffusion.facts import (
    Architecture,
    CheckpointFacts,
    CheckpointMismatch,
    Kind,
    MissingExtra,
    Options,
    RefusedCheckpoint,
    UnreadableCheckpoint,
    UntoldFacts,
    digest_of,
    first_line,
)
from generation.diffusion.hub_networks import HubDenoiser
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.spaces import Space
from generation.diffusion.weights import Config, Shapes, check_shapes, expected_shapes, filled

__all__ = [
    "Architecture",
    "CheckpointFacts",
    "CheckpointMismatch",
    "Kind",
    "MissingExtra",
    "Options",
    "RefusedCheckpoint",
    "Training",
    "UnreadableCheckpoint",
    "UntoldFacts",
    "digest_of",
    "inspect_checkpoint",
    "load_classifier",
    "load_denoiser",
    "save_checkpoint",
    "space_of",
]

METADATA_KEY = "twinseed"


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a checkpoint records of how it came to be. adversarial: norm, eps, step and steps of the attack, or None."""

    class_labels: tuple[str, ...]
    schedule: str = "linear"
    timesteps: int = 1000
    noise_trained: bool = True
    adversarial: Mapping[str, str | float | int] | None = None
    card: Mapping[str, str | float | int] = field(default_factory=dict)


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


def inspect_checkpoint(path: Path, options: Options | None = None) -> CheckpointFacts:
    """Read the facts of a file or folder; options: what its researcher says of it. Raises RefusedCheckpoint."""
    options = options or Options()
    if path.is_dir():
        if hub_denoisers.is_denoiser(path):
            return hub_denoisers.inspect_folder(path, options)
        return hub_classifiers.inspect_folder(path, options)
    if not path.is_file():
        raise UnreadableCheckpoint(f"{path} is neither a file nor a folder.")
    if path.suffix != ".safetensors":
        return published.inspect_published(path, options)
    if options:
        said = ", ".join(options.stored())
        raise CheckpointMismatch(f"{path.name} says itself what it is; leave out what was said of it ({said}).")
    return _inspect_ours(path)


def load_denoiser(
    path: Path, facts: CheckpointFacts | None = None, *, device: torch.device | str = "cpu"
) -> UNet | HubDenoiser:
    """A denoiser with its weights, frozen, in float32. facts: as inspected, read anew if not given.

    Raises RefusedCheckpoint.
    """
    facts = facts or inspect_checkpoint(path)
    if facts.kind is not Kind.DENOISER:
        raise CheckpointMismatch(f"{path.name} is a classifier, not a denoiser.")
    if facts.extra:
        return hub_denoisers.load_folder(path, facts, device=device)
    network = _load(path, facts, device)
    if not isinstance(network, UNet):
        raise CheckpointMismatch(f"{path.name} is a classifier, not a denoiser.")
    return network


def load_classifier(
    path: Path, facts: CheckpointFacts | None = None, *, device: torch.device | str = "cpu"
) -> Classifier:
    """A classifier with its weights, frozen, in float32, as guidance calls it. Raises as load_denoiser."""
    facts = facts or inspect_checkpoint(path)
    if facts.kind is not Kind.CLASSIFIER:
        raise CheckpointMismatch(f"{path.name} is a denoiser, not a classifier.")
    if facts.extra:
        return hub_classifiers.load_folder(path, facts, device=device)
    network = _load(path, facts, device)
    if not isinstance(network, EncoderClassifier | CleanClassifier):
        raise CheckpointMismatch(f"{path.name} is a denoiser, not a classifier.")
    return with_head(network)


def space_of(denoiser: UNet | HubDenoiser) -> Space:
    """What a loaded denoiser's samples are."""
    return Space(size=denoiser.config.image_size) if isinstance(denoiser, UNet) else denoiser.space


def _load(path: Path, facts: CheckpointFacts, device: torch.device | str) -> nn.Module:
    config = _CONFIGS[facts.architecture](**facts.config)
    if path.suffix != ".safetensors":
        return published.load_published(path, config, device=device)
    try:
        weights = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise UnreadableCheckpoint(f"{path.name} can't be read to its end ({first_line(error)}).") from error
    return filled(config, weights, name=path.name, device=device)


def _inspect_ours(path: Path) -> CheckpointFacts:
    facts, shapes = _header(path)
    config, training = _config(path.name, facts), _training(path.name, facts)
    architecture = Architecture(facts["architecture"])
    check_shapes(path.name, expected=expected_shapes(config, name=path.name), found=shapes)
    labels = tuple(training.class_labels)
    is_unet = isinstance(config, UNetConfig)
    return CheckpointFacts(
        kind=Kind.DENOISER if is_unet else Kind.CLASSIFIER,
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
        sha256=digest_of(path),
        takes_labels=isinstance(config, UNetConfig) and config.num_classes is not None,
        head=_head(config),
        details={} if is_unet else {"relus": len(config.widths) if isinstance(config, CleanConfig) else 0},
    )


def _header(path: Path) -> tuple[dict[str, Any], Shapes]:
    """The facts as stored, and every tensor's shape. Raises UnreadableCheckpoint."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118  # no dict
    except (OSError, SafetensorError) as error:
        raise UnreadableCheckpoint(
            f"{path.name} is not a whole safetensors file ({first_line(error)}); copy or download it again."
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


def _null_class(config: Config, labels: Sequence[str]) -> int | None:
    """The class after the last label, where the denoiser has one."""
    has_null = isinstance(config, UNetConfig) and config.num_classes == len(labels) + 1
    return len(labels) if has_null else None


def _head(config: Config) -> Head:
    attributes = not isinstance(config, UNetConfig) and config.outputs is Outputs.ATTRIBUTES
    return Head.SIGMOID if attributes else Head.SOFTMAX


_CONFIGS: dict[Architecture, Callable[..., Config]] = {
    Architecture.UNET: UNetConfig,
    Architecture.ENCODER: ClassifierConfig,
    Architecture.CLEAN: CleanConfig,
}
_ARCHITECTURES: dict[type, Architecture] = {
    UNet: Architecture.UNET,
    EncoderClassifier: Architecture.ENCODER,
    CleanClassifier: Architecture.CLEAN,
}
