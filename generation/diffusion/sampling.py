"""Samplers: from noise to images.

Sources: Ho et al. (2020), algorithm 2, with the learned variance of Nichol and Dhariwal (2021) and the guidance
of Dhariwal and Nichol (2021), algorithms 1 and 2; Song et al. (2021) for DDIM. Symbols as in process.py.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from generation.diffusion.guidance import Guidance
from generation.diffusion.noise import Noise
from generation.diffusion.process import Diffusion

OnStep = Callable[[int, int], None]


class Denoiser(Protocol):
    """A noise predictor: (x_t [N, 3, H, W], t [N], y [N] or None) -> [N, 3 or 6, H, W]."""

    def __call__(self, x_t: Tensor, t: Tensor, y: Tensor | None = None, /) -> Tensor: ...


@torch.no_grad()
def ddpm(
    denoiser: Denoiser,
    process: Diffusion,
    *,
    noise: Noise,
    labels: Tensor | None,
    guidance: Guidance | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Sample along every level of a (respaced) process: [N, 3, H, W], about in [-1, 1].

    labels: int64 [N], or None for an unconditional denoiser. on_step(k, steps) is called after the k-th step, k = 1 the
    first; what it raises ends the sampling. The last step, to level 0, adds no noise but is guided.
    """
    x_t = noise.initial()
    steps = len(process)
    for done, k in enumerate(reversed(range(steps))):
        t = process.t(k, rows=len(x_t))
        eps, log_variance = _predicted(denoiser, process, x_t, k=k, t=t, labels=labels)
        x_0 = process.x_0(x_t, k, eps).clamp(-1, 1)
        mean = process.posterior_mean(x_0, x_t, k)
        if guidance is not None:
            mean = mean + log_variance.exp() * guidance(x_t, t)
        drawn = noise.step(done)
        x_t = mean + (0.5 * log_variance).exp() * drawn if k else mean
        if on_step is not None:
            on_step(done + 1, steps)
    return x_t


@torch.no_grad()
def ddim(
    denoiser: Denoiser,
    process: Diffusion,
    *,
    noise: Noise,
    labels: Tensor | None,
    guidance: Guidance | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Sample without noise (eta = 0), as `ddpm` otherwise; guidance changes eps instead of the mean."""
    x_t = noise.initial()
    steps = len(process)
    for done, k in enumerate(reversed(range(steps))):
        t = process.t(k, rows=len(x_t))
        eps, _ = _predicted(denoiser, process, x_t, k=k, t=t, labels=labels)
        x_0 = process.x_0(x_t, k, eps).clamp(-1, 1)
        eps = process.eps(x_t, k, x_0)
        if guidance is not None:
            eps = eps - process.noise[k] * guidance(x_t, t)
            x_0 = process.x_0(x_t, k, eps)
        x_t = process.signal[k - 1] * x_0 + process.noise[k - 1] * eps if k else x_0
        if on_step is not None:
            on_step(done + 1, steps)
    return x_t


def to_uint8(x: Tensor) -> Tensor:
    """Pixels of samples [N, 3, H, W] in [-1, 1]: uint8 [N, H, W, 3] on the CPU.

    Truncated, not rounded, as the reference samplers do.
    """
    pixels = ((x + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu()


def _predicted(
    denoiser: Denoiser, process: Diffusion, x_t: Tensor, *, k: int, t: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The noise in x_t, and the step's log variance: learned, or the posterior's if the network has 3 channels."""
    predicted = denoiser(x_t, t, labels).float()
    channels = x_t.shape[1]
    eps, v = predicted[:, :channels], predicted[:, channels:]
    learned = v.shape[1] == channels
    return eps, process.learned_log_variance(v, k) if learned else process.posterior_log_variance(k)
