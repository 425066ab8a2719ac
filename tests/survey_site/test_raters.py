"""Raters enter once a person, pass what comes before the first pair in order, and end once."""

import pytest
from pytest_django import DjangoAssertNumQueries

from survey_site.consents import accept_consent
from survey_site.design.designs import Outcome
from survey_site.entrance.invitations import create_invitations
from survey_site.entrance.platforms import Person
from survey_site.entrance.raters import (
    NotYetRating,
    Step,
    answer_questionnaire,
    end_rater,
    enter_study,
    finish_instructions,
    may_try_again,
    next_step,
    person_hash,
    require_rating,
    resume_rater,
    submission_hash,
)
from survey_site.models import Answer, Rater, Study
from survey_site.studies import StudyClosed, StudyPaused, close_study, pause_study
from survey_site.voting.trials import lease_trials
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

ANNA = Person("prolific", "5f1a", submission_id="s1")
BEN = Person("prolific", "77c0", submission_id="s2")
AGE = {"key": "age", "text": "How old are you?", "options": [{"text": "young", "screens_out": True}, {"text": "old"}]}
SIGHT = {"key": "sight", "text": "Do you see well?", "options": [{"text": "yes", "quota": 1}, {"text": "no"}]}
NOTE = {"key": "note", "text": "Anything else?", "required": False}
PROLIFIC = {"way": "platform", "platform": "prolific"}


def study_asking(*items: dict[str, object]) -> Study:
    return make_study(2, design={"welcome": {"questionnaire": items}})


def study_for(n_raters: int) -> Study:
    return make_study(2, design={"entry": {"raters_wanted": n_raters}})


# --- entering ---


def test_a_rater_gets_a_withdrawal_code_of_twelve_clear_letters() -> None:
    first, second = (make_rater(study) for study in [make_study(2)] * 2)
    assert len(first.withdrawal_code) == 12
    assert first.withdrawal_code != second.withdrawal_code
    assert not set(first.withdrawal_code) & set("ilo01")


def test_a_person_who_comes_back_is_the_same_rater() -> None:
    study = make_study(2, design={"entry": PROLIFIC})
    rater = enter_study(study, person=ANNA)
    assert enter_study(study, person=ANNA) == rater
    assert enter_study(study, person=BEN) != rater
    assert study.raters.count() == 2


def test_a_plain_platform_id_is_kept_only_where_the_study_says_so() -> None:
    hidden = enter_study(make_study(2, design={"entry": PROLIFIC}), person=ANNA)
    plain = enter_study(make_study(2, design={"entry": {**PROLIFIC, "keeps_platform_ids": True}}), person=ANNA)
    assert (hidden.platform, hidden.platform_id) == ("prolific", "")
    assert plain.platform_id == "5f1a"
    stored = [str(value) for value in Rater.objects.filter(pk=hidden.pk).values_list()[0]]
    assert not [value for value in stored if "5f1a" in value or value == "s1"]


def test_hashes_differ_from_study_to_study_and_from_purpose_to_purpose() -> None:
    here, there = make_study(2), make_study(2)
    same = Person("prolific", "x", submission_id="x")
    hashes = {person_hash(here, same), person_hash(there, same), submission_hash(here, same)}
    assert len(hashes) == 3
    assert person_hash(here, same) == person_hash(here, Person("prolific", "x"))
    assert person_hash(here, same) != person_hash(here, Person("connect", "x"))
    assert submission_hash(here, Person("prolific", "x")) == ""


def test_a_new_submission_of_the_same_person_takes_the_place_of_the_earlier_one() -> None:
    study = make_study(2, design={"entry": PROLIFIC})
    enter_study(study, person=ANNA)
    again = Person("prolific", ANNA.person_id, submission_id="s9")
    assert enter_study(study, person=again).submission_hash == submission_hash(study, again)
    assert study.raters.get().submission_hash == submission_hash(study, again)


