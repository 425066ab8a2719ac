"""Networks whose derivatives are known in closed form, and samplers written once more in float64 numpy.

Nothing here calls the code under test; `denoiser` and `logits` are torch functions for it to call. x is flattened to
[N, D], D = 3 * 4 * 4. The denoiser's noise is tanh(A x) + OFFSETS[y], its variance channels V x + SHIFTS[y]; the
classifier's logits are B x + C x^2 / 2 - t D x / 1000, so that their gradients need no autograd.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]

SHAPE = (3, 4, 4)
PIXELS = 48
CLASSES = 3
NULL = CLASSES
STEPS = 4


def _matrix(seed: int, *shape: int, size: float) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape) * size


A = _matrix(1, PIXELS, PIXELS, size=0.1)
OFFSETS = _matrix(2, CLASSES + 1, PIXELS, size=0.3)
V = _matrix(3, PIXELS, PIXELS, size=0.1)
SHIFTS = _matrix(7, CLASSES + 1, PIXELS, size=0.5)
B = _matrix(4, CLASSES, PIXELS, size=0.4)
C = _matrix(5, CLASSES, PIXELS, size=0.2)
D = _matrix(6, CLASSES, PIXELS, size=0.2)


def denoiser(x_t: Tensor, t: Tensor, y: Tensor | None = None, /) -> Tensor:
    """[N, 3, 4, 4], t [N], y [N] -> noise and variance channels [N, 6, 4, 4]."""
    assert y is not None
    dtype = x_t.dtype
    flat = x_t.flatten(1)
    a, v, offsets, shifts = (torch.from_numpy(table).to(dtype) for table in (A, V, OFFSETS, SHIFTS))
    eps = torch.tanh(flat @ a.T) + offsets[y]
    return torch.cat([eps, flat @ v.T + shifts[y]], dim=1).view(len(x_t), 6, *SHAPE[1:])


def logits(x: Tensor, t: Tensor) -> Tensor:
    """[N, 3, 4, 4], t [N] -> [N, classes]."""
    flat, dtype = x.flatten(1), x.dtype
    b, c, d = (torch.from_numpy(table).to(dtype) for table in (B, C, D))
    return flat @ b.T + flat**2 @ c.T / 2 - t[:, None] / 1000 * (flat @ d.T)


def noise_and_variance(x: Floats, y: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The denoiser in float64."""
    return np.tanh(x @ A.T) + OFFSETS[y], x @ V.T + SHIFTS[y]


def values(x: Floats, t: float) -> Floats:
    """The classifier in float64."""
    return x @ B.T + x**2 @ C.T / 2 - t / 1000 * (x @ D.T)


def slopes(x: Floats, t: float) -> Floats:
    """The derivative of every logit by every pixel: [N, classes, D]."""
    return B[None] + C[None] * x[:, None] - t / 1000 * D[None]


def log_probability_gradient(
    x: Floats, t: float, wanted: npt.NDArray[np.bool_], *, t1: float = 1, t2: float = 1
) -> Floats:
    """The sum over wanted classes of t1 df_y - t2 sum_j softmax(t2 f)_j df_j, by hand."""
    f, df = values(x, t), slopes(x, t)
    weights = np.exp(t2 * f - (t2 * f).max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    count = wanted.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkd->nd", t1 * wanted - count * t2 * weights, df)


@dataclass(frozen=True)
class Level:
    """One level of a chain of `count`, as published: linear betas 1e-4 to 0.02 over 1000, respaced."""

    t: int
    before: float
    """alpha_bar of the next level down, 1 at the last."""
    alpha_bar: float
    posterior: float
    """The posterior variance, at the last level that of the level above it."""

    @property
    def beta(self) -> float:
        return 1 - self.alpha_bar / self.before


def chain(timesteps: list[int]) -> list[Level]:
    """Levels from least noise to most."""
    alpha_bars = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))[timesteps]
    befores = [1.0, *alpha_bars[:-1]]
    betas = [1 - now / before for now, before in zip(alpha_bars, befores, strict=True)]
    posteriors = [beta * (1 - before) / (1 - now) for beta, before, now in zip(betas, befores, alpha_bars, strict=True)]
    posteriors[0] = posteriors[1]
    return [Level(*row) for row in zip(timesteps, befores, alpha_bars, posteriors, strict=True)]


