"""Which check is chosen, on which sides it stands, and what practice says."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from survey_site.design.check_plans import kind_at
from survey_site.entrance.raters import finish_instructions
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.voting.checks import CheckChoice, Feedback, choose_check, feedback_on, practice_choices
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db


def study_with(n_pairs: int = 8, *, practice: int = 0, **checks: object) -> Study:
    design = {"checks": {"per_block": 1, **checks}, "welcome": {"practice": practice}}
    return make_study(n_pairs, design=design)


def show(
    rater: Rater, comparison: Comparison, *, kind: str = "normal", swapped: bool = False, repeat_no: int = 0
) -> Trial:
    """Write a trial as leasing does."""
    return Trial.objects.create(
        rater=rater,
        comparison=comparison,
        kind=kind,
        swapped=swapped,
        repeat_no=repeat_no,
        position=rater.trials.count(),
        expires_at=timezone.now() + timedelta(minutes=15),
    )


def lease(rater: Rater, choice: CheckChoice) -> Trial:
    return show(rater, choice.comparison, kind=choice.kind, swapped=choice.swapped, repeat_no=choice.repeat_no)


def rate_normally(rater: Rater, n: int, *, swapped: bool = False) -> None:
    """Answer the first n normal comparisons."""
    for comparison in rater.study.comparisons.normal().order_by("position")[:n]:
        Vote.objects.create(trial=show(rater, comparison, swapped=swapped), choice="left")


def all_of(rater: Rater, kind: str) -> Iterator[Trial]:
    """Lease checks of a kind until there is none."""
    while (choice := choose_check(rater, kind)) is not None:
        yield lease(rater, choice)


def right_answer(trial: Trial) -> str:
    """What a rater who looks would press: the side of the image that is of the label's class, or Same."""
    a, b = trial.comparison.image_a, trial.comparison.image_b
    if a.pk == b.pk:
        return "same"
    return "left" if trial.left_image.class_index == a.class_index else "right"


# --- gold and identical ---


def test_every_gold_pair_comes_once_to_a_rater_and_then_none() -> None:
    study = study_with(kinds=["gold"], mismatched=7)
    trials = list(all_of(make_rater(study), "gold"))
    assert {trial.comparison_id for trial in trials} == set(
        study.comparisons.filter(kind="gold").values_list("pk", flat=True)
    )
    assert len(trials) == 7
    assert {trial.kind for trial in trials} == {"gold"}


def test_identical_pairs_are_trials_of_kind_gold_and_come_once() -> None:
    study = study_with(kinds=["identical"], identical=5)
    trials = list(all_of(make_rater(study), "identical"))
    assert Counter((trial.kind, trial.comparison.kind) for trial in trials) == {("gold", "identical"): 5}
    assert len({trial.comparison_id for trial in trials}) == 5


def test_a_kind_that_is_used_up_is_replaced_by_another_of_the_design() -> None:
    study = study_with(kinds=["gold", "identical"], mismatched=2, identical=3)
    trials = list(all_of(make_rater(study), "gold"))
    assert [trial.comparison.kind for trial in trials] == ["gold"] * 2 + ["identical"] * 3


def test_a_kind_that_the_design_does_not_name_never_comes() -> None:
    study = study_with(kinds=["gold"], mismatched=2)
    rater = make_rater(study)
    rate_normally(rater, 8)
    assert {trial.kind for trial in all_of(rater, "gold")} == {"gold"}


def test_raters_get_gold_pairs_in_orders_of_their_own() -> None:
    study = study_with(kinds=["gold"], mismatched=8)
    orders = {tuple(trial.comparison_id for trial in all_of(make_rater(study), "gold")) for _ in range(6)}
    assert len(orders) == 6


def test_asking_twice_before_leasing_gives_the_same_check_on_the_same_sides() -> None:
    rater = make_rater(study_with())
    assert choose_check(rater, "gold") == choose_check(rater, "gold")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**62 - 1))
def test_right_answers_stand_left_and_right_equally_often(order_key: int) -> None:
    study = study_with(20, kinds=["gold"], mismatched=9)
    rater = Rater.objects.create(study=study, order_key=order_key)
    n_left = 0
    for number, trial in enumerate(all_of(rater, "gold"), start=1):
        n_left += right_answer(trial) == "left"
        assert abs(2 * n_left - number) <= 1


