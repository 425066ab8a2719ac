"""What to simulate: the arms, the pairs, the panel, and how much each of them matters.

The spreads that stand as defaults are those of a study of 200 pairs and 5,000 votes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

Floats = npt.NDArray[np.float64]

FASTEST_MS = 200
LARGEST = 10.0
# Points of the quadrature over pair effects, by which a net preference is turned into a logit.
GRID = 2001


class InvalidDesign(ValueError):
    """The design cannot be simulated; the message names the entry and what it may be."""


@dataclass(frozen=True)
class LazyRaters:
    """How many raters of the panel do not look: they always say Same, always press one side, or press at random, fast.

    always_same, one_side (each rater's own side), hasty: numbers of raters, chosen at random from the panel.
    """

    always_same: int = 0
    one_side: int = 0
    hasty: int = 0

    @property
    def total(self) -> int:
        return self.always_same + self.one_side + self.hasty


@dataclass(frozen=True)
class SimulatedDesign:
    """What to simulate: P = groups x K(K-1)/2 pairs, a panel, and how much pairs, raters and sides matter.

    arms: K names; effects are first minus second. groups: classes and seeds; every two arms make one pair of each.
    classes: class labels, dealt to the groups in turn.
    complete_raters judge every pair; partial_raters as many pairs as partial_votes says (smallest and largest number,
    all between equally likely; never more than there are pairs). Raters come in random order, one after the other.
    net: mean net preference for the first of two arms, in (-1, 1), over raters who look, with balanced sides.
    arm_logits: instead of `net`, one rating per arm in logits (any number of arms).
    pair_sd, rater_sd: spreads in logits of what pairs and raters add. With more than two arms the effects are those
    of images, so pairs of a group share them: the difference of two has this spread. pair_skew: skewness of the pair
    effects (gamma; 0 = normal, 2 = exponential), whose mean is moved so that `net` stays what it is.
    same_share: chance of Same. left_bias, left_bias_sd: mean and spread over raters of what standing left adds, logits.
    first_left_share: how often the pair's earlier arm stands on the left.
    median_ms: median response time. gold_pairs: gold pairs that every rater also sees, in two arms' images of which
    the first is right; gold_accuracy: the chance that a rater who looks gets one right.
    """

    arms: tuple[str, ...] = ("robust", "vanilla")
    groups: int = 200
    classes: int = 20
    complete_raters: int = 14
    partial_raters: int = 30
    partial_votes: tuple[int, int] = (20, 127)
    net: float = 0.0
    arm_logits: tuple[float, ...] = ()
    pair_sd: float = 1.1
    pair_skew: float = 0.0
    rater_sd: float = 0.2
    same_share: float = 0.27
    left_bias: float = 0.0
    left_bias_sd: float = 0.0
    first_left_share: float = 0.5
    median_ms: int = 4000
    lazy: LazyRaters = field(default_factory=LazyRaters)
    gold_pairs: int = 0
    gold_accuracy: float = 0.95

    def __post_init__(self) -> None:
        _check(self)

    @property
    def n_pairs(self) -> int:
        return self.groups * len(self.arms) * (len(self.arms) - 1) // 2

    @property
    def n_raters(self) -> int:
        return self.complete_raters + self.partial_raters

    @cached_property
    def logits(self) -> Floats:
        """The arms' ratings in logits, float64 [K]."""
        if self.arm_logits or len(self.arms) > 2:
            return np.array(self.arm_logits or [0.0] * len(self.arms))
        return np.array([_logit_of_net(self), 0.0])


@lru_cache(maxsize=64)
def _logit_of_net(design: SimulatedDesign) -> float:
    # The logit that gives the wanted mean net preference, averaged over pairs, raters and sides by quadrature.
    if not design.net and not design.pair_skew:
        return 0.0
    middles = (np.arange(GRID) + 0.5) / GRID
    pairs = design.pair_sd * (
        np.sign(design.pair_skew) * stats.pearson3.ppf(middles, abs(design.pair_skew))
        if design.pair_skew
        else stats.norm.ppf(middles)
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(31)
    sides = np.array([design.left_bias, -design.left_bias])
    rest = (np.hypot(design.rater_sd, design.left_bias_sd) * nodes[:, None] + sides).ravel()
    weight = np.repeat(weights / weights.sum() / 2, 2)

    def excess(logit: float) -> float:
        nets = np.tanh((logit + pairs[:, None] + rest) / 2).mean(axis=0) @ weight
        return float((1 - design.same_share) * nets - design.net)

    return float(optimize.brentq(excess, -50.0, 50.0))


def _check(design: SimulatedDesign) -> None:
    for is_sound, sentence in (*_rules_of_the_panel(design), *_rules_of_the_effects(design)):
        if not is_sound:
            raise InvalidDesign(sentence)


def _rules_of_the_panel(design: SimulatedDesign) -> Iterator[tuple[bool, str]]:
    low, high = design.partial_votes
    lazy = design.lazy
    yield len(design.arms) >= 2, "arms: name at least two"
    yield len(set(design.arms)) == len(design.arms), "arms: two have the same name"
    yield design.groups >= 1, f"groups: {design.groups} is not 1 or more"
    yield design.classes >= 1, f"classes: {design.classes} is not 1 or more"
    yield min(design.complete_raters, design.partial_raters) >= 0, "complete_raters, partial_raters: 0 or more"
    yield design.n_raters >= 1, "complete_raters, partial_raters: at least one rater is needed"
    yield 1 <= low <= high, f"partial_votes: {low} to {high} is not a range of numbers from 1 up"
    yield min(lazy.always_same, lazy.one_side, lazy.hasty) >= 0, "lazy: numbers of raters, 0 or more"
    yield lazy.total <= design.n_raters, f"lazy: {lazy.total} raters, but the panel has {design.n_raters}"
    yield design.gold_pairs >= 0, f"gold_pairs: {design.gold_pairs} is not 0 or more"
    yield design.median_ms >= FASTEST_MS, f"median_ms: {design.median_ms} is below {FASTEST_MS} ms"


def _rules_of_the_effects(design: SimulatedDesign) -> Iterator[tuple[bool, str]]:
    spreads = (design.pair_sd, design.rater_sd, design.left_bias_sd)
    arms, logits = len(design.arms), design.arm_logits
    yield all(0 <= sd <= LARGEST for sd in spreads), f"pair_sd, rater_sd, left_bias_sd: from 0 to {LARGEST:g} logits"
    yield abs(design.pair_skew) <= LARGEST, f"pair_skew: {design.pair_skew} is not between -{LARGEST:g} and {LARGEST:g}"
    yield abs(design.left_bias) <= LARGEST, f"left_bias: {design.left_bias} is not within {LARGEST:g} logits"
    yield 0 <= design.same_share < 1, f"same_share: {design.same_share} is not at least 0 and below 1"
    yield 0 <= design.first_left_share <= 1, f"first_left_share: {design.first_left_share} is not from 0 to 1"
    yield 0 <= design.gold_accuracy <= 1, f"gold_accuracy: {design.gold_accuracy} is not from 0 to 1"
    yield not logits or len(logits) == arms, f"arm_logits: {len(logits)} numbers for {arms} arms"
    yield all(abs(logit) <= LARGEST for logit in logits), f"arm_logits: not all within {LARGEST:g}"
    yield not design.net or (arms == 2 and not logits), "net: give it with two arms only, and not with arm_logits"
    reachable = 1 - design.same_share
    yield abs(design.net) < reachable, f"net: {design.net} cannot be reached with {design.same_share:.0%} Same"
