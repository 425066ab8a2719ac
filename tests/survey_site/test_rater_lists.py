"""Each rater's figures are what the votes say, and doubtful raters are flagged, not dropped."""

import random
import statistics
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.rater_lists import RaterRow, rater_rows
from tests.factories import make_rater, make_study

pytestmark = pytest.mark.django_db


def study_with(n_pairs: int = 20, **checks: object) -> Study:
    return make_study(n_pairs, design={"checks": {"per_block": 1, **checks}})


def answer(
    rater: Rater, comparison: Comparison, choice: str, *, kind: str = "normal", swapped: bool = False, **facts: object
) -> Vote:
    """Show a comparison and answer it."""
    trial = Trial.objects.create(
        rater=rater,
        comparison=comparison,
        kind=kind,
        repeat_no=int(kind == "repeat"),
        swapped=swapped,
        position=rater.trials.count(),
        expires_at=timezone.now() + timedelta(minutes=15),
    )
    return Vote.objects.create(trial=trial, choice=choice, key=uuid4(), **facts)


def comparisons(study: Study, kind: str = "normal") -> list[Comparison]:
    return list(study.comparisons.filter(kind=kind).order_by("position"))


def only_row(study: Study) -> RaterRow:
    (row,) = rater_rows(study).rows
    return row


def answer_checks(rater: Rater, *, right: int, wrong: int) -> None:
    """Answer gold pairs, whose image a is right, on either side."""
    for number, comparison in enumerate(comparisons(rater.study, "gold")[: right + wrong]):
        swapped, is_right = bool(number % 2), number < right
        answer(rater, comparison, "left" if swapped != is_right else "right", kind="gold", swapped=swapped)


def repeat_pairs(rater: Rater, *, alike: int, other: int) -> None:
    for number, comparison in enumerate(comparisons(rater.study)[: alike + other]):
        answer(rater, comparison, "left")
        answer(rater, comparison, "right" if number < alike else "left", kind="repeat", swapped=True)


# --- figures ---


def test_a_row_tells_what_a_rater_did() -> None:
    study = study_with()
    rater = make_rater(study)
    one, two, three, four, *_ = comparisons(study)
    answer(rater, one, "left", response_ms=100, hidden_ms=40)
    answer(rater, two, "right", response_ms=900, hidden_ms=2)
    answer(rater, three, "same", response_ms=400)
    answer(rater, four, "left")
    row = only_row(study)
    assert (row.votes, row.timed, row.fast, row.median_ms, row.hidden_ms) == (4, 3, 1, 400, 42)
    assert (row.sides, row.left, row.left_share) == (3, 2, 2 / 3)
    assert (row.checks, row.right_share, row.repeats, row.alike_share) == (0, None, 0, None)
    assert (row.name, row.entered_at, row.ended_at, row.flags) == (rater.code.hex, rater.created_at, None, ())


def test_gold_and_identical_pairs_count_as_checks_on_whichever_side_they_stood() -> None:
    study = study_with()
    rater = make_rater(study)
    answer_checks(rater, right=5, wrong=3)
    answer(rater, comparisons(study, "identical")[0], "same", kind="gold")
    answer(rater, comparisons(study, "identical")[1], "left", kind="gold")
    row = only_row(study)
    assert (row.checks, row.checks_right, row.right_share) == (10, 6, 0.6)


def test_repeats_are_compared_in_terms_of_the_arms() -> None:
    study = study_with()
    repeat_pairs(make_rater(study), alike=4, other=2)
    row = only_row(study)
    assert (row.votes, row.repeats, row.repeats_alike, row.alike_share) == (12, 6, 4, 4 / 6)


def test_a_repeat_that_is_same_twice_is_alike() -> None:
    study = study_with()
    rater = make_rater(study)
    for kind in ("normal", "repeat"):
        answer(rater, comparisons(study)[0], "same", kind=kind, swapped=kind == "repeat")
    assert only_row(study).repeats_alike == 1


def test_another_raters_first_answer_does_not_count_for_a_repeat() -> None:
    study = study_with()
    comparison = comparisons(study)[0]
    answer(make_rater(study), comparison, "right")
    rater = make_rater(study)
    answer(rater, comparison, "left")
    answer(rater, comparison, "right", kind="repeat", swapped=True)
    assert [row.repeats_alike for row in rater_rows(study).rows] == [0, 1]


def test_practice_is_not_counted() -> None:
    study = make_study(8, design={"welcome": {"practice": 2}})
    rater = make_rater(study)
    for comparison in comparisons(study, "practice"):
        answer(rater, comparison, "left", kind="practice", response_ms=1)
    row = only_row(study)
    assert (row.votes, row.checks, row.timed, row.median_ms, row.state) == (0, 0, 0, None, "rating")


def test_only_the_answers_that_stand_count() -> None:
    study = study_with()
    rater = make_rater(study)
    gold = comparisons(study, "gold")[0]
    wrong = answer(rater, gold, "right", kind="gold", response_ms=50)
    Vote.objects.create(trial=wrong.trial, choice="left", response_ms=700, replaces=wrong)
    first = answer(rater, comparisons(study)[0], "left")
    Vote.objects.create(trial=first.trial, choice="right", replaces=first)
    answer(rater, comparisons(study)[0], "left", kind="repeat", swapped=True)
    row = only_row(study)
    assert (row.votes, row.checks_right, row.fast, row.repeats_alike) == (3, 1, 0, 1)


