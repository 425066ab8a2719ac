import json
import random
from collections.abc import Sequence
from itertools import combinations, groupby
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.sandbox.stats.runs import TotalRunsProb

from analysis import VoteColumns, Votes, read_csv
from analysis.rater_quality import METHODS, RaterMarks, RaterQuality, rater_quality, runs_test
from analysis.records import Unavailable, as_json
from tests.analysis.logs import log, unjudged

DATA = Path(__file__).parents[1] / "data"
BUTTONS = {"L": "left", "R": "right", "S": "same"}


def pressed(buttons: dict[str, str], *, ms: Sequence[int | None] = (), gold: dict[str, str] | None = None) -> Votes:
    """A log from each rater's buttons, L R S in order on pairs p0, p1, ...; the first arm `x` always on the left.

    gold: each rater's gold votes, + for a right and - for a wrong one.
    """
    rows = [(rater, f"p{n}", button) for rater, given_votes in buttons.items() for n, button in enumerate(given_votes)]
    asked = [(rater, f"g{n}", answer) for rater, answers in (gold or {}).items() for n, answer in enumerate(answers)]
    return Votes.from_rows(
        VoteColumns(
            rater_id=[rater for rater, *_ in rows + asked],
            pair_id=[pair for _, pair, _ in rows + asked],
            left_arm=["x"] * len(rows + asked),
            right_arm=["y"] * len(rows + asked),
            choice=[BUTTONS[button] for *_, button in rows] + ["left" if a == "+" else "right" for *_, a in asked],
            response_ms=[*(ms or [1000] * len(rows)), *([1000] * len(asked))],
            gold_arm=[""] * len(rows) + ["x"] * len(asked),
        )
    )


def marks(buttons: str) -> RaterMarks:
    return rater_quality(pressed({"r": buttons})).raters["r"]


def test_the_answers_of_the_fixture_are_reached() -> None:
    wanted = json.loads((DATA / "table2_votes.answers.json").read_text())["rater_quality"]
    found = as_json(rater_quality(read_csv(DATA / "table2_votes.csv")))
    assert isinstance(found, dict)
    raters = found["raters"]
    assert isinstance(raters, dict)
    assert list(raters) == list(wanted["raters"])
    for name, of_rater in wanted["raters"].items():
        ours = raters[name]
        assert isinstance(ours, dict)
        assert {key: ours[key] for key in of_rater} == pytest.approx(of_rater, rel=1e-9)
    for key in wanted.keys() - {"raters"}:
        assert found[key] == wanted[key]


@pytest.mark.parametrize(("left", "right"), [(0, 1), (1, 0), (3, 9), (10, 10), (40, 12), (0, 30), (61, 60)])
def test_the_position_test_is_scipy_s_binomial_test(left: int, right: int) -> None:
    assert marks("L" * left + "R" * right).position_p == pytest.approx(stats.binomtest(left, left + right).pvalue)


def test_a_rater_who_never_chose_a_side_has_nothing_against_them() -> None:
    found = marks("SSSS")
    assert (found.position_p, found.runs_p, found.runs, found.longest_run) == (1.0, 1.0, 0, 4)
    assert (found.same_share, found.leave_one_out_of, found.flags) == (1.0, 0, ())


def test_the_runs_test_has_the_published_tail_probabilities() -> None:
    # Swed and Eisenhart (1943), table I, m = n = 10: P(u <= 5) = .004, P(u <= 6) = .019, P(u <= 7) = .051.
    ten = np.full(3, 10)
    assert (runs_test(ten, ten, runs=np.array([5, 6, 7])) / 2).round(3).tolist() == [0.004, 0.019, 0.051]


@pytest.mark.parametrize(("first", "second"), [(10, 10), (5, 8), (2, 9), (1, 6), (20, 31)])
def test_the_runs_test_is_twice_the_smaller_tail_of_statsmodels(first: int, second: int) -> None:
    # TotalRunsProb(n0, n1).pdf(r): the exact distribution of the number of runs.
    numbers = np.arange(2, 2 * min(first, second) + 2 - (first == second))
    chances = np.array([TotalRunsProb(first, second).pdf(r) for r in numbers])
    assert chances.sum() == pytest.approx(1.0)
    tails = np.minimum(chances.cumsum(), chances[::-1].cumsum()[::-1])
    sizes = np.full(len(numbers), first), np.full(len(numbers), second)
    assert runs_test(*sizes, runs=numbers) == pytest.approx(np.minimum(2 * tails, 1.0))


