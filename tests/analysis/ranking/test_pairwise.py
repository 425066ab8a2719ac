from itertools import combinations

import pytest
from hypothesis import given, settings
from statsmodels.stats.multitest import multipletests

from analysis import Unavailable, Votes
from analysis.intervals import Crossed, TwoWay
from analysis.ranking import bradley_terry, counts
from analysis.ranking.counts import Tally
from analysis.ranking.pairwise import pairwise_nets
from analysis.significance import two_way_net
from tests.analysis.ranking.logs import FOUR, SidedDuel, duels, match, sided, simulated, small_tournaments


def one_by_one(votes: Votes) -> dict[str, TwoWay | Unavailable]:
    """The headline test of every pairing's own log."""
    found = {}
    for i, j in combinations(range(len(votes.arms)), 2):
        between = votes.between(i, j)
        if between.n_votes:
            found["-".join(between.arms)] = two_way_net(between, Crossed.of(between))
    return found


@settings(deadline=None, max_examples=40)
@given(small_tournaments())
def test_every_pairing_has_the_headline_of_its_own_votes(rows: list[SidedDuel]) -> None:
    votes = sided(rows)
    nets, family = pairwise_nets(Tally.of(votes))
    for name, expected in one_by_one(votes).items():
        if isinstance(expected, Unavailable):
            assert family.left_out[name] == expected.code
            assert name not in nets
        else:
            assert nets[name].net == pytest.approx(expected.estimate, abs=1e-12)
            assert nets[name].se == pytest.approx(expected.se, rel=1e-9)
            assert nets[name].p == pytest.approx(expected.p, rel=1e-7)
    assert family.entered == len(nets)
    assert family.of == family.entered + len(family.left_out)


def test_p_values_are_corrected_as_statsmodels_does() -> None:
    nets, family = pairwise_nets(Tally.of(duels(simulated(FOUR, nu=0.7, groups=12, raters=15, seed=4))))
    assert family.entered == 6
    p = [net.p for net in nets.values()]
    assert [net.p_holm for net in nets.values()] == pytest.approx(multipletests(p, method="holm")[1], rel=1e-12)
    assert [net.p_bh for net in nets.values()] == pytest.approx(multipletests(p, method="fdr_bh")[1], rel=1e-12)


def test_pairings_that_cannot_be_tested_do_not_enter_the_family() -> None:
    log = match("A", "B", 6, 3, 4) + match("B", "C", 4, 0) + [("r0", "g0", "A", "C", ">")]
    nets, family = pairwise_nets(Tally.of(duels(log)))
    assert list(nets) == ["A-B"]
    assert nets["A-B"].p_holm == nets["A-B"].p
    assert (family.entered, family.of) == (1, 3)
    assert family.left_out == {"B-C": "zero_variance", "A-C": "one_rater"}


def test_raters_counted_a_few_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    votes = duels(simulated(FOUR, nu=0.7, groups=6, raters=11, seed=1))
    whole = bradley_terry(votes)
    # Room for 4 of the 11 raters at once: 6 matchups of 6 cells.
    monkeypatch.setattr(counts, "LARGEST_TABLE", 4 * 36)
    assert len(list(Tally.of(votes).rater_tables())) == 3
    parts = bradley_terry(votes)
    assert not isinstance(whole, Unavailable)
    assert not isinstance(parts, Unavailable)
    assert parts.pairwise == whole.pairwise
    assert not isinstance(whole.davidson, Unavailable)
    assert not isinstance(parts.davidson, Unavailable)
    assert parts.davidson.se_two_way == pytest.approx(whole.davidson.se_two_way, rel=1e-12)
