"""Everything between a link and the first pair, and between the last pair and the way home, without JavaScript."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from survey_site.consents import add_version
from survey_site.design.designs import Outcome
from survey_site.entrance.invitations import as_spoken, create_invitations
from survey_site.entrance.raters import end_rater
from survey_site.models import Answer, Rater, Study, Trial
from survey_site.studies import close_study, pause_study
from survey_site.voting.withdrawals import withdraw
from tests.factories import make_rater, make_study, make_study_with_files, rate

pytestmark = pytest.mark.django_db

AGE = {
    "key": "age",
    "text": "How old are you?",
    "options": [{"text": "under 18", "screens_out": True}, {"text": "18 or older"}],
}
SIGHT = {"key": "sight", "text": "Do you see well?", "options": [{"text": "yes", "quota": 1}, {"text": "no"}]}
NOTE = {"key": "note", "text": "Anything else?", "required": False}
ALL_STEPS = {"consent": "May we?", "questionnaire": [AGE, NOTE], "instructions": "Look twice.", "thanks": "Come again."}
ENDINGS = {outcome.value: {"code": f"CODE-{outcome.value}"} for outcome in Outcome}
PROLIFIC = {"way": "platform", "platform": "prolific", "endings": ENDINGS}
LINK = {"PROLIFIC_PID": "5f1a", "SESSION_ID": "s1", "STUDY_ID": "x"}
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


class Visit:
    """A browser that presses what a page shows."""

    def __init__(self, study: Study, **link: str) -> None:
        self.study, self.link = study, link
        self.browser = Client()

    def open(self, name: str = "rate") -> str:
        """Open a page by its name, and follow where it leads."""
        response = self.browser.get(reverse(name, args=[self.study.slug]), self.link, follow=True)
        return self._seen(response)

    def press(self, name: str, **fields: str) -> str:
        """Send a page's form with the fields that it hides, and follow where it leads."""
        response = self.browser.post(reverse(name, args=[self.study.slug]), {**self.hidden, **fields}, follow=True)
        return self._seen(response)

    def start(self, **fields: str) -> str:
        self.open()
        return self.press("rate-enter", **fields)

    def rater(self) -> Rater:
        return self.study.raters.order_by("-pk")[0]

    def _seen(self, response: Any) -> str:
        self.status = response.status_code
        self.path = response.redirect_chain[-1][0] if response.redirect_chain else response.request["PATH_INFO"]
        self.page = response.content.decode()
        self.hidden = dict(FIELD.findall(self.page))
        return self.page

    def is_at(self, name: str) -> bool:
        return self.path == reverse(name, args=[self.study.slug])


def whole_way(**design: object) -> Study:
    return make_study(3, design={"welcome": ALL_STEPS, **design})


# --- the first page ---


def test_the_first_page_says_what_how_many_how_long_and_what_is_kept() -> None:
    visit = Visit(make_study(100))
    page = visit.open()
    assert visit.study.question in page
    assert "<b>100 pairs</b>" in page
    assert "about <b>10 minutes</b>" in page
    assert "You stay anonymous" in page
    assert "cookie" in page


def test_the_time_told_is_that_of_the_raters_before() -> None:
    visit = Visit(make_study(30))
    for _ in range(2):
        rate(make_rater(visit.study))  # a second a pair, and one besides
    assert "about <b>1 minute</b>" in visit.open()


def test_a_rater_is_told_the_own_share_of_the_pairs_and_that_it_may_be_less() -> None:
    page = Visit(make_study(30, votes_wanted=2, design={"order": {"trials_per_rater": 7}})).open()
    assert "<b>7 pairs</b> or fewer" in page


def test_pressing_start_twice_on_one_page_makes_one_rater() -> None:
    study = make_study(2)
    visit, twin = Visit(study), Visit(study)
    visit.open()
    twin.hidden = visit.hidden
    visit.press("rate-enter")
    twin.press("rate-enter")
    assert Rater.objects.count() == 1


def test_a_form_with_the_hidden_field_filled_in_lets_nobody_in() -> None:
    visit = Visit(make_study(2))
    page = visit.start(remark="buy now")
    assert visit.status == 400
    assert "press the button only" in page
    assert not Rater.objects.exists()


