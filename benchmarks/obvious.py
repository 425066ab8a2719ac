"""The obvious way to make seed-matched images, in the structure of the published samplers: our yardstick.

One arm after the other, each a run with its own noise and its own pass through the denoiser; tables in numpy, looked up
and copied to the device in every step; guidance by a classifier whose weights ask for gradients; images converted and
written one by one. The networks are ours, at the same precision, so that only the way differs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import Tensor, nn

from generation.diffusion.process import Diffusion


@dataclass(frozen=True)
class Run:
    """One arm: a classifier or none, and its scale."""

    name: str
    classifier: nn.Module | None
    scale: float


class Tables:
    """A chain's coefficients in float64, one copy to the device for each of them in each step."""

    def __init__(self, process: Diffusion) -> None:
        betas, bar = process.betas, process.alpha_bar
        previous = np.append(1.0, bar[:-1])
        variance = betas * (1 - previous) / (1 - bar)
        self.timesteps = process.timesteps
        self.root_inverse, self.root_inverse_less_one = np.sqrt(1 / bar), np.sqrt(1 / bar - 1)
        self.of_x_0 = betas * np.sqrt(previous) / (1 - bar)
        self.of_x_t = (1 - previous) * np.sqrt(1 - betas) / (1 - bar)
        self.log_small = np.log(np.append(variance[1], variance[1:]))
        self.log_large = np.log(betas)


def make(
    denoiser: nn.Module, process: Diffusion, runs: Sequence[Run], *, labels: Tensor, size: int, folder: Path
) -> None:
    """Write every run's images, one run after the other."""
    tables = Tables(process)
    for run in runs:
        samples = _sampled(denoiser, tables, run, labels=labels, size=size)
        for row, sample in enumerate(samples):
            pixels = ((sample + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()
            PIL.Image.fromarray(pixels.cpu().numpy()).save(folder / f"{run.name}-{row}.png")


@torch.no_grad()
def _sampled(denoiser: nn.Module, tables: Tables, run: Run, *, labels: Tensor, size: int) -> Tensor:
    x = torch.randn(len(labels), 3, size, size).to(labels.device)
    for k in reversed(range(len(tables.timesteps))):
        t = torch.tensor([int(tables.timesteps[k])] * len(x), device=x.device)
        eps, v = denoiser(x, t, labels).float().split(3, dim=1)
        share = (v + 1) / 2
        log_variance = share * _at(tables.log_large, k, x) + (1 - share) * _at(tables.log_small, k, x)
        variance = torch.exp(log_variance)
        x_0 = (_at(tables.root_inverse, k, x) * x - _at(tables.root_inverse_less_one, k, x) * eps).clamp(-1, 1)
        mean = _at(tables.of_x_0, k, x) * x_0 + _at(tables.of_x_t, k, x) * x
        if run.classifier is not None:
            mean = mean + variance * run.scale * _gradient(run.classifier, x, t, labels)
        nonzero = (t != 0).float().view(-1, 1, 1, 1)
        x = mean + nonzero * torch.exp(0.5 * log_variance) * torch.randn_like(x)
    return x


def _gradient(classifier: nn.Module, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    with torch.enable_grad():
        x_in = x.detach().requires_grad_(True)
        log_probabilities = classifier(x_in, t).float().log_softmax(dim=-1)
        chosen = log_probabilities[range(len(labels)), labels.view(-1)]
        return torch.autograd.grad(chosen.sum(), x_in)[0]


def _at(table: np.ndarray, k: int, like: Tensor) -> Tensor:
    ks = torch.full((len(like),), k, dtype=torch.int64)
    return torch.from_numpy(table).to(like.device)[ks.to(like.device)].float().view(-1, 1, 1, 1).expand(like.shape)
