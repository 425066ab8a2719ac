"""Simulated raters who answer whatever they are shown, one trial at a time, so that they can sit in a real study.

The same people as in `simulation`: effects of pairs, raters and sides are drawn once for the panel, answers one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import special

from analysis.simulated_designs import SimulatedDesign
from analysis.simulation import (
    RATER_LOG_TIME_SD,
    Floats,
    draw_kinds,
    draw_pair_effects,
    draw_times,
    pressed,
)
from analysis.votes import CHOICES, LEFT, RIGHT, SAME, Ints


@dataclass(frozen=True)
class Shown:
    """One trial of a panel. rater: index. group: index of class and seed. left, right: indices of the arms."""

    rater: int
    group: int
    left: int
    right: int


@dataclass(frozen=True, eq=False)
class Panel:
    """Raters with the effects that were drawn for them, in logits, and for the design's pairs.

    pair_effect: float64 [G, K, K], what a group adds to its first of two arms. rater_effect: float64 [R, K]. lean:
    float64 [R], what standing left adds. log_pace: float64 [R]. kind, sizes: int64 [R]; sizes: votes each will give.
    """

    design: SimulatedDesign
    pair_effect: Floats
    rater_effect: Floats
    lean: Floats
    log_pace: Floats
    kind: Ints
    sizes: Ints

    def answer(self, shown: Shown, *, rng: np.random.Generator) -> tuple[str, int]:
        """Choose left, right or same, and take some milliseconds for it."""
        worth = self.design.logits + self.rater_effect[shown.rater]
        logit = worth[shown.left] - worth[shown.right] + self.pair_effect[shown.group, shown.left, shown.right]
        takes_left = rng.random() < special.expit(logit + self.lean[shown.rater])
        looked = SAME if rng.random() < self.design.same_share else LEFT if takes_left else RIGHT
        return self._press(looked, rater=shown.rater, rng=rng)

    def answer_known(self, rater: int, right: str, *, rng: np.random.Generator) -> tuple[str, int]:
        """Answer a check whose right answer anybody sees: whoever looks gives it, the lazy press what they press."""
        return self._press(list(CHOICES).index(right), rater=rater, rng=rng)

    def _press(self, looked: int, *, rater: int, rng: np.random.Generator) -> tuple[str, int]:
        kind = self.kind[[rater]]
        button = pressed(np.array([looked], dtype=np.int64), kind, rng)
        milliseconds = draw_times(self.log_pace[[rater]], kind, rng)
        return list(CHOICES)[int(button[0])], int(milliseconds[0])


def draw_panel(design: SimulatedDesign, *, rng: np.random.Generator) -> Panel:
    """Draw a panel; those who judge everything and those who judge a part come in random order."""
    n, arms = design.n_raters, len(design.arms)
    low, high = design.partial_votes
    sizes = np.full(n, design.n_pairs, dtype=np.int64)
    sizes[: design.partial_raters] = np.minimum(rng.integers(low, high + 1, design.partial_raters), design.n_pairs)
    return Panel(
        design=design,
        pair_effect=_square(draw_pair_effects(design, rng), arms=arms),
        rater_effect=rng.normal(0.0, design.rater_sd / 2**0.5, (n, arms)),
        lean=rng.normal(design.left_bias, design.left_bias_sd, n),
        log_pace=rng.normal(np.log(design.median_ms), RATER_LOG_TIME_SD, n),
        kind=draw_kinds(design, rng),
        sizes=rng.permutation(sizes),
    )


def _square(pair_effect: Floats, *, arms: int) -> Floats:
    two = list(combinations(range(arms), 2))
    first, second = np.array(two).T
    by_group = pair_effect.reshape(-1, len(two))
    square = np.zeros((len(by_group), arms, arms))
    square[:, first, second] = by_group
    square[:, second, first] = -by_group
    return square
