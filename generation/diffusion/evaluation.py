"""How good classifiers are (clean, at noise levels, under attack), and what a judge sees in generated images.

Classifiers are tried on examples that were held out from every training. A judge is never a guide: it is a plain
network that saw clean images only.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from generation.diffusion.attacks import Attack, Classifier, pgd
from generation.diffusion.datasets import Examples, SportBalls
from generation.diffusion.plans import HELD_OUT_SEED as HELD_OUT_SEED
from generation.diffusion.process import Diffusion

NOISE_LEVELS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)
ROWS = 50


def held_out(count: int) -> tuple[Tensor, Tensor]:
    """SportBalls of a seed that trainings refuse: images [N, 3, 64, 64] in [-1, 1], classes [N]."""
    return SportBalls(seed=HELD_OUT_SEED).examples(range(count))


def accuracies(
    classifier: Classifier,
    process: Diffusion,
    *,
    levels: Sequence[int] = NOISE_LEVELS,
    count: int,
    attack: Attack | None = None,
    data: Examples | None = None,
    device: torch.device | str = "cpu",
) -> dict[int, float]:
    """Share of the first `count` held-out items answered right, by noise level, after an attack if there is one.

    data: held-out examples, by default SportBalls. Of attributes, it is the share of single answers that are right, and
    there is no attack. Every level has its own noise, the same at each call.
    """
    examples = SportBalls(seed=HELD_OUT_SEED) if data is None else data
    rngs = {level: torch.Generator().manual_seed(level) for level in levels}
    right = dict.fromkeys(levels, 0.0)
    for start in range(0, count, ROWS):
        x_0, y = examples.examples(range(start, min(start + ROWS, count)))
        for level in levels:
            # Noise comes from the CPU, so that a classifier's figures don't depend on the device.
            t = torch.full((len(y),), level)
            x_t = process.noised(x_0, t, torch.randn(x_0.shape, generator=rngs[level]))
            right[level] += _right(classifier, x_t.to(device), t.to(device), y.to(device), attack=attack)
    return {level: total / count for level, total in right.items()}


def clean_accuracy(
    judge: nn.Module, *, count: int, data: Examples | None = None, device: torch.device | str = "cpu"
) -> float:
    """Share of the first `count` clean held-out items that a judge names right; data as in `accuracies`."""
    examples = SportBalls(seed=HELD_OUT_SEED) if data is None else data
    right = 0.0
    for start in range(0, count, ROWS):
        x_0, y = (part.to(device) for part in examples.examples(range(start, min(start + ROWS, count))))
        right += _right(lambda x, t: judge(x), x_0, torch.zeros(len(y), device=device), y, attack=None)
    return right / count


@torch.no_grad()
def seen_classes(judge: nn.Module, x: Tensor) -> Tensor:
    """The class that a judge sees in each image [N, 3, H, W] in [-1, 1]: int64 [N]."""
    return torch.cat([judge(rows).argmax(dim=1) for rows in torch.split(x, ROWS)])


def _right(classifier: Classifier, x_t: Tensor, t: Tensor, y: Tensor, *, attack: Attack | None) -> float:
    """How many rows are answered right; of attributes, the sum over rows of the share that is."""
    if attack is not None:
        x_t = pgd(classifier, x_t, t=t, y=y, attack=attack)
    with torch.no_grad():
        logits = classifier(x_t, t)
    if y.ndim == 2:
        return ((logits > 0) == (y > 0)).double().mean(dim=1).sum().item()
    return (logits.argmax(dim=1) == y).double().sum().item()
