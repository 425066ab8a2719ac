"""Guidance: functions of (x_t, t) that say where a sample should go, as scale times grad log p(y | x_t).

Source: Dhariwal and Nichol (2021), section 4.1. A sampler decides what to do with the gradient: DDPM adds variance
times gradient to the mean, DDIM changes eps. Shapes: x_t [N, 3, H, W], t int64 [N] (original index); the gradient is
like x_t.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Guidance = Callable[[Tensor, Tensor], Tensor]


def unguided(x_t: Tensor, t: Tensor) -> Tensor:
    """No guidance: a gradient of zeros."""
    return torch.zeros_like(x_t)


def classifier_guidance(classifier: nn.Module, labels: Tensor, *, scale: float) -> Guidance:
    """The gradient of log p(labels | x_t) under a time-dependent classifier, times the scale.

    labels: int64 [N]. The classifier's parameters are frozen, so no weight gradients are computed. A scale of
    0 is `unguided`.
    """
    if scale == 0:
        return unguided
    frozen = classifier.eval().requires_grad_(False)

    def guidance(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x_t.detach().requires_grad_()
            chosen = frozen(x, t).float().log_softmax(dim=1).gather(1, labels[:, None])
            (gradient,) = torch.autograd.grad(chosen.sum(), x)
        return scale * gradient

    return guidance


def by_rows(parts: Sequence[tuple[slice, Guidance | None]]) -> Guidance:
    """Give each slice of rows its own guidance (None for unguided), so that all arms share one denoiser forward.

    Rows outside every slice are unguided.
    """

    def guidance(x_t: Tensor, t: Tensor) -> Tensor:
        gradient = torch.zeros_like(x_t)
        for rows, part in parts:
            if part is not None:
                gradient[rows] = part(x_t[rows], t[rows])
        return gradient

    return guidance
