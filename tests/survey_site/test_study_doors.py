"""What a study's page offers besides its design: links, invitations, secret, consent versions, raters."""

import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from survey_site.consents import accept_consent
from survey_site.design.designs import Design, Outcome
from survey_site.entrance.raters import end_rater, enter_study
from survey_site.models import Study
from survey_site.rater_counts import counts_of, n_below
from survey_site.rating_links import rating_link
from survey_site.voting.withdrawals import withdraw
from tests.factories import make_draft, make_rater, make_study, rate

pytestmark = pytest.mark.django_db
SITE = "https://example.org/rate/abc/"


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


def study_that(**design: Any) -> Study:
    return make_study(6, design=design)


@pytest.mark.parametrize(
    ("entry", "address", "hint"),
    [
        ({}, SITE, "Anyone with it may rate"),
        ({"way": "invited"}, SITE, "It asks for a code"),
        (
            {"way": "platform", "platform": "prolific"},
            SITE + "?PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}",
            "URL parameters",
        ),
        ({"way": "platform", "platform": "mturk"}, SITE, "ExternalQuestion"),
        ({"way": "platform", "platform": "connect"}, SITE, "participantId, assignmentId, projectId"),
        (
            {"way": "platform", "platform": "other", "person_parameter": "worker", "submission_parameter": "task"},
            SITE + "?worker=WORKER&task=TASK",
            "in place of the words in capitals",
        ),
    ],
)
def test_each_way_of_entering_has_its_link(entry: dict[str, Any], address: str, hint: str) -> None:
    link = rating_link(Design.of({"entry": entry}).entry, address=SITE)
    assert link.address == address
    assert hint in link.hint


def test_the_page_hands_out_the_link_to_paste_and_the_address_for_messages(researcher: Client) -> None:
    study = study_that(entry={"way": "platform", "platform": "prolific"})
    page = researcher.get(f"/studies/{study.slug}/").content.decode()
    assert "?PROLIFIC_PID={{%PROLIFIC_PID%}}&amp;STUDY_ID=" in page
    assert f"http://testserver/platforms/prolific/{study.slug}/" in page


def test_the_platforms_secret_is_written_and_never_shown(researcher: Client) -> None:
    study = study_that(entry={"way": "platform", "platform": "prolific"})
    address = f"/studies/{study.slug}/platform-secret/"
    page = researcher.post(address, {"secret": "s3cr3t-words"}, follow=True).content.decode()
    assert Study.objects.get().platform_secret == "s3cr3t-words"
    assert "A secret is kept." in page
    assert "s3cr3t-words" not in page
    assert "at most 200" in researcher.post(address, {"secret": "x" * 201}, follow=True).content.decode()
    assert Study.objects.get().platform_secret == "s3cr3t-words"
    researcher.post(address, {"secret": ""})
    assert Study.objects.get().platform_secret == ""


def test_the_page_says_how_the_study_asks(researcher: Client) -> None:
    study = make_draft()
    page = researcher.get(f"/studies/{study.slug}/").content.decode()
    assert "Anyone with the link" in page
    assert f"/studies/{study.slug}/design/" in page


def test_the_page_costs_the_same_queries_whatever_happened(
    researcher: Client, django_assert_max_num_queries: Any
) -> None:
    study = study_that(order={"votes_min": 2})
    for rater in [make_rater(study) for _ in range(4)]:
        rate(rater)
    with django_assert_max_num_queries(12):
        researcher.get(f"/studies/{study.slug}/")


def test_raters_are_counted_by_how_far_they_came() -> None:
    study = study_that(welcome={"consent": "May we?"}, entry={"raters_wanted": 9})
    raters = [enter_study(study) for _ in range(5)]
    for rater in raters[1:]:
        accept_consent(rater, version=1)
    rate(raters[1], times=1)
    rate(raters[2])
    end_rater(raters[3], Outcome.RETURNED)
    rate(raters[4])
    withdraw(raters[4])
    counts = counts_of(study)
    assert (counts.entering, counts.rating, counts.withdrawn) == (1, 1, 1)
    assert {outcome: n for outcome, n in counts.ended.items() if n} == {Outcome.COMPLETE: 1, Outcome.RETURNED: 1}
    assert counts.named == [("Entering", 1), ("Rating", 1), ("Complete", 1), ("Returned", 1), ("Withdrawn", 1)]


