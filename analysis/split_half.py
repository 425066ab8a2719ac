"""Do two halves of the raters see the same picture? Split-half reliability of the comparisons' net preferences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from analysis.intervals import Floats
from analysis.votes import Bools, Ints, Votes

SPLITS = 200
# Two points always correlate at 1 or -1; and below this sum of squares a half's picture is flat up to rounding.
FEWEST_TO_CORRELATE = 3
FLAT = 1e-20
ROUNDING = 1e-9
# Comparisons (or raters) times halvings held at a time: memory does not grow with the log.
CELLS_AT_A_TIME = 600_000


@dataclass(frozen=True)
class SplitHalf:
    """Mean of r over the `splits` random halvings that have one, and what it becomes for all raters.

    Both None without any; spearman_brown = 2 r / (1 + r), None too at r = -1.
    """

    r_mean: float | None
    spearman_brown: float | None
    splits: int


def split_half(votes: Votes, *, rng: np.random.Generator, splits: int = SPLITS) -> SplitHalf:
    """Correlate net preference per comparison between random halves of the raters (at least two raters).

    Only comparisons with a vote in both halves enter, at least three; a half in which all of them have the same net
    preference gives no correlation. Spearman (1910); Brown (1910).
    """
    packed = _Packed.of(votes)
    step = max(1, CELLS_AT_A_TIME // max(packed.worth.shape))
    chunks = [min(step, splits - done) for done in range(0, splits, step)]
    r = np.concatenate([packed.correlations(_halves(votes.n_raters, size, rng=rng)) for size in chunks])
    defined = r[np.isfinite(r)]
    if not len(defined):
        return SplitHalf(None, None, 0)
    r_mean = float(defined.mean())
    spearman_brown = 2 * r_mean / (1 + r_mean) if r_mean > -1 + ROUNDING else None
    return SplitHalf(r_mean, spearman_brown, len(defined))


def _halves(raters: int, splits: int, *, rng: np.random.Generator) -> Bools:
    """Random halves of the raters, bool [R, splits]; with an odd number the other half has one more."""
    keys, size = rng.random((splits, raters)), raters // 2
    return (keys <= np.partition(keys, size - 1, axis=1)[:, size - 1 : size]).T


@dataclass(frozen=True, eq=False)
class _Packed:
    """Votes as integers that sum to count and net preference at once, for several halves in one sparse product.

    worth: [P, R], 1 + (1 + y) * 2^bits of each vote; 2^bits exceeds the votes on any comparison, so the two sums stay
    apart, and a word of 63 bits holds `fields` such sums. total, net: votes and sum of y per comparison, [P, 1].
    """

    worth: sparse.csr_array
    bits: int
    total: Ints
    net: Ints

    @classmethod
    def of(cls, votes: Votes) -> _Packed:
        total = np.bincount(votes.pair, minlength=votes.n_pairs)[:, None]
        net = np.bincount(votes.pair, votes.outcome, minlength=votes.n_pairs)[:, None].astype(np.int64)
        bits = int(total.max()).bit_length()
        worth = 1 + ((1 + votes.outcome) << bits)
        matrix = sparse.coo_array((worth, (votes.pair, votes.rater)), shape=(votes.n_pairs, votes.n_raters))
        # A rater votes once on a comparison: saying so spares the search for entries to add up.
        matrix.has_canonical_format = True
        return cls(matrix.tocsr(), bits, total, net)

    def correlations(self, halves: Bools) -> Floats:
        """Pearson's r of net preference between each half (bool [R, S]) and the others, [>= S]; NaN where undefined.

        S is filled up with empty halves, which have no r, to a multiple of the fields.
        """
        # 1 + y is up to 2, so its sum needs one bit more than the count.
        width = 2 * self.bits + 1
        shifts = width * np.arange(63 // width)
        words = -(-halves.shape[1] // len(shifts))
        padded = np.zeros((len(halves), len(shifts) * words), dtype=np.int64)
        padded[:, : halves.shape[1]] = halves
        sums = self.worth @ (padded.reshape(-1, len(shifts), words) << shifts[:, None]).sum(axis=1)
        return np.concatenate([self._field(sums >> shift) for shift in shifts])

    def _field(self, sums: Ints) -> Floats:
        votes = sums & ((1 << self.bits) - 1)
        net = ((sums >> self.bits) & ((2 << self.bits) - 1)) - votes
        rest = self.total - votes
        both = (votes > 0) & (rest > 0)
        return _correlations(_ratio(net, votes, both), _ratio(self.net - net, rest, both), both)


def _ratio(net: Ints, votes: Ints, both: Bools) -> Floats:
    return np.where(both, net / np.maximum(votes, 1), 0.0)


def _correlations(first: Floats, second: Floats, both: Bools) -> Floats:
    """Column by column over the rows in `both`, where the values elsewhere are 0."""
    rows = both.sum(axis=0)
    x, y = (np.where(both, half - half.sum(axis=0) / np.maximum(rows, 1), 0.0) for half in (first, second))
    of_x, of_y, of_both = (np.einsum("ps,ps->s", *two) for two in ((x, x), (y, y), (x, y)))
    r = np.full(len(rows), np.nan)
    known = (rows >= FEWEST_TO_CORRELATE) & (of_x > FLAT) & (of_y > FLAT)
    r[known] = of_both[known] / np.sqrt(of_x[known] * of_y[known])
    return r