def test_an_invitation_makes_one_rater_and_gives_the_same_one_back() -> None:
    study = make_study(2, design={"entry": {"way": "invited"}})
    first, second = create_invitations(study, 2)
    rater = enter_study(study, invitation=first)
    assert enter_study(study, invitation=first) == rater
    assert enter_study(study, invitation=second) != rater
    assert study.raters.count() == 2


@pytest.mark.parametrize(("act", "refusal"), [(pause_study, StudyPaused), (close_study, StudyClosed)])
def test_nobody_new_enters_a_study_that_is_not_open_but_the_known_find_their_ending(
    act: object, refusal: type[StudyClosed]
) -> None:
    assert callable(act)
    study = make_study(2, design={"entry": PROLIFIC})
    known = end_rater(enter_study(study, person=ANNA), Outcome.SCREENED_OUT)
    act(study)
    assert enter_study(study, person=ANNA) == known
    with pytest.raises(refusal):
        enter_study(study, person=BEN)


# --- places ---


def test_when_all_places_are_taken_the_next_rater_ends_at_once() -> None:
    study = study_for(2)
    assert [make_rater(study).outcome for _ in range(3)] == ["", "", "quota_full"]


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.COMPLETE])
def test_a_rater_who_ends_without_completing_gives_the_place_back(outcome: Outcome) -> None:
    study = study_for(1)
    end_rater(make_rater(study), outcome)
    assert make_rater(study).outcome == ""


def test_a_rater_who_completed_keeps_the_place() -> None:
    study = study_for(1)
    end_rater(make_rater(study), Outcome.COMPLETE)
    assert make_rater(study).outcome == "quota_full"


def test_a_rater_who_came_too_early_gets_a_place_that_became_free() -> None:
    study = study_for(1)
    first, turned_away = make_rater(study), make_rater(study)
    assert resume_rater(turned_away).outcome == "quota_full"
    end_rater(first, Outcome.RETURNED)
    assert resume_rater(turned_away).outcome == ""
    assert next_step(Rater.objects.get(pk=turned_away.pk)) is Step.RATE


def test_a_study_that_has_all_its_votes_takes_nobody_else() -> None:
    study = make_study(2, votes_wanted=1)
    rater = make_rater(study)
    lease_trials(rater)
    assert make_rater(study).outcome == "", "what another rater holds may come back"
    rate(rater)
    assert make_rater(study).outcome == "quota_full"


# --- steps ---


