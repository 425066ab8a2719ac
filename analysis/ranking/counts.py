"""A vote log as counts: how often each two arms met, on which sides, and how it ended.

Everything that the ratings need is in these counts. A cell is (matchup, side, outcome): the two arms, whether the
earlier one stood left, and who was chosen; cell = 6 * matchup + 3 * side + outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from analysis.intervals import Floats
from analysis.votes import Ints, Votes

# Outcomes of a matchup, in arm terms.
FIRST, SECOND, TIE = 0, 1, 2
# The buttons left, right, same as 3 * side + outcome: with the first arm on the left, then with it on the right.
CELL_OF_BUTTON = np.array([FIRST, SECOND, TIE, 3 + SECOND, 3 + FIRST, 3 + TIE], dtype=np.int64)
CELLS = 6
# Entries of a table of clusters by cells that are held at once: 32 MB of counts.
LARGEST_TABLE = 4_000_000


@dataclass(frozen=True, eq=False)
class Tally:
    """The votes of K arms, counted. M matchups: two arms with at least one vote, first < second.

    pairings: int64 [Q, 2], every two arms that the study compares, with votes or not. matchups: int64 [M, 2].
    counts: int64 [M, 2, 3], by side (0: first arm left) and outcome (first, second, tie).
    per_pair: int64 [P, 2, 3], judged pairs only; matchup, group: int64 [P], of those. cell, rater: int64 [N], per vote.
    """

    arms: tuple[str, ...]
    pairings: Ints
    matchups: Ints
    counts: Ints
    per_pair: Ints
    matchup: Ints
    group: Ints
    cell: Ints
    rater: Ints

    @classmethod
    def of(cls, votes: Votes) -> Tally:
        """Count a checked log of at least one vote."""
        # In place where it can be: at a million votes most of the time goes into new memory.
        buttons = np.where(votes.left_arm > votes.right_arm, 3, 0)
        buttons += votes.choice
        in_pair = CELL_OF_BUTTON[buttons]
        in_pair += np.multiply(votes.pair, CELLS, out=buttons)
        per_pair = np.bincount(in_pair, minlength=CELLS * votes.n_pairs).reshape(-1, 2, 3)
        judged = per_pair.any(axis=(1, 2))
        k = len(votes.arms)
        codes, matchup = np.unique(votes.pair_arms[judged] @ np.array([k, 1]), return_inverse=True)
        pairings = np.unique(votes.pair_arms @ np.array([k, 1]))
        counts = np.zeros((len(codes), 2, 3), dtype=np.int64)
        np.add.at(counts, matchup, per_pair[judged])
        # From a vote's place within its pair to its cell: the pair's matchup takes the place of the pair.
        shift = np.zeros(votes.n_pairs, dtype=np.int64)
        shift[judged] = CELLS * (matchup - np.flatnonzero(judged))
        return cls(
            arms=votes.arms,
            pairings=np.stack([pairings // k, pairings % k], axis=1),
            matchups=np.stack([codes // k, codes % k], axis=1),
            counts=counts,
            per_pair=per_pair[judged],
            matchup=matchup.astype(np.int64),
            group=np.unique(votes.group[judged], return_inverse=True)[1].astype(np.int64),
            cell=np.add(in_pair, np.take(shift, votes.pair, out=buttons), out=in_pair),
            rater=votes.rater,
        )

    @property
    def n_votes(self) -> int:
        return len(self.cell)

    @cached_property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1

    @cached_property
    def n_raters(self) -> int:
        return int(self.rater.max()) + 1

    @cached_property
    def outcomes(self) -> Ints:
        """The counts without the sides, int64 [M, 3]."""
        outcomes: Ints = self.counts.sum(axis=1)
        return outcomes

    @cached_property
    def wins(self) -> Ints:
        """int64 [K, K]: votes that prefer the row's arm over the column's."""
        return self._matrix(FIRST, SECOND)

    @cached_property
    def ties(self) -> Ints:
        """int64 [K, K], symmetric: votes between two arms that are Same."""
        return self._matrix(TIE, TIE)

    def _matrix(self, upper: int, lower: int) -> Ints:
        first, second = self.matchups.T
        matrix = np.zeros((len(self.arms), len(self.arms)), dtype=np.int64)
        matrix[first, second] = self.outcomes[:, upper]
        matrix[second, first] = self.outcomes[:, lower]
        return matrix

    @cached_property
    def incidence(self) -> Floats:
        """float64 [M, K]: +1 for the first arm of each matchup and -1 for the second."""
        rows = np.arange(len(self.matchups))
        incidence = np.zeros((len(rows), len(self.arms)))
        incidence[rows, self.matchups[:, 0]] = 1.0
        incidence[rows, self.matchups[:, 1]] = -1.0
        return incidence

    @cached_property
    def by_group(self) -> sparse.csr_array:
        """Votes of each group in each cell, [G, 6 M]."""
        cells = CELLS * self.matchup[:, None] + np.arange(CELLS)
        groups = np.broadcast_to(self.group[:, None], cells.shape)
        where = groups.ravel(), cells.ravel()
        shape = self.n_groups, CELLS * len(self.matchups)
        return sparse.csr_array((self.per_pair.ravel().astype(np.float64), where), shape=shape)

    @cached_property
    def group_sizes(self) -> Ints:
        """Votes per group, int64 [G]."""
        votes = self.per_pair.sum(axis=(1, 2))
        return np.bincount(self.group, weights=votes, minlength=self.n_groups).astype(np.int64)

    @cached_property
    def rater_sizes(self) -> Ints:
        """Votes per rater, int64 [R]."""
        sizes = [table.reshape(len(table), -1).sum(axis=1) for table in self.rater_tables()]
        return np.concatenate(sizes).astype(np.int64)

    def sums_per_group(self, scores: Floats) -> Floats:
        """Sums over each group's votes, [G, c], of scores that depend on a vote's cell alone, [M, 2, 3, c]."""
        sums: Floats = self.by_group @ scores.reshape(-1, scores.shape[-1])
        return sums

    def sums_per_rater(self, scores: Floats) -> Floats:
        """The same for each rater, [R, c]."""
        table = scores.reshape(-1, scores.shape[-1])
        return np.concatenate([counts.reshape(len(counts), -1) @ table for counts in self.rater_tables()])

    def rater_tables(self) -> Iterator[Floats]:
        """Votes of each rater in each cell, float64 [r, M, 2, 3], some raters at a time: many arms fill no memory."""
        step = max(1, LARGEST_TABLE // (CELLS * len(self.matchups)))
        if self.n_raters <= step:
            yield self._all_raters
            return
        for low in range(0, self.n_raters, step):
            inside = (self.rater >= low) & (self.rater < low + step)
            yield self._table(self.rater[inside] - low, self.cell[inside], raters=min(step, self.n_raters - low))

    @cached_property
    def _all_raters(self) -> Floats:
        return self._table(self.rater, self.cell, raters=self.n_raters)

    def _table(self, rater: Ints, cell: Ints, *, raters: int) -> Floats:
        cells = CELLS * len(self.matchups)
        codes = rater * cells
        codes += cell
        return np.bincount(codes, minlength=raters * cells).reshape(raters, -1, 2, 3).astype(np.float64)