@pytest.mark.parametrize(("first", "second"), [(1, 1), (3, 2), (4, 4), (2, 6)])
def test_the_runs_test_counts_all_orders_of_the_same_votes(first: int, second: int) -> None:
    n = first + second
    orders = [[int(place in chosen) for place in range(n)] for chosen in combinations(range(n), first)]
    of_each = np.array([len(list(groupby(order))) for order in orders])
    assert len(of_each) == comb(n, first)
    for seen in set(of_each.tolist()):
        wanted = min(1.0, 2 * min((of_each <= seen).mean(), (of_each >= seen).mean()))
        found = runs_test(np.array([first]), np.array([second]), runs=np.array([seen]))
        assert found.tolist() == pytest.approx([wanted])


def test_somebody_who_alternates_fails_the_runs_screen_only() -> None:
    quality = rater_quality(pressed({"alternates": "LR" * 20, "looks": "LLRLRRSRLSLRRRLLRLSL"}))
    assert quality.raters["alternates"].longest_run == 1
    assert quality.raters["alternates"].flags == ("runs",)
    assert quality.raters["looks"].flags == ()
    assert quality.alternating_or_stuck == ("alternates",)


def test_same_in_between_does_not_hide_an_alternation() -> None:
    assert marks("LSR" * 20).runs == 40
    assert marks("LSR" * 20).flags == ("runs",)


def test_a_long_stay_on_each_side_fails_the_runs_screen_too() -> None:
    found = marks("L" * 20 + "R" * 20)
    assert (found.runs, found.longest_run, found.flags) == (2, 20, ("runs",))


def test_a_finger_on_one_button_fails_the_position_screen_only() -> None:
    quality = rater_quality(pressed({"stuck": "L" * 30, "looks": "LLRLRRSRLSLRRRLLRLSL"}))
    assert quality.raters["stuck"].flags == ("position",)
    assert quality.raters["stuck"].runs_p == 1.0
    assert quality.position_biased == ("stuck",)


def test_the_screens_are_corrected_over_all_raters() -> None:
    # Alone 9 of 9 on one side is p = 0.0039; among twenty raters Holm makes that 20 times as much.
    others = {f"r{n}": "LRRL" for n in range(19)}
    assert rater_quality(pressed({"leans": "L" * 9})).raters["leans"].flags == ("position",)
    among = rater_quality(pressed({"leans": "L" * 9, **others}))
    assert among.raters["leans"].position_p_holm == pytest.approx(20 * 2 / 2**9)
    assert among.raters["leans"].flags == ()


def test_agreement_leaves_out_the_own_vote_and_pairs_that_the_others_leave_open() -> None:
    # p0: L L R. p1: S R R. p2: L and nobody else. For a, p0 is open (L, R); on p1 a said Same.
    quality = rater_quality(pressed({"a": "LSL", "b": "LR", "c": "RR"}))
    found = {name: (m.leave_one_out_agree, m.leave_one_out_of) for name, m in quality.raters.items()}
    assert found == {"a": (0, 0), "b": (1, 1), "c": (1, 2)}


def test_gold_is_counted_per_rater_with_wilson_s_interval() -> None:
    votes = pressed({"good": "LR", "poor": "RL", "new": "LL"}, gold={"good": "+++-", "poor": "+--"})
    quality = rater_quality(votes)
    good, poor, new = (quality.raters[name] for name in ("good", "poor", "new"))
    assert (good.gold_seen, good.gold_right, good.gold_accuracy) == (4, 3, 0.75)
    assert good.gold_wilson95 == pytest.approx(tuple(stats.binomtest(3, 4).proportion_ci(method="wilson")))
    assert (new.gold_seen, new.gold_accuracy, new.gold_wilson95) == (0, None, None)
    assert poor.gold_accuracy == pytest.approx(1 / 3)
    assert quality.gold_below == ("poor",)
    assert quality.gold_votes == 7


