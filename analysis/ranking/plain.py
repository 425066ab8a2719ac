"""Bradley and Terry's model on votes without ties: each Same as half a win each, or left out. For comparison.

Bradley, Terry (1952), Biometrika 39:324. Half a win each pulls the ratings together, the more the more people say Same.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from analysis.intervals import Floats
from analysis.ranking.counts import TIE, Tally
from analysis.ranking.davidson import by_arm
from analysis.ranking.estimates import sum_to_zero
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import PLAIN
from analysis.ranking.ratings import PlainRating
from analysis.records import Unavailable


def bt_half_tie(tally: Tally) -> PlainRating | Unavailable:
    """Same counts half for either arm; `disconnected_comparison_graph`, `separation`."""
    outcomes = tally.outcomes.astype(np.float64)
    return _plain(tally, outcomes[:, :TIE] + outcomes[:, TIE:] / 2)


def bt_side_only(tally: Tally) -> PlainRating | Unavailable:
    """Same is left out; `disconnected_comparison_graph`, `separation` of the votes that chose a side."""
    return _plain(tally, tally.outcomes[:, :TIE].astype(np.float64))


def _plain(tally: Tally, wins: Floats) -> PlainRating | Unavailable:
    if problem := _obstacle(tally, wins):
        return problem
    told = sum_to_zero(len(tally.arms))
    counts = np.concatenate([wins, np.zeros((len(wins), 1))], axis=1)
    fit = maximise(PLAIN, counts[None], design=tally.incidence @ told)
    return PlainRating(by_arm(tally.arms, told @ fit.linear[0]), float(fit.loglik[0]))


def _obstacle(tally: Tally, wins: Floats) -> Unavailable | None:
    """Ford (1957), Am. Math. Monthly 64:28: ratings exist where every arm can be reached from every other by wins."""
    k = len(tally.arms)
    beaten = np.zeros((k, k))
    first, second = tally.matchups.T
    beaten[first, second], beaten[second, first] = wins.T
    graph = sparse.csr_array(beaten)
    if sparse.csgraph.connected_components(graph, directed=False)[0] > 1:
        return Unavailable("disconnected_comparison_graph", "without the votes that are Same some arms are not linked")
    if sparse.csgraph.connected_components(graph, connection="strong")[0] > 1:
        return Unavailable("separation", "some arms won every vote against some others")
    return None