def test_answers_to_further_questions_are_not_counted() -> None:
    study = study_with()
    rater = make_rater(study)
    vote = answer(rater, comparisons(study, "gold")[0], "left", kind="gold", response_ms=900)
    Vote.objects.create(trial=vote.trial, question="realism", choice="right", response_ms=1)
    row = only_row(study)
    assert (row.votes, row.checks, row.checks_right, row.fast) == (1, 1, 1, 0)


@pytest.mark.parametrize("n", [1, 2, 7, 8])
def test_the_median_is_the_median(n: int) -> None:
    study = study_with()
    rng = random.Random(n)
    times = {}
    for _ in range(3):
        rater = make_rater(study)
        times[rater.pk] = [rng.randrange(100, 130) for _ in range(n)]
        for comparison, milliseconds in zip(comparisons(study), times[rater.pk], strict=False):
            answer(rater, comparison, "left", response_ms=milliseconds)
    assert {row.pk: row.median_ms for row in rater_rows(study).rows} == {
        key: statistics.median(of_rater) for key, of_rater in times.items()
    }


def test_states_follow_a_rater_from_entering_to_the_end() -> None:
    study = study_with()
    now = timezone.now()
    make_rater(study)
    answer(make_rater(study), comparisons(study)[0], "left")
    for outcome in ("complete", "screened_out"):
        Rater.objects.create(study=study, outcome=outcome, ended_at=now)
    Rater.objects.create(study=study, outcome="complete", ended_at=now, withdrawn_at=now)
    states = [row.state for row in rater_rows(study).rows]
    assert states == ["entering", "rating", "complete", "screened_out", "withdrawn"]


# --- flags ---


def test_too_few_right_checks_are_flagged_with_the_numbers() -> None:
    study = study_with(least_right=0.7)
    answer_checks(make_rater(study), right=3, wrong=5)
    assert only_row(study).flags == ("3 of 8 (38 %) checks were answered rightly; at least 70 % are expected.",)


def test_inconsistent_repeats_are_flagged_with_the_numbers() -> None:
    study = study_with(least_repeated=0.5)
    repeat_pairs(make_rater(study), alike=1, other=3)
    assert only_row(study).flags == (
        "1 of 4 (25 %) repeated pairs were answered as at first; at least 50 % are expected.",
    )


def test_hasty_raters_are_flagged_with_the_numbers() -> None:
    study = study_with(fast_ms=300)
    rater = make_rater(study)
    for number, comparison in enumerate(comparisons(study)[:12]):
        answer(rater, comparison, "left", response_ms=299 if number < 7 else 300)
    assert only_row(study).flags == (
        "7 of 12 (58 %) timed answers took less than 300 ms; more than 50 % are doubtful.",
    )


def test_nobody_is_flagged_before_there_is_enough_to_say() -> None:
    study = study_with()
    rater = make_rater(study)
    answer_checks(rater, right=0, wrong=3)
    repeat_pairs(rater, alike=0, other=3)
    Vote.objects.update(response_ms=1)
    assert only_row(study).votes == 9
    assert only_row(study).flags == ()


def test_whoever_just_meets_the_designs_thresholds_is_not_flagged() -> None:
    study = study_with(least_right=0.6, least_repeated=0.6)
    rater = make_rater(study)
    answer_checks(rater, right=3, wrong=2)
    repeat_pairs(rater, alike=3, other=2)
    assert only_row(study).flags == ()


# --- pages ---


def test_pages_hold_everybody_once_in_order_of_arrival() -> None:
    study = study_with()
    keys = [make_rater(study).pk for _ in range(7)]
    make_rater(make_study())
    pages = [rater_rows(study, page=number, per_page=3) for number in (1, 2, 3)]
    assert [row.pk for page in pages for row in page.rows] == keys
    assert {(page.n, page.n_pages) for page in pages} == {(7, 3)}
    assert rater_rows(study, page=99, per_page=3) == pages[2]
    assert rater_rows(study, page=0, per_page=3) == pages[0]


def test_the_flagged_ones_alone_can_be_asked_for() -> None:
    study = study_with()
    good, bad, *_ = [make_rater(study) for _ in range(3)]
    answer_checks(good, right=6, wrong=0)
    answer_checks(bad, right=0, wrong=6)
    page = rater_rows(study, only_flagged=True)
    assert [row.pk for row in page.rows] == [bad.pk]
    assert page.n == 1
    assert page.rows[0] == rater_rows(study).rows[1]


def test_a_study_without_raters_has_one_empty_page() -> None:
    for only_flagged in (False, True):
        page = rater_rows(study_with(), only_flagged=only_flagged)
        assert (page.rows, page.n, page.number, page.n_pages) == ((), 0, 1, 1)


@pytest.mark.parametrize("only_flagged", [False, True])
def test_a_page_takes_as_many_queries_for_one_rater_as_for_many(
    only_flagged: bool, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for n in (1, 12):
        study = study_with()
        for _ in range(n):
            rater = make_rater(study)
            answer_checks(rater, right=0, wrong=5)
            repeat_pairs(rater, alike=2, other=1)
        with django_assert_num_queries(6 if only_flagged else 5):
            assert len(rater_rows(study, only_flagged=only_flagged).rows) == n


def test_a_raters_answers_are_found_by_the_rater_and_not_by_their_question() -> None:
    rater = make_rater(study_with())
    # Nearly all answers are to one question: looked up by it, a page of raters would read every vote there is.
    assert "survey_vote_question" not in Vote.objects.preferences().filter(trial__rater=rater).explain()
