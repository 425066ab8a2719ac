"""Stabilisers: what a trajectory remembers of its gradients, so that one bad gradient does not rule a step.

A stabiliser is made anew for every run of a sampler and holds one state per trajectory (row); the state never passes
from one run to the next. Gradients are [N, ...]. Sources: Vaeth et al. (2024, 2025); Kingma and Ba (2015).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from generation.diffusion.recipes import Recipe, Stabiliser

Stabilise = Callable[[Tensor], Tensor]

SMALLEST_NORM = 1e-4


def stabilised(recipe: Recipe) -> Stabilise:
    """A function of one run's gradients, first step first, each returned stabilised."""
    return _STABILISERS[recipe.stabiliser](recipe)


def normalised(gradient: Tensor) -> Tensor:
    """Each row at Euclidean length 1: g / max(||g||, 1e-4), so that a vanishing gradient stays small."""
    lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1).clamp_min(SMALLEST_NORM)
    unit: Tensor = gradient / lengths.view(-1, *[1] * (gradient.dim() - 1))
    return unit


def _unchanged(recipe: Recipe) -> Stabilise:
    return lambda gradient: gradient


def _ema(recipe: Recipe) -> Stabilise:
    """m = b m + (1 - b) g from m = 0, without bias correction."""
    m: Tensor | None = None

    def stabilise(gradient: Tensor) -> Tensor:
        nonlocal m
        m = (1 - recipe.decay) * gradient if m is None else recipe.decay * m + (1 - recipe.decay) * gradient
        return m

    return stabilise


def _adam(recipe: Recipe) -> Stabilise:
    """m / (sqrt(v) + 1e-4), without bias correction."""
    return _moments(recipe, corrected=False, eps=1e-4)


def _adam_corrected(recipe: Recipe) -> Stabilise:
    """Both moments bias-corrected, eps 1e-8."""
    return _moments(recipe, corrected=True, eps=1e-8)


def _moments(recipe: Recipe, *, corrected: bool, eps: float) -> Stabilise:
    b1, b2 = recipe.decay, recipe.second_decay
    moments: tuple[Tensor, Tensor] | None = None
    steps = 0

    def stabilise(gradient: Tensor) -> Tensor:
        nonlocal moments, steps
        m, v = moments or (torch.zeros_like(gradient), torch.zeros_like(gradient))
        m, v = b1 * m + (1 - b1) * gradient, b2 * v + (1 - b2) * gradient**2
        moments, steps = (m, v), steps + 1
        if corrected:
            m, v = m / (1 - b1**steps), v / (1 - b2**steps)
        return m / (v.sqrt() + eps)

    return stabilise


_STABILISERS: dict[Stabiliser, Callable[[Recipe], Stabilise]] = {
    Stabiliser.NONE: _unchanged,
    Stabiliser.EMA: _ema,
    Stabiliser.ADAM: _adam,
    Stabiliser.ADAM_CORRECTED: _adam_corrected,
}