# --- the steps ---


def test_the_whole_way_leads_through_every_step_to_the_first_pair() -> None:
    visit = Visit(whole_way())
    assert "May we?" in visit.start()
    assert visit.is_at("rate-consent")
    assert "How old are you?" in visit.press("rate-consent", agrees="yes")
    assert "Look twice." in visit.press("rate-questionnaire", **{"answer-age": "18 or older", "answer-note": " hello "})
    assert not Trial.objects.exists(), "nothing is leased before it can be answered"
    assert "Pair 1 of 3" in visit.press("rate-instructions")
    rater = Rater.objects.get()
    assert rater.consent is not None
    assert rater.consent.text == "May we?"
    assert dict(Answer.objects.values_list("item", "text")) == {"age": "18 or older", "note": "hello"}
    assert rater.instructed_at is not None


STEPS = ("rate-consent", "rate-questionnaire", "rate-instructions", "rate-trial")
ANSWERS: dict[str, dict[str, str]] = {
    "rate-consent": {"agrees": "yes", "version": "1"},
    "rate-questionnaire": {"answer-age": "18 or older"},
    "rate-instructions": {},
}


@pytest.mark.parametrize("n_passed", range(4))
def test_every_page_leads_to_the_step_that_comes_next(n_passed: int) -> None:
    visit = Visit(whole_way())
    visit.start()
    for name in STEPS[:n_passed]:
        visit.press(name, **ANSWERS[name])
    for name in ("rate", *STEPS):
        visit.open(name)
        assert visit.is_at(STEPS[n_passed]), name
    # Back, and pressed once more: nothing happens twice, and nobody skips a step.
    for name, fields in ANSWERS.items():
        if name != STEPS[n_passed]:
            visit.press(name, **fields)
            assert visit.is_at(STEPS[n_passed]), name
    assert Answer.objects.count() == (2 if n_passed > 1 else 0)


def test_the_steps_are_for_those_who_have_entered() -> None:
    visit = Visit(whole_way())
    for name in (*STEPS, "rate-thanks", "rate-ended"):
        visit.open(name)
        assert visit.is_at("rate"), name
    assert visit.press("rate-consent", agrees="yes", version="1")
    assert not Rater.objects.exists()


def test_who_does_not_agree_ends_and_may_read_again() -> None:
    visit = Visit(whole_way(entry={"endings": ENDINGS}))
    visit.start()
    page = visit.press("rate-consent", agrees="no")
    assert visit.is_at("rate-ended")
    assert "CODE-no_consent" in page
    assert "Open the study again" in page
    assert visit.rater().outcome == "no_consent"
    assert "May we?" in visit.start()
    visit.press("rate-consent", agrees="yes")
    assert visit.is_at("rate-questionnaire")
    assert (visit.rater().outcome, Rater.objects.count()) == ("", 1)


def test_a_text_that_changed_while_it_was_read_is_read_again() -> None:
    visit = Visit(whole_way())
    visit.start()
    add_version(visit.study, "May we, please?")
    page = visit.press("rate-consent", agrees="yes")
    assert visit.status == 400
    assert "May we, please?" in page
    assert "changed a moment ago" in page
    visit.press("rate-consent", agrees="yes")
    assert visit.is_at("rate-questionnaire")


def test_a_consent_without_an_answer_is_asked_for_again() -> None:
    visit = Visit(whole_way())
    visit.start()
    assert "Please choose one of the two." in visit.press("rate-consent")
    assert visit.status == 400


@pytest.mark.parametrize("answers", [{}, {"answer-age": "12"}])
def test_a_questionnaire_with_a_gap_says_where_and_keeps_the_rest(answers: dict[str, str]) -> None:
    visit = Visit(make_study(2, design={"welcome": {"questionnaire": [AGE, NOTE]}}))
    visit.start()
    page = visit.press("rate-questionnaire", **answers, **{"answer-note": "hello"})
    assert visit.status == 400
    assert page.count("Please choose one of the answers.") == 1
    assert 'value="hello"' in page
    assert not Answer.objects.exists()