def test_sides_differ_from_rater_to_rater() -> None:
    study = study_with(20, kinds=["gold"], mismatched=6)
    sides = {tuple(right_answer(trial) for trial in all_of(make_rater(study), "gold")) for _ in range(12)}
    assert len(sides) > 3


def test_the_first_sides_of_practice_do_not_give_away_those_of_the_checks() -> None:
    study = study_with(20, kinds=["gold"], mismatched=2, practice=1)
    agree = []
    for _ in range(40):
        rater = make_rater(study)
        (practice,) = practice_choices(rater)
        told = right_answer(lease(rater, practice))
        gold = choose_check(rater, "gold")
        assert gold is not None
        agree.append(told == right_answer(lease(rater, gold)))
    assert set(agree) == {False, True}


# --- repeats ---


def test_a_repeat_is_an_answered_normal_trial_with_its_sides_swapped() -> None:
    for swapped in (False, True):
        rater = make_rater(study_with(30, kinds=["repeat"]))
        rate_normally(rater, 20, swapped=swapped)
        choice = choose_check(rater, "repeat")
        assert choice is not None
        original = rater.trials.get(comparison=choice.comparison)
        assert (original.kind, choice.kind, choice.repeat_no) == ("normal", "repeat", 1)
        assert choice.swapped is not original.swapped


def test_each_comparison_is_repeated_once_at_most_and_never_sooner_than_ten_trials() -> None:
    rater = make_rater(study_with(60, kinds=["repeat"]))
    rate_normally(rater, 25)
    trials = list(all_of(rater, "repeat"))
    originals = {trial.comparison_id: trial.position for trial in rater.trials.filter(kind="normal")}
    assert len(trials) == len({trial.comparison_id for trial in trials}) == 25
    assert all(trial.position - originals[trial.comparison_id] >= 10 for trial in trials)


def test_in_a_small_study_repeats_come_sooner() -> None:
    rater = make_rater(study_with(6, kinds=["repeat"]))
    rate_normally(rater, 4)
    choice = choose_check(rater, "repeat")
    assert choice is not None
    assert 4 - rater.trials.get(comparison=choice.comparison).position >= 3


def test_raters_of_few_trials_get_their_repeats_sooner() -> None:
    design = {"checks": {"per_block": 1, "kinds": ["repeat"]}, "order": {"trials_per_rater": 8}}
    rater = make_rater(make_study(40, design=design))
    rate_normally(rater, 4)
    assert choose_check(rater, "repeat") is not None


def test_what_was_not_answered_is_not_repeated() -> None:
    rater = make_rater(study_with(30, kinds=["repeat"]))
    for comparison in rater.study.comparisons.normal()[:20]:
        show(rater, comparison)
    assert choose_check(rater, "repeat") is None


def test_before_there_is_something_to_repeat_another_check_comes() -> None:
    rater = make_rater(study_with(30))
    rate_normally(rater, 3)
    choice = choose_check(rater, "repeat")
    assert choice is not None
    assert choice.kind == "gold"


def test_another_raters_trials_are_not_repeated() -> None:
    study = study_with(30, kinds=["repeat"])
    rate_normally(make_rater(study), 20)
    assert choose_check(make_rater(study), "repeat") is None


