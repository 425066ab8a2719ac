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

from survey_site import active_arms
from survey_site.active_arms import draw_arms, odds_of, won_of
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

ARMS = ("w", "x", "y", "z")
LONG_AGO = timezone.now() - timedelta(hours=1)
Clock = Callable[[float], None]


def active_study(n_pairs: int = 6, *, arms: tuple[str, ...] = ARMS, votes_wanted: int | None = None) -> Study:
    design = {"order": {"sampling": "active", "exploration": 0.2}}
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
    odds = odds_of(study, rng=random.Random(1))
    keys = keys_of(study)
    assert [(pair.arm_a, pair.arm_b) for pair in odds.pairs] == [(keys[a], keys[b]) for a, b in combinations(ARMS, 2)]
    assert sum(pair.propensity for pair in odds.pairs) == pytest.approx(1)


def test_arms_are_drawn_as_often_as_their_propensity_says(clock: Clock) -> None:
    study, rng = active_study(), random.Random(3)
    rater = make_rater(study)
    draws = Counter(draw_arms(rater, rng=rng) for _ in range(3000))
    assert len(draws) == 6
    for drawn, n in draws.items():
        assert drawn is not None
        # Four standard deviations of a binomial.
        assert abs(n - 3000 * drawn.propensity) < 4 * (3000 * drawn.propensity) ** 0.5


def test_close_arms_are_drawn_more_than_clear_ones_that_have_as_many_votes() -> None:
    study = active_study(8)
    rater = make_rater(study)
    for seed in range(8):
        for close in ("wx", "yz"):
            vote(rater, pair_of(study, close, seed), "left" if seed % 2 else "right")
        for clear in ("wy", "wz", "xy", "xz"):
            vote(rater, pair_of(study, clear, seed), "left")
    chances = {(pair.arm_a, pair.arm_b): pair.propensity for pair in odds_of(study, rng=random.Random(1)).pairs}
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
    odds = odds_of(study, rng=random.Random(1))
    assert len(odds.pairs) == 5
    assert (keys_of(study)["w"], keys_of(study)["x"]) not in {(pair.arm_a, pair.arm_b) for pair in odds.pairs}


def test_nothing_is_drawn_when_no_two_arms_want_another_vote() -> None:
    study = active_study(1, votes_wanted=1)
    rater = make_rater(study)
    for arms in combinations(ARMS, 2):
        vote(rater, pair_of(study, "".join(arms)), "left")
    assert draw_arms(rater, rng=random.Random(1)) is None


def test_chances_are_kept_until_a_batch_of_votes_came_in(clock: Clock) -> None:
    study, rng = active_study(), random.Random(1)
    rater = make_rater(study)
    vote(rater, pair_of(study, "wx", 0), "left")
    first = odds_of(study, rng=random.Random(1))
    clock(1)
    for seed, expected in ((1, True), (2, True), (3, False)):
        vote(rater, pair_of(study, "wx", seed), "left")
        assert (odds_of(study, rng=rng) == first) is expected


def test_chances_are_not_found_anew_many_times_a_second(clock: Clock) -> None:
    study, rng = active_study(), random.Random(1)
    first, rater = odds_of(study, rng=rng), make_rater(study)
    for seed in range(5):
        vote(rater, pair_of(study, "wx", seed), "left")
    assert odds_of(study, rng=rng) == first
    clock(0.3)
    assert odds_of(study, rng=rng) != first


def test_chances_grow_old_without_votes_too(clock: Clock) -> None:
    study, rng = active_study(), random.Random(1)
    first = odds_of(study, rng=rng)
    clock(31)
    assert odds_of(study, rng=rng).at > first.at


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
    study, rng = active_study(20), random.Random(1)
    odds_of(study, rng=rng)
    rater = make_rater(study)
    for seed in range(20):
        vote(rater, pair_of(study, "wx", seed), "left")
    clock(1)
    odds_of(study, rng=rng)
    vote(rater, pair_of(study, "yz"), "left", at=timezone.now())
    clock(31)
    with django_assert_num_queries(6):
        odds_of(study, rng=rng)


def test_trials_that_are_leased_keep_the_propensity_of_their_arms() -> None:
    study = active_study(12)
    rater = make_rater(study)
    rate(rater, times=20)
    kept = list(rater.trials.values_list("propensity", flat=True))
    assert len(kept) > 20
    assert all(propensity is not None and 0.2 / 6 <= propensity + 1e-9 < 1 for propensity in kept)


def test_arms_that_are_drawn_but_have_nothing_left_give_way_to_any_and_no_propensity_is_kept() -> None:
    # That fifteen draws hit fifteen different pairs is out of the question.
    study = active_study(1, arms=("u", "v", *ARMS))
    rater = make_rater(study)
    rate(rater)
    assert rater.trials.count() == 15
    assert Trial.objects.filter(rater=rater, propensity__isnull=True).exists()


def test_trials_of_studies_that_do_not_sample_actively_have_no_propensity() -> None:
    rater = make_rater(make_study(3, arms=ARMS))
    rate(rater)
    assert set(rater.trials.values_list("propensity", flat=True)) == {None}
