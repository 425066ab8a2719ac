"""Intervals from resampling: pairs alone for the threshold table, pairs and raters together for the net preference.

The threshold table is never resampled over raters: with some raters counted twice and others not at all each pair has
fewer distinct votes, and shares of few votes are more extreme, so such an interval need not even hold the figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from scipy import sparse

from analysis.intervals import Crossed, Floats, Interval
from analysis.preference import Counts, Threshold, ThresholdRow, ThresholdTable, threshold_table
from analysis.records import Json, Method, Unavailable, as_json
from analysis.votes import Bools, Ints, Votes

SEED = 7
ROUNDS = 4000
# Drawing pairs for the threshold table costs the same for any number of pairs, so it can have more rounds.
PAIR_ROUNDS = 10_000
# Pairs (or raters) times rounds held at a time, in float64: four such arrays are some thirty megabytes.
CELLS_AT_A_TIME = 1_000_000

METHODS = (
    Method(
        "bootstrap_two_way",
        "Two-way (pigeonhole) bootstrap",
        "these pairs and raters stand for others of their kind; wider than needed where neither differ",
        "Owen (2007), Annals of Applied Statistics 1:386; McCullagh (2000), Bernoulli 6:285",
        "How much the result moves when comparisons and raters are both drawn anew from those in the study.",
    ),
    Method(
        "bootstrap_pairs_threshold_ci95",
        "Bootstrap over comparisons",
        "holds for this panel of raters and this number of votes on each comparison, not for others",
        "Efron (1979), Annals of Statistics 7:1",
        "How much each cell of the threshold table moves when the comparisons are drawn anew, the raters being kept.",
    ),
)


@dataclass(frozen=True)
class TwoWayBootstrap:
    """Percentile intervals of the net preference and the shares (0 to 1), pairs and raters drawn anew.

    rounds: drawn; empty_rounds of them held no vote and are left out. seed: what they were drawn from, None for a
    generator of the caller's. share_ci95: by arm name and `same`. side_share_ci95: None where nobody chose a side.
    p_net: two-sided, 2 (k + 1) / (rounds + 1) with k the rarer side of 0. se_net: standard deviation over rounds.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[:1]
    rounds: int
    empty_rounds: int
    seed: int | None
    n: int
    pairs: int
    raters: int
    net_ci95: Interval
    share_ci95: Mapping[str, Interval]
    side_share_ci95: Interval | None
    p_net: float
    se_net: float


@dataclass(frozen=True)
class PairBootstrap:
    """Percentile intervals of the threshold table's shares (0 to 1) with comparisons drawn anew, for this panel.

    by_threshold: threshold -> column (the arm names, `no_preference`) -> interval.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[1:]
    rounds: int
    seed: int | None
    pairs: int
    by_threshold: Mapping[str, Mapping[str, Interval]]

    def as_json(self) -> Json:
        rows = {threshold: as_json(row) for threshold, row in self.by_threshold.items()}
        return {**rows, "rounds": self.rounds, "seed": self.seed, "pairs": self.pairs}


def two_way_bootstrap(
    votes: Votes, *, rng: int | np.random.Generator = SEED, rounds: int = ROUNDS
) -> TwoWayBootstrap | Unavailable:
    """Draw pairs and raters anew, each with replacement; a vote counts as often as both of its two were drawn.

    For a two-arm log. Only pairs and raters with a vote are drawn. rng: a seed, or a generator to draw from. Memory
    does not grow with rounds. Conservative for means. Unavailable `no_votes`, `one_rater`, `one_pair`. Owen (2007).
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    crossed = Crossed.of(votes)
    if crossed.n_raters < 2:
        return Unavailable("one_rater", "with one rater there is no other to draw; two are needed")
    if crossed.n_pairs < 2:
        return Unavailable("one_pair", "with one pair there is no other to draw; two are needed")
    sums = _resampled_sums(votes.outcome, crossed, rng=np.random.default_rng(rng), rounds=rounds)
    return _two_way(votes, crossed, sums, seed=rng if isinstance(rng, int) else None)