def test_choosing_a_check_takes_few_queries_however_many_there_are(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    rater = make_rater(study_with(40))
    rate_normally(rater, 30)
    choose_check(rater, "gold")
    for kind in ("gold", "identical", "repeat"):
        with django_assert_max_num_queries(3):
            assert choose_check(rater, kind) is not None


# --- practice ---


def test_practice_comes_in_its_order_and_ends() -> None:
    rater = make_rater(study_with(practice=4))
    choices = practice_choices(rater)
    assert [choice.comparison.position for choice in choices] == [0, 1, 2, 3]
    assert {(choice.kind, choice.repeat_no) for choice in choices} == {("practice", 0)}
    lease(rater, choices[0])
    assert practice_choices(rater) == choices[1:]
    for choice in choices[1:]:
        lease(rater, choice)
    assert practice_choices(rater) == []


def test_no_practice_no_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    rater = make_rater(study_with())
    with django_assert_num_queries(0):
        assert practice_choices(rater) == []


def test_feedback_tells_the_right_side_of_the_screen() -> None:
    study = study_with(practice=6)
    expected = Counter()
    for _ in range(6):
        rater = make_rater(study)
        for choice in practice_choices(rater):
            trial = lease(rater, choice)
            answer = right_answer(trial)
            expected[answer] += 1
            right, wrong = Vote(trial=trial, choice=answer), Vote(trial=trial, choice=other_than(answer))
            told = feedback_on(right)
            assert told == Feedback(Vote.Choice(answer), is_right=True, explanation=trial.comparison.explanation)
            assert feedback_on(wrong) == Feedback(told.expected, is_right=False, explanation=told.explanation)
    assert set(expected) == {"left", "right", "same"}


def other_than(answer: str) -> str:
    return "right" if answer == "left" else "left"


def test_the_researchers_explanation_is_told_as_it_is_and_an_empty_one_is_empty() -> None:
    study = study_with(practice=2)
    comparisons = study.comparisons.filter(kind="practice")
    comparisons.filter(position=0).update(explanation="")
    comparisons.filter(position=1).update(explanation="Look at the seam.")
    rater = make_rater(study)
    told = [feedback_on(Vote(trial=lease(rater, choice), choice="left")) for choice in practice_choices(rater)]
    assert [feedback.explanation for feedback in told if feedback] == ["", "Look at the seam."]


def test_nothing_is_told_about_any_other_trial() -> None:
    rater = make_rater(study_with(30))
    rate_normally(rater, 20)
    for kind in ("gold", "identical", "repeat"):
        choice = choose_check(rater, kind)
        assert choice is not None
        assert feedback_on(Vote(trial=lease(rater, choice), choice="left")) is None
    assert feedback_on(Vote.objects.select_related("trial").earliest("pk")) is None


def test_the_page_tells_what_was_right_about_the_first_question_whatever_else_is_asked(client: Client) -> None:
    questions = [{"key": "realism", "text": "Which is more real?"}]
    study = make_study(8, design={"welcome": {"practice": 1}, "page": {"questions": questions}})
    client.post(reverse("rate-enter", args=[study.slug]))
    client.post(reverse("rate-instructions", args=[study.slug]))
    (code,) = Trial.objects.filter(kind="practice").values_list("code", flat=True)
    answer = right_answer(Trial.objects.get(code=code))
    said = {"choice": answer, "others.realism": other_than(answer)}
    page = client.post(reverse("rate-vote", args=[study.slug, code]), said, follow=True)
    assert Vote.objects.count() == 2
    assert "That is right." in page.content.decode()


def test_the_api_tells_what_was_right_after_practice_and_only_then(client: Client) -> None:
    study = make_study(8, design={"welcome": {"practice": 2}})
    client.post(reverse("rate-enter", args=[study.slug]))
    client.post(reverse("rate-instructions", args=[study.slug]))
    queue = client.get(reverse("api-trials", args=[study.slug])).json()
    told = []
    for _ in range(3):
        trial = queue["trials"][0]
        said = {"choice": "left", "key": trial["key"]}
        queue = client.post(reverse("api-vote", args=[trial["code"]]), said, content_type="application/json").json()
        told.append((trial["is_practice"], queue["feedback"]))
    assert [is_practice for is_practice, _ in told] == [True, True, False]
    assert [feedback is not None for _, feedback in told] == [True, True, False]
    for _, feedback in told[:2]:
        assert feedback["is_right"] == (feedback["expected"] == "left")
        assert feedback["explanation"]


def test_a_raters_checks_stand_where_the_plan_has_them() -> None:
    design = {"checks": {"block": 6, "per_block": 2}, "welcome": {"practice": 2}}
    study = make_study(14, design=design)
    rater = finish_instructions(make_rater(study))
    rate(rater)
    trials = list(rater.trials.order_by("position"))
    assert [trial.kind for trial in trials[:2]] == ["practice", "practice"]
    checks, key, secret = study.how.checks, rater.order_key, study.secret
    planned = [kind_at(place, checks=checks, key=key, secret=secret) for place in range(len(trials) - 2)]
    stood = [trial.kind for trial in trials[2:]]
    assert [kind == "normal" for kind in stood] == [kind == "normal" for kind in planned]
    assert stood.count("normal") == 14
    assert {"gold", "repeat"} <= set(stood)
