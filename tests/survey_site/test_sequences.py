"""How many trials a rater gets, of which kinds and classes, and when the rater is done."""

from collections import Counter
from itertools import pairwise
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from generation.models import Arm, Batch, Image
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.studies import create_study, open_study
from survey_site.voting.trials import RaterEnded, Sent, Standing, cast_vote, lease_trials, queue_of, record_vote
from tests.factories import make_rater, make_study, rate, take_turns

pytestmark = pytest.mark.django_db

CHECKS = {"block": 5, "per_block": 1, "identical": 6, "mismatched": 6}


def make_classes(*sizes: int) -> Study:
    """Open a study of as many classes, each with so many pairs."""
    table = {str(index): f"class {index}" for index in range(len(sizes))}
    batch = Batch.objects.create(name="classes", source=Batch.Source.UPLOADED, status="complete", class_table=table)
    arms = [Arm.objects.create(name=name, source=Arm.Source.UPLOADED) for name in ("robust", "vanilla")]
    batch.arms.set(arms)
    Image.objects.bulk_create(
        Image(
            batch=batch, arm=arm, class_index=index, seed=seed, name=f"{uuid4()}.png", sha256="0" * 64, n_bytes=1,
            width=8, height=8,
        )
        for arm in arms
        for index, size in enumerate(sizes)
        for seed in range(size)
    )  # fmt: skip
    return open_study(create_study(owner=None, title="classes", arms=arms, batches=[batch]))


def labels_shown(rater: Rater) -> list[str]:
    trials = rater.trials.with_images().filter(kind="normal").order_by("position")
    return [trial.comparison.class_label for trial in trials]


# --- classes ---


@pytest.mark.parametrize("sizes", [(10, 10), (8, 8, 8), (2,) * 20, (30, 30, 30, 30), (1,) * 150])
def test_every_prefix_holds_equal_classes_equally_often(sizes: tuple[int, ...]) -> None:
    study = make_classes(*sizes)
    for _ in range(2):
        rater = make_rater(study)
        rate(rater, times=60)
        shown: Counter[str] = Counter({f"class {index}": 0 for index in range(len(sizes))})
        for label in labels_shown(rater):
            shown[label] += 1
            assert max(shown.values()) - min(shown.values()) <= 1


def test_no_class_follows_itself_where_there_is_another() -> None:
    for sizes in ((6, 6), (9, 5, 4), (20, 2, 20)):
        rater = make_rater(make_classes(*sizes))
        rate(rater, times=10)
        labels = labels_shown(rater)[:10]
        assert all(label != following for label, following in pairwise(labels)), labels


def test_classes_of_unequal_sizes_stay_within_two_of_their_share() -> None:
    rater = make_rater(make_classes(60, 20))
    rate(rater, times=40)
    for n in range(4, 41):
        assert abs(labels_shown(rater)[:n].count("class 0") - 0.75 * n) < 2


def test_raters_of_one_class_meet_the_least_judged_first() -> None:
    study = make_classes(100)
    for _ in take_turns([make_rater(study) for _ in range(2)]):
        loads = {row.n_votes + row.n_open for row in study.comparisons.all()}
        assert max(loads) - min(loads) <= 2
        if min(loads) >= 1:
            break


# --- k trials per rater ---


def test_a_rater_gets_as_many_trials_as_the_design_says_and_is_complete() -> None:
    study = make_study(20, design={"order": {"trials_per_rater": 7}})
    rater = make_rater(study)
    queue = rate(rater)
    rater.refresh_from_db()
    assert (queue.standing, queue.n_votes, queue.n_comparisons) == (Standing.FINISHED, 7, 7)
    assert (rater.outcome, rater.trials.count()) == ("complete", 7)
    assert rater.ended_at is not None
    assert lease_trials(rater).standing is Standing.FINISHED
    assert rater.trials.count() == 7


def test_the_last_answer_completes_the_rater_in_its_own_transaction() -> None:
    rater = make_rater(make_study(2))
    first, second = lease_trials(rater).trials
    record_vote(first, "left")
    assert Rater.objects.get().outcome == ""
    record_vote(second, "left")
    assert Rater.objects.get().outcome == "complete"


def test_whoever_found_nothing_to_answer_is_not_complete() -> None:
    study = make_study(1, votes_wanted=1)
    idle = make_rater(study)
    rate(make_rater(study))
    assert lease_trials(idle).standing is Standing.FINISHED
    idle.refresh_from_db()
    assert idle.outcome == ""


def test_raters_who_ended_otherwise_or_withdrew_can_neither_lease_nor_vote() -> None:
    study = make_study(6)
    for changes in ({"outcome": "timed_out", "ended_at": timezone.now()}, {"withdrawn_at": timezone.now()}):
        rater = make_rater(study)
        answered, open_trial, _ = lease_trials(rater).trials
        kept = record_vote(answered, "left")
        Rater.objects.filter(pk=rater.pk).update(**changes)
        with pytest.raises(RaterEnded, match="has ended"):
            record_vote(open_trial, "left")
        with pytest.raises(RaterEnded, match="has ended"):
            lease_trials(rater)
        assert record_vote(answered, "left") == kept
        assert queue_of(Rater.objects.get(pk=rater.pk)).trials == []


