"""What comes with a vote, what is refused and keeps nothing, and how the last answer is taken back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from survey_site.models import Comparison, Rater, Trial, Vote
from survey_site.studies import StudyClosed, close_study
from survey_site.voting.trials import (
    AlreadyVoted,
    InvalidVote,
    KeyReused,
    NotTakenBack,
    Sent,
    UnknownTrial,
    VoteDetails,
    cast_vote,
    lease_trials,
    queue_of,
    record_vote,
)
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

TWO_QUESTIONS = {"page": {"questions": [{"key": "alignment", "text": "Which fits better?"}]}}
BACK = VoteDetails(takes_back=True)


def first_trial(rater: Rater) -> Trial:
    return lease_trials(rater).trials[0]


def counters() -> list[tuple[int, ...]]:
    return list(Comparison.objects.order_by("pk").values_list("n_votes", "n_open", "n_a_left", "n_a_right"))


# --- what a vote carries ---


def test_everything_a_page_measures_is_stored() -> None:
    trial = first_trial(make_rater(make_study(3, design={"page": {"strength": True, "reason": True}})))
    details = VoteDetails(strength=2, reason="sharper", hidden_ms=40, zoom_ms=900, pressed_with="touch")
    record_vote(trial, "left", response_ms=1500, details=details)
    vote = Vote.objects.get()
    assert (vote.strength, vote.reason, vote.response_ms) == (2, "sharper", 1500)
    assert (vote.hidden_ms, vote.zoom_ms, vote.pressed_with) == (40, 900, "touch")


def test_several_questions_are_answered_at_once_with_one_vote_each() -> None:
    rater = make_rater(make_study(3, design=TWO_QUESTIONS))
    trial = first_trial(rater)
    record_vote(trial, "left", key=uuid4(), details=VoteDetails(others={"alignment": "same"}))
    assert dict(Vote.objects.values_list("question", "choice")) == {"preference": "left", "alignment": "same"}
    assert queue_of(rater).n_votes == 1
    assert Comparison.objects.get(pk=trial.comparison_id).n_votes == 1
    assert not Comparison.objects.miscounted().exists()


@pytest.mark.parametrize(
    ("page", "choice", "details", "sentence"),
    [
        (TWO_QUESTIONS["page"], "left", VoteDetails(), "no answer yet"),
        (TWO_QUESTIONS["page"], "left", VoteDetails(others={"alignment": "both"}), "none of left, same and right"),
        (TWO_QUESTIONS["page"], "left", VoteDetails(others={"alignment": "left", "x": "left"}), "does not ask"),
        ({}, "left", VoteDetails(others={"alignment": "left"}), "does not ask"),
        ({}, "both", VoteDetails(), "none of left, same and right"),
        ({}, "left", VoteDetails(strength=1), "does not ask how clear"),
        ({"strength": True}, "same", VoteDetails(strength=1), "Choose a side"),
        ({"strength": True}, "left", VoteDetails(strength=3), "neither slightly nor much"),
        ({}, "left", VoteDetails(reason="because"), "does not ask for a reason"),
        ({"reason": True}, "left", VoteDetails(reason="x" * 501), "Shorten it to 500 letters"),
    ],
)
def test_what_the_study_does_not_ask_is_refused_and_keeps_nothing(
    page: dict[str, object], choice: str, details: VoteDetails, sentence: str
) -> None:
    trial = first_trial(make_rater(make_study(4, design={"page": page})))
    before = counters()
    with pytest.raises(InvalidVote, match=sentence):
        record_vote(trial, choice, key=uuid4(), details=details)
    assert not Vote.objects.exists()
    assert counters() == before
    assert Trial.objects.count() == 3


def test_a_reason_and_a_strength_may_be_left_out() -> None:
    trial = first_trial(make_rater(make_study(3, design={"page": {"strength": True, "reason": True}})))
    assert record_vote(trial, "left").strength is None


def test_a_late_vote_is_told_apart() -> None:
    study = make_study(2, votes_wanted=1)
    late, other = make_rater(study), make_rater(study)
    trial, in_time = lease_trials(late).trials
    record_vote(in_time, "left")
    Trial.objects.filter(pk=trial.pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    taken = lease_trials(other).trials
    assert [row.comparison for row in taken] == [trial.comparison]
    vote = record_vote(trial, "right")
    assert list(Vote.objects.late()) == [vote]
    # Revived leases are in time again.
    assert not Vote.objects.late().filter(trial=in_time).exists()


# --- taking back ---


def test_the_last_answer_can_be_taken_back_and_the_first_stays_on_record() -> None:
    rater = make_rater(make_study(5))
    trial = first_trial(rater)
    first = record_vote(trial, "left", key=uuid4())
    before = counters()
    second = record_vote(trial, "right", key=uuid4(), details=BACK)
    third = record_vote(trial, "same", key=uuid4(), details=BACK)
    assert [vote.replaces for vote in Vote.objects.order_by("pk")] == [None, first, second]
    assert list(Vote.objects.standing()) == [third]
    assert counters() == before
    queue = queue_of(rater)
    assert (queue.n_votes, queue.last, queue.last_choice) == (1, trial, "same")


def test_taking_back_is_idempotent_by_its_key() -> None:
    trial = first_trial(make_rater(make_study(5)))
    first_key, second_key = uuid4(), uuid4()
    record_vote(trial, "left", key=first_key)
    second = record_vote(trial, "right", key=second_key, details=BACK)
    assert record_vote(trial, "right", key=second_key, details=BACK) == second
    # The first sending of the first answer, delivered late, changes nothing either.
    assert record_vote(trial, "left", key=first_key) == second
    assert Vote.objects.count() == 2


def test_the_same_answer_given_again_on_purpose_is_on_record_too() -> None:
    trial = first_trial(make_rater(make_study(5)))
    record_vote(trial, "left", key=uuid4())
    record_vote(trial, "left", key=uuid4(), response_ms=9000, details=BACK)
    assert Vote.objects.standing().get().response_ms == 9000
    assert Vote.objects.count() == 2


def test_an_answer_before_the_last_stands() -> None:
    older, newer, _ = lease_trials(make_rater(make_study(5))).trials
    record_vote(older, "left", key=uuid4())
    record_vote(newer, "left", key=uuid4())
    with pytest.raises(NotTakenBack, match="Only the last answer"):
        record_vote(older, "right", key=uuid4(), details=BACK)
    assert Vote.objects.count() == 2


def test_the_last_answer_is_the_last_given_not_the_last_shown() -> None:
    rater = make_rater(make_study(5))
    first, second, _ = lease_trials(rater).trials
    record_vote(second, "left", key=uuid4())
    record_vote(first, "left", key=uuid4())
    assert queue_of(rater).last == first
    record_vote(first, "right", key=uuid4(), details=BACK)
    assert queue_of(rater).last == first


def test_a_study_may_keep_first_answers() -> None:
    rater = make_rater(make_study(5, design={"page": {"takes_back": False}}))
    trial = first_trial(rater)
    record_vote(trial, "left", key=uuid4())
    assert queue_of(rater).last is None
    with pytest.raises(NotTakenBack):
        record_vote(trial, "right", key=uuid4(), details=BACK)
    assert Vote.objects.get().choice == "left"


def test_practice_is_not_taken_back() -> None:
    rater = make_rater(make_study(8, design={"welcome": {"practice": 2}}))
    Rater.objects.update(instructed_at=timezone.now())
    trial = first_trial(Rater.objects.get())
    record_vote(trial, "left", key=uuid4())
    assert queue_of(rater).last is None
    with pytest.raises(NotTakenBack):
        record_vote(trial, "right", key=uuid4(), details=BACK)


def test_the_very_last_answer_can_be_taken_back_until_the_study_closes() -> None:
    study = make_study(2)
    rater = make_rater(study)
    rate(rater)
    last = queue_of(rater).last
    assert last is not None
    record_vote(last, "right", key=uuid4(), details=BACK)
    close_study(study)
    with pytest.raises(StudyClosed):
        record_vote(last, "same", key=uuid4(), details=BACK)
    assert Vote.objects.standing().get(trial=last).choice == "right"


def test_all_questions_are_taken_back_together() -> None:
    trial = first_trial(make_rater(make_study(3, design=TWO_QUESTIONS)))
    record_vote(trial, "left", key=uuid4(), details=VoteDetails(others={"alignment": "left"}))
    again = VoteDetails(others={"alignment": "right"}, takes_back=True)
    record_vote(trial, "left", key=uuid4(), details=again)
    standing = dict(Vote.objects.standing().values_list("question", "choice"))
    assert standing == {"preference": "left", "alignment": "right"}
    assert Vote.objects.filter(replaces__isnull=False).count() == 2
    with pytest.raises(InvalidVote, match="no answer yet"):
        record_vote(trial, "right", key=uuid4(), details=BACK)


def test_whatever_is_not_said_to_take_back_is_refused_as_a_second_opinion() -> None:
    trial = first_trial(make_rater(make_study(3)))
    record_vote(trial, "left", key=uuid4())
    with pytest.raises(AlreadyVoted):
        record_vote(trial, "right", key=uuid4())


# --- whose trial it is ---


def test_nobody_votes_for_another_rater() -> None:
    study = make_study(5)
    owner, other = make_rater(study), make_rater(study)
    trial = first_trial(owner)
    for codes in ([], [other.code]):
        with pytest.raises(UnknownTrial, match="not one of yours"):
            cast_vote(trial.code, Sent("left"), raters=codes)
    with pytest.raises(UnknownTrial, match="not one of yours"):
        cast_vote(uuid4(), Sent("left"), raters=[owner.code])
    assert not Vote.objects.exists()


def test_a_key_of_another_rater_keeps_nothing() -> None:
    study = make_study(5)
    key = uuid4()
    record_vote(first_trial(make_rater(study)), "left", key=key)
    before = counters()
    trial = first_trial(make_rater(study))
    held = counters()
    with pytest.raises(KeyReused):
        record_vote(trial, "left", key=key)
    assert counters() == held != before
    assert Vote.objects.count() == 1
