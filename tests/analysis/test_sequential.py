import json
from math import log as ln
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from scipy import stats

from analysis import Unavailable, Votes, read_csv
from analysis.accrual import Accrual
from analysis.intervals import Crossed, TwoWay
from analysis.records import as_json
from analysis.sequential import METHODS, Sequential, TwoWayNormalMixture, sequential
from analysis.significance import two_way_net
from analysis.simulation import LazyRaters, SimulatedDesign, simulate
from tests.analysis.logs import Entry, log, pair_of, small_logs, unjudged

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def published() -> Sequential:
    return sequential(read_csv(DATA / "table2_votes.csv"), planned_raters=100)


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, object]]:
    return json.loads((DATA / "table2_votes.answers.json").read_text())["sequential"]


def simulated(seed: int = 1, **changes: object) -> Votes:
    return simulate(SimulatedDesign(**changes), rng=np.random.default_rng(seed)).votes()


def monitor(votes: Votes, **settings: object) -> TwoWayNormalMixture:
    found = sequential(votes, **settings).two_way_normal_mixture
    assert isinstance(found, TwoWayNormalMixture)
    return found


def of_first_raters(votes: Votes, n: int) -> Votes:
    order = list(dict.fromkeys(votes.rater.tolist()))
    return votes.without_raters(~np.isin(np.arange(votes.n_raters), order[:n]))


def headline_of(votes: Votes) -> TwoWay | Unavailable:
    return two_way_net(votes, Crossed.of(votes))


@pytest.mark.parametrize("group", ["two_way_normal_mixture", "rater_level"])
def test_the_fixture_has_its_published_answers(group, published, answers):
    found = as_json(published)[group]
    assert {name: found[name] for name in answers[group]} == {
        name: value if value is None else pytest.approx(value, rel=1e-9) for name, value in answers[group].items()
    }


def test_the_vote_level_test_that_is_not_valid_is_not_there(published):
    assert set(as_json(published)) == {"two_way_normal_mixture", "rater_level", "planned_looks"}
    assert {method.name for method in METHODS} == set(as_json(published))


def test_a_look_is_what_the_formula_of_the_specification_gives_for_its_raters(published):
    # Section (i): I = 1 / V, V inflated by (t / z)^2; evidence and half-width in closed form; rho = 150, alpha = 0.05.
    votes = read_csv(DATA / "table2_votes.csv")
    for look in (published.two_way_normal_mixture.looks[0], published.two_way_normal_mixture.looks[30]):
        net = headline_of(of_first_raters(votes, look.raters))
        information = 1 / (net.var_used * (stats.t.ppf(0.975, net.df) / stats.norm.ppf(0.975)) ** 2)
        log_e = ln(150 / (information + 150)) / 2 + (information * net.estimate) ** 2 / (2 * (information + 150))
        half = sqrt((information + 150) * (2 * ln(20) + ln((information + 150) / 150))) / information
        assert (look.log_e, look.boundary) == pytest.approx((log_e, ln(20)))
        assert (look.low, look.estimate, look.high) == pytest.approx(
            (net.estimate - half, net.estimate, net.estimate + half)
        )
        assert look.votes == net.n


def assert_every_look_is_the_headline_of_its_raters(votes: Votes) -> None:
    accrual = Accrual.of(votes)
    for n in range(1, votes.n_raters + 1):
        expected = headline_of(of_first_raters(votes, n))
        assert accrual.has_variance[n - 1] == isinstance(expected, TwoWay)
        if isinstance(expected, TwoWay):
            found = [float(a[n - 1]) for a in (accrual.votes, accrual.estimate, accrual.var, accrual.df)]
            assert found == pytest.approx([expected.n, expected.estimate, expected.var_used, expected.df], rel=1e-12)


@given(small_logs())
def test_every_look_of_a_small_log_is_the_headline_of_its_raters(entries):
    assert_every_look_is_the_headline_of_its_raters(log(entries))


