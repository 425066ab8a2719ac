import pytest

from survey_site.design.designs import Ending, Entry, Outcome
from survey_site.entrance.platforms import (
    MTURK_PREVIEW,
    Completion,
    MissingPerson,
    Person,
    PostedForm,
    PreviewOnly,
    completion,
    parameters_of,
    person_of,
)

ENDINGS = {
    Outcome.COMPLETE: Ending(code="C0DE1"),
    Outcome.SCREENED_OUT: Ending(code="C0DE2", url="https://panel.example/out?c={code}"),
}
PROLIFIC = Entry(way="platform", platform="prolific", endings=ENDINGS)
MTURK = Entry(way="platform", platform="mturk", endings=ENDINGS)
CONNECT = Entry(way="platform", platform="connect", endings=ENDINGS)
OTHER = Entry(way="platform", platform="other", person_parameter="pid", submission_parameter="run", endings=ENDINGS)
AT_WORK = {"workerId": "A1", "assignmentId": "3X", "hitId": "H", "turkSubmitTo": "https://www.mturk.com"}


@pytest.mark.parametrize(
    ("entry", "parameters", "person"),
    [
        (
            PROLIFIC,
            {"PROLIFIC_PID": "5f0c1e", "STUDY_ID": "s1", "SESSION_ID": "e9"},
            Person("prolific", "5f0c1e", submission_id="e9"),
        ),
        (MTURK, AT_WORK, Person("mturk", "A1", submission_id="3X")),
        (
            CONNECT,
            {"participantId": "P", "assignmentId": "Q", "projectId": "R"},
            Person("connect", "P", submission_id="Q"),
        ),
        (OTHER, {"pid": "me@lab.example", "run": "7"}, Person("other", "me@lab.example", submission_id="7")),
        (PROLIFIC, {"PROLIFIC_PID": "5f0c1e"}, Person("prolific", "5f0c1e")),
    ],
)
def test_each_platform_s_parameters_say_who_comes(entry: Entry, parameters: dict[str, str], person: Person) -> None:
    assert person_of(parameters, entry) == person
    assert set(parameters) <= set(parameters_of(entry))


def test_a_platform_without_a_submission_has_one_parameter_to_carry() -> None:
    entry = Entry(way="platform", platform="other", person_parameter="pid")
    assert parameters_of(entry) == ("pid",)
    assert person_of({"pid": "7", "": "nobody"}, entry) == Person("other", "7")


def test_a_look_at_the_task_on_mturk_is_no_entry() -> None:
    with pytest.raises(PreviewOnly, match="Accept the HIT"):
        person_of({"assignmentId": MTURK_PREVIEW, "hitId": "H"}, MTURK)


def test_a_link_without_the_person_names_what_it_lacks() -> None:
    with pytest.raises(MissingPerson, match="lacks PROLIFIC_PID"):
        person_of({"SESSION_ID": "e9"}, PROLIFIC)


@pytest.mark.parametrize("said", ["{{%PROLIFIC_PID%}}", "a b", "x" * 201, "é", "a\n", "<script>"])
def test_what_is_no_id_is_refused_in_one_sentence(said: str) -> None:
    with pytest.raises(MissingPerson, match="PROLIFIC_PID in your link is no id"):
        person_of({"PROLIFIC_PID": said}, PROLIFIC)
    with pytest.raises(MissingPerson, match="SESSION_ID in your link is no id"):
        person_of({"PROLIFIC_PID": "fine", "SESSION_ID": said}, PROLIFIC)


def test_prolific_s_raters_go_back_with_the_code_of_their_outcome() -> None:
    done = completion(PROLIFIC, Outcome.COMPLETE, parameters={})
    assert done == Completion("C0DE1", url="https://app.prolific.com/submissions/complete?cc=C0DE1")


def test_the_study_s_own_address_goes_first_and_carries_the_code() -> None:
    done = completion(PROLIFIC, Outcome.SCREENED_OUT, parameters={})
    assert done == Completion("C0DE2", url="https://panel.example/out?c=C0DE2")


@pytest.mark.parametrize("entry", [PROLIFIC, MTURK, CONNECT, OTHER])
def test_an_outcome_without_an_ending_gives_nothing(entry: Entry) -> None:
    assert completion(entry, Outcome.QUOTA_FULL, parameters=AT_WORK) == Completion()


def test_mturk_learns_of_the_end_by_a_form_that_the_worker_s_browser_posts() -> None:
    done = completion(MTURK, Outcome.COMPLETE, parameters=AT_WORK)
    fields = (("assignmentId", "3X"), ("code", "C0DE1"))
    assert done.form == PostedForm("https://www.mturk.com/mturk/externalSubmit", fields=fields)


def test_a_screened_out_worker_submits_only_where_the_study_has_an_ending_for_it() -> None:
    assert completion(MTURK, Outcome.SCREENED_OUT, parameters=AT_WORK).form is not None
    assert completion(MTURK, Outcome.NO_CONSENT, parameters=AT_WORK).form is None


def test_a_study_without_endings_still_hands_a_finished_hit_in() -> None:
    done = completion(Entry(way="platform", platform="mturk"), Outcome.COMPLETE, parameters=AT_WORK)
    assert done.form is not None
    assert dict(done.form.fields) == {"assignmentId": "3X", "code": "complete"}


@pytest.mark.parametrize(
    "submit_to",
    [
        "",
        "https://evil.example",
        "http://www.mturk.com",
        "https://www.mturk.com.evil.example",
        "https://www.mturk.com@evil.example",
        "https://evilwww.mturk.com",
        "https://evil@www.mturk.com",
        "https://www.mturk.com:8443",
        "https://evil.example/www.mturk.com",
        "javascript:alert(1)",
        "https://[",
    ],
)
def test_no_other_site_than_amazon_s_is_posted_to(submit_to: str) -> None:
    assert completion(MTURK, Outcome.COMPLETE, parameters={**AT_WORK, "turkSubmitTo": submit_to}).form is None


@pytest.mark.parametrize("assignment", ["", MTURK_PREVIEW, "<b>"])
def test_a_hit_that_nobody_accepted_is_not_handed_in(assignment: str) -> None:
    assert completion(MTURK, Outcome.COMPLETE, parameters={**AT_WORK, "assignmentId": assignment}).form is None
