"""Projected gradient descent on noised images, stopping each row as soon as it fools the classifier.

Source: Kawar et al. (2023), section 3: the attack starts at x_t without a random start and is not clamped to [-1, 1],
because x_t is not confined to it. Shapes: x_t [N, 3, H, W], t and y int64 [N].
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from generation.diffusion.plans import Attack as Attack
from generation.diffusion.plans import Norm as Norm

Classifier = Callable[[Tensor, Tensor], Tensor]


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


def climb(objective: Callable[[Tensor], Tensor], x: Tensor, *, attack: Attack) -> Tensor:
    """Move each row of x up the objective by all of attack.steps, never further than attack.eps from where it began.

    objective: [N, ...] -> a scalar, the sum of the rows' own; where it is log p(y | x) this is a targeted attack, as in
    figure 4 of Kawar et al. Not clamped to [-1, 1] either.
    """
    climbed = x.detach().clone()
    for _ in range(attack.steps):
        with torch.enable_grad():
            leaf = climbed.requires_grad_()
            (gradient,) = torch.autograd.grad(objective(leaf), leaf)
        moved = leaf.detach() + attack.step * _DIRECTION[attack.norm](gradient)
        climbed = _PROJECT[attack.norm](moved, x, attack.eps)
    return climbed


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