def test_many_answers_come_as_a_list_that_opens_and_an_optional_one_may_be_left_out() -> None:
    countries = {"key": "land", "text": "Where?", "options": [{"text": f"Land {i}"} for i in range(12)]}
    asked = [countries, {**SIGHT, "required": False}]
    visit = Visit(make_study(2, design={"welcome": {"questionnaire": asked}}))
    page = visit.start()
    assert page.count("<select") == 1
    assert "Do you see well? (optional)" in page
    visit.press("rate-questionnaire", **{"answer-land": "Land 7"})
    assert visit.is_at("rate-trial")
    assert dict(Answer.objects.values_list("item", "text")) == {"land": "Land 7", "sight": ""}


def test_the_instructions_show_a_practice_pair_with_its_answer() -> None:
    visit = Visit(make_study_with_files(8, design={"welcome": {"practice": 1}}))
    page = visit.start()
    example = visit.study.comparisons.get(kind="practice")
    side = {"a": "Left", "b": "Right", "tie": "Same"}[example.expected]
    assert f"The right answer here is <b>{side}</b>." in page
    assert example.class_label in page
    assert "The first pair is for practice" in page
    images = [visit.browser.get(reverse(f"rate-example-{s}", args=[visit.study.slug])) for s in ("left", "right")]
    assert len(images[0].content) == len(images[1].content)
    assert dict(images[0].headers) == dict(images[1].headers)


def test_the_example_is_for_raters_of_an_open_study_only() -> None:
    visit = Visit(make_study_with_files(8, design={"welcome": {"practice": 1}}))
    path = reverse("rate-example-left", args=[visit.study.slug])
    assert visit.browser.get(path).status_code == 404
    visit.start()
    assert visit.browser.get(path).status_code == 200
    close_study(visit.study)
    assert visit.browser.get(path).status_code == 404


def test_instructions_without_practice_show_a_drawing() -> None:
    visit = Visit(make_study(2, design={"welcome": {"instructions": "Look twice."}}))
    page = visit.start()
    assert "This is what a pair looks like" in page
    assert "/example/" not in page


# --- who comes ---


def test_a_platforms_person_goes_on_on_another_device() -> None:
    study = whole_way(entry=PROLIFIC)
    phone, desk = Visit(study, **LINK), Visit(study, **LINK)
    phone.start()
    phone.press("rate-consent", agrees="yes")
    desk.start()
    assert desk.is_at("rate-questionnaire")
    assert Rater.objects.count() == 1


def test_a_new_submission_of_a_remembered_person_is_taken_up() -> None:
    visit = Visit(whole_way(entry=PROLIFIC), **LINK)
    visit.start()
    visit.press("rate-consent", agrees="yes")
    before = visit.rater()
    end_rater(before, Outcome.RETURNED)
    visit.open()
    assert visit.is_at("rate-ended")
    visit.link = {**LINK, "SESSION_ID": "s2"}
    visit.start()
    assert visit.is_at("rate-questionnaire")
    assert visit.rater() == before
    assert visit.rater().submission_hash != before.submission_hash


def test_two_people_in_one_browser_are_two_raters() -> None:
    visit = Visit(whole_way(entry=PROLIFIC), **LINK)
    visit.start()
    visit.link = {**LINK, "PROLIFIC_PID": "77c0"}
    assert "Start" in visit.open()
    visit.press("rate-enter")
    assert Rater.objects.count() == 2
    visit.link = {}
    visit.open()
    assert visit.is_at("rate-consent"), "without its parameters the link means whoever was here last"


