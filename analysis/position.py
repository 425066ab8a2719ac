"""Left and right: do raters lean to a side, and what does the preference look like without that lean?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy import stats

from analysis.intervals import (
    Crossed,
    Floats,
    Interval,
    ScoreSums,
    TwoWay,
    around,
    clustered_variance,
    two_sided,
    two_way_scores,
    wilson,
)
from analysis.records import Method, Unavailable
from analysis.votes import LEFT, RIGHT, SAME, Ints, Votes

METHODS = (
    Method(
        "position",
        "Left against right, raters as units",
        "raters stand for others of their kind",
        "Wilson (1927), JASA 22:209; Student (1908), Biometrika 6:1",
        "Of the votes that chose a side, the share that chose the left one; far from one half, raters lean to a side.",
    ),
)

# The six kinds of vote of a two-arm log: its outcome, and the side of the first arm (+1 left, -1 right).
OUTCOME = np.array([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0])
SIDE = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
FIRST_LEFT = SIDE > 0

UNBALANCED = 0.01
SIGNIFICANT = 0.05
ROUNDING = 1e-12


@dataclass(frozen=True)
class RaterClustered:
    """The left share against one half with raters as units, t with R - 1 degrees of freedom (R: who chose a side)."""

    se: float
    t: float
    df: int
    p: float


@dataclass(frozen=True)
class Position:
    """How often each button was pressed; left_share is of the votes that chose a side."""

    methods: ClassVar[tuple[Method, ...]] = METHODS
    left: int
    right: int
    same: int
    left_share: float
    wilson95: Interval
    p_binomial: float
    clustered_by_rater: RaterClustered | Unavailable


def position(votes: Votes) -> Position | Unavailable:
    """Count the buttons of any log and test left against right; `no_votes`, `no_side_votes`."""
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    left, right, same = (int((votes.choice == button).sum()) for button in (LEFT, RIGHT, SAME))
    if not left + right:
        return Unavailable("no_side_votes", "every vote is Same, so no side was chosen")
    return Position(
        left=left,
        right=right,
        same=same,
        left_share=left / (left + right),
        wilson95=wilson(left, left + right),
        p_binomial=float(stats.binomtest(left, left + right).pvalue),
        clustered_by_rater=_by_rater(votes, left=left, side=left + right),
    )


def _by_rater(votes: Votes, *, left: int, side: int) -> RaterClustered | Unavailable:
    lefts = np.bincount(votes.rater[votes.choice == LEFT], minlength=votes.n_raters)
    sides = np.bincount(votes.rater[votes.choice != SAME], minlength=votes.n_raters)
    if np.count_nonzero(sides) < 2:
        return Unavailable("one_rater", "only one rater chose a side; two are needed to see how raters differ")
    # Integers until the last division: raters who all share one lean give exactly zero.
    scores = (side * lefts - left * sides)[sides > 0] / side**2
    if not scores.any():
        return Unavailable("zero_variance", "every rater has the same left share")
    se, df = clustered_variance(scores) ** 0.5, len(scores) - 1
    t = (left / side - 0.5) / se
    return RaterClustered(se=se, t=t, df=df, p=two_sided(t, df))


@dataclass(frozen=True)
class AdjustedNet:
    """The net preference with the effect of standing left taken out: net + left_effect * (+1 left, -1 right).

    a_left_share: share of the votes whose pair had the first arm on the left, its balance tested by a_left_p_binomial.
    """

    a_left_share: float = field(metadata={"json": "A_left_share"})
    a_left_p_binomial: float = field(metadata={"json": "A_left_p_binomial"})
    net: float
    net_se: float
    net_p: float
    net_ci95: Interval
    left_effect: float
    left_effect_se: float
    left_effect_p: float
    left_effect_ci95: Interval
    df: float
    n: int
    pairs: int
    raters: int
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)

    @property
    def comes_first(self) -> bool:
        """Sides were unbalanced and mattered, so this figure and not the plain one answers the question."""
        return self.a_left_p_binomial < UNBALANCED and self.left_effect_p < SIGNIFICANT


def two_way_net_position_adjusted(votes: Votes, crossed: Crossed) -> AdjustedNet | Unavailable:
    """Least squares of +1/0/-1 on a constant and the side of the first arm, two-way clustered errors.

    Unavailable `one_pair`, `one_rater`, `zero_variance`, `position_not_varied` (the first arm always on one side).
    """
    # A vote is one of six: the outcome and the side of the first arm. All sums are over these, not over votes.
    kind = 3 * (votes.left_arm < votes.right_arm) + votes.outcome + 1
    held = np.bincount(kind, minlength=len(OUTCOME)).astype(np.float64)
    if not held[FIRST_LEFT].any() or held[FIRST_LEFT].sum() == votes.n_votes:
        return Unavailable("position_not_varied", "the first arm stood on the same side in every vote")
    design = np.stack([np.ones(len(SIDE)), SIDE], axis=1)
    inverse = np.linalg.inv((design * held[:, None]).T @ design)
    net, effect = (inverse @ (design.T @ (held * OUTCOME))).tolist()
    # Outcomes are -1, 0 or 1: a residual below 1e-12 is rounding, and would pass for a tiny but real error.
    residuals = OUTCOME - net - effect * SIDE
    residuals[np.abs(residuals) < ROUNDING] = 0.0
    scores = (design * residuals[:, None]) @ inverse
    by_pair, by_rater = (_held(cluster, kind) @ scores for cluster in (crossed.pair, crossed.rater))
    squares = held @ scores**2
    of_net, of_effect = (
        two_way_scores(estimate, ScoreSums(by_pair[:, i], by_rater[:, i], float(squares[i])), crossed=crossed)
        for i, estimate in enumerate((net, effect))
    )
    if isinstance(of_net, Unavailable):
        return of_net
    on_left = int(held[FIRST_LEFT].sum())
    return of_effect if isinstance(of_effect, Unavailable) else _adjusted(of_net, of_effect, on_left=on_left)


def _held(cluster: Ints, kind: Ints) -> Floats:
    """How many votes of each of the six kinds every cluster holds, float64 [C, 6]."""
    clusters = int(cluster.max()) + 1
    counts = np.bincount(cluster * len(OUTCOME) + kind, minlength=clusters * len(OUTCOME))
    return counts.reshape(clusters, len(OUTCOME)).astype(np.float64)


def _adjusted(net: TwoWay, effect: TwoWay, *, on_left: int) -> AdjustedNet:
    return AdjustedNet(
        a_left_share=on_left / net.n,
        a_left_p_binomial=float(stats.binomtest(on_left, net.n).pvalue),
        net=net.estimate,
        net_se=net.se,
        net_p=net.p,
        net_ci95=net.ci95,
        left_effect=effect.estimate,
        left_effect_se=effect.se,
        left_effect_p=effect.p,
        left_effect_ci95=around(effect.estimate, effect.se, df=effect.df),
        df=net.df,
        n=net.n,
        pairs=net.pairs,
        raters=net.raters,
    )
