"""Projected gradient descent on noised images, stopping each row as soon as it fools the classifier.

Source: Kawar et al. (2023), section 3: the attack starts at x_t without a random start and is not clamped to [-1, 1],
because x_t is not confined to it. Shapes: x_t [N, 3, H, W], t and y int64 [N].
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor

Classifier = Callable[[Tensor, Tensor], Tensor]


class Norm(StrEnum):
    """How far an attacked image is from the original."""

    L2 = "l2"
    LINF = "linf"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack within `eps` of the image, in at most `steps` steps of length `step`, in units of [-1, 1] pixels."""

    norm: Norm = Norm.L2
    eps: float = 0.5
    step: float = 0.083
    steps: int = 7

    def facts(self) -> dict[str, str | float | int]:
        """The attack as a checkpoint records it."""
        return {**asdict(self), "norm": self.norm.value}


def pgd(classifier: Classifier, x_t: Tensor, *, t: Tensor, y: Tensor, attack: Attack) -> Tensor:
    """Move each row towards a wrong answer, within attack.eps of x_t; rows already fooled stay where they are."""
    attacked = x_t.detach().clone()
    right = torch.arange(len(x_t), device=x_t.device)
    for _ in range(attack.steps):
        # Only rows still classified right are computed at all: a fooled row never moves again.
        x = attacked[right].requires_grad_()
        logits = classifier(x, t[right]).float()
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, y[right], reduction="sum"), x)
        held = logits.argmax(dim=1) == y[right]
        right = right[held]
        if not len(right):
            break
        moved = x.detach()[held] + attack.step * _DIRECTION[attack.norm](gradient[held])
        attacked[right] = _PROJECT[attack.norm](moved, x_t[right], attack.eps)
    return attacked


def _norms(x: Tensor) -> Tensor:
    """Euclidean length of every row: [N, 1, 1, 1]."""
    lengths: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)
    return lengths


def _unit(gradient: Tensor) -> Tensor:
    # A gradient of exactly zero has no direction; the row then stays where it is.
    return gradient / _norms(gradient).clamp_min(torch.finfo(gradient.dtype).tiny)


def _into_ball(moved: Tensor, centre: Tensor, eps: float) -> Tensor:
    offset = moved - centre
    return centre + offset * (eps / _norms(offset).clamp_min(eps))


def _into_box(moved: Tensor, centre: Tensor, eps: float) -> Tensor:
    return centre + (moved - centre).clamp(-eps, eps)


_DIRECTION: dict[Norm, Callable[[Tensor], Tensor]] = {Norm.L2: _unit, Norm.LINF: torch.sign}
_PROJECT: dict[Norm, Callable[[Tensor, Tensor, float], Tensor]] = {Norm.L2: _into_ball, Norm.LINF: _into_box}
