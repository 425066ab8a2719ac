"""How large a study must be, against the figures of the calibration and against simulated studies."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Unavailable, Votes, read_csv
from analysis.intervals import Crossed, TwoWay
from analysis.planning import plan_study
from analysis.precision import (
    PAPER_LIKE,
    Components,
    Design,
    components_of,
    detectable,
    power_of,
    standard_error,
)
from analysis.records import as_json
from analysis.significance import two_way_net
from analysis.simulation import SimulatedDesign, simulate
from analysis.vote_file import read_columns
from analysis.wishes import InvalidDesign, Purpose, Wish, Workload
from tests.analysis.logs import columns, log, pair_of, small_logs, unjudged

TABLE_2 = "tests/data/table2_votes.csv"


def even(raters: int, pairs: int, votes: int | None = None) -> Design:
    return Design(raters, pairs, raters * pairs if votes is None else votes)


def headline(votes: Votes) -> TwoWay:
    net = two_way_net(votes, Crossed.of(votes))
    assert isinstance(net, TwoWay)
    return net


def learnt(votes: Votes) -> Components:
    components = components_of(votes)
    assert isinstance(components, Components)
    return components


# Standard errors of 4,000 simulated studies each, beside what the formula gave for them.
@pytest.mark.parametrize(
    ("design", "formula", "simulated"),
    [
        (even(25, 200), 0.0283, 0.0280),
        (even(25, 400, 5000), 0.0229, 0.0231),
        (even(50, 1000, 5000), 0.0173, 0.0183),
    ],
)
def test_the_standard_error_is_that_of_the_calibration(design: Design, formula: float, simulated: float) -> None:
    se = standard_error(design, PAPER_LIKE)
    assert se == pytest.approx(formula, abs=5e-5)
    assert se == pytest.approx(simulated, rel=0.06)


# Powers of 4,000 simulated studies each with a true net preference of 0.09.
@pytest.mark.parametrize(
    ("design", "simulated"),
    [(even(10, 50), 0.23), (even(25, 100), 0.62), (even(10, 200), 0.68), (even(25, 200), 0.86), (even(25, 400), 0.99)],
)
def test_power_is_that_of_simulated_studies_to_five_points(design: Design, simulated: float) -> None:
    assert power_of(design, 0.09, components=PAPER_LIKE) == pytest.approx(simulated, abs=0.05)


def test_the_papers_eight_points_are_what_its_size_finds() -> None:
    # 2.85 standard errors of 0.0283, with the normal's 2.80 rounded up for few raters; t with 24 df gives 2.92.
    assert detectable(even(25, 200), 0.8, components=PAPER_LIKE) == pytest.approx(0.081, abs=0.002)
    assert power_of(even(25, 200), 0.08, components=PAPER_LIKE) == pytest.approx(0.8, abs=0.03)


def test_detectable_is_the_textbooks_sum_of_two_quantiles() -> None:
    # R: (qt(.975, 24) + qt(.8, 24)) * sqrt(.11/200 + .003/25 + .65/5000)
    assert detectable(even(25, 200), 0.8, components=PAPER_LIKE) == pytest.approx(0.0826113989, abs=1e-9)


@pytest.mark.parametrize(("raters", "pairs"), [(12, 60), (30, 100)])
def test_simulated_studies_find_as_often_as_planned(raters: int, pairs: int) -> None:
    design, rng = even(raters, pairs), np.random.default_rng(7)
    wanted = detectable(design, 0.7, components=PAPER_LIKE)
    drawn = SimulatedDesign(groups=pairs, complete_raters=raters, partial_raters=0, net=wanted)
    found = [headline(simulate(drawn, rng=rng).votes()) for _ in range(400)]
    # 400 studies: a standard error of 0.023; the formula itself is good to five points.
    assert np.mean([net.p < 0.05 and net.estimate > 0 for net in found]) == pytest.approx(0.7, abs=0.1)


def test_a_pilots_components_give_back_its_own_standard_error() -> None:
    votes = read_csv(TABLE_2)
    net, components = headline(votes), learnt(votes)
    parts = (components.pair / net.pairs_effective, components.rater / net.raters_effective, components.vote / net.n)
    assert sum(parts) ** 0.5 == pytest.approx(net.se, rel=1e-12)
    assert components.floored == ()
    assert components.same_share == 1365 / 5018


@given(small_logs())
@settings(max_examples=60)
def test_a_pilot_never_promises_less_error_than_its_headline_has(entries: list[tuple[str, str, str]]) -> None:
    votes = log(entries)
    components = components_of(votes)
    if isinstance(components, Unavailable):
        return
    net = headline(votes)
    parts = (components.pair / net.pairs_effective, components.rater / net.raters_effective, components.vote / net.n)
    assert sum(parts) ** 0.5 >= net.se * (1 - 1e-9)


def test_components_of_simulated_pilots_are_those_of_the_population() -> None:
    rng = np.random.default_rng(3)
    drawn = SimulatedDesign(groups=200, complete_raters=25, partial_raters=0)
    pilots = [learnt(simulate(drawn, rng=rng).votes()) for _ in range(30)]
    assert np.mean([pilot.pair for pilot in pilots]) == pytest.approx(PAPER_LIKE.pair, rel=0.1)
    assert np.mean([pilot.rater for pilot in pilots]) == pytest.approx(PAPER_LIKE.rater, abs=0.002)
    assert np.mean([pilot.vote for pilot in pilots]) == pytest.approx(PAPER_LIKE.vote, rel=0.08)


def test_a_few_busy_raters_do_not_pass_for_many() -> None:
    # Ten raters who judge everything, 200 who judge two pairs each: the busy ones make the mean.
    rng = np.random.default_rng(5)
    uneven = SimulatedDesign(complete_raters=10, partial_raters=200, partial_votes=(2, 2), rater_sd=0.8)
    level = SimulatedDesign(complete_raters=60, partial_raters=0, rater_sd=0.8)
    of_uneven = np.mean([learnt(simulate(uneven, rng=rng).votes()).rater for _ in range(40)])
    of_level = np.mean([learnt(simulate(level, rng=rng).votes()).rater for _ in range(10)])
    assert of_uneven == pytest.approx(of_level, rel=0.35)


def test_swapping_arms_or_shuffling_rows_changes_no_component() -> None:
    votes = read_csv(TABLE_2)
    swapped = read_csv(TABLE_2, arms=("vanilla", "robust"))
    order = np.random.default_rng(0).permutation(votes.n_votes).tolist()
    shuffled = Votes.from_rows(read_columns(TABLE_2).take(order))
    plain = learnt(votes)
    for other in (learnt(swapped), learnt(shuffled)):
        assert (other.pair, other.rater, other.vote) == pytest.approx((plain.pair, plain.rater, plain.vote), rel=1e-9)


def test_components_of_four_arms_are_the_mean_over_pairings() -> None:
    drawn = SimulatedDesign(arms=("a", "b", "c", "d"), groups=40, arm_logits=(0.5, 0.2, 0.0, -0.3))
    votes = simulate(drawn, rng=np.random.default_rng(1)).votes()
    parts = [votes.between(first, second) for first in range(4) for second in range(first + 1, 4)]
    weights = [part.n_votes for part in parts]
    components = learnt(votes)
    assert components.pair == pytest.approx(np.average([learnt(part).pair for part in parts], weights=weights))
    assert (components.pairs, components.raters) == (240, 44)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([("r1", "p1", "a"), ("r1", "p2", "b")], "one_rater"),
        (pair_of(2, 1), "one_pair"),
        ([("r1", "p1", "a"), ("r1", "p2", "b"), ("r2", "p3", "a")], "one_vote_a_pair"),
        ([("r1", "p1", "a"), ("r2", "p1", "b"), ("r3", "p2", "a")], "one_vote_a_rater"),
        ([(f"r{n % 3}", f"p{n // 3}", "s") for n in range(9)], "zero_variance"),
    ],
)
def test_a_pilot_that_tells_nothing_says_why(entries: list[tuple[str, str, str]], code: str) -> None:
    components = components_of(log(entries))
    assert isinstance(components, Unavailable)
    assert components.code == code


def test_a_pilot_without_votes_says_so() -> None:
    components = components_of(Votes.from_rows(columns([]), pairs=unjudged("p1", "p2"), arms=("robust", "vanilla")))
    assert isinstance(components, Unavailable)
    assert components.code == "no_votes"


DESIGNS = st.builds(even, st.integers(2, 3000), st.integers(2, 5000))


@given(DESIGNS, st.floats(0.5, 0.99), st.floats(0.001, 0.2))
def test_the_detectable_difference_is_found_with_its_power(design: Design, power: float, alpha: float) -> None:
    difference = detectable(design, power, components=PAPER_LIKE, alpha=alpha)
    assert power_of(design, difference, components=PAPER_LIKE, alpha=alpha) == pytest.approx(power, abs=1e-6)


@given(DESIGNS, st.integers(1, 500), st.integers(1, 500))
def test_more_raters_or_pairs_never_find_less(design: Design, raters: int, pairs: int) -> None:
    larger = even(design.raters + raters, design.pairs + pairs)
    assert power_of(larger, 0.08, components=PAPER_LIKE) >= power_of(design, 0.08, components=PAPER_LIKE) - 1e-12


@pytest.mark.parametrize("workload", [Workload(), Workload(share=0.3), Workload(pairs=50)])
@pytest.mark.parametrize("pairs", [250, 400, 600])
def test_the_fewest_raters_are_enough_and_one_less_is_not(pairs: int, workload: Workload) -> None:
    wish = Wish(difference=0.08, pairs=pairs, workload=workload)
    fewest = plan_study(wish).fewest_raters
    assert isinstance(fewest, int)
    for raters, is_enough in ((fewest, True), (fewest - 1, False)):
        asked = Wish(difference=0.08, pairs=pairs, workload=workload, raters=raters)
        assert (plan_study(asked).outlook.power >= 0.8) is is_enough


def test_the_fewest_pairs_are_enough_and_one_less_is_not() -> None:
    fewest = plan_study(Wish(raters=25)).fewest_pairs
    assert isinstance(fewest, int)
    powers = [plan_study(Wish(raters=25, pairs=pairs)).outlook.power for pairs in (fewest - 1, fewest)]
    assert powers[0] < 0.8 <= powers[1]


def test_eight_points_on_two_hundred_pairs_take_thirty_raters() -> None:
    planning = plan_study(Wish())
    assert planning.fewest_raters == planning.outlook.design.raters == 30
    assert planning.answer == (
        "To find a difference of 8 points with 80 % power on 200 pairs, ask 30 raters: 6,000 votes, 200 from each."
    )


def test_a_design_that_is_too_small_says_what_would_do() -> None:
    answer = plan_study(Wish(raters=25)).answer
    assert "with 77 % power; the smallest that is found with 80 % is 8.3 points" in answer
    assert answer.endswith("For 80 % on 8 points take 30 raters, or 216 pairs.")


def test_where_pairs_are_too_few_no_number_of_raters_is_recommended() -> None:
    planning = plan_study(Wish(difference=0.03, pairs=20))
    assert isinstance(planning.fewest_raters, Unavailable)
    assert planning.fewest_raters.code == "not_enough_pairs"
    assert "no number of raters is enough on 20 pairs: at least 962 pairs are needed" in planning.answer


def test_too_few_pairs_or_raters_are_not_mended_by_more_of_the_others() -> None:
    planning = plan_study(Wish(raters=5, pairs=15))
    assert isinstance(planning.fewest_raters, Unavailable)
    assert isinstance(planning.fewest_pairs, Unavailable)
    assert planning.answer.endswith("For 80 % on 8 points take more pairs and more raters.")


def test_no_plan_recommends_fewer_than_eight_raters_or_twenty_pairs() -> None:
    planning = plan_study(Wish(difference=0.9, pairs=500))
    assert (planning.fewest_raters, planning.fewest_pairs) == (8, 20)
    assert planning.warnings == ()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(raters=7), "Below 8 raters there is no valid two-way inference"),
        (Wish(pairs=19), "Below 20 pairs there is no valid two-way inference"),
        (Wish(raters=30, workload=Workload(pairs=1)), "fewer votes than pairs: 170 pairs stay unjudged"),
        (Wish(raters=27, purpose=Purpose.TABLE), "the threshold table looks more decided"),
    ],
)
def test_a_shaky_design_is_warned_of(wish: Wish, words: str) -> None:
    assert any(words in warning for warning in plan_study(wish).warnings)


def test_the_threshold_table_needs_twenty_side_votes_a_pair() -> None:
    # 27 % Same leave 0.73 side votes a vote: 27 raters give 19.7, 28 give 20.4.
    planning = plan_study(Wish(raters=27, difference=0.2))
    assert planning.table_raters == 28
    assert "about 19.7 votes a pair choose a side" in planning.for_the_table
    assert plan_study(Wish(difference=0.2)).outlook.design.raters < 28
    assert plan_study(Wish(difference=0.2, purpose=Purpose.TABLE)).outlook.design.raters == 28
    assert plan_study(Wish(same_share=0.5)).table_raters == 40


def test_a_pilot_with_few_raters_is_called_rough() -> None:
    pilot = learnt(simulate(SimulatedDesign(complete_raters=5, partial_raters=0), rng=np.random.default_rng(2)).votes())
    assert any("only 5 raters" in warning for warning in plan_study(Wish(), pilot).warnings)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("difference", {"difference": 0.0}),
        ("difference", {"difference": float("nan")}),
        ("power", {"power": 1.0}),
        ("alpha", {"alpha": 0.0}),
        ("pairs", {"pairs": 1}),
        ("raters", {"raters": 1}),
        ("workload", {"workload": Workload(share=0.0)}),
        ("workload", {"workload": Workload(pairs=201)}),
        ("same_share", {"same_share": 1.0}),
    ],
)
def test_a_wish_that_cannot_be_names_its_entry(entry: str, wrong: dict[str, float | int | Workload]) -> None:
    with pytest.raises(InvalidDesign) as refused:
        Wish(**wrong)  # wrong on purpose
    assert refused.value.entry == entry
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "workload"),
    [("", Workload()), (" 40 ", Workload(pairs=40)), ("50 %", Workload(share=0.5)), ("12.5%", Workload(share=0.125))],
)
def test_a_workload_is_read_as_people_write_it(text: str, workload: Workload) -> None:
    assert Workload.read(text) == Workload.read(str(workload)) == workload


@pytest.mark.parametrize("text", ["half", "-3", "0.5", "1e3", "5 %%", "nan"])
def test_what_is_no_workload_is_quoted(text: str) -> None:
    with pytest.raises(InvalidDesign, match=f"'{text}' is neither a number of pairs nor a share"):
        Workload.read(text)


@given(
    st.builds(
        Wish,
        difference=st.floats(0.001, 1),
        power=st.floats(0.5, 0.999),
        alpha=st.floats(0.0001, 0.2),
        pairs=st.integers(2, 1_000_000),
        raters=st.none() | st.integers(2, 100_000),
        workload=st.builds(Workload, share=st.floats(0.001, 1)) | st.just(Workload(pairs=2)),
        same_share=st.none() | st.floats(0, 0.95),
        purpose=st.sampled_from(Purpose),
    )
)
@settings(max_examples=60)
def test_every_wish_has_an_answer_in_plain_numbers(wish: Wish) -> None:
    planning = plan_study(wish)
    json.dumps(as_json(planning), allow_nan=False)
    assert planning.answer.endswith(".")
    assert 0 <= planning.outlook.power <= 1