def test_a_break_is_due_after_every_so_many_answers() -> None:
    rater = make_rater(make_study(7, design={"order": {"break_after": 3}}))
    due = [lease_trials(rater).break_due]
    due += [rate(rater, times=1).break_due for _ in range(7)]
    assert due == [False, False, False, True, False, False, True, False]


# --- checks and practice ---


def test_checks_come_on_top_and_the_progress_does_not_tell_them_apart() -> None:
    study = make_study(20, design={"order": {"trials_per_rater": 8}, "checks": CHECKS})
    rater = make_rater(study)
    total = lease_trials(rater).n_comparisons
    queue = rate(rater)
    kinds = Counter(rater.trials.values_list("kind", flat=True))
    assert kinds["normal"] == 8
    assert kinds["gold"] + kinds["repeat"] >= 1
    assert queue.n_votes == queue.n_comparisons == total == sum(kinds.values())
    assert Rater.objects.get().outcome == "complete"
    assert not Comparison.objects.miscounted().exists()


def test_checks_move_no_counter_and_are_never_reclaimed() -> None:
    study = make_study(20, design={"checks": CHECKS})
    rater = make_rater(study)
    rate(rater, times=8)
    assert not study.comparisons.exclude(kind="normal").exclude(n_votes=0, n_open=0).exists()
    rater.trials.filter(votes__isnull=True).update(expires_at="2000-01-01T00:00Z")
    lease_trials(make_rater(study))
    assert not Trial.objects.exclude(kind="normal").filter(lapsed_at__isnull=False).exists()


def test_practice_comes_first_and_nothing_else_is_leased_until_it_is_done() -> None:
    study = make_study(8, design={"welcome": {"practice": 2}})
    rater = make_rater(study)
    Rater.objects.update(instructed_at=timezone.now())
    queue = lease_trials(Rater.objects.get())
    assert [trial.kind for trial in queue.trials] == ["practice", "practice"]
    record_vote(queue.trials[0], "left")
    assert [trial.kind for trial in queue_of(rater).trials] == ["practice"]
    record_vote(queue.trials[1], "left")
    queue = queue_of(rater)
    assert [trial.kind for trial in queue.trials] == ["normal"] * 3
    assert (queue.n_votes, queue.n_comparisons, queue.last) == (0, 8, None)
    rate(rater)
    assert rater.trials.filter(kind="normal").count() == 8


def test_a_studys_checks_cost_no_more_than_eight_queries_a_vote(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    rater = make_rater(make_study(60, design={"checks": {**CHECKS, "per_block": 2}}))
    queue = rate(rater, times=20)
    for _ in range(20):
        with django_assert_num_queries(8 + 2, exact=False):
            record_vote(queue.trials[0], "left", key=uuid4())
        queue = queue_of(rater)


# --- active sampling ---


def test_active_sampling_shows_the_drawn_arms_and_stores_how_likely_they_were() -> None:
    arms = ("a", "b", "c", "d")
    study = make_study(12, arms=arms, design={"order": {"sampling": "active"}})
    rater = make_rater(study)
    rate(rater, times=9)
    # So few that every two arms have a pair left.
    trials = rater.trials.filter(kind="normal")
    assert trials.count() == 12
    assert all(trial.propensity is not None and 0 < trial.propensity < 1 for trial in trials)
    drawn = Counter(trials.values_list("comparison__image_a__arm", "comparison__image_b__arm"))
    assert len(drawn) > 1
    rate(rater)
    assert rater.trials.count() == 72
    assert Rater.objects.get().outcome == "complete"


def test_without_active_sampling_no_propensity_is_stored() -> None:
    rater = make_rater(make_study(6))
    rate(rater)
    assert set(rater.trials.values_list("propensity", flat=True)) == {None}


# --- what a program is told ---


def test_a_cast_vote_tells_what_lies_ahead_as_the_queue_does() -> None:
    rater = make_rater(make_study(8, design={"checks": CHECKS}))
    lease_trials(rater)
    for number in range(1, 8):
        trial = queue_of(rater).trials[0]
        cast = cast_vote(trial.code, Sent("same", key=uuid4()), raters=[rater.code])
        queue = queue_of(rater)
        assert [card.code for card in cast.desk.cards] == [row.code for row in queue.trials]
        for card, row in zip(cast.desk.cards, queue.trials, strict=True):
            assert card.class_label == row.comparison.class_label
            assert (card.width, card.height) == (row.left_image.width, row.left_image.height)
        assert cast.desk.progress.n_votes == queue.n_votes == number
        assert cast.desk.last is not None
        assert queue.last == trial
        assert cast.desk.last.code == trial.code
        assert Vote.objects.count() == number
