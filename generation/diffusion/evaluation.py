"""How good classifiers are (clean, at noise levels, under attack), and what a judge sees in generated images.

Classifiers are tried on items of SportBalls that no training command draws. A judge is never a guide: it is a plain
network that saw clean images only.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from generation.diffusion.attacks import Attack, Classifier, pgd
from generation.diffusion.datasets import SportBalls
from generation.diffusion.process import Diffusion

HELD_OUT_SEED = 987_654_321
NOISE_LEVELS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)
ROWS = 50


def held_out(count: int) -> tuple[Tensor, Tensor]:
    """Items of a seed that the training commands refuse: images [N, 3, 64, 64] in [-1, 1], classes [N]."""
    return SportBalls(seed=HELD_OUT_SEED).examples(range(count))


def accuracies(
    classifier: Classifier,
    process: Diffusion,
    *,
    levels: Sequence[int] = NOISE_LEVELS,
    count: int,
    attack: Attack | None = None,
) -> dict[int, float]:
    """Share of `count` held-out items that are classified right, by noise level, after an attack if there is one."""
    x_0, y = held_out(count)
    return {level: _accuracy_at(classifier, process, level=level, x_0=x_0, y=y, attack=attack) for level in levels}


def clean_accuracy(judge: nn.Module, *, count: int) -> float:
    """Share of `count` clean held-out items that a judge names right."""
    x_0, y = held_out(count)
    return (seen_classes(judge, x_0) == y).double().mean().item()


@torch.no_grad()
def seen_classes(judge: nn.Module, x: Tensor) -> Tensor:
    """The class that a judge sees in each image [N, 3, H, W] in [-1, 1]: int64 [N]."""
    return torch.cat([judge(rows).argmax(dim=1) for rows in torch.split(x, ROWS)])


def _accuracy_at(
    classifier: Classifier,
    process: Diffusion,
    *,
    level: int,
    x_0: Tensor,
    y: Tensor,
    attack: Attack | None,
) -> float:
    t = torch.full_like(y, level)
    rng = torch.Generator().manual_seed(level)
    x_t = process.noised(x_0, t, torch.randn(x_0.shape, generator=rng))
    right = 0
    for rows in torch.split(torch.arange(len(y)), ROWS):
        x = x_t[rows]
        if attack is not None:
            x = pgd(classifier, x, t=t[rows], y=y[rows], attack=attack)
        with torch.no_grad():
            right += int((classifier(x, t[rows]).argmax(dim=1) == y[rows]).sum())
    return right / len(y)
