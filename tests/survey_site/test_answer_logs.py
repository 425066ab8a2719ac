"""The complete log: every vote ever given, and what each row says of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from survey_site.logs.answer_logs import MEANINGS, Answer, answers
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.voting.withdrawals import withdraw
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def show(rater: Rater, comparison: Comparison, **facts: object) -> Trial:
    defaults = {"swapped": False, "leased_at": THEN, "expires_at": THEN, "position": rater.trials.count()}
    return Trial.objects.create(rater=rater, comparison=comparison, **{**defaults, **facts})


def test_a_row_says_everything_about_its_vote() -> None:
    study = make_study(1, arms=("robust", "vanilla"))
    rater, comparison = make_rater(study), study.comparisons.get()
    trial = show(rater, comparison, position=7, swapped=True, propensity=0.3)
    Vote.objects.create(
        trial=trial,
        choice="left",
        strength=2,
        reason="sharper",
        response_ms=1500,
        hidden_ms=200,
        zoom_ms=300,
        pressed_with="touch",
        created_at=THEN,
    )
    (answer,) = answers(study)
    batch = study.batches.get()
    assert answer == Answer(
        row=1,
        pair_id=comparison.pair_id,
        group_id=f"{batch.pk}/0/0",
        kind="normal",
        repeat_no=0,
        rater=rater.code.hex,
        position=7,
        question="preference",
        choice="left",
        outcome="vanilla",
        expected=None,
        left_arm="vanilla",
        right_arm="robust",
        strength=2,
        reason="sharper",
        response_ms=1500,
        hidden_ms=200,
        zoom_ms=300,
        pressed_with="touch",
        counts=True,
        replaces=None,
        late=False,
        propensity=0.3,
        leased_at=THEN,
        voted_at=THEN,
        seed=0,
        class_label="golf ball",
        batch="a batch",
    )


def test_what_is_not_known_is_none() -> None:
    study = make_study(1)
    Vote.objects.create(trial=show(make_rater(study), study.comparisons.get()), choice="same")
    (answer,) = answers(study)
    unknown = {name for name, value in answer._asdict().items() if value is None}
    assert unknown == {
        "expected",
        "strength",
        "response_ms",
        "hidden_ms",
        "zoom_ms",
        "pressed_with",
        "replaces",
        "propensity",
    }
    assert answer.outcome == "same"


@pytest.mark.parametrize(
    ("choice", "swapped", "outcome"),
    [
        ("left", False, "robust"),
        ("left", True, "vanilla"),
        ("right", False, "vanilla"),
        ("right", True, "robust"),
        ("same", True, "same"),
    ],
)
def test_the_outcome_is_the_arm_behind_the_button(choice: str, swapped: bool, outcome: str) -> None:
    study = make_study(1)
    Vote.objects.create(trial=show(make_rater(study), study.comparisons.get(), swapped=swapped), choice=choice)
    (answer,) = answers(study)
    assert answer.outcome == outcome


def test_a_vote_that_was_taken_back_stays_and_its_successors_name_it() -> None:
    study = make_study(2)
    rater = make_rater(study)
    first, other = (show(rater, comparison) for comparison in study.comparisons.all())
    opening = Vote.objects.create(trial=first, choice="left")
    Vote.objects.create(trial=other, choice="right")
    second = Vote.objects.create(trial=first, choice="right", replaces=opening)
    Vote.objects.create(trial=first, choice="same", replaces=second)
    log = list(answers(study))
    assert [(a.row, a.choice, a.counts, a.replaces) for a in log] == [
        (1, "left", False, None),
        (2, "right", True, None),
        (3, "right", False, 1),
        (4, "same", True, 3),
    ]


def check_of(study: Study, kind: str, *, expected: str) -> Comparison:
    first, second = study.comparisons.normal().order_by("pk")[:2]
    image_b = first.image_a if kind == "identical" else second.image_a
    return Comparison.objects.create(
        study=study, kind=kind, position=0, pair_id=kind, image_a=first.image_a, image_b=image_b, expected=expected
    )


@pytest.mark.parametrize(
    ("kind", "trial_kind", "expected", "swapped", "button"),
    [
        ("gold", "gold", "a", False, "left"),
        ("gold", "gold", "a", True, "right"),
        ("gold", "gold", "b", True, "left"),
        ("identical", "gold", "tie", True, "same"),
        ("practice", "practice", "b", False, "right"),
    ],
)
def test_checks_and_practice_say_their_kind_and_the_right_button(
    kind: str, trial_kind: str, expected: str, swapped: bool, button: str
) -> None:
    study = make_study(2)
    trial = show(make_rater(study), check_of(study, kind, expected=expected), kind=trial_kind, swapped=swapped)
    Vote.objects.create(trial=trial, choice="left")
    (answer,) = answers(study)
    assert (answer.kind, answer.expected, answer.group_id) == (kind, button, f"gold {kind}")


def test_repeats_and_further_questions_are_told_apart() -> None:
    study = make_study(1)
    rater, comparison = make_rater(study), study.comparisons.get()
    Vote.objects.create(trial=show(rater, comparison), choice="left")
    again = show(rater, comparison, kind="repeat", repeat_no=1, swapped=True)
    Vote.objects.create(trial=again, choice="right")
    Vote.objects.create(trial=again, choice="same", question="alignment")
    log = [(answer.kind, answer.repeat_no, answer.question, answer.expected) for answer in answers(study)]
    assert log == [
        ("normal", 0, "preference", None),
        ("repeat", 1, "preference", None),
        ("repeat", 1, "alignment", None),
    ]


def test_a_vote_after_its_lease_is_late() -> None:
    study = make_study(1)
    Vote.objects.create(trial=show(make_rater(study), study.comparisons.get(), lapsed_at=THEN), choice="left")
    (answer,) = answers(study)
    assert answer.late


def test_raters_bear_the_names_of_other_exports_and_never_a_platforms() -> None:
    study = make_study(2)
    person = Rater.objects.create(study=study, platform="prolific", platform_id="5f00secret", person_hash="ab" * 32)
    imported = Rater.objects.create(study=study, external_id="rater 7")
    for rater, comparison in zip((person, imported), study.comparisons.all(), strict=True):
        Vote.objects.create(trial=show(rater, comparison), choice="left")
    log = list(answers(study))
    assert [answer.rater for answer in log] == [person.code.hex, "rater 7"]
    assert "5f00secret" not in repr(log)


def test_a_log_holds_its_own_study_only_in_order_of_arrival() -> None:
    study, other = make_study(4), make_study(4)
    for rater in (make_rater(study), make_rater(other), make_rater(study)):
        rate(rater)
    log = list(answers(study))
    assert len(log) == 8
    assert [answer.row for answer in log] == list(range(1, 9))
    assert [answer.voted_at for answer in log] == sorted(answer.voted_at for answer in log)
    assert {answer.pair_id for answer in log} == set(study.comparisons.values_list("pair_id", flat=True))


def test_what_a_withdrawn_rater_said_is_not_in_the_log() -> None:
    study = make_study(3)
    leaving, staying = make_rater(study), make_rater(study)
    rate(leaving)
    rate(staying)
    withdraw(leaving)
    assert {answer.rater for answer in answers(study)} == {staying.code.hex}


def test_a_study_without_votes_has_an_empty_log() -> None:
    assert list(answers(make_study(1))) == []


@pytest.mark.parametrize("n_pairs", [2, 12])
def test_a_log_takes_the_same_queries_for_any_number_of_votes(
    n_pairs: int, django_assert_num_queries: Callable[[int], object]
) -> None:
    study = make_study(n_pairs)
    rate(make_rater(study))
    rate(make_rater(study))
    with django_assert_num_queries(7):
        assert len(list(answers(study))) == 2 * n_pairs


def test_every_column_has_a_meaning_and_the_documentation_says_it() -> None:
    assert tuple(MEANINGS) == Answer._fields
    page = (Path(__file__).parents[2] / "docs" / "answers.md").read_text()
    for column, meaning in MEANINGS.items():
        assert f"| `{column}` | {meaning} |" in page
