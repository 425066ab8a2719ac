import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from analysis import InvalidThreshold, Unavailable, Votes, read_csv
from analysis.bootstrap import METHODS, PairBootstrap, TwoWayBootstrap, pair_bootstrap, two_way_bootstrap
from analysis.intervals import Crossed, TwoWay
from analysis.preference import Counts, threshold_table
from analysis.records import as_json
from analysis.significance import two_way_net
from tests.analysis.logs import Entry, log, pair_of, small_logs, unjudged

DATA = Path(__file__).parents[1] / "data"
ANSWERS = json.loads((DATA / "table2_votes.answers.json").read_text())
THRESHOLDS = (50, 60, 70, 80)


@pytest.fixture(scope="module")
def fixture() -> Votes:
    return read_csv(DATA / "table2_votes.csv")


def two_way(votes: Votes, *, rounds: int = 500) -> TwoWayBootstrap:
    found = two_way_bootstrap(votes, rounds=rounds)
    assert isinstance(found, TwoWayBootstrap)
    return found


def of_pairs(votes: Votes, thresholds: tuple[object, ...] = THRESHOLDS, *, rounds: int = 500) -> PairBootstrap:
    found = pair_bootstrap(Counts.of(votes), thresholds, rounds=rounds)
    assert isinstance(found, PairBootstrap)
    return found


# More rounds than are held at a time, so that they come in parts.
@pytest.mark.parametrize("rounds", [4000, 11_000])
def test_the_fixture_has_its_published_two_way_bootstrap(fixture: Votes, rounds: int) -> None:
    answers, found = ANSWERS["bootstrap_two_way"], two_way(fixture, rounds=rounds)
    assert (found.rounds, found.empty_rounds) == (rounds, 0)
    assert found.net_ci95 == pytest.approx(answers["net_ci95"], abs=0.006)
    assert found.side_share_ci95 == pytest.approx(answers["side_share_ci95"], abs=0.005)
    assert set(found.share_ci95) == set(answers["share_ci95"])
    for name, interval in found.share_ci95.items():
        assert interval == pytest.approx(answers["share_ci95"][name], abs=0.006)
    assert found.p_net == pytest.approx(answers["p_net"], abs=0.008)
    assert found.se_net == pytest.approx(answers["se_net"], rel=0.05)


def test_the_threshold_table_is_never_drawn_over_raters(fixture: Votes) -> None:
    ours = as_json(two_way(fixture))
    assert isinstance(ours, dict)
    assert set(ANSWERS["bootstrap_two_way"]) - set(ours) == {"threshold_ci95"}


def test_two_pairs_and_two_raters_are_drawn_in_all_nine_ways() -> None:
    # Two are drawn from two as 2+0, 1+1 or 0+2 with chances 1, 2 and 1 in four: the error of the net preference
    # follows by going through the nine ways. Two of sixteen draws hold no vote.
    outcome = np.array([[1, 0], [-1, 0]])
    voted = np.array([[1, 0], [1, 1]])
    entries = [("r0", "p0", "a"), ("r0", "p1", "b"), ("r1", "p1", "s")]
    nets, chances = [], []
    for (pairs, one), (raters, other) in product([((2, 0), 1), ((1, 1), 2), ((0, 2), 1)], repeat=2):
        weights = np.outer(pairs, raters)
        if (weights * voted).sum():
            nets.append((weights * outcome).sum() / (weights * voted).sum())
            chances.append(one * other)
    mean = np.average(nets, weights=chances)
    found = two_way(log(entries), rounds=40_000)
    assert found.empty_rounds / found.rounds == pytest.approx((16 - sum(chances)) / 16, abs=0.006)
    assert found.se_net == pytest.approx(np.average(np.square(nets - mean), weights=chances) ** 0.5, rel=0.02)
    assert found.net_ci95 == (-1, 1)


def test_the_two_way_bootstrap_is_wider_than_the_headline_test(fixture: Votes) -> None:
    # Owen (2007): its variance counts the part of the single vote three times.
    net = two_way_net(fixture, Crossed.of(fixture))
    assert isinstance(net, TwoWay)
    expected = (net.var_pair + net.var_rater + net.var_vote) ** 0.5
    assert two_way(fixture, rounds=4000).se_net == pytest.approx(expected, rel=0.06)
    assert expected > net.se


def test_swapping_arms_mirrors_the_two_way_bootstrap() -> None:
    entries = pair_of(4, 1, 1, name="p") + pair_of(1, 3, name="q") + pair_of(3, 1, 1, name="r")
    there, back = (two_way(log(entries, arms=arms)) for arms in (("robust", "vanilla"), ("vanilla", "robust")))
    assert there.net_ci95 == pytest.approx(tuple(-end for end in back.net_ci95[::-1]))
    assert there.share_ci95 == back.share_ci95
    assert (there.p_net, there.se_net) == pytest.approx((back.p_net, back.se_net))


