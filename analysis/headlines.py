"""The answer in one sentence, and what a reader must know before taking it further."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.intervals import Interval, TwoWay
from analysis.plan import Headline
from analysis.position import AdjustedNet
from analysis.ranking import Contrast, Leaderboard
from analysis.records import Unavailable
from analysis.significance import Tests
from analysis.votes import Ints, Votes

FEW_RATERS = 5
ENOUGH_SIDE_VOTES = 20
SIGNIFICANT = 0.05
ELO_PER_THETA = 400 / np.log(10)
SIMULATED = "Simulated votes: a program gave these answers, no person did. They say nothing about people."


def headline(arms: tuple[str, str], tests: Tests | Unavailable, *, planned: Headline = Headline.NET) -> str:
    """The headline test as one sentence; it reads the same whichever arm is called first."""
    if isinstance(tests, Unavailable):
        return f"No result yet: {tests.detail}."
    if planned is Headline.SIDE_SHARE:
        return _of_side_share(arms, tests.two_way_side_share)
    adjusted = tests.two_way_net_position_adjusted
    if isinstance(adjusted, AdjustedNet) and adjusted.comes_first:
        how = "net preference with the lean to a side taken out"
        return _sentence(arms, how, adjusted.net, adjusted.net_ci95, p=adjusted.net_p, units=adjusted)
    net = tests.two_way_net
    if isinstance(net, Unavailable):
        return f"No test of the preference: {net.detail}."
    return _sentence(arms, "net preference", net.estimate, net.ci95, p=net.p, units=net)


def ranking_headline(board: Leaderboard | Unavailable) -> str:
    """Which of several arms is rated first, as one sentence."""
    if isinstance(board, Unavailable):
        return f"No ranking of the arms: {board.detail}."
    first, second = board.rows[0], board.rows[1]
    difference, (low, high), p = _lead(board.contrasts, first.arm, second.arm)
    elo, low, high = (value * ELO_PER_THETA for value in (difference, low, high))
    interval = f"{elo:.0f} Elo above {second.arm}, 95 % interval {_whole(low)} to {_whole(high)}"
    units = f"allowing for {board.groups} groups of class and seed and {board.raters} raters"
    if first.rank_worst == 1:
        return f"Raters rate {first.arm} first of {len(board.rows)} arms: {interval}, {_p(p)} after Holm, {units}."
    rivals = first.rank_worst - 1
    others = "one other arm" if rivals == 1 else f"{rivals} other arms"
    return (
        f"No single best arm of {len(board.rows)}: {first.arm} is rated highest ({interval}), but cannot be told from "
        f"{others}, {units}."
    )


def _lead(contrasts: tuple[Contrast, ...], first: str, second: str) -> tuple[float, Interval, float]:
    found = {(contrast.first, contrast.second): contrast for contrast in contrasts}
    if (first, second) in found:
        contrast = found[first, second]
        return contrast.difference, contrast.ci95, contrast.p_holm
    contrast = found[second, first]
    return -contrast.difference, (-contrast.ci95[1], -contrast.ci95[0]), contrast.p_holm


def _of_side_share(arms: tuple[str, str], share: TwoWay | Unavailable) -> str:
    if isinstance(share, Unavailable):
        return f"No test of the preference: {share.detail}."
    ahead = share.estimate >= 0.5
    leader, other = arms if ahead else arms[::-1]
    chosen = share.estimate if ahead else 1 - share.estimate
    low, high = share.ci95 if ahead else (1 - share.ci95[1], 1 - share.ci95[0])
    claim = f"Raters prefer {leader}" if share.p < SIGNIFICANT else f"No clear preference between {leader} and {other}"
    return (
        f"{claim}: {100 * chosen:.1f} % of the votes that chose a side chose {leader}, 95 % interval "
        f"{100 * low:.1f} to {100 * high:.1f}, {_p(share.p)}, allowing for "
        f"{share.pairs} pairs and {share.raters} raters."
    )


def _sentence(
    arms: tuple[str, str], how: str, net: float, ci95: Interval, *, p: float, units: TwoWay | AdjustedNet
) -> str:
    low, high = ci95 if net >= 0 else (-ci95[1], -ci95[0])
    leader, other = sorted(arms) if net == 0 else arms if net > 0 else arms[::-1]
    claim = f"Raters prefer {leader}" if p < SIGNIFICANT else f"No clear preference between {leader} and {other}"
    whose = "" if p < SIGNIFICANT else f" for {leader}"
    return (
        f"{claim}: {_points(abs(net), '+')} points of {how}{whose}, 95 % interval {_points(low)} to {_points(high)}, "
        f"{_p(p)}, allowing for {units.pairs} pairs and {units.raters} raters."
    )


def _points(share: float, sign: str = "-") -> str:
    # -0.04 rounds to -0.0: adding zero drops the sign. A true minus, as in print.
    return format(round(100 * share, 1) + 0.0, f"{sign}.1f").replace("-", "\N{MINUS SIGN}")


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _whole(value: float) -> str:
    return format(round(value) + 0, "d").replace("-", "\N{MINUS SIGN}")


def warnings(side: Ints, tests: Tests | Unavailable) -> Iterator[str]:
    """What limits the figures of one pairing. side: votes per comparison that chose a side, int64 [P]."""
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


def warnings_of_log(votes: Votes) -> Iterator[str]:
    """What limits every figure of a log."""
    if votes.simulated:
        yield SIMULATED
    if len(votes.arms) > 2 and len(set(votes.groups)) == votes.n_pairs:
        yield (
            "Every comparison is its own group. Where comparisons of several arms share class and seed they share an "
            "image: name such groups in the column group_id, or the ratings' errors are too small."
        )


def _at_most(votes: float) -> str:
    return "no vote" if votes < 1 else f"{votes:g} or fewer votes"
