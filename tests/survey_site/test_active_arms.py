"""Drawing two arms: what is counted, what is kept, and with which chances."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest
from django.utils import timezone

from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.voting import active_arms
from survey_site.voting.active_arms import Odds, draw_arms, odds_of, won_of
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

ARMS = ("w", "x", "y", "z")
LONG_AGO = timezone.now() - timedelta(hours=1)
Clock = Callable[[float], None]


def active_study(
    n_pairs: int = 6, *, arms: tuple[str, ...] = ARMS, votes_wanted: int | None = None, exploration: float = 0.2
) -> Study:
    design = {"order": {"sampling": "active", "exploration": exploration}}
    return make_study(n_pairs, arms=arms, votes_wanted=votes_wanted, design=design)


def keys_of(study: Study) -> dict[str, int]:
    return dict(study.arms.values_list("name", "pk"))


def pair_of(study: Study, arms: str, seed: int = 0) -> Comparison:
    first, second = arms
    return study.comparisons.get(image_a__arm__name=first, image_b__arm__name=second, image_a__seed=seed)


def vote(
    rater: Rater, comparison: Comparison, choice: str, *, swapped: bool = False, at: object = LONG_AGO, **facts: object
) -> Vote:
    """Write a trial and its vote as they are long after they happened."""
    trial = Trial.objects.create(
        rater=rater,
        comparison=comparison,
        position=rater.trials.count(),
        swapped=swapped,
        expires_at=LONG_AGO,
        **facts,
    )
    return Vote.objects.create(trial=trial, choice=choice, created_at=at)


def odds_now(study: Study, *, seed: int = 1) -> Odds:
    newest = Trial.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return odds_of(study, trial=newest, rng=random.Random(seed))


def won(study: Study) -> np.ndarray:
    return won_of(study, arms=[keys_of(study)[name] for name in ARMS])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until it is moved by some seconds."""
    now = [time.time()]
    monkeypatch.setattr(active_arms.time, "time", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def test_studies_do_not_sample_actively_unless_they_say_so() -> None:
    assert draw_arms(make_rater(make_study(arms=ARMS)), rng=random.Random(1)) is None


def test_a_draw_is_two_arms_in_the_order_of_comparisons_with_its_chance() -> None:
    study = active_study()
    drawn = draw_arms(make_rater(study), rng=random.Random(1))
    assert drawn is not None
    assert study.comparisons.filter(image_a__arm=drawn.arm_a, image_b__arm=drawn.arm_b).count() == 6
    assert any(drawn.propensity == pytest.approx(chance) for chance in (0.2 / 6, 0.2 / 6 + 0.8 / 3))


def test_chances_are_those_of_all_pairs_and_sum_to_one() -> None:
    study = active_study()
    odds = odds_now(study)
    keys = keys_of(study)
    assert [(pair.arm_a, pair.arm_b) for pair in odds.pairs] == [(keys[a], keys[b]) for a, b in combinations(ARMS, 2)]
    assert sum(pair.propensity for pair in odds.pairs) == pytest.approx(1)


def test_explored_arms_are_drawn_uniformly() -> None:
    study, rng = active_study(exploration=1.0), random.Random(3)
    rater = make_rater(study)
    draws = Counter(draw_arms(rater, rng=rng) for _ in range(3000))
    assert len(draws) == 6
    for drawn, n in draws.items():
        assert drawn is not None
        assert drawn.propensity == pytest.approx(1 / 6)
        # Four standard deviations of a binomial.
        assert abs(n - 500) < 4 * (3000 / 6 * 5 / 6) ** 0.5


def test_the_pairs_of_a_batch_come_in_turn_trial_by_trial(clock: Clock) -> None:
    study, rng = active_study(exploration=0.0), random.Random(3)
    # Turns go by the keys of trials, which may begin anywhere.
    vote(make_rater(study), pair_of(study, "wx"), "left")
    rater = make_rater(study)
    drawn = []
    for seed in range(3):
        arms = draw_arms(rater, rng=rng)
        assert arms is not None
        drawn.append((arms.arm_a, arms.arm_b))
        Trial.objects.create(
            rater=rater, comparison=pair_of(study, "wx", seed), position=seed, swapped=False, expires_at=LONG_AGO
        )
    assert drawn == [(turn.arm_a, turn.arm_b) for turn in odds_now(study).turns]
    assert len(set(drawn)) == 3


def test_what_is_drawn_in_turn_has_the_chance_that_it_had_before_the_order_was_drawn() -> None:
    odds = odds_now(active_study())
    assert [turn.propensity for turn in odds.turns] == [pytest.approx(0.2 / 6 + 0.8 / 3)] * 3
    assert set(odds.turns) < set(odds.pairs)


def test_close_arms_are_drawn_more_than_clear_ones_that_have_as_many_votes() -> None:
    study = active_study(8)
    rater = make_rater(study)
    for seed in range(8):
        for close in ("wx", "yz"):
            vote(rater, pair_of(study, close, seed), "left" if seed % 2 else "right")
        for clear in ("wy", "wz", "xy", "xz"):
            vote(rater, pair_of(study, clear, seed), "left")
    chances = {(pair.arm_a, pair.arm_b): pair.propensity for pair in odds_now(study).pairs}
    keys = keys_of(study)
    # The tree needs one more link, from w or x to y or z.
    likely = {pair for pair, chance in chances.items() if chance > 0.2 / 6 + 1e-9}
    assert len(likely) == 3
    assert {(keys["w"], keys["x"]), (keys["y"], keys["z"])} < likely


def test_votes_count_for_the_arm_they_chose_on_whichever_side_it_stood() -> None:
    study = active_study()
    rater = make_rater(study)
    vote(rater, pair_of(study, "wx", 0), "left")
    vote(rater, pair_of(study, "wx", 1), "left", swapped=True)
    vote(rater, pair_of(study, "wx", 2), "right", swapped=True)
    vote(rater, pair_of(study, "yz", 0), "same")
    expected = np.zeros((4, 4))
    expected[0, 1], expected[1, 0], expected[2, 3], expected[3, 2] = 2, 1, 0.5, 0.5
    np.testing.assert_array_equal(won(study), expected)


def test_settled_and_new_votes_count_alike_and_each_once() -> None:
    study = active_study()
    rater = make_rater(study)
    vote(rater, pair_of(study, "wx", 0), "left")
    vote(rater, pair_of(study, "wx", 1), "left", at=timezone.now())
    assert won(study)[0, 1] == 2
    vote(rater, pair_of(study, "wx", 2), "left")
    vote(rater, pair_of(study, "wx", 3), "left", at=timezone.now())
    assert won(study)[0, 1] == won(study)[0, 1] == 4


@pytest.mark.parametrize("at", [LONG_AGO, None])
def test_a_vote_that_was_taken_back_counts_as_what_replaced_it(at: object) -> None:
    study = active_study()
    first = vote(make_rater(study), pair_of(study, "wx"), "left")
    assert won(study)[0, 1] == 1
    Vote.objects.create(trial=first.trial, choice="right", replaces=first, created_at=at or timezone.now())
    assert won(study)[0, 1] == 0
    assert won(study)[1, 0] == 1


def test_what_a_withdrawn_rater_said_is_forgotten() -> None:
    study = active_study()
    leaving, staying = make_rater(study), make_rater(study)
    for rater in (leaving, staying):
        vote(rater, pair_of(study, "wx"), "left")
    assert won(study)[0, 1] == 2
    leaving.trials.all().delete()
    Rater.objects.filter(pk=leaving.pk).update(withdrawn_at=timezone.now())
    assert won(study)[0, 1] == 1


def test_only_normal_votes_of_this_study_on_its_own_question_count() -> None:
    study, other = active_study(), active_study()
    rater = make_rater(study)
    vote(rater, pair_of(study, "wx"), "left", kind="repeat", repeat_no=1)
    normal = vote(rater, pair_of(study, "wx"), "right")
    Vote.objects.create(trial=normal.trial, choice="left", question="alignment")
    vote(make_rater(other), pair_of(other, "wx"), "left")
    assert won(study).sum() == won(study)[1, 0] == 1


def test_two_arms_with_all_votes_they_want_are_not_drawn() -> None:
    study = active_study(2, votes_wanted=1)
    rater = make_rater(study)
    for seed in range(2):
        vote(rater, pair_of(study, "wx", seed), "left")
    odds = odds_now(study)
    assert len(odds.pairs) == 5
    assert (keys_of(study)["w"], keys_of(study)["x"]) not in {(pair.arm_a, pair.arm_b) for pair in odds.pairs}


def test_nothing_is_drawn_when_no_two_arms_want_another_vote() -> None:
    study = active_study(1, votes_wanted=1)
    rater = make_rater(study)
    for arms in combinations(ARMS, 2):
        vote(rater, pair_of(study, "".join(arms)), "left")
    assert draw_arms(rater, rng=random.Random(1)) is None


def test_chances_are_kept_until_each_pair_of_the_batch_had_its_turn(clock: Clock) -> None:
    study = active_study()
    rater = make_rater(study)
    vote(rater, pair_of(study, "wx", 0), "left")
    first = odds_now(study)
    clock(1)
    for seed, expected in ((1, True), (2, True), (3, False)):
        vote(rater, pair_of(study, "wx", seed), "left")
        assert (odds_now(study, seed=2) == first) is expected


def test_chances_are_not_found_anew_many_times_a_second(clock: Clock) -> None:
    study = active_study()
    first, rater = odds_now(study, seed=2), make_rater(study)
    for seed in range(5):
        vote(rater, pair_of(study, "wx", seed), "left")
    assert odds_now(study, seed=2) == first
    clock(0.3)
    assert odds_now(study, seed=2) != first


def test_chances_grow_old_without_trials_too(clock: Clock) -> None:
    study = active_study()
    first = odds_now(study, seed=2)
    clock(31)
    assert odds_now(study, seed=2).at > first.at


def test_a_draw_among_kept_chances_asks_the_database_once(
    clock: Clock, django_assert_num_queries: Callable[[int], object]
) -> None:
    rater, rng = make_rater(active_study()), random.Random(1)
    draw_arms(rater, rng=rng)
    with django_assert_num_queries(1):
        draw_arms(rater, rng=rng)


def test_finding_chances_takes_the_same_queries_after_many_votes(
    clock: Clock, django_assert_num_queries: Callable[[int], object]
) -> None:
    study = active_study(20)
    odds_now(study, seed=2)
    rater = make_rater(study)
    for seed in range(20):
        vote(rater, pair_of(study, "wx", seed), "left")
    clock(1)
    odds_now(study, seed=2)
    vote(rater, pair_of(study, "yz"), "left", at=timezone.now())
    clock(31)
    with django_assert_num_queries(6):
        odds_now(study, seed=2)


def test_trials_that_are_leased_keep_the_propensity_of_their_arms() -> None:
    study = active_study(12)
    rater = make_rater(study)
    rate(rater, times=20)
    kept = list(rater.trials.values_list("propensity", flat=True))
    assert len(kept) > 20
    assert all(propensity is not None and 0.2 / 6 <= propensity + 1e-9 < 1 for propensity in kept)


def test_arms_that_are_drawn_but_have_nothing_left_give_way_to_any_and_no_propensity_is_kept(clock: Clock) -> None:
    # One comparison of each two arms, and while the clock stands still the same three pairs of arms come in turn.
    study = active_study(1, exploration=0.0)
    vote(make_rater(study), pair_of(study, "wx"), "left")
    rater = make_rater(study)
    rate(rater)
    kept = rater.trials.order_by("position").values_list("propensity", flat=True)
    assert list(kept) == [pytest.approx(1 / 3)] * 3 + [None] * 3


def test_trials_of_studies_that_do_not_sample_actively_have_no_propensity() -> None:
    rater = make_rater(make_study(3, arms=ARMS))
    rate(rater)
    assert set(rater.trials.values_list("propensity", flat=True)) == {None}