def test_unjudged_pairs_are_not_drawn_for_the_votes_but_are_for_the_table() -> None:
    entries = pair_of(4, 1, 1, name="p") + pair_of(1, 3, name="q")
    alone, beside = log(entries), log(entries, pairs=unjudged("p", "q", "never"))
    assert two_way(alone) == two_way(beside)
    assert (of_pairs(alone).pairs, of_pairs(beside).pairs) == (2, 3)
    assert of_pairs(alone).by_threshold["50"]["no_preference"] == (0, 0)
    assert of_pairs(beside).by_threshold["50"]["no_preference"][1] > 0.6


def test_where_every_vote_is_same_the_net_preference_is_surely_zero() -> None:
    found = two_way(log(pair_of(0, 0, 3, name="p") + pair_of(0, 0, 3, name="q")))
    assert (found.net_ci95, found.p_net, found.se_net, found.side_share_ci95) == ((0, 0), 1, 0, None)
    assert found.share_ci95["same"] == (1, 1)


@pytest.mark.parametrize(
    ("votes", "code"),
    [
        (log([], pairs=unjudged("p")), "no_votes"),
        (log([("r", "p", "a"), ("r", "q", "b")]), "one_rater"),
        (log(pair_of(2, 1), pairs=unjudged("p", "never")), "one_pair"),
    ],
)
def test_with_one_rater_or_one_judged_pair_there_is_nothing_to_draw(votes: Votes, code: str) -> None:
    found = two_way_bootstrap(votes)
    assert isinstance(found, Unavailable)
    assert found.code == code


def test_a_table_of_one_pair_has_no_interval() -> None:
    found = pair_bootstrap(Counts.of(log(pair_of(2, 1))), THRESHOLDS)
    assert isinstance(found, Unavailable)
    assert found.code == "one_pair"


def test_the_fixture_has_its_published_pair_bootstrap(fixture: Votes) -> None:
    ours, answers = as_json(of_pairs(fixture, rounds=10_000)), ANSWERS["bootstrap_pairs_threshold_ci95"]
    assert isinstance(ours, dict)
    # Whole pairs: half a per cent is one of 200, and an end may fall on either side of a step.
    for threshold, columns in answers.items():
        assert ours[threshold] == {name: pytest.approx(ends, abs=0.0101) for name, ends in columns.items()}


def test_drawing_buckets_is_drawing_pairs() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 12, (2, 40))
    votes = log(entry for n in range(40) for entry in pair_of(int(a[n]), int(b[n]), 1, name=f"p{n}"))
    counts, names = Counts.of(votes), votes.pair_names
    drawn = []
    for _ in range(3000):
        who = rng.integers(0, 40, 40)
        again = Counts(counts.arms, names, counts.class_labels, counts.a[who], counts.b[who], counts.same[who])
        side = again.side
        drawn.append([(3 * again.a > 2 * side).mean(), (3 * again.b > 2 * side).mean()])
    found = of_pairs(votes, (80, "200/3", 50), rounds=10_000)
    assert list(found.by_threshold) == ["80", "200/3", "50"]
    for arm, shares in zip(counts.arms, np.transpose(drawn), strict=True):
        assert found.by_threshold["200/3"][arm] == pytest.approx(np.percentile(shares, [2.5, 97.5]), abs=0.026)


@settings(deadline=None, max_examples=40)
@given(small_logs())
def test_the_interval_of_a_cell_is_about_its_own_share(entries: list[Entry]) -> None:
    votes = log(entries, pairs=unjudged("never", "neither"))
    found, table = of_pairs(votes, rounds=4000), threshold_table(Counts.of(votes), THRESHOLDS)
    for row in table.rows:
        for cell in row.cells:
            share = cell.percent / 100
            half = 2.6 * (share * (1 - share) / table.pairs) ** 0.5 + 1 / table.pairs
            low, high = found.by_threshold[row.threshold][cell.column]
            assert share - half <= low <= share <= high <= share + half


@settings(deadline=None, max_examples=40)
@given(small_logs())
def test_any_small_log_gives_finite_numbers(entries: list[Entry]) -> None:
    votes = log(entries)
    json.dumps(as_json(two_way_bootstrap(votes, rounds=200)), allow_nan=False)
    json.dumps(as_json(pair_bootstrap(Counts.of(votes), THRESHOLDS, rounds=200)), allow_nan=False)


def test_a_seed_gives_the_same_draws_and_is_kept(fixture: Votes) -> None:
    seven, again = (two_way_bootstrap(fixture, rng=7, rounds=50) for _ in range(2))
    assert seven == again
    other = two_way_bootstrap(fixture, rng=np.random.default_rng(8), rounds=50)
    assert isinstance(seven, TwoWayBootstrap)
    assert isinstance(other, TwoWayBootstrap)
    assert (seven.seed, other.seed) == (7, None)
    assert seven.net_ci95 != other.net_ci95
    assert of_pairs(fixture) == of_pairs(fixture)


def test_a_threshold_below_50_is_refused() -> None:
    with pytest.raises(InvalidThreshold, match="below 50"):
        pair_bootstrap(Counts.of(log(pair_of(2, 1))), (40,))


def test_every_method_is_a_key_of_the_report() -> None:
    assert {method.name for method in METHODS} <= set(ANSWERS)
    assert all(method.explains and method.citation for method in METHODS)