def test_gold_votes_count_towards_nothing_but_gold() -> None:
    buttons = {"a": "LRS", "b": "RRL"}
    plain, with_gold = (rater_quality(pressed(buttons, gold=gold)) for gold in ({}, {"a": "-----", "b": "+"}))
    ignored = {"gold_seen", "gold_right", "gold_accuracy", "gold_wilson95", "flags"}
    for name in buttons:
        here, there = vars(plain.raters[name]), vars(with_gold.raters[name])
        assert {k: v for k, v in here.items() if k not in ignored} == {
            k: v for k, v in there.items() if k not in ignored
        }


@pytest.mark.parametrize(("right", "flags"), [(7, ()), (6, ("gold",))])
def test_seven_of_ten_gold_answers_are_enough(right: int, flags: tuple[str, ...]) -> None:
    votes = pressed({"r": "LR"}, gold={"r": "+" * right + "-" * (10 - right)})
    assert rater_quality(votes).raters["r"].flags == flags


def test_times_that_were_not_measured_are_left_out_and_counted() -> None:
    quality = rater_quality(pressed({"a": "LRS", "b": "LR"}, ms=[499, 500, None, None, None]))
    of_a, of_b = quality.raters["a"], quality.raters["b"]
    assert (of_a.timed, of_a.median_ms, of_a.fast_lt_500ms, of_a.flags) == (2, 499.5, 1, ())
    assert of_b.timed == 0
    assert isinstance(of_b.median_ms, Unavailable)
    assert (of_b.median_ms.code, of_b.fast_lt_500ms, of_b.flags) == ("no_times", of_b.median_ms, ())
    assert (quality.timed, quality.median_ms_all) == (2, 499.5)


def test_a_log_without_times_lacks_these_figures_only() -> None:
    quality = rater_quality(pressed({"a": "LR"}, ms=[None, None]))
    assert isinstance(quality.median_ms_all, Unavailable)
    assert quality.median_ms_all.code == "no_times"
    assert quality.raters["a"].votes == 2


def test_more_than_half_of_the_times_below_half_a_second_are_too_fast() -> None:
    quality = rater_quality(pressed({"hasty": "LRS", "quick": "LRLR"}, ms=[10, 499, 900, 10, 499, 500, 900]))
    assert quality.mostly_fast == ("hasty",)
    assert (quality.raters["hasty"].flags, quality.raters["quick"].flags) == (("fast",), ())


def test_a_study_without_votes_has_no_raters_to_describe() -> None:
    quality = rater_quality(log([], pairs=unjudged("p1")))
    assert (quality.n, quality.raters, quality.position_biased) == (0, {}, ())


def test_swapping_sides_and_choices_together_turns_left_and_right_and_nothing_else() -> None:
    buttons = {"a": "LRSLLRLS", "b": "RRRLS", "c": "SLRLLL"}
    turned = {name: given_votes.translate(str.maketrans("LR", "RL")) for name, given_votes in buttons.items()}
    here = rater_quality(pressed(buttons))
    there = rater_quality(pressed(turned))
    for name in buttons:
        ours, theirs = vars(here.raters[name]), vars(there.raters[name])
        assert {**ours, "left": ours["right"], "right": ours["left"]} == theirs


def test_an_always_same_rater_changes_nobody_but_the_number_of_tests() -> None:
    buttons = {"a": "LRSLLRLS", "b": "RRRLS", "c": "SLRLLL"}
    corrected = {"position_p_holm", "position_p_bh", "runs_p_holm"}
    alone, joined = (rater_quality(pressed(who)).raters for who in (buttons, {**buttons, "mild": "S" * 8}))
    for name in buttons:
        here, there = vars(alone[name]), vars(joined[name])
        assert all(here[key] == there[key] for key in here.keys() - corrected)
        assert all(here[key] <= there[key] for key in corrected)


def test_twins_are_described_alike() -> None:
    buttons = {"a": "LRSLLRLS", "b": "RRRLSRLL"}
    raters = rater_quality(pressed({**buttons, "a's twin": buttons["a"], "b's twin": buttons["b"]})).raters
    for name in buttons:
        assert raters[name] == raters[f"{name}'s twin"]


