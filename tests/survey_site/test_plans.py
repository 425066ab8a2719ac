"""A study's analysis plan: written while it is a draft, frozen when it opens, the same ever after."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from analysis.plan import Headline, InvalidPlan, Plan, Stopping, StoppingRule
from survey_site.models import Comparison, Study
from survey_site.plans import PlanFrozen, change_plan, described, plan_is_intact, stimuli_of
from survey_site.results import study_report
from survey_site.studies import StudyNotReady, close_study, create_study, open_study, pause_study
from tests.factories import make_batch, make_rater, make_study, rate

pytestmark = pytest.mark.django_db

OTHER = Plan(question="Which ball is rounder?", thresholds=("50", "66.7"), headline=Headline.SIDE_SHARE)
# What a browser sends of the form as it is shown first.
SENT: dict[str, Any] = {
    "question": "Which?",
    "headline": "two_way_net",
    "thresholds": "50, 60, 70, 80",
    "arms": "holm",
    "classes": "fdr_bh",
    "rule": "fixed",
    "planned_raters": "",
    "alpha": "0.05",
    "first_look_after_raters": "10",
    "looks": "5",
    "rho": "150.0",
    "pairs": "200",
    "votes_per_pair": "",
}


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


@pytest.fixture
def draft() -> Study:
    batch = make_batch(6)
    return create_study(owner=None, title="balls", arms=list(batch.arms.all()), batches=[batch], question="Which?")


def sent_to(researcher: Client, study: Study, **changes: Any) -> str:
    page = researcher.post(f"/studies/{study.slug}/plan/", {**SENT, **changes}, follow=True)
    return str(page.content.decode())


def stored(study: Study) -> Plan:
    study.refresh_from_db()
    return study.analysis_plan


def test_opening_freezes_the_plan_with_the_question_and_its_hash(draft: Study) -> None:
    study = open_study(draft)
    assert study.plan == Plan(question="Which?").as_json()
    assert study.plan_sha256 == Plan(question="Which?").sha256 == Study.objects.get().plan_sha256
    assert plan_is_intact(study)


def test_a_study_that_cannot_open_has_no_frozen_plan() -> None:
    batch = make_batch(1, made=False)
    study = create_study(owner=None, title="t", arms=list(batch.arms.all()), batches=[batch])
    with pytest.raises(StudyNotReady):
        open_study(study)
    assert Study.objects.get().plan_sha256 == ""


def test_pausing_opening_again_and_closing_leave_the_hash_alone(draft: Study) -> None:
    frozen = open_study(draft).plan_sha256
    assert {study.plan_sha256 for study in (pause_study(draft), open_study(draft), close_study(draft))} == {frozen}


def test_a_drafts_plan_and_question_can_change(draft: Study) -> None:
    change_plan(draft, OTHER)
    assert stored(draft) == OTHER
    assert draft.question == "Which ball is rounder?"
    assert draft.plan_sha256 == ""


def test_a_plan_without_a_question_keeps_the_studys(draft: Study) -> None:
    change_plan(draft, Plan(thresholds=("50",)))
    assert stored(draft) == Plan(question="Which?", thresholds=("50",))


@pytest.mark.parametrize("step", [open_study, pause_study, close_study])
def test_a_frozen_plan_can_never_change(step: Any) -> None:
    study = make_study(2)
    before = step(study).plan
    with pytest.raises(PlanFrozen, match="frozen when the study opened"):
        change_plan(study, OTHER)
    study.refresh_from_db()
    assert study.plan == before


def test_a_study_in_memory_that_was_opened_elsewhere_is_still_refused(draft: Study) -> None:
    stale = Study.objects.get(pk=draft.pk)
    open_study(draft)
    assert stale.status == Study.Status.DRAFT
    with pytest.raises(PlanFrozen):
        change_plan(stale, OTHER)


def test_a_question_that_does_not_fit_the_page_is_refused(draft: Study) -> None:
    with pytest.raises(InvalidPlan, match="301 characters are more than 300"):
        change_plan(draft, Plan(question="x" * 301))


def test_a_stored_plan_that_cannot_be_followed_keeps_the_study_a_draft(draft: Study) -> None:
    Study.objects.update(plan={"thresholds": [20]})
    with pytest.raises(StudyNotReady, match=r"The analysis plan cannot be followed\. thresholds: "):
        open_study(draft)
    assert not Comparison.objects.exists()


def test_a_plan_or_question_changed_in_the_database_is_noticed(draft: Study, researcher: Client) -> None:
    study = open_study(draft)
    Study.objects.update(question="Which is prettier?")
    study.refresh_from_db()
    assert not plan_is_intact(study)
    assert "no longer the plan that was frozen" in researcher.get(f"/studies/{study.slug}/").content.decode()


def test_the_report_follows_the_frozen_plan_and_says_so(draft: Study) -> None:
    change_plan(draft, OTHER)
    study = open_study(draft)
    rate(make_rater(study))
    report = study_report(study)
    assert report.plan == OTHER
    assert report.plan_is_fixed
    assert report.thresholds == ("50", "66.7")


def test_a_plan_reads_as_sentences() -> None:
    stopping = Stopping(rule=StoppingRule.NORMAL_MIXTURE, planned_raters=25, rho=158.0)
    words = dict(described(Plan(question="Which?", filters=("gold@1",), stopping=stopping)))
    assert words["Question"] == ("Which?",)
    assert words["Left out"][0].startswith("gold@1: Leaves out raters")
    assert words["Stopping"][1:] == (
        "First look after 10 raters",
        "Significance level 0.05 over all looks",
        "rho = 158",
        "Planned: 25 raters",
    )


def test_stimuli_are_counted_where_two_arms_have_an_image(draft: Study) -> None:
    assert stimuli_of(draft) == 6
    draft.batches.get().images.filter(arm__name="vanilla", seed__gt=3).delete()
    assert stimuli_of(draft) == 4


# --- in the browser ---


def test_the_form_as_it_is_shown_saves_the_usual_plan(researcher: Client, draft: Study) -> None:
    assert "The plan is saved" in sent_to(researcher, draft)
    assert stored(draft) == Plan(question="Which?")


def test_every_entry_of_the_form_reaches_the_plan(researcher: Client, draft: Study) -> None:
    sent_to(
        researcher,
        draft,
        question="Which ball?",
        headline="two_way_side_share",
        thresholds="50, 66.7 %",
        filters=["position@1", "gold@1"],
        arms="none",
        classes="holm",
        rule="normal_mixture",
        planned_raters="25",
        alpha="0.01",
        first_look_after_raters="12",
        looks="4",
        rho="158",
    )
    document = stored(draft).as_json()
    assert document == {
        "version": 1,
        "question": "Which ball?",
        "filters": ["position@1", "gold@1"],
        "headline": "two_way_side_share",
        "thresholds": ["50", "66.7"],
        "families": {"arms": "none", "classes": "holm"},
        "stopping": {
            "rule": "normal_mixture",
            "alpha": 0.01,
            "first_look_after_raters": 12,
            "rho": 158.0,
            "looks": 4,
            "planned_raters": 25,
        },
    }


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"thresholds": "40"}, "thresholds", "A threshold of 40 % is outside 50 to 100"),
        ({"thresholds": "50, fifty"}, "thresholds", "is not a percentage"),
        ({"thresholds": ", ,"}, "thresholds", "0 are given"),
        ({"alpha": "5"}, "alpha", "5.0 is not between 0 and 0.5"),
        ({"alpha": "nan"}, "alpha", "Enter a number."),
        ({"rho": "-1"}, "rho", "-1.0 is not a number above 0"),
        ({"rule": "planned_looks"}, "planned_raters", "Planned looks are spaced over it"),
        ({"looks": "0"}, "looks", "0 is not from 1 to 100"),
        ({"planned_raters": "99999999999999"}, "planned_raters", "is no number of raters"),
        ({"filters": ["nice@1"]}, "filters", "Select a valid choice"),
        ({"headline": "pair_sign"}, "headline", "Select a valid choice"),
        ({"question": ""}, "question", "This field is required"),
        ({"question": "x" * 301}, "question", "at most 300 characters"),
    ],
)
def test_what_cannot_be_planned_is_said_at_its_field_and_nothing_is_saved(
    researcher: Client, draft: Study, changes: dict[str, Any], field: str, sentence: str
) -> None:
    page = researcher.post(f"/studies/{draft.slug}/plan/", {**SENT, **changes})
    errors = " ".join(page.context["form"].errors[field])
    assert sentence in errors
    assert stored(draft) == Plan(question="Which?")


def test_rho_follows_from_the_planned_size_and_nothing_is_saved(researcher: Client, draft: Study) -> None:
    page = researcher.post(f"/studies/{draft.slug}/plan/", {**SENT, "act": "fill", "planned_raters": "25"})
    # 1 / (0.11 / 200 + 0.003 / 25 + 0.65 / 5000) / 7.9 = 158.2, by hand.
    assert 'name="rho" value="158"' in page.content.decode()
    assert "rho is 158 for 5,000 planned votes" in page.content.decode()
    assert stored(draft) == Plan(question="Which?")


def test_votes_per_pair_bound_the_planned_votes(researcher: Client, draft: Study) -> None:
    sent = {**SENT, "act": "fill", "planned_raters": "25", "votes_per_pair": "5"}
    # 1 / (0.11 / 200 + 0.003 / 25 + 0.65 / 1000) / 7.9 = 95.9, by hand.
    assert 'name="rho" value="95.9"' in researcher.post(f"/studies/{draft.slug}/plan/", sent).content.decode()


def test_without_planned_raters_rho_cannot_be_worked_out(researcher: Client, draft: Study) -> None:
    page = researcher.post(f"/studies/{draft.slug}/plan/", {**SENT, "act": "fill"}).content.decode()
    assert "Say how many raters you plan to ask" in page
    assert 'name="rho" value="150.0"' in page


def test_the_usual_plan_is_one_click_away(researcher: Client, draft: Study) -> None:
    change_plan(draft, OTHER)
    sent_to(researcher, draft, act="usual", thresholds="broken")
    assert stored(draft) == Plan(question="Which ball is rounder?")


def test_the_form_offers_the_studys_own_number_of_pairs(researcher: Client, draft: Study) -> None:
    assert 'name="pairs" value="6"' in researcher.get(f"/studies/{draft.slug}/plan/").content.decode()


def test_a_downloaded_plan_is_taken_over_by_another_study(researcher: Client, draft: Study) -> None:
    change_plan(draft, OTHER)
    file = researcher.get(f"/studies/{draft.slug}/plan.toml")
    assert file["Content-Disposition"] == f'attachment; filename="{draft.slug}-plan.toml"'
    assert Plan.from_toml(file.content.decode()).sha256 == OTHER.sha256
    batch = make_batch(1)
    other = create_study(owner=None, title="other", arms=list(batch.arms.all()), batches=[batch])
    upload = SimpleUploadedFile("plan.toml", file.content)
    page = researcher.post(f"/studies/{other.slug}/plan/import/", {"file": upload}, follow=True).content.decode()
    assert "It is the one of the file" in page
    assert stored(other) == OTHER


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"thresholds = [20]", "thresholds: a threshold of 20 % is outside 50 to 100"),
        (b"question = ", "the plan is not readable TOML"),
        (b"\xff\xfe", "The file is not UTF-8 text"),
        (b"#" * 70_000, "The file has 70000 bytes"),
        (b'question = "' + b"x" * 301 + b'"', "301 characters are more than 300"),
        (b"", "The submitted file is empty"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_in_a_sentence(
    researcher: Client, draft: Study, content: bytes, sentence: str
) -> None:
    upload = SimpleUploadedFile("plan.toml", content)
    page = researcher.post(f"/studies/{draft.slug}/plan/import/", {"file": upload}, follow=True).content.decode()
    assert sentence in page
    assert stored(draft) == Plan(question="Which?")


def test_an_open_studys_plan_is_shown_and_no_longer_changed(researcher: Client, draft: Study) -> None:
    study = open_study(draft)
    page = sent_to(researcher, study, thresholds="50")
    assert study.plan_sha256 in page
    assert "Change the plan" not in page
    assert stored(study).thresholds == ("50", "60", "70", "80")
    upload = SimpleUploadedFile("plan.toml", OTHER.as_toml().encode())
    page = researcher.post(f"/studies/{study.slug}/plan/import/", {"file": upload}, follow=True).content.decode()
    assert "The plan was frozen when the study opened" in page
    assert stored(study).thresholds == ("50", "60", "70", "80")


def test_a_study_without_a_frozen_plan_says_that_all_is_exploratory(researcher: Client) -> None:
    study = make_study(2)
    Study.objects.update(plan_sha256="")
    assert "everything on the results page is exploratory" in researcher.get(f"/studies/{study.slug}/").content.decode()


@pytest.mark.parametrize("path", ["plan/", "plan.toml"])
def test_plans_are_for_researchers(client: Client, draft: Study, path: str) -> None:
    assert "/sign-in/" in client.get(f"/studies/{draft.slug}/{path}")["Location"]