DDPM_CHAIN = [0, 333, 666, 999]
DDIM_CHAIN = [0, 250, 500, 750]


@dataclass
class At:
    """What a reference guidance is told at a step. through: the derivative of x_0 by x_t, [N, D, D]."""

    x_t: Floats
    x_0: Floats
    through: Floats
    level: Level
    index: int


Guided = Callable[[At], Floats]
Eps = Callable[[Floats, npt.NDArray[np.int64], Level], Floats]


def _plain(x: Floats, y: npt.NDArray[np.int64], level: Level) -> Floats:
    return noise_and_variance(x, y)[0]


def _at(x: Floats, y: npt.NDArray[np.int64], level: Level, index: int, *, eps: Eps) -> At:
    noise = np.sqrt(1 - level.alpha_bar)
    estimate = (x - noise * eps(x, y, level)) / np.sqrt(level.alpha_bar)
    # d eps / dx = diag(1 - tanh^2(A x)) A; clamping passes a gradient on where it did not clamp.
    slope = (1 - np.tanh(x @ A.T) ** 2)[:, :, None] * A[None]
    through = (np.eye(PIXELS)[None] - noise * slope) / np.sqrt(level.alpha_bar)
    inside = np.abs(estimate) < 1
    return At(x, np.clip(estimate, -1, 1), through * inside[:, :, None], level, index)


def ddpm(
    draws: Floats,
    y: npt.NDArray[np.int64],
    guided: Guided,
    *,
    learned: bool = True,
    eps: Eps = _plain,
    weight: Callable[[Level, Floats], Floats | float] = lambda level, variance: variance,
) -> Floats:
    """The whole chain. draws: [5, N, D]. weight: what the gradient is multiplied by in the mean."""
    levels, x = chain(DDPM_CHAIN), draws[0]
    for index, k in enumerate(reversed(range(STEPS))):
        level = levels[k]
        at = _at(x, y, level, index, eps=eps)
        variance = np.full_like(x, level.posterior)
        if learned:
            f = (noise_and_variance(x, y)[1] + 1) / 2
            variance = np.exp(f * np.log(level.beta) + (1 - f) * np.log(level.posterior))
        share = level.beta * np.sqrt(level.before) / (1 - level.alpha_bar)
        kept = (1 - level.before) * np.sqrt(1 - level.beta) / (1 - level.alpha_bar)
        mean = share * at.x_0 + kept * x + weight(level, variance) * guided(at)
        x = mean + (np.sqrt(variance) * draws[index + 1] if k else 0)
    return x


def ddim(draws: Floats, y: npt.NDArray[np.int64], guided: Guided, *, eps: Eps = _plain) -> Floats:
    """The whole chain without noise but draws[0]."""
    levels, x = chain(DDIM_CHAIN), draws[0]
    for index, k in enumerate(reversed(range(STEPS))):
        level = levels[k]
        at = _at(x, y, level, index, eps=eps)
        noise = np.sqrt(1 - level.alpha_bar)
        predicted = (x - np.sqrt(level.alpha_bar) * at.x_0) / noise - noise * guided(at)
        x_0 = (x - noise * predicted) / np.sqrt(level.alpha_bar)
        x = np.sqrt(level.before) * x_0 + np.sqrt(1 - level.before) * predicted
    return x


@dataclass
class Remembered:
    """The gradients of a run so far, kept whole: an average is then a sum over all of them."""

    seen: list[Floats] = field(default_factory=list)

    def mean(self, gradient: Floats, *, decay: float, power: int = 1) -> Floats:
        """(1 - b) sum_i b^(n - i) g_i^power, with this gradient the last."""
        powers = [g**power for g in [*self.seen, gradient]]
        return sum(((1 - decay) * decay**age * g for age, g in enumerate(reversed(powers))), np.zeros_like(gradient))