def test_each_method_says_in_a_sentence_what_it_means() -> None:
    assert all(method.explains.endswith(".") for method in METHODS)
    (agreement,) = (method for method in METHODS if method.name == "leave_one_out_agree")
    assert "information only" in agreement.explains


@st.composite
def logs(draw: st.DrawFn) -> Votes:
    """Up to five raters on up to six pairs, three arms, some times missing, in any order."""
    seats = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), unique=True, min_size=1, max_size=30))
    arms = ["xy", "yz", "xz"]
    shown = [arms[pair % 3][:: draw(st.sampled_from([1, -1]))] for _, pair in seats]
    # All three arms are named by a vote of a rater of their own.
    return Votes.from_rows(
        VoteColumns(
            rater_id=["other", "other", *(f"r{rater}" for rater, _ in seats)],
            pair_id=["q0", "q1", *(f"p{pair}" for _, pair in seats)],
            left_arm=["x", "z", *(two[0] for two in shown)],
            right_arm=["y", "x", *(two[1] for two in shown)],
            choice=["left", "left", *(draw(st.sampled_from(["left", "right", "same"])) for _ in seats)],
            response_ms=[700, 800, *(draw(st.none() | st.integers(0, 2000)) for _ in seats)],
        )
    )


@settings(deadline=None, max_examples=150)
@given(logs())
def test_every_rater_is_described_as_by_hand(votes: Votes) -> None:
    quality = rater_quality(votes)
    as_json(quality)
    for rater, name in enumerate(votes.rater_names):
        rows = np.flatnonzero(votes.rater == rater)
        buttons, found = votes.choice[rows].tolist(), quality.raters[name]
        counts = [buttons.count(button) for button in (0, 1, 2)]
        assert [found.left, found.right, found.same] == counts
        assert found.longest_run == max(len(list(run)) for _, run in groupby(buttons))
        assert found.runs == len(list(groupby(button for button in buttons if button != 2)))
        wanted_p = stats.binomtest(counts[0], counts[0] + counts[1]).pvalue if counts[0] + counts[1] else 1.0
        assert found.position_p == pytest.approx(wanted_p)
        assert (found.leave_one_out_agree, found.leave_one_out_of) == company(votes, rows.tolist())
        known = [ms for ms in votes.response_ms[rows].tolist() if ms >= 0]
        assert found.timed == len(known)
        if known:
            assert (found.median_ms, found.fast_lt_500ms) == (np.median(known), sum(ms < 500 for ms in known))


def company(votes: Votes, rows: list[int]) -> tuple[int, int]:
    """Leave-one-out agreement of some rows, vote by vote."""
    agree = of = 0
    for row in rows:
        own = votes.outcome[row]
        others = votes.outcome[(votes.pair == votes.pair[row]) & (votes.rater != votes.rater[row])]
        if own and others.sum():
            of += 1
            agree += int(np.sign(others.sum()) == own)
    return agree, of


@settings(deadline=None, max_examples=50)
@given(logs(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_matters_to_runs_alone(votes: Votes, shuffler: random.Random) -> None:
    order = list(range(votes.n_votes))
    shuffler.shuffle(order)
    here, there = by_name(rater_quality(votes)), by_name(rater_quality(in_order(votes, order)))
    assert here == there


def in_order(votes: Votes, order: list[int]) -> Votes:
    names = {0: "left", 1: "right", 2: "same"}
    return Votes.from_rows(
        VoteColumns(
            rater_id=[votes.rater_names[votes.rater[row]] for row in order],
            pair_id=[votes.pair_names[votes.pair[row]] for row in order],
            left_arm=[votes.arms[votes.left_arm[row]] for row in order],
            right_arm=[votes.arms[votes.right_arm[row]] for row in order],
            choice=[names[int(votes.choice[row])] for row in order],
            response_ms=[None if votes.response_ms[row] < 0 else int(votes.response_ms[row]) for row in order],
        )
    )


def by_name(quality: RaterQuality) -> dict[str, dict[str, object]]:
    of_order = {"longest_run", "runs", "runs_p", "runs_p_holm", "flags"}
    return {
        name: {key: value for key, value in vars(found).items() if key not in of_order}
        for name, found in sorted(quality.raters.items())
    }
