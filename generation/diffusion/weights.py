"""Our own networks and the tensors that fill them: which shapes a configuration needs, and filling it with them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from generation.diffusion.classifiers import ClassifierConfig, CleanClassifier, CleanConfig, EncoderClassifier
from generation.diffusion.facts import CheckpointMismatch
from generation.diffusion.networks import UNet, UNetConfig

Config = UNetConfig | ClassifierConfig | CleanConfig
Shapes = dict[str, tuple[int, ...]]


def filled(config: Config, weights: Mapping[str, Tensor], *, name: str, device: torch.device | str) -> nn.Module:
    """A network of this configuration with these weights, frozen, in float32. Raises CheckpointMismatch."""
    check_shapes(name, expected=expected_shapes(config, name=name), found=shapes_of(weights))
    network = _on_meta(config, name=name)
    # Half-precision files are for the disk only: arithmetic is float32 unless a sampler says otherwise.
    full = {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    network.load_state_dict(full, strict=True, assign=True)
    ready: nn.Module = network.to(device).eval().requires_grad_(False)
    return ready


def shapes_of(weights: Mapping[str, Tensor]) -> Shapes:
    """Every tensor's shape, by key."""
    return {key: tuple(value.shape) for key, value in weights.items()}


def expected_shapes(config: Config, *, name: str) -> Shapes:
    """The shapes that a network of this configuration has, built without memory. Raises CheckpointMismatch."""
    return shapes_of(_on_meta(config, name=name).state_dict())


def check_shapes(name: str, *, expected: Shapes, found: Shapes) -> None:
    """Raise CheckpointMismatch for the first missing, unexpected or misshapen key."""
    for key, shape in expected.items():
        if key not in found:
            raise CheckpointMismatch(f"{name} lacks the tensor {key}, which its network needs.")
        if found[key] != shape:
            raise CheckpointMismatch(f"{name} has {key} of shape {found[key]}, but its network needs {shape}.")
    for key in found:
        if key not in expected:
            raise CheckpointMismatch(f"{name} has a tensor {key}, which its network does not know.")


def _on_meta(config: Config, *, name: str) -> nn.Module:
    try:
        with torch.device("meta"):
            return _NETWORKS[type(config)](config)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise CheckpointMismatch(f"{name} describes a network that cannot be built: {error}.") from error


_NETWORKS: dict[type, Callable[[Any], nn.Module]] = {  # Any: each network takes its own configuration
    UNetConfig: UNet,
    ClassifierConfig: EncoderClassifier,
    CleanConfig: CleanClassifier,
}
