"""How well a study of a given size knows the net preference.

A vote carries a part of its pair, a part of its rater and a part of its own, so the mean over P pairs, R raters and
N votes is known to within SE^2 = c_P / P + c_R / R + c_E / N. Power and detectable difference follow from Student's t
with min(P, R) - 1 degrees of freedom, as in the headline test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from scipy import special

from analysis.intervals import Crossed, TwoWay
from analysis.records import Method, Unavailable
from analysis.significance import two_way_net
from analysis.votes import SAME, Votes

METHODS = (
    Method(
        "planning",
        "Error of the net preference by source",
        "the next study's images and raters are like these",
        "Cameron, Gelbach, Miller (2011), J. Business & Economic Statistics 29:238",
        "How much of the squared error shrinks with more pairs, with more raters and with more votes: what the next "
        "study's size is planned from.",
    ),
)


@dataclass(frozen=True)
class Components:
    """What pairs, raters and single votes bring to the error of the net preference, and how that is known.

    pair, rater, vote: c_P, c_R, c_E >= 0, in squared units of net preference. same_share: of all votes, 0 to 1.
    floored: the components that were estimated below zero and stand as zero. pairs, raters, votes: of the pilot.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS
    pair: float
    rater: float
    vote: float
    same_share: float
    source: str
    floored: tuple[str, ...] = ()
    pairs: int | None = None
    raters: int | None = None
    votes: int | None = None


# Fitted to simulated logs with a spread of 1.1 (pairs) and 0.2 (raters) on the logit scale and 27 % Same.
PAPER_LIKE = Components(
    pair=0.11,
    rater=0.003,
    vote=0.65,
    same_share=0.27,
    source="a population like that of Kawar et al. (2023), 27 % Same",
)


@dataclass(frozen=True)
class Design:
    """A study's size: how many raters, pairs and votes in all, spread evenly."""

    raters: int
    pairs: int
    votes: int

    @property
    def judged(self) -> int:
        """The pairs that get a vote: with fewer votes than pairs the others stay unjudged."""
        return min(self.pairs, self.votes)

    @property
    def df(self) -> int:
        return max(1, min(self.judged, self.raters) - 1)


def standard_error(design: Design, components: Components) -> float:
    """The standard error of the net preference, > 0."""
    pairs, raters, votes = components.pair / design.judged, components.rater / design.raters, components.vote
    return math.sqrt(pairs + raters + votes / design.votes)


def power_of(design: Design, difference: float, *, components: Components, alpha: float = 0.05) -> float:
    """The chance that the headline test finds a true difference (net preference, > 0), in its own direction.

    T(difference / SE - t_crit), with t_crit the two-sided critical value at alpha.
    """
    lead = difference / standard_error(design, components) - _critical(alpha / 2, df=design.df)
    return float(special.stdtr(design.df, lead))


def detectable(design: Design, power: float, *, components: Components, alpha: float = 0.05) -> float:
    """The net preference that is found with this power (0.5 to 1): (t_crit + t_power) SE; the inverse of `power_of`."""
    both = _critical(alpha / 2, df=design.df) + _critical(1 - power, df=design.df)
    return both * standard_error(design, components)


def _critical(tail: float, *, df: int) -> float:
    return -float(special.stdtrit(df, tail))


def components_of(votes: Votes, *, source: str = "a pilot") -> Components | Unavailable:
    """Estimate the components from a pilot's votes, by moments (Henderson's first method).

    The variances of the headline test expect V_pair - V_vote = c_P (1/P - 1/N), likewise for raters, and
    N V_vote = c_P + c_R + c_E; P and R are Kish's effective numbers, so that a few busy raters don't count as many.
    Estimates below zero become zero and are named. More than two arms: the mean over pairings, weighted by votes.
    Errors: `no_votes`, `one_pair`, `one_rater`, `zero_variance`, `one_vote_a_pair`, `one_vote_a_rater`.
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted in the pilot yet")
    nets = [two_way_net(pairing, Crossed.of(pairing)) for pairing in _pairings(votes)]
    telling = [net for net in nets if isinstance(net, TwoWay) and max(net.pairs, net.raters) < net.n]
    if not telling:
        return _nothing_learnt(nets)
    weights = [net.n for net in telling]
    pair, rater, vote = np.average([_moments(net) for net in telling], axis=0, weights=weights).tolist()
    return Components(
        pair=max(0.0, pair),
        rater=max(0.0, rater),
        vote=max(0.0, vote),
        same_share=float((votes.choice == SAME).mean()),
        source=source,
        floored=tuple(name for name, value in (("pair", pair), ("rater", rater), ("vote", vote)) if value < 0),
        pairs=len(np.unique(votes.pair)),
        raters=votes.n_raters,
        votes=votes.n_votes,
    )


def _nothing_learnt(nets: list[TwoWay | Unavailable]) -> Unavailable:
    problems = [net for net in nets if isinstance(net, Unavailable)]
    if len(problems) == len(nets):
        return problems[0]
    if any(isinstance(net, TwoWay) and net.raters < net.n for net in nets):
        return Unavailable("one_vote_a_pair", "one vote a pair cannot tell how far pairs differ; two are needed")
    return Unavailable("one_vote_a_rater", "one vote a rater cannot tell how far raters differ; two are needed")


def _pairings(votes: Votes) -> Iterator[Votes]:
    if len(votes.arms) == 2:
        yield votes
        return
    for first, second in combinations(range(len(votes.arms)), 2):
        pairing = votes.between(first, second)
        if pairing.n_votes:
            yield pairing


def _moments(net: TwoWay) -> tuple[float, float, float]:
    pair = (net.var_pair - net.var_vote) / (1 / net.pairs_effective - 1 / net.n)
    rater = (net.var_rater - net.var_vote) / (1 / net.raters_effective - 1 / net.n)
    return pair, rater, net.n * net.var_vote - max(0.0, pair) - max(0.0, rater)
