from dataclasses import fields, replace

import numpy as np
import pytest

from analysis import Votes
from analysis.simulation import InvalidDesign, LazyRaters, SimulatedDesign, Simulation, simulate
from analysis.votes import LEFT, RIGHT, SAME

LARGE = SimulatedDesign(groups=2000, complete_raters=50, partial_raters=0)


def drawn(seed: int = 1, **changes: object) -> Simulation:
    return simulate(replace(SimulatedDesign(), **changes), rng=np.random.default_rng(seed))


def large(**changes: object) -> Simulation:
    return simulate(replace(LARGE, **changes), rng=np.random.default_rng(2))


def arrays(votes: Votes) -> dict[str, object]:
    return {
        f.name: [part.tolist() if isinstance(part, np.ndarray) else part for part in value]
        if isinstance(value := getattr(votes, f.name), tuple)
        else value.tolist()
        if isinstance(value, np.ndarray)
        else value
        for f in fields(votes)
    }


def test_one_seed_gives_one_log_and_another_seed_another():
    assert arrays(drawn(3).votes()) == arrays(drawn(3).votes())
    assert arrays(drawn(3).votes()) != arrays(drawn(4).votes())


@pytest.mark.parametrize("arms", [("robust", "vanilla"), ("d", "b", "a", "c")])
def test_a_log_read_from_its_columns_is_the_log_itself(arms):
    simulation = drawn(arms=arms, groups=30, gold_pairs=4, lazy=LazyRaters(1, 2, 3))
    read = Votes.from_rows(simulation.columns(), pairs=simulation.pairs, arms=arms)
    assert arrays(read) == arrays(simulation.votes())
    assert read.simulated


def test_the_default_design_has_the_size_of_a_published_study():
    votes = drawn().votes()
    assert votes.n_pairs == 200
    assert votes.n_votes == pytest.approx(5000, rel=0.15)
    assert (np.bincount(votes.rater) == 200).sum() >= 14


def test_no_rater_sees_a_pair_twice_and_no_partial_rater_leaves_the_range():
    simulation = drawn(partial_votes=(20, 127))
    assert len(np.unique(simulation.pair * 1000 + simulation.rater)) == len(simulation.pair)
    sizes = np.sort(np.bincount(simulation.rater))
    assert sizes[0] >= 20
    assert sizes[-15] <= 127
    assert (sizes[-14:] == 200).all()


def test_a_rater_asked_for_more_votes_than_there_are_pairs_gives_one_on_each():
    simulation = drawn(groups=7, complete_raters=0, partial_raters=3, partial_votes=(20, 30))
    assert np.bincount(simulation.rater).tolist() == [7, 7, 7]


def test_four_arms_make_six_pairs_of_every_group():
    votes = drawn(arms=("a", "b", "c", "d"), groups=5).votes()
    assert votes.n_pairs == 30
    assert np.bincount(votes.group).tolist() == [6] * 5
    assert {tuple(two) for two in votes.pair_arms.tolist()} == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}


# Bounds below are four standard errors of a sample of 100,000 votes, 2,000 pairs and 50 raters, or wider.


def test_same_is_pressed_as_often_as_asked():
    assert (large(same_share=0.27).choice == SAME).mean() == pytest.approx(0.27, abs=0.006)


def test_sides_are_dealt_evenly_or_as_asked():
    assert (large().left_arm == 0).mean() == pytest.approx(0.5, abs=0.007)
    assert (large(first_left_share=0.8).left_arm == 0).mean() == pytest.approx(0.8, abs=0.006)


@pytest.mark.parametrize("skew", [0.0, 2.0, -2.0])
def test_the_mean_net_preference_is_the_one_asked_for_however_pairs_scatter(skew):
    # Standard error sqrt(0.11 / 2000 + 0.0001 / 50 + 0.65 / 100000) = 0.008.
    votes = large(net=0.12, pair_skew=skew, rater_sd=0.04).votes()
    assert votes.outcome.mean() == pytest.approx(0.12, abs=0.032)


def test_pairs_and_raters_spread_as_asked():
    panel = {"complete_raters": 0, "partial_raters": 4000, "partial_votes": (1, 1)}
    simulation = large(pair_sd=1.1, rater_sd=0.2, arms=("a", "b", "c"), groups=4000, **panel)
    assert simulation.pair_effect.std() == pytest.approx(1.1, rel=0.03)
    difference = simulation.rater_effect[:, 0] - simulation.rater_effect[:, 2]
    assert difference.std() == pytest.approx(0.2, rel=0.06)
    assert simulation.pair_effect.mean() == pytest.approx(0.0, abs=0.05)


