"""Votes that no person gave: simulated raters, to teach with, to plan with and to test the statistics on.

A rater who looks chooses Same with a fixed chance and otherwise the first arm with a chance whose logit is a sum: what
the arms differ by, what this pair differs by, what this rater leans by, and what standing left adds. The spreads are
those of a study of 200 pairs and 5,000 votes. All effects are of one draw from the generator that is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.simulated_designs import FASTEST_MS, InvalidDesign, LazyRaters, SimulatedDesign
from analysis.votes import CHOICES, LEFT, RIGHT, SAME, Gold, Ints, Pair, VoteColumns, Votes

__all__ = ["GoldVotes", "InvalidDesign", "LazyRaters", "SimulatedDesign", "Simulation", "simulate"]

Floats = npt.NDArray[np.float64]

# Ranges of answering times, in log seconds: of raters among each other, and of one rater's answers.
RATER_LOG_TIME_SD = 0.3
LOG_TIME_SD = 0.5
HASTY_MS = (120, 480)


@dataclass(frozen=True, eq=False)
class GoldVotes:
    """Answers to gold pairs. rater, pair, choice, response_ms: int64 [M]; first_left: bool [M], arm 0 stood left."""

    rater: Ints
    pair: Ints
    first_left: npt.NDArray[np.bool_]
    choice: Ints
    response_ms: Ints

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        return np.equal(self.choice, np.where(self.first_left, LEFT, RIGHT))


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated log in order of arrival, with what it was drawn from.

    pair, rater, left_arm, right_arm, choice, response_ms: int64 [N] as in `Votes`; raters are numbered as they came.
    pair_effect: float64 [P] and rater_effect: float64 [R, K], the drawn effects in logits (a rater's per arm).
    """

    design: SimulatedDesign
    pair: Ints
    rater: Ints
    left_arm: Ints
    right_arm: Ints
    choice: Ints
    response_ms: Ints
    gold: GoldVotes
    pair_effect: Floats
    rater_effect: Floats

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All comparisons, judged or not, for `Votes.from_rows`."""
        names = _names(self.design.arms, self.design.groups, self.design.classes)
        arms = list(combinations(self.design.arms, 2)) * self.design.groups
        return tuple(map(Pair, names.pairs, names.class_labels, arms, names.groups))

    @property
    def rater_names(self) -> tuple[str, ...]:
        return _numbered("r", self.design.n_raters)

    def votes(self) -> Votes:
        """The log as arrays, without a detour through text; the same as `Votes.from_rows(columns(), pairs=...)`."""
        design = self.design
        names = _names(design.arms, design.groups, design.classes)
        seen = np.bincount(self.gold.rater, minlength=design.n_raters)
        right = np.bincount(self.gold.rater[self.gold.is_right], minlength=design.n_raters)
        return Votes(
            arms=design.arms,
            pair_names=names.pairs,
            class_labels=names.class_labels,
            groups=names.groups,
            pair_arms=np.tile(_two_of(len(design.arms)), (design.groups, 1)),
            rater_names=self.rater_names,
            pair=self.pair,
            rater=self.rater,
            left_arm=self.left_arm,
            right_arm=self.right_arm,
            choice=self.choice,
            response_ms=self.response_ms,
            gold=Gold(seen, right, len(self.gold.rater)),
            simulated=True,
        )

    def columns(self) -> VoteColumns:
        """The log as text, for files and imports: each rater's gold rows, then the rater's normal votes."""
        names = _names(self.design.arms, self.design.groups, self.design.classes)
        gold = self.gold
        pair_ids = np.array([*names.pairs, *_numbered("gold", self.design.gold_pairs)], dtype=object)
        labels = np.array([*names.class_labels, *["gold"] * self.design.gold_pairs], dtype=object)
        groups = np.array([*names.groups, *_numbered("gold", self.design.gold_pairs)], dtype=object)
        arms = np.array(self.design.arms, dtype=object)
        rater = np.concatenate([gold.rater, self.rater])
        row = np.argsort(rater, kind="stable")
        pair = np.concatenate([len(names.pairs) + gold.pair, self.pair])[row]
        left = np.concatenate([np.where(gold.first_left, 0, 1), self.left_arm])[row]
        right = np.concatenate([np.where(gold.first_left, 1, 0), self.right_arm])[row]
        return VoteColumns(
            pair_id=pair_ids[pair].tolist(),
            class_label=labels[pair].tolist(),
            group_id=groups[pair].tolist(),
            rater_id=np.array(self.rater_names, dtype=object)[rater[row]].tolist(),
            left_arm=arms[left].tolist(),
            right_arm=arms[right].tolist(),
            choice=np.array(list(CHOICES), dtype=object)[np.concatenate([gold.choice, self.choice])[row]].tolist(),
            response_ms=np.concatenate([gold.response_ms, self.response_ms])[row].tolist(),
            gold_arm=np.where(pair < len(names.pairs), "", arms[0]).tolist(),
            simulated=True,
        )


def simulate(design: SimulatedDesign, *, rng: np.random.Generator) -> Simulation:
    """Draw one log; the same design and generator state give the same log, byte for byte.

    Each rater's pairs are a random walk of fixed stride through a random order of the pairs, so that no rater sees a
    pair twice and 10,000 pairs cost no more than 200.
    """
    kind = draw_kinds(design, rng)
    pair, rater = _seats(design, rng)
    first, second = np.tile(_two_of(len(design.arms)), (design.groups, 1))[pair].T
    first_left = rng.random(len(pair)) < design.first_left_share
    pair_effect = draw_pair_effects(design, rng)
    rater_effect = rng.normal(0.0, design.rater_sd / 2**0.5, (design.n_raters, len(design.arms)))
    logit = (design.logits[first] - design.logits[second]) + pair_effect[pair]
    logit += rater_effect[rater, first] - rater_effect[rater, second]
    lean = rng.normal(design.left_bias, design.left_bias_sd, design.n_raters)[rater]
    logit += np.where(first_left, lean, -lean)
    takes_first = rng.random(len(pair)) < special.expit(logit)
    choice = np.where(takes_first == first_left, LEFT, RIGHT)
    choice[rng.random(len(pair)) < design.same_share] = SAME
    pace = rng.normal(np.log(design.median_ms), RATER_LOG_TIME_SD, design.n_raters)
    return Simulation(
        design=design,
        pair=pair,
        rater=rater,
        left_arm=np.where(first_left, first, second),
        right_arm=np.where(first_left, second, first),
        choice=pressed(choice, kind[rater], rng),
        response_ms=draw_times(pace[rater], kind[rater], rng),
        gold=_gold(design, kind, pace, rng),
        pair_effect=pair_effect,
        rater_effect=rater_effect,
    )


# Ways of not looking at the images, one a rater.
LOOKS, ALWAYS_SAME, ALWAYS_LEFT, ALWAYS_RIGHT, HASTY = range(5)


def draw_kinds(design: SimulatedDesign, rng: np.random.Generator) -> Ints:
    """Who of the panel looks, and what the others do instead: LOOKS, ALWAYS_SAME, ..., int64 [R]."""
    lazy = design.lazy
    kinds = np.full(design.n_raters, LOOKS, dtype=np.int64)
    kinds[: lazy.always_same] = ALWAYS_SAME
    kinds[lazy.always_same : lazy.always_same + lazy.one_side] = rng.choice([ALWAYS_LEFT, ALWAYS_RIGHT], lazy.one_side)
    kinds[lazy.always_same + lazy.one_side : lazy.total] = HASTY
    return rng.permutation(kinds)


def _seats(design: SimulatedDesign, rng: np.random.Generator) -> tuple[Ints, Ints]:
    # Pair and rater of every vote, int64 [N]. A stride without a common factor with P visits every pair once.
    n_pairs = design.n_pairs
    low, high = design.partial_votes
    sizes = np.full(design.n_raters, n_pairs, dtype=np.int64)
    sizes[: design.partial_raters] = np.minimum(rng.integers(low, high + 1, design.partial_raters), n_pairs)
    sizes = rng.permutation(sizes)
    rater = np.repeat(np.arange(design.n_raters), sizes)
    step = np.arange(len(rater)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    start = rng.integers(n_pairs, size=design.n_raters)
    stride = rng.choice(_strides(n_pairs), design.n_raters)
    return rng.permutation(n_pairs)[(start[rater] + stride[rater] * step) % n_pairs], rater


@lru_cache(maxsize=16)
def _strides(n_pairs: int) -> Ints:
    numbers = np.arange(1, n_pairs + 1)
    return np.compress(np.gcd(numbers, n_pairs) == 1, numbers)


def draw_pair_effects(design: SimulatedDesign, rng: np.random.Generator) -> Floats:
    """What each pair adds to its first arm, float64 [P], in logits."""
    # Two arms: drawn per pair, so that a skew survives; more: the difference of its two images' effects, so that
    # pairs of a group hang together.
    if len(design.arms) == 2:
        return design.pair_sd * _standardised(rng, design.pair_skew, (design.groups,))
    images = design.pair_sd / 2**0.5 * _standardised(rng, design.pair_skew, (design.groups, len(design.arms)))
    first, second = _two_of(len(design.arms)).T
    return (images[:, first] - images[:, second]).ravel()


def _standardised(rng: np.random.Generator, skew: float, shape: tuple[int, ...]) -> Floats:
    if not skew:
        return rng.standard_normal(shape)
    form = 4 / skew**2
    return np.asarray(np.sign(skew) * (rng.gamma(form, size=shape) - form) / form**0.5)


def pressed(choice: Ints, kind: Ints, rng: np.random.Generator) -> Ints:
    """The buttons that were pressed: those of raters who look as chosen, the others' out of habit."""
    # Those who do not look press as they always do, whatever is shown.
    for habit, button in ((ALWAYS_SAME, SAME), (ALWAYS_LEFT, LEFT), (ALWAYS_RIGHT, RIGHT)):
        choice[kind == habit] = button
    hasty = kind == HASTY
    choice[hasty] = rng.integers(len(CHOICES), size=int(hasty.sum()))
    return choice.astype(np.int64, copy=False)


