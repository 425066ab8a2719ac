import json
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from survey_site.crowds.prolific_client import TRIES, Prolific, ProlificFailed, Submission
from survey_site.entrance.platforms import Person
from survey_site.entrance.raters import enter_study
from survey_site.models import Rater, Study
from survey_site.voting.trials import lease_trials
from tests.factories import make_study
from tests.survey_site.fake_prolific import TOKEN, FakeProlific

pytestmark = pytest.mark.django_db
ENTRY = {
    "way": "platform",
    "platform": "prolific",
    "endings": {"complete": {"code": "C0MP"}, "screened_out": {"code": "0UT"}},
}


@pytest.fixture
def platform(settings: Settings) -> Iterator[FakeProlific]:
    with FakeProlific() as fake:
        settings.PROLIFIC_TOKEN, settings.PROLIFIC_URL = TOKEN, fake.url
        yield fake


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: what the client waited for, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("survey_site.crowds.prolific_client.time.sleep", waited.append)
    return waited


@pytest.fixture
def study() -> Study:
    return make_study(8, design={"entry": ENTRY})


def a_rater(study: Study, *, person: str, submission: str) -> Rater:
    rater = enter_study(study, person=Person("prolific", person, submission_id=submission))
    lease_trials(rater)
    return rater


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("says_links", [True, False])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7])
def test_every_page_of_a_list_is_read_once(platform: FakeProlific, n: int, says_links: bool) -> None:
    platform.says_links = says_links
    platform.submissions["p1"] = []
    for number in range(n):
        platform.add_submission("p1", submission=f"s{number}", participant=f"p{number}", status="ACTIVE")
    with Prolific() as prolific:
        pages = list(prolific.submissions("p1"))
    assert [row for page in pages for row in page] == [Submission(f"s{i}", f"p{i}", "ACTIVE") for i in range(n)]
    assert len(platform.asked) == max(1, (n + 1) // 2)


def test_a_busy_server_is_given_the_time_it_asks_for(platform: FakeProlific, pauses: list[float]) -> None:
    platform.submissions["p1"] = []
    platform.failures = [(429, {"Retry-After": "7"}), (503, {}), (429, {"Retry-After": "99999"})]
    with Prolific() as prolific:
        assert list(prolific.submissions("p1")) == []
    assert pauses == [7.0, 2.0, 60.0]


def test_a_server_that_stays_down_ends_in_one_sentence(platform: FakeProlific, pauses: list[float]) -> None:
    platform.failures = [(502, {})] * TRIES
    with Prolific() as prolific, pytest.raises(ProlificFailed, match="502 5 times"):
        list(prolific.submissions("p1"))
    assert pauses == [1.0, 2.0, 4.0, 8.0]


def test_a_server_that_cannot_be_reached_ends_in_one_sentence(settings: Settings, pauses: list[float]) -> None:
    with (
        Prolific(token=TOKEN, url="http://127.0.0.1:1/") as prolific,
        pytest.raises(ProlificFailed, match="cannot be reached"),
    ):
        list(prolific.submissions("p1"))
    assert len(pauses) == TRIES - 1


@pytest.mark.parametrize(
    ("study_id", "token", "sentence"),
    [("p1", "wrong", "does not accept the token"), ("p2", TOKEN, "knows no such thing")],
)
def test_a_refusal_says_what_to_do_and_is_not_repeated(
    platform: FakeProlific, study_id: str, token: str, sentence: str
) -> None:
    platform.submissions["p1"] = []
    with Prolific(token=token) as prolific, pytest.raises(ProlificFailed, match=sentence):
        list(prolific.submissions(study_id))
    assert len(platform.asked) == 1


def test_without_a_token_nothing_is_asked(platform: FakeProlific, settings: Settings) -> None:
    settings.PROLIFIC_TOKEN = ""
    with pytest.raises(ProlificFailed, match="set TWINSEED_PROLIFIC_TOKEN"):
        Prolific()


def test_the_list_s_returned_and_timed_out_parts_are_ended(platform: FakeProlific, study: Study) -> None:
    returned = a_rater(study, person="a", submission="s1")
    late = a_rater(study, person="b", submission="s2")
    working = a_rater(study, person="c", submission="s3")
    n_open = returned.trials.open().count() + late.trials.open().count()
    for submission, participant, status in (
        ("s1", "a", "RETURNED"),
        ("s2", "b", "TIMED-OUT"),
        ("s3", "c", "ACTIVE"),
        ("s4", "never came", "RETURNED"),
    ):
        platform.add_submission("p1", submission=submission, participant=participant, status=status)
    said, progress = run("sync_prolific", study.slug, "--prolific-study", "p1")
    assert f"Of 4 submissions, 2 ended here; {n_open} pairs given back." in said
    assert progress.splitlines() == ["2 submissions read", "4 submissions read"]
    outcomes = {rater.pk: rater.outcome for rater in study.raters.all()}
    assert outcomes == {returned.pk: "returned", late.pk: "timed_out", working.pk: ""}
    assert working.trials.open().exists()
    assert not returned.trials.open().exists()
    call_command("recount", "--check", stdout=StringIO())
    assert "0 ended here; 0 pairs given back" in run("sync_prolific", study.slug, "--prolific-study", "p1")[0]


def test_a_dry_run_says_the_same_and_changes_nothing(platform: FakeProlific, study: Study) -> None:
    rater = a_rater(study, person="a", submission="s1")
    n_open = rater.trials.open().count()
    platform.add_submission("p1", submission="s1", participant="a", status="RETURNED")
    said, _progress = run("sync_prolific", study.slug, "--prolific-study", "p1", "--dry-run")
    assert f"1 would be ended here; {n_open} pairs would be given back" in said
    rater.refresh_from_db()
    assert (rater.outcome, rater.trials.open().count()) == ("", n_open)


def test_the_command_s_failures_are_one_sentence(platform: FakeProlific, study: Study) -> None:
    with pytest.raises(CommandError, match="knows no such thing"):
        run("sync_prolific", study.slug, "--prolific-study", "nowhere")
    with pytest.raises(CommandError, match="does not get its raters from Prolific"):
        run("sync_prolific", make_study(arms=("x", "y")).slug, "--prolific-study", "p1")


def test_subscribing_confirms_and_keeps_the_secret(platform: FakeProlific, study: Study) -> None:
    said, _err = run("prolific_webhook", study.slug, "--workspace", "w1", "--site", "https://study.example.org/")
    target = f"https://study.example.org/platforms/prolific/{study.slug}/"
    assert target in said
    assert platform.subscriptions["s1"] == {
        "workspace_id": "w1",
        "event_type": "submission.status.change",
        "target_url": target,
        "state": "confirmed",
    }
    study.refresh_from_db()
    assert study.platform_secret == "drawn for w1"


def test_a_workspace_keeps_the_secret_that_other_studies_use(platform: FakeProlific, study: Study) -> None:
    platform.secrets["w1"] = "in use"
    run("prolific_webhook", study.slug, "--workspace", "w1", "--site", "https://study.example.org")
    study.refresh_from_db()
    assert study.platform_secret == "in use"
    assert "POST /api/v1/hooks/secrets/" not in platform.asked


def test_a_site_without_tls_is_not_subscribed(platform: FakeProlific, study: Study) -> None:
    with pytest.raises(CommandError, match="https addresses only"):
        run("prolific_webhook", study.slug, "--workspace", "w1", "--site", "http://localhost:8000")
    assert platform.asked == []


def test_the_codes_to_paste_are_those_of_the_design(study: Study) -> None:
    out, err = run("prolific_codes", study.slug)
    codes = json.loads(out)["completion_codes"]
    assert [(code["code"], code["code_type"]) for code in codes] == [("C0MP", "COMPLETED"), ("0UT", "SCREENED_OUT")]
    assert codes[0]["actions"] == [{"action": "MANUALLY_REVIEW"}]
    assert codes[1]["actions"][0]["action"] == "REQUEST_RETURN"
    assert "complete: raters go to https://app.prolific.com/submissions/complete?cc=C0MP" in err


def test_a_design_without_codes_says_where_to_set_them() -> None:
    study = make_study(design={"entry": {"way": "platform", "platform": "prolific"}})
    with pytest.raises(CommandError, match=r"entry\.endings\.complete\.code"):
        run("prolific_codes", study.slug)
