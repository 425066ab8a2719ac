"""How good classifiers are, clean, at noise levels and under attack, on items that no training saw."""

from collections.abc import Sequence

import torch
from torch import Tensor

from generation.diffusion.attacks import Attack, Classifier, pgd
from generation.diffusion.datasets import SportBalls
from generation.diffusion.process import Diffusion

HELD_OUT_SEED = 987_654_321
NOISE_LEVELS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)
ROWS = 50


def held_out(count: int) -> tuple[Tensor, Tensor]:
    """Items of a seed that the training commands don't use: images [N, 3, 64, 64] in [-1, 1], classes [N]."""
    return SportBalls(seed=HELD_OUT_SEED).examples(range(count))


def accuracy(logits: Tensor, y: Tensor) -> float:
    """Share of rows whose largest logit is the right class."""
    return (logits.argmax(dim=1) == y).double().mean().item()


def accuracy_at(
    classifier: Classifier, level: int, *, count: int, process: Diffusion, attack: Attack | None = None
) -> float:
    """Accuracy on `count` held-out items noised to one level, after an attack if there is one."""
    x_0, y = held_out(count)
    rng = torch.Generator().manual_seed(level)
    t = torch.full((count,), level)
    x_t = process.noised(x_0, t, torch.randn(x_0.shape, generator=rng))
    right = 0.0
    for rows in torch.arange(count).split(ROWS):
        x = x_t[rows]
        if attack is not None:
            x = pgd(classifier, x, t=t[rows], y=y[rows], attack=attack)
        with torch.no_grad():
            right += len(rows) * accuracy(classifier(x, t[rows]), y[rows])
    return right / count


def noise_table(
    classifier: Classifier, *, count: int, process: Diffusion, attack: Attack | None = None
) -> dict[int, float]:
    """Accuracy by noise level."""
    return {
        level: accuracy_at(classifier, level, count=count, process=process, attack=attack) for level in NOISE_LEVELS
    }


def clean_accuracy(logits_of: Sequence[Tensor], y: Tensor) -> float:
    """Accuracy of logits that came in parts."""
    return accuracy(torch.cat(list(logits_of)), y)
