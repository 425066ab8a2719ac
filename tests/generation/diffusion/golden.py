"""The reference implementations' numbers in tests/golden, and networks with the weights that produced them.

Weights are made, not stored: see the rule in `golden_weight`. The arrays are outputs of the published code
on those weights.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from generation.diffusion.classifiers import ClassifierConfig, EncoderClassifier
from generation.diffusion.networks import UNet, UNetConfig

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
MODELS: dict[str, Any] = json.loads((GOLDEN / "models.json").read_text())
UNETS = [name for name in MODELS if name.startswith("unet")]
CLASSIFIERS = [name for name in MODELS if name.startswith("classifier")]


def arrays(name: str) -> dict[str, Tensor]:
    """The arrays of a golden file."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def golden_weight(key: str, shape: list[int], *, seed: int) -> Tensor:
    """A parameter's value, a function of its name: normal, scaled by its fan-in, near 1 for norms, small for biases."""
    a = np.random.default_rng([seed, zlib.crc32(key.encode())]).standard_normal(shape).astype(np.float32)
    if len(shape) > 1:
        return torch.from_numpy(a * np.float32(1 / np.sqrt(np.prod(shape[1:]))))
    return torch.from_numpy(np.float32(1) + np.float32(0.2) * a if key.endswith("weight") else np.float32(0.1) * a)


def golden_state(name: str) -> dict[str, Tensor]:
    """A published model's state dict: its keys, with golden weights."""
    model = MODELS[name]
    return {key: golden_weight(key, shape, seed=model["weights_seed"]) for key, shape in model["keys"].items()}


def golden_config(name: str) -> UNetConfig | ClassifierConfig:
    """A published model's configuration."""
    return (UNetConfig if name in UNETS else ClassifierConfig)(**MODELS[name]["config"])


def golden_unet(name: str) -> UNet:
    """A denoiser with golden weights."""
    network = UNet(UNetConfig(**MODELS[name]["config"]))
    network.load_state_dict(golden_state(name), strict=True)
    return network.eval()


def golden_classifier(name: str) -> EncoderClassifier:
    """A guiding classifier with golden weights."""
    network = EncoderClassifier(ClassifierConfig(**MODELS[name]["config"]))
    network.load_state_dict(golden_state(name), strict=True)
    return network.eval()


def largest_difference(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference between two arrays of one shape."""
    assert a.shape == b.shape
    return (a - b).abs().max().item()
