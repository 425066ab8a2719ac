"""Leases and votes: who sees what, on which side, and what is kept."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.studies import StudyClosed, StudyPaused, close_study, pause_study
from survey_site.voting.trials import (
    AlreadyVoted,
    EnoughVotes,
    KeyReused,
    Standing,
    lease_trials,
    queue_of,
    record_vote,
)
from survey_site.voting.turns import settled
from tests.factories import make_rater, make_study, rate, take_turns

pytestmark = pytest.mark.django_db


def first_trial(rater: Rater) -> Trial:
    return lease_trials(rater).trials[0]


def expire(trials: Sequence[Trial]) -> None:
    past = timezone.now() - timedelta(minutes=1)
    Trial.objects.filter(pk__in=[trial.pk for trial in trials]).update(expires_at=past)


def assert_counters_are_right() -> None:
    assert list(Comparison.objects.miscounted()) == []


def test_left_when_swapped_counts_for_b() -> None:
    rater = make_rater(make_study(8))
    rate(rater, "left")
    votes = Vote.objects.with_outcome().select_related("trial")
    assert {(vote.trial.swapped, vote.outcome) for vote in votes} == {(False, "a"), (True, "b")}
    left_image = Vote.objects.filter(trial__swapped=True)[0].trial.left_image
    assert left_image.arm.name == "vanilla"


def test_a_rater_sees_every_comparison_once_and_then_is_finished() -> None:
    rater = make_rater(make_study(150))
    queue = rate(rater)
    assert queue.standing is Standing.FINISHED
    seen = list(rater.trials.values_list("comparison", flat=True))
    assert len(seen) == len(set(seen)) == 150
    assert_counters_are_right()


def test_three_trials_are_leased_ahead() -> None:
    rater = make_rater(make_study(10))
    assert len(lease_trials(rater).trials) == 3
    assert len(lease_trials(rater).trials) == 3
    assert len(rate(rater, times=1).trials) == 3
    assert Trial.objects.count() == 4


def test_reloading_keeps_trials_and_sides() -> None:
    rater = make_rater(make_study(10))
    before = [(trial.code, trial.swapped) for trial in lease_trials(rater).trials]
    assert [(trial.code, trial.swapped) for trial in queue_of(rater).trials] == before
    assert [(trial.code, trial.swapped) for trial in lease_trials(rater).trials] == before


def test_sides_are_balanced_on_every_comparison_at_all_times() -> None:
    study = make_study(12)
    for _ in take_turns([make_rater(study) for _ in range(7)]):
        tilted = study.comparisons.annotate(tilt=F("n_a_left") - F("n_a_right")).exclude(tilt__range=(-1, 1))
        assert not tilted.exists()


def test_sides_are_balanced_for_every_rater() -> None:
    study = make_study(40)
    for n_before in range(5):
        rater = make_rater(study)
        rate(rater)
        swapped = list(rater.trials.order_by("position").values_list("swapped", flat=True))
        assert abs(2 * sum(swapped) - 40) <= 2, n_before
        # Whoever stops half-way is balanced too.
        assert abs(2 * sum(swapped[:20]) - 20) <= 2, n_before


def test_a_trials_sides_do_not_follow_from_those_of_the_trial_before() -> None:
    study = make_study(120)
    for n_before in range(3):
        rater = make_rater(study)
        rate(rater)
        swapped = list(rater.trials.order_by("position").values_list("swapped", flat=True))
        # Were every imbalance made up for at once, all sixty second trials would turn the first one's sides round.
        turned = sum(first != second for first, second in zip(swapped[::2], swapped[1::2], strict=True))
        assert 10 <= turned <= 52, n_before


def test_the_least_judged_of_a_class_come_first() -> None:
    study = make_study(12)
    rate(make_rater(study), times=6)
    loads = {row.pk: row.n_votes + row.n_open for row in study.comparisons.all()}
    labels = {row.pk: row.class_label for row in study.comparisons.all()}
    for trial in lease_trials(make_rater(study)).trials:
        alike = [load for pk, load in loads.items() if labels[pk] == labels[trial.comparison_id]]
        assert loads.pop(trial.comparison_id) == min(alike)


def test_raters_go_through_orders_of_their_own() -> None:
    study = make_study(30)
    orders = set()
    for _ in range(4):
        rater = make_rater(study)
        rate(rater)
        orders.add(tuple(rater.trials.order_by("position").values_list("comparison", flat=True)))
    assert len(orders) == 4


def test_the_rest_of_a_large_study_is_found_outside_the_raters_window() -> None:
    study = make_study(400, votes_wanted=1)
    wanted = set(study.comparisons.values_list("pk", flat=True)[:3])
    study.comparisons.exclude(pk__in=wanted).update(n_votes=1, n_a_left=1)
    assert {trial.comparison_id for trial in lease_trials(make_rater(study)).trials} == wanted


def test_targets_are_met_exactly_and_raters_who_find_nothing_are_finished() -> None:
    study = make_study(6, votes_wanted=2)
    raters = [make_rater(study) for _ in range(5)]
    for _ in take_turns(raters):
        pass
    assert set(study.comparisons.values_list("n_votes", flat=True)) == {2}
    assert {queue_of(rater).standing for rater in raters} == {Standing.FINISHED}
    assert_counters_are_right()


def test_nobody_hoards_when_little_is_left() -> None:
    study = make_study(6, votes_wanted=1)
    first, second, third = (make_rater(study) for _ in range(3))
    assert len(lease_trials(first).trials) == 3
    # Three are free and the first holds three: the second may still look ahead, the third finds nothing.
    assert len(lease_trials(second).trials) == 3
    assert lease_trials(third).standing is Standing.WAITING
    study = make_study(5, votes_wanted=1)
    lease_trials(make_rater(study))
    assert len(lease_trials(make_rater(study)).trials) == 1


def test_a_rater_waits_while_others_hold_what_is_left() -> None:
    study = make_study(1, votes_wanted=1)
    holder, other = make_rater(study), make_rater(study)
    trial = first_trial(holder)
    assert lease_trials(other).standing is Standing.WAITING
    record_vote(trial, "left")
    assert queue_of(other).standing is Standing.FINISHED


def test_an_expired_lease_goes_to_another_rater() -> None:
    study = make_study(1, votes_wanted=1)
    gone, other = make_rater(study), make_rater(study)
    expire([first_trial(gone)])
    assert queue_of(other).standing is Standing.READY
    taken = first_trial(other)
    assert taken.comparison == gone.trials.get().comparison
    assert gone.trials.get().lapsed_at is not None
    assert_counters_are_right()


def test_no_more_than_twenty_leases_lapse_in_one_request() -> None:
    study = make_study(30)
    for _ in range(8):
        lease_trials(make_rater(study))
    expire(list(Trial.objects.all()))
    lease_trials(make_rater(study))
    assert Trial.objects.filter(lapsed_at__isnull=False).count() == 20
    assert_counters_are_right()


def test_a_lease_is_lengthened_while_its_rater_goes_on() -> None:
    rater = make_rater(make_study(5))
    trials = lease_trials(rater).trials
    expire(trials)
    record_vote(trials[0], "same")
    assert not Trial.objects.filter(lapsed_at__isnull=False).exists()
    assert rater.trials.open().filter(expires_at__gt=timezone.now() + timedelta(minutes=10)).count() == 3


def test_a_rater_who_comes_back_late_resumes_the_same_pair_on_the_same_sides() -> None:
    study = make_study(3, votes_wanted=2)
    back, other = make_rater(study), make_rater(study)
    before = lease_trials(back).trials
    expire(before)
    lease_trials(other)
    assert queue_of(back).standing is Standing.READY
    after = lease_trials(back).trials
    assert {(trial.code, trial.swapped) for trial in after} <= {(trial.code, trial.swapped) for trial in before}
    assert after
    assert_counters_are_right()


def test_a_late_vote_is_kept_while_there_is_room_and_lowers_no_lease_twice() -> None:
    study = make_study(1, votes_wanted=1)
    late, other = make_rater(study), make_rater(study)
    trial = first_trial(late)
    expire([trial])
    held = first_trial(other)
    record_vote(trial, "left")
    comparison = study.comparisons.get()
    assert (comparison.n_votes, comparison.n_open) == (1, 1)
    record_vote(held, "right")
    comparison.refresh_from_db()
    assert (comparison.n_votes, comparison.n_open) == (2, 0)
    assert_counters_are_right()


def test_a_vote_past_the_maximum_is_refused_with_a_sentence() -> None:
    study = make_study(1, votes_wanted=1)
    trials = []
    for _ in range(3):
        trials.append(first_trial(make_rater(study)))
        expire(trials[-1:])
    record_vote(trials[0], "left")
    record_vote(trials[1], "left")
    with pytest.raises(EnoughVotes, match="all the votes it needs"):
        record_vote(trials[2], "left")
    assert Vote.objects.count() == 2
    assert queue_of(trials[2].rater).standing is Standing.FINISHED
    assert_counters_are_right()


def test_a_double_click_is_one_vote() -> None:
    trial = first_trial(make_rater(make_study(3)))
    key = uuid4()
    assert record_vote(trial, "left", key=key) == record_vote(trial, "left", key=key)
    assert record_vote(trial, "left", key=uuid4()) == Vote.objects.get()
    assert_counters_are_right()


def test_a_resent_key_returns_the_first_vote_whatever_it_says() -> None:
    trial = first_trial(make_rater(make_study(3)))
    key = uuid4()
    first = record_vote(trial, "left", key=key)
    assert record_vote(trial, "right", key=key).choice == first.choice == "left"


def test_a_second_opinion_on_a_trial_is_refused() -> None:
    trial = first_trial(make_rater(make_study(3)))
    record_vote(trial, "left", key=uuid4())
    with pytest.raises(AlreadyVoted, match="Your first answer counts"):
        record_vote(trial, "right", key=uuid4())
    assert Vote.objects.get().choice == "left"


def test_a_key_serves_one_trial_only() -> None:
    trials = lease_trials(make_rater(make_study(3))).trials
    key = uuid4()
    record_vote(trials[0], "left", key=key)
    with pytest.raises(KeyReused, match="key of another pair"):
        record_vote(trials[1], "left", key=key)
    assert Vote.objects.count() == 1


@pytest.mark.parametrize(("act", "refusal"), [(pause_study, StudyPaused), (close_study, StudyClosed)])
def test_a_vote_after_the_end_is_kept_out(act: object, refusal: type[Exception]) -> None:
    study = make_study(3)
    rater = make_rater(study)
    answered, unanswered, _ = lease_trials(rater).trials
    record_vote(answered, "left")
    act(study)
    with pytest.raises(refusal):
        record_vote(unanswered, "left")
    # What was answered before can be sent again: the first sending may have got no reply.
    assert record_vote(answered, "left") == Vote.objects.get()
    with pytest.raises(refusal):
        lease_trials(rater)


def test_a_drop_out_keeps_the_votes_given() -> None:
    study = make_study(5, votes_wanted=1)
    gone = make_rater(study)
    rate(gone, times=2)
    expire(list(gone.trials.open()))
    rate(make_rater(study))
    assert Vote.objects.filter(trial__rater=gone).count() == 2
    assert Study.objects.get().comparisons.filter(n_votes=1).count() == 5


def test_trials_of_other_kinds_move_no_counter() -> None:
    study = make_study(2)
    rater = make_rater(study)
    practice = Trial.objects.create(
        rater=rater,
        comparison=study.comparisons.all()[0],
        kind=Trial.Kind.PRACTICE,
        position=0,
        swapped=False,
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    record_vote(practice, "same")
    assert set(study.comparisons.values_list("n_votes", flat=True)) == {0}
    assert_counters_are_right()


@pytest.mark.parametrize("n_pairs", [60, 400])
def test_a_vote_costs_seven_queries_early_and_late(
    n_pairs: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rater = make_rater(make_study(n_pairs))
    for times in (0, 30):
        queue = rate(rater, times=times)
        # The test's own transaction makes a savepoint of BEGIN and COMMIT: two more.
        with django_assert_num_queries(7 + 2):
            record_vote(queue.trials[0], "left", key=uuid4())


def test_looking_at_the_queue_costs_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    rater = make_rater(make_study(10))
    lease_trials(rater)
    with django_assert_num_queries(2):
        [trial.comparison.class_label for trial in queue_of(rater).trials]


def test_a_vote_costs_no_more_where_most_comparisons_have_their_votes(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    study = make_study(300, votes_wanted=1)
    wanted = list(study.comparisons.order_by("position").values_list("pk", flat=True)[:40])
    study.comparisons.exclude(pk__in=wanted).update(n_votes=1, n_a_left=1)
    queue = lease_trials(make_rater(study))
    for _ in range(10):
        with django_assert_num_queries(8 + 2, exact=False):
            record_vote(queue.trials[0], "left", key=uuid4())
        queue = queue_of(queue.trials[0].rater)
    assert len(queue.trials) == 3


class Unserialisable(Exception):
    """What psycopg raises where a transaction must be tried again."""

    sqlstate = "40001"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("n_failures", "is_kept"), [(2, True), (3, False)])
def test_a_transaction_that_postgresql_wants_again_is_done_again_twice(n_failures: int, is_kept: bool) -> None:
    study = make_study(2)
    attempts = []

    def act() -> None:
        Rater.objects.create(study=study)
        attempts.append(1)
        if len(attempts) <= n_failures:
            raise OperationalError from Unserialisable()

    with nullcontext() if is_kept else pytest.raises(OperationalError):
        settled(act)
    assert len(attempts) == 3
    assert Rater.objects.count() == is_kept