@pytest.mark.parametrize("link", [{}, {"SESSION_ID": "s1"}, {"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}])
def test_a_link_without_its_person_says_to_open_it_from_the_platform(link: dict[str, str]) -> None:
    visit = Visit(make_study(2, design={"entry": PROLIFIC}), **link)
    for page in (visit.open(), visit.press("rate-enter", **link)):
        assert visit.status == 400
        assert "Open the study from the platform again." in page
        assert "Start" not in page
    assert not Rater.objects.exists()


def test_an_invitation_lets_one_person_in_from_any_device() -> None:
    study = make_study(2, design={"entry": {"way": "invited"}})
    (invitation,) = create_invitations(study, 1)
    by_link, by_hand = Visit(study, code=as_spoken(invitation.code)), Visit(study)
    assert as_spoken(invitation.code) in by_link.open()
    by_link.press("rate-enter", code=invitation.code)
    assert by_link.is_at("rate-trial")
    by_hand.start(code=invitation.code.upper())
    assert by_hand.is_at("rate-trial")
    assert Rater.objects.count() == 1


@pytest.mark.parametrize("code", ["", "abcd-efgh-jkmn"])
def test_a_wrong_invitation_code_is_shown_again_with_a_sentence(code: str) -> None:
    visit = Visit(make_study(2, design={"entry": {"way": "invited"}}))
    page = visit.start(code=code)
    assert visit.status == 400
    assert "This code lets nobody into this study." in page
    assert f'name="code" value="{code}"' in page
    assert not Rater.objects.exists()


# --- the ends ---


def test_the_end_shows_code_platform_answers_and_how_to_withdraw() -> None:
    visit = Visit(make_study(2, design={"entry": PROLIFIC, "welcome": {"thanks": "Come again."}}), **LINK)
    visit.start()
    rate(visit.rater())
    page = visit.open("rate-trial")
    assert visit.is_at("rate-ended")
    assert visit.rater().outcome == "complete"
    assert "<b>2 pairs</b>" in page
    assert "CODE-complete" in page
    assert "https://app.prolific.com/submissions/complete?cc=CODE-complete" in page
    assert "Come again." in page
    assert as_spoken(visit.rater().withdrawal_code) in page
    assert reverse("rate-withdraw", args=[visit.study.slug]) in page
    close_study(visit.study)
    visit.open()
    assert visit.is_at("rate-ended"), "the code is there after the study's end too"


def test_only_a_rater_who_has_just_come_to_the_end_is_taken_along() -> None:
    visit = Visit(make_study(1, design={"entry": PROLIFIC}), **LINK)
    visit.start()
    rate(visit.rater())
    assert "data-countdown" in visit.open()
    visit.study.raters.update(ended_at=timezone.now() - timedelta(minutes=2))
    assert "data-countdown" not in visit.open()


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (Outcome.SCREENED_OUT, "This study ends here for you"),
        (Outcome.QUOTA_FULL, "All places are taken"),
        (Outcome.NO_CONSENT, "You did not agree"),
        (Outcome.RETURNED, "You have given your place back"),
        (Outcome.TIMED_OUT, "The time is over"),
    ],
)
def test_each_outcome_has_its_own_words_and_code(outcome: Outcome, sentence: str) -> None:
    visit = Visit(make_study(2, design={"entry": {"endings": ENDINGS}}))
    visit.start()
    end_rater(visit.rater(), outcome)
    page = visit.open("rate-ended")
    assert sentence in page
    assert set(re.findall(r"CODE-\w+", page)) == {f"CODE-{outcome}"}
    assert "data-countdown" not in page
    visit.open("rate-trial")
    assert visit.is_at("rate-ended")


def test_an_answer_that_screens_out_ends_with_its_code_and_cannot_be_changed() -> None:
    visit = Visit(make_study(2, design={"entry": {"endings": ENDINGS}, "welcome": {"questionnaire": [AGE]}}))
    visit.start()
    assert "CODE-screened_out" in visit.press("rate-questionnaire", **{"answer-age": "under 18"})
    visit.press("rate-questionnaire", **{"answer-age": "18 or older"})
    assert visit.is_at("rate-ended")
    visit.open()
    assert visit.is_at("rate-ended")


def test_a_full_quota_of_an_answer_ends_with_its_code() -> None:
    study = make_study(2, design={"entry": {"endings": ENDINGS}, "welcome": {"questionnaire": [SIGHT]}})
    first, second = Visit(study), Visit(study)
    for visit in (first, second):
        visit.start()
        visit.press("rate-questionnaire", **{"answer-sight": "yes"})
    assert first.is_at("rate-trial")
    assert "CODE-quota_full" in second.page


def test_a_study_with_all_its_raters_or_votes_says_so_with_the_code() -> None:
    with_raters = make_study(2, design={"entry": {"raters_wanted": 1, "endings": ENDINGS}})
    with_votes = make_study(2, votes_wanted=1, design={"entry": {"endings": ENDINGS}})
    for study in (with_raters, with_votes):
        rate(make_rater(study))
        assert "CODE-quota_full" in Visit(study).start()


def test_a_rater_for_whom_others_left_nothing_ends_when_going_on() -> None:
    visit = Visit(make_study(2, votes_wanted=1, design={"entry": {"endings": ENDINGS}}))
    visit.start()
    Trial.objects.all().delete()
    visit.study.comparisons.update(n_open=0, n_a_left=0, n_a_right=0)
    rate(make_rater(visit.study))
    assert "Finish" in visit.open("rate-thanks")
    assert "CODE-quota_full" in visit.press("rate-enter")


def test_stopping_midway_tells_what_is_saved_and_gives_no_code() -> None:
    visit = Visit(make_study(3, design={"entry": PROLIFIC}), **LINK)
    visit.start()
    rate(visit.rater(), times=1)
    page = visit.open("rate-thanks")
    assert "<b>1 pair</b>" in page
    assert "The completion code comes after the last pair." in page
    assert "CODE-" not in page
    assert as_spoken(visit.rater().withdrawal_code) in page
    visit.open("rate-ended")
    assert visit.is_at("rate-thanks")


@pytest.mark.parametrize(
    ("act", "sentence"), [(pause_study, "This study is paused."), (close_study, "This study is closed")]
)
def test_a_study_that_is_not_open_says_so_at_every_step(act: Any, sentence: str) -> None:
    visit, stranger = Visit(whole_way()), Visit(whole_way())
    visit.start()
    act(visit.study)
    act(stranger.study)
    for name in ("rate", *STEPS):
        assert sentence in visit.open(name), name
    assert sentence in visit.press("rate-consent", agrees="yes", version="1")
    assert sentence in stranger.open()
    assert sentence in stranger.press("rate-enter")
    assert visit.rater().consent is None


def test_mechanical_turk_gets_the_assignment_back_from_the_last_page() -> None:
    entry = {"way": "platform", "platform": "mturk", "endings": ENDINGS}
    host = "https://workersandbox.mturk.com"
    visit = Visit(
        make_study(1, design={"entry": entry}), workerId="W1", assignmentId="A1", hitId="H1", turkSubmitTo=host
    )
    visit.start()
    rate(visit.rater())
    visit.link = {}
    page = visit.open("rate-ended")
    form = page[page.index(f'action="{host}/mturk/externalSubmit"') :]
    fields = dict(FIELD.findall(form[: form.index("</form>")]))
    assert fields == {"assignmentId": "A1", "code": "CODE-complete"}, "and not this site's token"


@pytest.mark.parametrize("host", ["https://evil.example", "http://www.mturk.com", ""])
def test_nothing_is_posted_to_any_other_host(host: str) -> None:
    entry = {"way": "platform", "platform": "mturk", "endings": ENDINGS}
    visit = Visit(make_study(1, design={"entry": entry}), workerId="W1", assignmentId="A1", turkSubmitTo=host)
    visit.start()
    rate(visit.rater())
    page = visit.open("rate-ended")
    assert "<form" not in page
    assert "CODE-complete" in page


def test_a_forged_way_home_is_ignored() -> None:
    entry = {"way": "platform", "platform": "mturk", "endings": ENDINGS}
    visit = Visit(make_study(1, design={"entry": entry}), workerId="W1", assignmentId="A1")
    visit.start()
    rate(visit.rater())
    visit.browser.cookies[f"twinseed-way-{visit.study.pk}"] = '{"assignmentId": "A2"}:forged'
    assert "CODE-complete" in visit.open("rate-ended")


def test_a_rater_who_withdrew_is_a_stranger_who_may_enter_again() -> None:
    visit = Visit(whole_way(entry=PROLIFIC), **LINK)
    visit.start()
    withdraw(visit.rater())
    visit.open("rate-ended")
    assert visit.is_at("rate")
    visit.start()
    assert visit.is_at("rate-consent")


def test_an_unknown_study_is_not_found(client: Client) -> None:
    for name in ("rate-consent", "rate-questionnaire", "rate-instructions", "rate-ended", "rate-example-left"):
        assert client.get(reverse(name, args=[uuid4().hex[:8]])).status_code == 404