def pair_bootstrap(
    counts: Counts,
    thresholds: Iterable[Threshold],
    *,
    rng: int | np.random.Generator = SEED,
    rounds: int = PAIR_ROUNDS,
) -> PairBootstrap | Unavailable:
    """Draw the pairs of a threshold table anew, unjudged ones included; the votes on a pair stay as they are.

    A pair matters only by the bucket it falls into between neighbouring thresholds (2 T + 1 for T of them), so one
    multinomial draw a round is exactly a draw of all pairs. Unavailable `one_pair`. Raises InvalidThreshold.
    """
    table = threshold_table(counts, thresholds)
    if table.pairs < 2:
        return Unavailable("one_pair", "with one pair there is no other to draw; two are needed")
    drawn = np.random.default_rng(rng).multinomial(table.pairs, _buckets(table) / table.pairs, size=rounds)
    seed = rng if isinstance(rng, int) else None
    return PairBootstrap(rounds=rounds, seed=seed, pairs=table.pairs, by_threshold=_by_threshold(table, drawn))


def _resampled_sums(outcome: Ints, crossed: Crossed, *, rng: np.random.Generator, rounds: int) -> Floats:
    """Votes for the first arm, the second and neither in each round, float64 [3, rounds]; whole numbers."""
    shape = (crossed.n_pairs, crossed.n_raters)
    kinds = [_cells(crossed, outcome == value, shape) for value in (1, -1, 0)]
    step = max(1, CELLS_AT_A_TIME // max(shape))
    sums = []
    for done in range(0, rounds, step):
        pairs, raters = (_drawn(size, rounds=min(step, rounds - done), rng=rng) for size in shape)
        sums.append(np.stack([np.einsum("ps,ps->s", pairs, kind @ raters) for kind in kinds]))
    return np.concatenate(sums, axis=1)


def _cells(crossed: Crossed, chosen: Bools, shape: tuple[int, int]) -> sparse.csr_array:
    cells = crossed.pair[chosen], crossed.rater[chosen]
    return sparse.coo_array((np.ones(len(cells[0])), cells), shape=shape).tocsr()


def _drawn(size: int, *, rounds: int, rng: np.random.Generator) -> Floats:
    """How often each of `size` clusters was drawn in each round, float64 [size, rounds]."""
    cells = rng.integers(0, size, (size, rounds)) * rounds + np.arange(rounds)
    return np.bincount(cells.ravel(), minlength=size * rounds).reshape(size, rounds).astype(np.float64)


def _two_way(votes: Votes, crossed: Crossed, sums: Floats, *, seed: int | None) -> TwoWayBootstrap:
    total = sums.sum(axis=0)
    first, second, same = sums[:, total > 0] / total[total > 0]
    net, side = first - second, first + second
    # Votes are counted in whole numbers, so rounds without a preference are exactly 0.
    rarer = min(int((net <= 0).sum()), int((net >= 0).sum()))
    shares = zip((*votes.arms, "same"), (first, second, same), strict=True)
    return TwoWayBootstrap(
        rounds=len(total),
        empty_rounds=len(total) - len(net),
        seed=seed,
        n=crossed.n_votes,
        pairs=crossed.n_pairs,
        raters=crossed.n_raters,
        net_ci95=_percentiles(net),
        share_ci95={name: _percentiles(share) for name, share in shares},
        side_share_ci95=_percentiles(first[side > 0] / side[side > 0]) if side.any() else None,
        p_net=min(1.0, 2 * (rarer + 1) / (len(net) + 1)),
        se_net=float(net.std(ddof=1)),
    )


def _buckets(table: ThresholdTable) -> Ints:
    """Pairs above each threshold but not above the next, first arm; then the second arm; then none: [2 T + 1]."""
    ordered = _ordered(table)
    above = ([row.first.pairs for row in ordered], [row.second.pairs for row in ordered])
    between = [-np.diff(counts, append=0) for counts in above]
    return np.array([*between[0], *between[1], table.pairs - above[0][0] - above[1][0]], dtype=np.int64)


def _ordered(table: ThresholdTable) -> list[ThresholdRow]:
    return sorted(table.rows, key=lambda row: Fraction(row.threshold))


def _by_threshold(table: ThresholdTable, drawn: Ints) -> dict[str, dict[str, Interval]]:
    ordered, found = _ordered(table), {}
    for k, row in enumerate(ordered):
        first, second = drawn[:, k : len(ordered)].sum(axis=1), drawn[:, len(ordered) + k : -1].sum(axis=1)
        columns = zip(row.cells, (first, second, table.pairs - first - second), strict=True)
        found[row.threshold] = {cell.column: _percentiles(pairs / table.pairs) for cell, pairs in columns}
    return {row.threshold: found[row.threshold] for row in table.rows}


def _percentiles(drawn: Floats) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
    return low, high