def draw_times(log_ms: Floats, kind: Ints, rng: np.random.Generator) -> Ints:
    """Answering times in milliseconds, int64 [N], around log times per vote; the hasty are always quick."""
    times = np.exp(log_ms + LOG_TIME_SD * rng.standard_normal(len(log_ms)))
    hasty = kind == HASTY
    times[hasty] = rng.integers(*HASTY_MS, size=int(hasty.sum()))
    return np.maximum(times, np.where(hasty, 0, FASTEST_MS)).astype(np.int64)


def _gold(design: SimulatedDesign, kind: Ints, pace: Floats, rng: np.random.Generator) -> GoldVotes:
    rater = np.repeat(np.arange(design.n_raters), design.gold_pairs)
    first_left = rng.random(len(rater)) < 0.5
    choice = np.where(first_left, LEFT, RIGHT)
    # A mistake is the other side or Same, as often.
    slip = np.where(rng.random(len(rater)) < 0.5, SAME, np.where(first_left, RIGHT, LEFT))
    choice = np.where(rng.random(len(rater)) < design.gold_accuracy, choice, slip)
    return GoldVotes(
        rater=rater,
        pair=np.tile(np.arange(design.gold_pairs), design.n_raters),
        first_left=first_left,
        choice=pressed(choice, kind[rater], rng),
        response_ms=draw_times(pace[rater], kind[rater], rng),
    )


class _Names(NamedTuple):
    pairs: tuple[str, ...]
    class_labels: tuple[str, ...]
    groups: tuple[str, ...]


@lru_cache(maxsize=16)
def _names(arms: tuple[str, ...], groups: int, classes: int) -> _Names:
    group_names = _numbered("g", groups)
    labels = _numbered("class ", classes)
    two = list(combinations(range(len(arms)), 2))
    suffixes = [""] if len(two) == 1 else [f"-{first + 1}{second + 1}" for first, second in two]
    return _Names(
        pairs=tuple(f"p{group[1:]}{suffix}" for group in group_names for suffix in suffixes),
        class_labels=tuple(labels[index % classes] for index in range(groups) for _ in suffixes),
        groups=tuple(group for group in group_names for _ in suffixes),
    )


@lru_cache(maxsize=64)
def _numbered(prefix: str, n: int) -> tuple[str, ...]:
    width = max(3, len(str(n)))
    return tuple(f"{prefix}{number:0{width}d}" for number in range(1, n + 1))


@lru_cache(maxsize=16)
def _two_of(arms: int) -> Ints:
    return np.array(list(combinations(range(arms), 2)), dtype=np.int64)
