"""The report: everything a results page or a file shows about a vote log, computed once.

Page, CSV, JSON and LaTeX are written from the same frozen object, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from os import PathLike

import numpy as np

from analysis import tables
from analysis.intervals import TwoWay
from analysis.plan import Plan
from analysis.position import AdjustedNet, Position, position
from analysis.preference import (
    Counts,
    Shares,
    Summary,
    ThresholdTable,
    shares,
    threshold_table,
)
from analysis.records import Json, Unavailable, as_json
from analysis.significance import METHODS, Tests, significance
from analysis.vote_file import read_csv
from analysis.votes import Ints, Votes

FEW_RATERS = 5
ENOUGH_SIDE_VOTES = 20


@dataclass(frozen=True)
class Pairing:
    """What was found between two arms; figures are oriented first minus second.

    pairs: all comparisons of the two, unjudged ones included. votes, raters: of this pairing alone.
    """

    arms: tuple[str, str]
    orientation: str
    votes: int
    pairs: int
    unjudged: int
    raters: int
    per_pair_votes: Summary
    per_pair_side_votes: Summary
    counts: Counts
    shares: Shares | Unavailable
    threshold_table: ThresholdTable
    tests: Tests | Unavailable
    headline: str
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        left_out = {"counts"}
        return {name: as_json(value) for name, value in vars(self).items() if name not in left_out}


@dataclass(frozen=True)
class Report:
    """A study's result: what was collected, and a `Pairing` for every two arms that were compared.

    With two arms there is exactly one pairing, and the JSON form holds it flat under the report's own keys.
    """

    arms: tuple[str, ...]
    plan: Plan
    plan_is_fixed: bool
    simulated: bool
    thresholds: tuple[str, ...]
    votes: int
    gold_votes: int
    pairs: int
    unjudged: int
    raters: int
    per_pair_votes: Summary
    position: Position | Unavailable
    pairings: tuple[Pairing, ...]

    def as_json(self) -> dict[str, Json]:
        """Plain values for json.dumps: never NaN, never infinity; an absent figure is {"error", "detail"}."""
        own = {name: as_json(value) for name, value in vars(self).items() if name != "pairings"}
        methods = {name: as_json(method) for name, method in METHODS.items()}
        if len(self.arms) == 2:
            return {**self.pairings[0].as_json(), **own, "methods": methods}
        return {**own, "pairings": [pairing.as_json() for pairing in self.pairings], "methods": methods}

    def as_csv(self) -> str:
        """The threshold tables, one line per pairing, threshold and column."""
        return tables.as_csv(pairing.threshold_table for pairing in self.pairings)

    def as_latex(self) -> str:
        """The threshold tables, one booktabs tabular per pairing."""
        return tables.as_latex(pairing.threshold_table for pairing in self.pairings)


def analyse(votes: Votes | str | PathLike[str], *, plan: Plan | None = None) -> Report:
    """Compute the whole report of a checked log, or of a CSV file; raises InvalidVotes, OSError for a file.

    plan: what was fixed before the votes. Without one everything is exploratory and the usual figures are computed.
    Comparisons without a vote count as no preference. Without any vote the figures are `Unavailable("no_votes")`.
    """
    if not isinstance(votes, Votes):
        votes = read_csv(votes)
    followed = plan or Plan()
    pairings = tuple(_pairings(votes, followed.thresholds))
    per_pair = np.bincount(votes.pair, minlength=votes.n_pairs)
    return Report(
        arms=votes.arms,
        plan=followed,
        plan_is_fixed=plan is not None,
        simulated=votes.simulated,
        gold_votes=votes.gold.n,
        thresholds=tuple(row.threshold for row in pairings[0].threshold_table.rows),
        votes=votes.n_votes,
        pairs=votes.n_pairs,
        unjudged=int((per_pair == 0).sum()),
        raters=votes.n_raters,
        per_pair_votes=Summary.of(per_pair),
        position=position(votes),
        pairings=pairings,
    )


def _pairings(votes: Votes, thresholds: tuple[str, ...]) -> Iterable[Pairing]:
    present = {tuple(two) for two in np.unique(votes.pair_arms, axis=0).tolist()}
    for first, second in combinations(range(len(votes.arms)), 2):
        if (first, second) in present:
            yield _pairing(votes if len(votes.arms) == 2 else votes.between(first, second), thresholds)


def _pairing(votes: Votes, thresholds: tuple[str, ...]) -> Pairing:
    counts = Counts.of(votes)
    tests = significance(votes, counts)
    table = threshold_table(counts, thresholds)
    return Pairing(
        arms=counts.arms,
        orientation=f"positive = {counts.arms[0]} preferred over {counts.arms[1]}",
        votes=votes.n_votes,
        pairs=counts.pairs,
        unjudged=counts.unjudged,
        raters=votes.n_raters,
        per_pair_votes=Summary.of(counts.all),
        per_pair_side_votes=Summary.of(counts.side),
        counts=counts,
        shares=shares(votes),
        threshold_table=table,
        tests=tests,
        headline=headline(counts.arms, tests),
        warnings=tuple(_warnings(counts.side, tests)),
    )


def headline(arms: tuple[str, str], tests: Tests | Unavailable) -> str:
    """The headline test as one sentence; it reads the same whichever arm is called first."""
    if isinstance(tests, Unavailable):
        return f"No result yet: {tests.detail}."
    adjusted = tests.two_way_net_position_adjusted
    if isinstance(adjusted, AdjustedNet) and adjusted.comes_first:
        how = "net preference with the lean to a side taken out"
        return _sentence(arms, how, adjusted.net, adjusted.net_ci95, p=adjusted.net_p, units=adjusted)
    net = tests.two_way_net
    if isinstance(net, Unavailable):
        return f"No test of the preference: {net.detail}."
    return _sentence(arms, "net preference", net.estimate, net.ci95, p=net.p, units=net)


def _sentence(
    arms: tuple[str, str], how: str, net: float, ci95: tuple[float, float], *, p: float, units: TwoWay | AdjustedNet
) -> str:
    low, high = ci95 if net >= 0 else (-ci95[1], -ci95[0])
    leader, other = sorted(arms) if net == 0 else arms if net > 0 else arms[::-1]
    claim = f"Raters prefer {leader}" if p < 0.05 else f"No clear preference between {leader} and {other}"
    whose = "" if p < 0.05 else f" for {leader}"
    return (
        f"{claim}: {_points(abs(net), '+')} points of {how}{whose}, 95 % interval {_points(low)} to {_points(high)}, "
        f"{_p(p)}, allowing for {units.pairs} pairs and {units.raters} raters."
    )


def _points(share: float, sign: str = "-") -> str:
    # -0.04 rounds to -0.0: adding zero drops the sign. A true minus, as in print.
    return format(round(100 * share, 1) + 0.0, f"{sign}.1f").replace("-", "\N{MINUS SIGN}")


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _warnings(side: Ints, tests: Tests | Unavailable) -> Iterable[str]:
    middle = float(np.median(side))
    if middle < ENOUGH_SIDE_VOTES:
        yield (
            f"Half of the comparisons have {_at_most(middle)} that chose a side. The threshold table needs "
            f"about {ENOUGH_SIDE_VOTES}: with fewer it looks more decided than people are. Compare it only with "
            "tables that have as many votes per comparison."
        )
    if isinstance(tests, Unavailable):
        return
    net, adjusted = tests.two_way_net, tests.two_way_net_position_adjusted
    if isinstance(net, TwoWay) and net.raters_effective < FEW_RATERS:
        yield (
            f"The {net.raters} raters weigh like {net.raters_effective:.1f} equally busy ones; below {FEW_RATERS} the "
            "interval is rough. Ask more raters."
        )
    if isinstance(adjusted, AdjustedNet) and adjusted.comes_first:
        yield (
            f"{100 * adjusted.a_left_share:.0f} % of the votes saw the first arm on the left, and raters lean to a "
            "side, so the figure with that lean taken out comes first."
        )


def _at_most(votes: float) -> str:
    return "no vote" if votes < 1 else f"{votes:g} or fewer votes"