def test_comparisons_below_the_least_votes_are_counted(researcher: Client) -> None:
    study = study_that(order={"votes_min": 2})
    rate(make_rater(study))
    assert n_below(study, 2) == 6
    rate(make_rater(study), times=2)
    assert n_below(study, 2) == 4
    assert (
        "<dt>Below the 2 wanted at least</dt><dd>4</dd>" in researcher.get(f"/studies/{study.slug}/").content.decode()
    )


def test_invitations_are_made_listed_and_handed_out(researcher: Client) -> None:
    study = study_that(entry={"way": "invited"})
    address = f"/studies/{study.slug}/invitations"
    page = researcher.post(f"{address}/", {"n": "3", "notes": "row 1\n\nrow 2"}, follow=True).content.decode()
    assert "3 more invitations." in page
    assert "row 2" in page
    rows = list(csv.DictReader(StringIO(researcher.get(f"{address}.csv").content.decode())))
    assert [row["note"] for row in rows] == ["row 1", "row 2", ""]
    assert all(row["link"].startswith(f"http://testserver/rate/{study.slug}/?code=") for row in rows)
    researcher.post(f"{address}/", {"notes": "only\nnotes"})
    assert study.invitations.count() == 5


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "Say how many invitations to make."),
        ({"n": "0"}, "greater than or equal to 1"),
        ({"n": "5001"}, "less than or equal to 5000"),
        ({"n": "1", "notes": "a\nb"}, "There are 2 notes for 1 invitations"),
        ({"n": "1", "notes": "x" * 101}, "Note 1 has 101 characters"),
    ],
)
def test_invitations_that_cannot_be_made_are_refused(researcher: Client, sent: dict[str, str], sentence: str) -> None:
    study = study_that(entry={"way": "invited"})
    page = researcher.post(f"/studies/{study.slug}/invitations/", {"n": "", "notes": "", **sent}).content.decode()
    assert sentence in page
    assert not study.invitations.exists()


def test_an_open_study_gets_another_version_of_its_consent(researcher: Client) -> None:
    study = study_that(welcome={"consent": "May we?"})
    address = f"/studies/{study.slug}/consent/"
    page = researcher.post(address, {"text": "May we, please?"}, follow=True).content.decode()
    assert "New raters agree to version 2." in page
    assert page.index("Version 2") < page.index("Version 1")
    assert "Write what raters are to agree to." in researcher.post(address, {"text": " "}).content.decode()
    assert study.consent_texts.count() == 2


@pytest.mark.parametrize("design", [{}, None])
def test_a_study_without_consent_gets_none_later(researcher: Client, design: dict[str, Any] | None) -> None:
    study = make_draft() if design is None else study_that(**design)
    address = f"/studies/{study.slug}/consent/"
    assert "<form class" not in researcher.get(address).content.decode()
    assert "errorlist" in researcher.post(address, {"text": "May we?"}).content.decode()
    assert not study.consent_texts.exists()


def test_raters_are_listed_with_what_stands_out_and_no_result(researcher: Client) -> None:
    study = make_study(12, design={"checks": {"fast_ms": 2000}})
    Study.objects.update(title="balls")
    hasty, brief = make_rater(study), make_rater(study)
    rate(hasty)
    rate(brief, times=2)
    address = f"/studies/{study.slug}/raters/"
    page = researcher.get(address).content.decode()
    assert page.count('<th scope="row">') == 2
    assert "12 of 12" in page
    assert "Complete" in page
    for arm in ("robust", "vanilla"):
        assert arm not in page
    flagged = researcher.get(f"{address}?flagged=1").content.decode()
    assert flagged.count('<th scope="row">') == 1
    assert hasty.code.hex[:12] in flagged.replace("-", "")
    for odd in ("page_number=x", "page_number=99999", "flagged=x"):
        assert researcher.get(f"{address}?{odd}").status_code == 200


def test_doors_are_for_researchers_only(client: Client) -> None:
    study = study_that()
    for path in ("raters/", "invitations/", "invitations.csv", "consent/", "platform-secret/"):
        for answer in (client.get(f"/studies/{study.slug}/{path}"), client.post(f"/studies/{study.slug}/{path}")):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/sign-in/")
