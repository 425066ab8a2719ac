"""Is the preference more than chance? One headline test, and the usual ones beside it for comparison.

The headline is the net preference, the mean over all votes of +1 (first arm), -1 (second arm) and 0 (Same), with a
variance that allows for pairs and for raters. Simulated at the size of a typical study it is the only one here that
keeps its false-positive rate when pairs differ and raters lean; each other test says what it assumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from scipy import stats

from analysis.intervals import Crossed, Interval, TwoWay, two_way_mean, two_way_ratio, wilson
from analysis.pair_tests import (
    FlipTest,
    MeanTest,
    PairSign,
    SignedRanks,
    flip_permutation,
    mean_test,
    net_by_pair,
    pair_sign,
    pair_wilcoxon,
)
from analysis.position import AdjustedNet, two_way_net_position_adjusted
from analysis.preference import Counts
from analysis.records import Method, Unavailable
from analysis.votes import Votes

R = TypeVar("R", TwoWay, AdjustedNet, PairSign, SignedRanks, MeanTest, FlipTest)
TestResult = TwoWay | AdjustedNet | PairSign | SignedRanks | MeanTest | FlipTest

CLUSTERED = "Cameron, Gelbach, Miller (2011), J. Business & Economic Statistics 29:238; Kish (1965), Survey Sampling"
FLIPPED = "Fisher (1935), The Design of Experiments, section 21"
SIGNS = "Dixon, Mood (1946), JASA 41:557"
RANKS = "Wilcoxon (1945), Biometrics Bulletin 1:80; Pratt (1959), JASA 54:655"
STUDENT = "Student (1908), Biometrika 6:1"
PANEL = "holds for this panel of raters, not for others"

METHODS = {
    method.name: method
    for method in (
        Method(
            "two_way_net",
            "Net preference over all votes, two-way clustered",
            "these pairs and raters stand for others of their kind",
            CLUSTERED,
            "How many more of every 100 votes went to the first arm than to the second; p is the chance of a"
            " lead at least this large, either way, if images and raters of this kind had no preference.",
        ),
        Method(
            "two_way_net_position_adjusted",
            "Net preference with the lean to a side taken out, two-way clustered",
            "as the net preference; standing left adds the same everywhere",
            CLUSTERED,
            "The net preference as it would be if each arm had stood on each side equally often.",
        ),
        Method(
            "two_way_side_share",
            "Share of the votes that chose a side, two-way clustered",
            "as the net preference; Same is left out",
            CLUSTERED,
            "Of the votes that chose an image, the share for the first arm; one half means no preference.",
        ),
        Method(
            "pair_sign",
            "Sign test over comparisons",
            f"{PANEL}; tests the median",
            SIGNS,
            "Of the comparisons with a majority, the share that the first arm won; a clear one counts no "
            "more than a close one.",
        ),
        Method(
            "pair_wilcoxon_net_over_all_votes",
            "Wilcoxon signed-rank test over comparisons",
            f"{PANEL}; comparisons scatter symmetrically",
            RANKS,
            "Whether comparisons lean to the first arm more often and further than to the second, by ranks.",
        ),
        Method(
            "pair_t",
            "t-test over comparisons",
            PANEL,
            STUDENT,
            "The mean net preference of the comparisons, each weighing the same however many votes it has.",
        ),
        Method(
            "rater_t",
            "t-test over raters",
            "holds for these comparisons, not for others",
            STUDENT,
            "The mean net preference of the raters, each weighing the same however many votes they gave.",
        ),
        Method(
            "pair_flip_permutation_exact",
            "Exact permutation test, whole comparisons flipped",
            PANEL,
            FLIPPED,
            "How rare a lead in votes this large is if for each comparison a coin decides which arm its votes are for.",
        ),
        Method(
            "rater_flip_permutation_exact",
            "Exact permutation test, whole raters flipped",
            "holds for these comparisons, not for others",
            FLIPPED,
            "How rare a lead in votes this large is if for each rater a coin decides which arm the votes are for.",
        ),
        Method(
            "vote_sign_binomial",
            "If votes were independent: sign test over single votes",
            "votes are independent, which they are not when pairs or raters differ: p is far too small then",
            SIGNS,
            "Of the votes that chose an image, whether the first arm's share differs from one half, as if "
            "each vote were by another person on another image.",
        ),
    )
}


@dataclass(frozen=True)
class VoteSign:
    """The sign test over single votes: a and b votes for the first and second arm, n = a + b, Same left out."""

    a: int = field(metadata={"json": "A"})
    b: int = field(metadata={"json": "B"})
    n: int
    p: float
    z: float
    side_share: float
    wilson95: Interval
    method: Method | None = field(default=None, metadata={"json": None}, repr=False)


@dataclass(frozen=True)
class Tests:
    """All tests of one two-arm log, under the names of the report."""

    two_way_net: TwoWay | Unavailable
    two_way_net_position_adjusted: AdjustedNet | Unavailable
    two_way_side_share: TwoWay | Unavailable
    pair_sign: PairSign | Unavailable
    pair_wilcoxon_net_over_all_votes: SignedRanks | Unavailable
    pair_t: MeanTest | Unavailable
    rater_t: MeanTest | Unavailable
    pair_flip_permutation_exact: FlipTest | Unavailable
    rater_flip_permutation_exact: FlipTest | Unavailable
    vote_sign_binomial: VoteSign

    def rows(self) -> Iterator[tuple[Method, TestResult | VoteSign | Unavailable]]:
        """Each test with what it is called and what it assumes; first the one that answers the question."""
        adjusted = self.two_way_net_position_adjusted
        first = "two_way_net_position_adjusted" if isinstance(adjusted, AdjustedNet) and adjusted.comes_first else ""
        for name in sorted(METHODS, key=lambda name: name != first):
            yield METHODS[name], getattr(self, name)


def significance(votes: Votes, counts: Counts) -> Tests | Unavailable:
    """All tests of a two-arm log; `no_votes`, or `no_side_votes` when there is nothing to compare."""
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    if not counts.side.any():
        return Unavailable("no_side_votes", "every vote is Same, so there is no preference to test")
    crossed = Crossed.of(votes)
    by_rater = crossed.per_rater(votes.outcome)
    return Tests(
        two_way_net=_by("two_way_net", two_way_net(votes, crossed)),
        two_way_net_position_adjusted=_by(
            "two_way_net_position_adjusted", two_way_net_position_adjusted(votes, crossed)
        ),
        two_way_side_share=_by("two_way_side_share", two_way_side_share(votes, crossed)),
        pair_sign=_by("pair_sign", pair_sign(counts)),
        pair_wilcoxon_net_over_all_votes=_by("pair_wilcoxon_net_over_all_votes", pair_wilcoxon(counts)),
        pair_t=_by("pair_t", mean_test(net_by_pair(counts))),
        rater_t=_by("rater_t", mean_test(by_rater / crossed.rater_sizes)),
        pair_flip_permutation_exact=_by("pair_flip_permutation_exact", flip_permutation(counts.a - counts.b)),
        rater_flip_permutation_exact=_by("rater_flip_permutation_exact", flip_permutation(by_rater.astype(np.int64))),
        vote_sign_binomial=replace(vote_sign_binomial(counts), method=METHODS["vote_sign_binomial"]),
    )


def _by(name: str, result: R | Unavailable) -> R | Unavailable:
    return result if isinstance(result, Unavailable) else replace(result, method=METHODS[name])


def two_way_net(votes: Votes, crossed: Crossed) -> TwoWay | Unavailable:
    """The headline: mean of +1/0/-1 over all votes, Same included, against 0.

    Unavailable `one_pair`, `one_rater`, `zero_variance`.
    """
    return two_way_mean(votes.outcome, crossed=crossed, null=0.0)


def two_way_side_share(votes: Votes, crossed: Crossed) -> TwoWay | Unavailable:
    """Share of the first arm among side votes (at least one), against 0.5. Errors as the headline."""
    first, side = ((votes.outcome == 1), (votes.outcome != 0))
    return two_way_ratio(first.astype(np.int64), side.astype(np.int64), crossed=crossed, null=0.5)


def vote_sign_binomial(counts: Counts) -> VoteSign:
    """The exact binomial test over side votes (at least one), as if votes were independent."""
    a, b = int(counts.a.sum()), int(counts.b.sum())
    n = a + b
    p = float(stats.binomtest(a, n).pvalue)
    return VoteSign(a=a, b=b, n=n, p=p, z=(a - b) / n**0.5, side_share=a / n, wilson95=wilson(a, n))
