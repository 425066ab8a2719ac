"""A log read as arrays is the log that the rows tell, whatever else lies in the database."""

import csv
import io
import random
from uuid import uuid4

import numpy as np
import pytest

from analysis import InvalidVotes, Votes, read_csv
from analysis.votes import Pair
from survey_site.logs.exports import vote_rows
from survey_site.logs.vote_logs import pair_rows, votes_of
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from tests.factories import make_batch, make_rater, make_study, rate

pytestmark = pytest.mark.django_db


def read_row_by_row(study: Study) -> Votes:
    """The same log as its export has it, by the analysis's own door."""
    table = io.StringIO(newline="")
    csv.writer(table).writerows(vote_rows(study))
    table.seek(0)
    pairs = [Pair(row.pair_id, row.class_label, (row.arm_a, row.arm_b), row.group_id) for row in pair_rows(study)]
    return read_csv(table, pairs=pairs)


def assert_same_log(one: Votes, other: Votes) -> None:
    for name in ("arms", "pair_names", "class_labels", "groups", "rater_names"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("pair_arms", "pair", "rater", "left_arm", "right_arm", "choice", "response_ms"):
        assert getattr(one, name).dtype == np.int64
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name


def vote_at_random(study: Study, *, raters: int, seed: int) -> list[Rater]:
    """Let raters answer part of the study in turns, so that keys and arrivals are mixed."""
    dice = random.Random(seed)
    panel = [make_rater(study) for _ in range(raters)]
    for _ in range(raters * 3):
        rate(dice.choice(panel), dice.choice(["left", "right", "same"]), times=1)
    return panel


def gold_vote(study: Study, rater: Rater, *, expected: str, choice: str) -> None:
    some = study.comparisons.normal().first()
    assert some is not None
    n = study.comparisons.filter(kind="gold").count()
    comparison = Comparison.objects.create(
        study=study, kind="gold", position=n, pair_id=f"gold-{n}", image_a=some.image_b, image_b=some.image_a,
        expected=expected,
    ) if n == 0 else study.comparisons.get(kind="gold")  # fmt: skip
    trial = Trial.objects.create(
        rater=rater, comparison=comparison, kind="gold", position=1000, swapped=True, expires_at=study.created_at
    )
    Vote.objects.create(trial=trial, choice=choice, response_ms=700, key=uuid4())


@pytest.mark.parametrize("others", [0, 12])
def test_a_log_is_the_same_read_as_arrays_and_row_by_row(others: int) -> None:
    first = make_study(5)
    study = make_study(6, arms=("alpha", "beta", "gamma"))
    for seed in range(others):
        vote_at_random(first, raters=6, seed=seed)
    vote_at_random(study, raters=4, seed=1)
    vote_at_random(first, raters=2, seed=2)
    vote_at_random(study, raters=3, seed=3)
    Vote.objects.filter(trial__rater__study=study, pk__in=list(Vote.objects.values_list("pk", flat=True))[::3]).update(
        response_ms=None
    )
    log = votes_of(study)
    assert log.n_votes > 12
    assert (log.response_ms == -1).any()
    assert_same_log(log, read_row_by_row(study))
    assert_same_log(votes_of(first), read_row_by_row(first))


def test_a_vote_that_was_taken_back_does_not_count() -> None:
    study = make_study(2)
    rate(make_rater(study), "left", times=1)
    old = Vote.objects.get()
    Vote.objects.create(trial=old.trial, choice="same", response_ms=1, key=uuid4(), replaces=old)
    log = votes_of(study)
    assert log.choice.tolist() == [2]
    assert_same_log(log, read_row_by_row(study))


def test_gold_votes_count_only_as_right_answers() -> None:
    study = make_study(3)
    good, bad = make_rater(study), make_rater(study)
    for rater in (good, bad):
        rate(rater, "left", times=2)
    # The gold comparison is shown swapped: its image a stands on the right.
    gold_vote(study, good, expected="a", choice="right")
    gold_vote(study, bad, expected="a", choice="same")
    log = votes_of(study)
    assert log.n_votes == 4
    assert (log.gold.n, log.gold.seen.tolist(), log.gold.right.tolist()) == (2, [1, 1], [1, 0])


def test_a_simulated_study_says_so_in_its_log() -> None:
    study = make_study(2)
    Study.objects.filter(pk=study.pk).update(is_simulated=True)
    assert votes_of(Study.objects.get(pk=study.pk)).simulated


def test_a_study_without_comparisons_has_no_log() -> None:
    draft = Study.objects.create(title="a draft", slug="a-draft")
    draft.batches.set([make_batch()])
    with pytest.raises(InvalidVotes, match="no comparisons yet"):
        votes_of(draft)


def test_comparisons_without_votes_are_in_the_log() -> None:
    log = votes_of(make_study(3))
    assert (log.n_pairs, log.n_votes, log.n_raters) == (3, 0, 0)
