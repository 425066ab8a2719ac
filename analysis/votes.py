"""The vote log: who chose what on which pair, checked once and held as arrays.

Nothing behind this door has to ask again whether a vote is sound: two different arms, the same two for every vote on
a pair, at most one vote per rater and pair, a known choice. Votes are of kind `normal`, in order of arrival; of gold
votes only the count of right answers per rater is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analysis.gatekeeping import (
    CHOICES,
    LEFT,
    NO_TIME,
    RIGHT,
    SAME,
    Gold,
    Ints,
    InvalidVotes,
    Pair,
    VoteColumns,
    checked_log,
)

__all__ = [
    "CHOICES",
    "LEFT",
    "NO_TIME",
    "RIGHT",
    "SAME",
    "Gold",
    "Ints",
    "InvalidVotes",
    "Pair",
    "VoteColumns",
    "Votes",
]

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Votes:
    """A checked vote log of P comparisons, R raters and N votes.

    arms: names; the order sets the orientation (positive = an earlier arm is preferred over a later one).
    pair_names, class_labels, groups: [P], unjudged comparisons included. pair_arms: int64 [P, 2], lower index first.
    rater_names: [R], raters with at least one vote. pair, rater, left_arm, right_arm: int64 [N], indices.
    choice: int64 [N], LEFT, RIGHT or SAME. response_ms: int64 [N], NO_TIME (-1) where it was not measured.
    gold: right answers per rater. simulated: no person gave these votes.
    """

    arms: tuple[str, ...]
    pair_names: tuple[str, ...]
    class_labels: tuple[str, ...]
    groups: tuple[str, ...]
    pair_arms: Ints
    rater_names: tuple[str, ...]
    pair: Ints
    rater: Ints
    left_arm: Ints
    right_arm: Ints
    choice: Ints
    response_ms: Ints
    gold: Gold
    simulated: bool = False

    def __post_init__(self) -> None:
        for array in (self.pair_arms, self.pair, self.rater, self.left_arm, self.right_arm, self.choice):
            array.flags.writeable = False
        self.response_ms.flags.writeable = False

    @classmethod
    def from_rows(cls, columns: VoteColumns, *, pairs: Iterable[Pair] = (), arms: Sequence[str] | None = None) -> Votes:
        """Check a log and hold it as arrays; raise `InvalidVotes` at the first rule that is broken.

        pairs: comparisons of the study, judged or not (votes may name others too). arms: the order of the arms;
        alphabetical unless given.
        """
        return cls(**checked_log(columns, pairs=tuple(pairs), arms=arms)._asdict())

    @property
    def n_votes(self) -> int:
        return len(self.pair)

    @property
    def n_pairs(self) -> int:
        return len(self.pair_names)

    @property
    def n_raters(self) -> int:
        return len(self.rater_names)

    @cached_property
    def group(self) -> Ints:
        """The group of each pair as a number, int64 [P]: pairs of one class and seed share it."""
        codes = {name: code for code, name in enumerate(dict.fromkeys(self.groups))}
        return np.fromiter(map(codes.__getitem__, self.groups), dtype=np.int64, count=self.n_pairs)

    @cached_property
    def outcome(self) -> Ints:
        """The votes in arm terms, int64 [N]: +1 the pair's earlier arm was chosen, -1 the later one, 0 neither."""
        # Single bytes until the last step: this is done to every vote of every log.
        left_is_first = (self.left_arm < self.right_arm).view(np.int8)
        by_side = np.array([1, -1, 0], dtype=np.int8)[self.choice]
        return (by_side * (2 * left_is_first - 1)).astype(np.int64)

    def between(self, first: int, second: int) -> Votes:
        """The part of the log that compares two arms (indices, first < second), as a two-arm log."""
        kept_pairs = np.flatnonzero((self.pair_arms == (first, second)).all(axis=1))
        new_pair = np.full(self.n_pairs, -1, dtype=np.int64)
        new_pair[kept_pairs] = np.arange(len(kept_pairs))
        kept = new_pair[self.pair] >= 0
        raters, rater = np.unique(self.rater[kept], return_inverse=True)
        return Votes(
            arms=(self.arms[first], self.arms[second]),
            pair_names=tuple(self.pair_names[i] for i in kept_pairs),
            class_labels=tuple(self.class_labels[i] for i in kept_pairs),
            groups=tuple(self.groups[i] for i in kept_pairs),
            pair_arms=np.tile(np.array([0, 1], dtype=np.int64), (len(kept_pairs), 1)),
            rater_names=tuple(self.rater_names[j] for j in raters),
            pair=new_pair[self.pair[kept]],
            rater=rater.astype(np.int64),
            left_arm=(self.left_arm[kept] == second).astype(np.int64),
            right_arm=(self.right_arm[kept] == second).astype(np.int64),
            choice=self.choice[kept],
            response_ms=self.response_ms[kept],
            gold=Gold(self.gold.seen[raters], self.gold.right[raters], self.gold.n),
            simulated=self.simulated,
        )

    def without_raters(self, excluded: Bools) -> Votes:
        """The log without some raters' votes (bool [R]); every comparison stays, judged or not."""
        kept = np.flatnonzero(~excluded[self.rater])
        new_rater = np.cumsum(~excluded) - 1
        stay = np.flatnonzero(~excluded)
        return replace(
            self,
            rater_names=tuple(self.rater_names[j] for j in stay),
            pair=self.pair[kept],
            rater=new_rater[self.rater[kept]].astype(np.int64),
            left_arm=self.left_arm[kept],
            right_arm=self.right_arm[kept],
            choice=self.choice[kept],
            response_ms=self.response_ms[kept],
            gold=Gold(self.gold.seen[stay], self.gold.right[stay], int(self.gold.seen[stay].sum())),
        )