def test_every_look_of_a_simulated_log_is_the_headline_of_its_raters():
    # Lazy raters give looks with one cluster or none; shuffled rows give raters that overlap in time.
    votes = simulated(groups=25, complete_raters=4, partial_raters=40, partial_votes=(1, 9), lazy=LazyRaters(5, 5, 5))
    assert_every_look_is_the_headline_of_its_raters(shuffled(votes))


def shuffled(votes: Votes) -> Votes:
    row = np.random.default_rng(9).permutation(votes.n_votes)
    columns = ("pair", "rater", "left_arm", "right_arm", "choice", "response_ms")
    return Votes(
        **{name: getattr(votes, name) for name in votes.__dataclass_fields__}
        | {name: getattr(votes, name)[row] for name in columns}
    )


def test_raters_count_in_the_order_of_their_first_votes():
    entries = [(f"r{n}", f"p{m}", "ab"[(n + m) % 3 == 0]) for m in range(4) for n in (5, 3, 9, 0)]
    accrual = Accrual.of(log(entries))
    first = [y for rater, _, y in entries if rater == "r5"]
    assert accrual.mean[0] == (first.count("a") - first.count("b")) / 4
    assert accrual.votes.tolist() == [4, 8, 12, 16]


def test_swapping_the_arms_mirrors_every_look():
    entries = random_entries()
    swapped = [(rater, pair, {"a": "b", "b": "a", "s": "s"}[outcome]) for rater, pair, outcome in entries]
    one, other = monitor(log(entries)), monitor(log(swapped))
    assert len(one.looks) == 6
    for look, mirrored in zip(one.looks, other.looks, strict=True):
        assert (-mirrored.high, -mirrored.estimate, mirrored.log_e) == pytest.approx(
            (look.low, look.estimate, look.log_e)
        )


def random_entries() -> list[Entry]:
    rng = np.random.default_rng(4)
    return [(f"r{n}", f"p{m}", str(rng.choice(list("aaabbs")))) for n in range(15) for m in range(12)]


def test_swapping_sides_and_choices_together_changes_nothing():
    votes = simulated(left_bias=0.4)
    other_choice = np.array([1, 0, 2])[votes.choice]
    fields = {name: getattr(votes, name) for name in votes.__dataclass_fields__}
    mirrored = Votes(**fields | {"left_arm": votes.right_arm, "right_arm": votes.left_arm, "choice": other_choice})
    assert sequential(mirrored) == sequential(votes)


def test_the_order_of_votes_within_raters_changes_nothing():
    votes = simulated()
    rng = np.random.default_rng(0)
    row = np.lexsort((rng.random(votes.n_votes), votes.rater))
    fields = {name: getattr(votes, name) for name in votes.__dataclass_fields__}
    columns = ("pair", "rater", "left_arm", "right_arm", "choice", "response_ms")
    moved = Votes(**fields | {name: fields[name][row] for name in columns})
    assert sequential(moved) == sequential(votes)


def test_a_strong_preference_stops_early_and_none_does_not():
    strong = monitor(simulated(net=0.4, pair_sd=0.3))
    assert 10 <= strong.stop_after_raters < 20
    stopped = next(look for look in strong.looks if look.raters == strong.stop_after_raters)
    assert stopped.low > 0
    assert stopped.log_e >= stopped.boundary
    assert monitor(simulated(net=0.0)).stop_after_raters is None


def test_an_interval_leaves_out_zero_exactly_when_the_evidence_reaches_the_boundary():
    looks = monitor(simulated(net=0.2)).looks
    assert {look.log_e >= look.boundary for look in looks} == {True, False}
    assert all((look.log_e >= look.boundary) == (not look.low <= 0 <= look.high) for look in looks)


def test_a_smaller_alpha_asks_for_more():
    votes = simulated(net=0.3, pair_sd=0.3)
    strict, usual = (monitor(votes, alpha=alpha) for alpha in (0.001, 0.05))
    assert strict.stop_after_raters > usual.stop_after_raters
    assert strict.looks[-1].low < usual.looks[-1].low