def test_the_default_study_leads_straight_to_the_pairs(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    rater = make_rater(make_study(2))
    with django_assert_num_queries(0):
        assert next_step(rater) is Step.RATE
        require_rating(rater)


def test_the_steps_come_in_their_order_and_each_once() -> None:
    welcome = {"consent": "May we?", "questionnaire": [NOTE], "instructions": "Look."}
    rater = make_rater(make_study(2, design={"welcome": welcome}))
    passes = {
        Step.CONSENT: lambda rater: accept_consent(rater, version=1),
        Step.QUESTIONNAIRE: lambda rater: answer_questionnaire(rater, {}),
        Step.INSTRUCTIONS: finish_instructions,
    }
    for step, act in passes.items():
        assert next_step(rater) is step
        with pytest.raises(NotYetRating):
            require_rating(rater)
        rater = act(rater)
    assert next_step(rater) is Step.RATE
    require_rating(rater)
    before = rater.instructed_at
    assert finish_instructions(rater).instructed_at == before


def test_practice_alone_has_a_page_of_instructions() -> None:
    rater = make_rater(make_study(8, design={"welcome": {"practice": 1}}))
    assert next_step(rater) is Step.INSTRUCTIONS


def test_raters_out_of_a_table_and_programs_have_nothing_to_read() -> None:
    rater = make_rater(make_study(2, design={"welcome": {"consent": "May we?", "instructions": "Look."}}))
    rater.external_id = "simulated-001"
    assert next_step(rater) is Step.RATE


def test_leaving_the_instructions_before_it_is_their_turn_changes_nothing() -> None:
    rater = make_rater(make_study(2, design={"welcome": {"consent": "May we?", "instructions": "Look."}}))
    assert next_step(finish_instructions(rater)) is Step.CONSENT
    assert Rater.objects.get().instructed_at is None


# --- the questionnaire ---


def test_answers_are_stored_once_and_the_first_ones_count() -> None:
    rater = make_rater(study_asking(AGE, NOTE))
    answer_questionnaire(rater, {"age": "old", "note": ""})
    answer_questionnaire(rater, {"age": "young", "note": "Hello"})
    assert list(Answer.objects.values_list("item", "text")) == [("age", "old"), ("note", "")]
    assert next_step(rater) is Step.RATE


def test_an_answer_that_screens_out_ends_the_rater_and_is_stored() -> None:
    rater = answer_questionnaire(make_rater(study_asking(AGE)), {"age": "young"})
    assert rater.outcome == "screened_out"
    assert rater.ended_at is not None
    assert Answer.objects.get().text == "young"
    assert not may_try_again(rater)
    assert resume_rater(rater).outcome == "screened_out"


def test_an_answer_whose_quota_is_full_ends_the_rater_and_others_go_on() -> None:
    study = study_asking(SIGHT)
    raters = [answer_questionnaire(make_rater(study), {"sight": said}) for said in ("yes", "yes", "no")]
    assert [rater.outcome for rater in raters] == ["", "quota_full", ""]
    assert not may_try_again(raters[1]), "another answer would let the rater in"


def test_a_rater_who_ends_makes_room_in_the_quota_of_an_answer() -> None:
    study = study_asking(SIGHT)
    end_rater(answer_questionnaire(make_rater(study), {"sight": "yes"}), Outcome.TIMED_OUT)
    assert answer_questionnaire(make_rater(study), {"sight": "yes"}).outcome == ""


def test_screening_out_goes_before_a_full_quota() -> None:
    study = study_asking(SIGHT, AGE)
    answer_questionnaire(make_rater(study), {"sight": "yes", "age": "old"})
    both = answer_questionnaire(make_rater(study), {"sight": "yes", "age": "young"})
    assert both.outcome == "screened_out"


# --- endings ---


def test_the_first_ending_counts() -> None:
    rater = end_rater(make_rater(make_study(2)), Outcome.COMPLETE)
    assert end_rater(rater, Outcome.RETURNED).outcome == "complete"
    assert Rater.objects.get().ended_at == rater.ended_at
    assert next_step(rater) is Step.ENDED
    require_rating(rater)


def test_a_rater_who_did_not_agree_may_come_back_and_read_again() -> None:
    study = make_study(2, design={"entry": PROLIFIC, "welcome": {"consent": "May we?"}})
    end_rater(enter_study(study, person=ANNA), Outcome.NO_CONSENT)
    back = enter_study(study, person=ANNA)
    assert (back.outcome, back.ended_at, next_step(back)) == ("", None, Step.CONSENT)


@pytest.mark.parametrize("outcome", [Outcome.RETURNED, Outcome.TIMED_OUT])
def test_a_rater_whom_the_platform_took_out_comes_back_only_with_a_new_submission(outcome: Outcome) -> None:
    study = make_study(2, design={"entry": PROLIFIC})
    rater = end_rater(enter_study(study, person=ANNA), outcome)
    assert enter_study(study, person=ANNA).outcome == outcome
    back = enter_study(study, person=Person("prolific", ANNA.person_id, submission_id="s9"))
    assert (back.pk, back.outcome) == (rater.pk, "")


@pytest.mark.parametrize("outcome", [Outcome.COMPLETE, Outcome.SCREENED_OUT])
def test_a_new_submission_reopens_no_other_ending(outcome: Outcome) -> None:
    study = make_study(2, design={"entry": PROLIFIC})
    end_rater(enter_study(study, person=ANNA), outcome)
    back = enter_study(study, person=Person("prolific", ANNA.person_id, submission_id="s9"))
    assert back.outcome == outcome
    assert back.submission_hash == submission_hash(study, ANNA)