def test_skewed_pair_effects_have_the_skewness_asked_for():
    effects = large(groups=40_000, complete_raters=1, pair_skew=1.0).pair_effect
    standard = (effects - effects.mean()) / effects.std()
    assert (standard**3).mean() == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("logits", "share"), [((1.0, 0.0), 0.7311), ((0.0, 0.0), 0.5), ((-0.4, 0.6), 0.2689)])
def test_an_arm_is_chosen_with_the_logistic_chance_of_its_lead(logits, share):
    # 1 / (1 + exp(-1)) = 0.7311
    choice = large(arm_logits=logits, pair_sd=0.0, rater_sd=0.0, same_share=0.0).votes().outcome
    assert (choice == 1).mean() == pytest.approx(share, abs=0.006)


def test_standing_left_adds_its_logits():
    choice = large(left_bias=1.0, pair_sd=0.0, rater_sd=0.0, same_share=0.0).choice
    assert (choice == LEFT).mean() == pytest.approx(0.7311, abs=0.006)


def test_raters_differ_in_how_much_they_lean_to_a_side():
    simulation = large(left_bias_sd=1.0, pair_sd=0.0, rater_sd=0.0, same_share=0.0)
    lefts = np.bincount(simulation.rater[simulation.choice == LEFT]) / 2000
    # Of logits with spread 1 the chances spread by about 0.2; votes of one chance alone by 0.011.
    assert 0.14 < lefts.std() < 0.27


def test_net_preferences_scatter_over_studies_as_the_specification_measured():
    # analysis.md, planning: the net of 200 pairs x 25 complete raters has a standard deviation of 0.0280.
    rng = np.random.default_rng(5)
    design = SimulatedDesign(complete_raters=25, partial_raters=0)
    nets = [simulate(design, rng=rng).votes().outcome.mean() for _ in range(400)]
    assert np.std(nets) == pytest.approx(0.0280, abs=4 * 0.0280 / (2 * 400) ** 0.5)
    assert np.mean(nets) == pytest.approx(0.0, abs=4 * 0.0280 / 20)


def test_lazy_raters_press_as_they_always_do():
    simulation = drawn(lazy=LazyRaters(always_same=2, one_side=3, hasty=4))
    votes = simulation.votes()
    pressed = np.stack([np.bincount(votes.rater[votes.choice == b], minlength=44) for b in (LEFT, RIGHT, SAME)], axis=1)
    only = pressed == pressed.sum(axis=1, keepdims=True)
    assert only[:, SAME].sum() == 2
    assert only[:, [LEFT, RIGHT]].sum() == 3
    hasty = [j for j in range(44) if votes.response_ms[votes.rater == j].max() < 500]
    assert len(hasty) == 4


def test_response_times_have_the_median_asked_for():
    assert np.median(large(median_ms=3000).response_ms) == pytest.approx(3000, rel=0.2)
    assert drawn().response_ms.min() >= 200


def test_gold_pairs_are_answered_as_well_as_asked():
    votes = drawn(gold_pairs=50, gold_accuracy=0.9).votes()
    assert votes.gold.n == 44 * 50
    assert votes.gold.right.sum() / votes.gold.n == pytest.approx(0.9, abs=0.026)
    lazy = drawn(gold_pairs=50, complete_raters=5, partial_raters=0, lazy=LazyRaters(always_same=5)).votes()
    assert lazy.gold.right.sum() == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"arms": ("a",)}, "arms"),
        ({"arms": ("a", "a")}, "arms"),
        ({"groups": 0}, "groups"),
        ({"complete_raters": 0, "partial_raters": 0}, "complete_raters"),
        ({"partial_votes": (5, 2)}, "partial_votes"),
        ({"lazy": LazyRaters(always_same=45)}, "lazy"),
        ({"net": 0.8}, "net"),
        ({"net": 0.1, "arm_logits": (0.0, 1.0)}, "net"),
        ({"net": 0.1, "arms": ("a", "b", "c")}, "net"),
        ({"arm_logits": (1.0,)}, "arm_logits"),
        ({"pair_sd": -1.0}, "pair_sd"),
        ({"pair_sd": float("nan")}, "pair_sd"),
        ({"same_share": 1.0}, "same_share"),
        ({"gold_accuracy": 1.1}, "gold_accuracy"),
    ],
)
def test_a_design_that_cannot_be_simulated_is_refused_by_the_name_of_its_entry(changes, named):
    with pytest.raises(InvalidDesign, match=named):
        replace(SimulatedDesign(), **changes)