def test_before_the_first_look_there_is_no_monitor():
    votes = simulated(complete_raters=9, partial_raters=0)
    found = sequential(votes, planned_raters=30)
    assert found.two_way_normal_mixture == Unavailable(
        "too_few_raters", "the first look is after 10 raters, and there are 9"
    )
    assert found.rater_level.raters == 9
    assert monitor(votes, first_look=9).looks[0].raters == 9


@pytest.mark.parametrize(
    "votes",
    [
        pytest.param(log([], pairs=unjudged("p")), id="no votes"),
        pytest.param(log(pair_of(1, 0)), id="one vote"),
        pytest.param(log(pair_of(7, 7, 2)), id="one pair"),
        pytest.param(log(pair_of(0, 0, 15) + pair_of(0, 0, 15, name="q")), id="all Same"),
        pytest.param(log(pair_of(15, 0) + pair_of(15, 0, name="q")), id="all for one arm"),
    ],
)
def test_logs_without_a_variance_have_no_monitor_and_a_json_form(votes):
    found = sequential(votes, planned_raters=12)
    assert found.two_way_normal_mixture.code == "too_few_raters"
    assert found.planned_looks.looks == ()
    json.dumps(as_json(found), allow_nan=False)


def test_looks_without_a_variance_are_skipped_and_counted():
    # Twelve raters say the same of the same two pairs; the thirteenth and fourteenth do not.
    entries = [(f"r{n:02d}", pair, "a" if n < 12 else "b") for n in range(14) for pair in ("p", "q")]
    found = monitor(log(entries))
    assert found.skipped_looks == 3
    assert [look.raters for look in found.looks] == [13, 14]


def test_bets_on_raters_win_as_worked_out_by_hand():
    # Means 1, 1, -1: wealth of a stake s is (1 + s)^2 (1 - s), averaged over s = +-0.1 ... +-0.9.
    stakes = [sign * tenth / 10 for sign in (-1, 1) for tenth in range(1, 10)]
    found = sequential(log([("r1", "p", "a"), ("r2", "p", "a"), ("r3", "p", "b")])).rater_level
    assert found.log_e_final == pytest.approx(ln(sum((1 + s) ** 2 * (1 - s) for s in stakes) / 18))
    assert found.log_e_max == pytest.approx(ln(sum((1 + s) ** 2 for s in stakes) / 18))
    assert found.always_valid_p == pytest.approx(18 / sum((1 + s) ** 2 for s in stakes))
    assert found.first_rater_with_e_ge_20 is None


def test_bets_on_raters_name_the_rater_whose_win_reached_twenty():
    # (1 + s)^n averaged passes 20 first with n = 8: 1.9^8 / 18 = 9.4 of it from the largest stake alone.
    stakes = [sign * tenth / 10 for sign in (-1, 1) for tenth in range(1, 10)]
    needed = next(n for n in range(1, 30) if sum((1 + s) ** n for s in stakes) / 18 >= 20)
    assert sequential(log(pair_of(15, 0))).rater_level.first_rater_with_e_ge_20 == needed


def test_planned_looks_share_alpha_and_are_the_headline_at_their_raters():
    votes = simulated(net=0.135)
    found = sequential(votes, looks=4, planned_raters=40).planned_looks
    assert [look.raters for look in found.looks] == [10, 20, 30, 40]
    assert found.alpha_per_look == 0.0125
    assert found.next_look_after_raters is None
    for look in found.looks:
        net = headline_of(of_first_raters(votes, look.raters))
        assert (look.estimate, look.se, look.p, look.df) == pytest.approx((net.estimate, net.se, net.p, net.df))
        assert look.rejects == (net.p <= 0.0125) == (not look.low <= 0 <= look.high)
    assert found.stop_after_raters == next(look.raters for look in found.looks if look.rejects)


def test_planned_looks_wait_for_their_raters_and_stop_at_the_planned_number():
    votes = simulated()
    early = sequential(votes, looks=5, planned_raters=100).planned_looks
    assert [look.raters for look in early.looks] == [20, 40]
    assert early.next_look_after_raters == 60
    late = sequential(votes, looks=2, planned_raters=21).planned_looks
    assert [look.raters for look in late.looks] == [11, 21]
    assert sequential(votes).planned_looks is None
