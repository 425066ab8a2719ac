import json
import logging
import time
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from survey_site.crowds.webhooks import FRESH_SECONDS, LONGEST_BODY, headers_of, signature_of
from survey_site.entrance.platforms import Person
from survey_site.entrance.raters import enter_study
from survey_site.models import PlatformEvent, Rater, Study, Trial
from survey_site.voting.trials import lease_trials
from tests.factories import make_study

pytestmark = pytest.mark.django_db
SECRET = "as told by the platform"
RETURNED = {"event_type": "submission.status.change", "resource_id": "e9", "participant_id": "5f", "status": "RETURNED"}


@pytest.fixture
def study() -> Study:
    study = make_study(design={"entry": {"way": "platform", "platform": "prolific"}}, slug="hidden")
    study.platform_secret = SECRET
    study.save(update_fields=["platform_secret"])
    return study


def a_rater(study: Study, *, person: str = "5f", submission: str = "e9") -> Rater:
    rater = enter_study(study, person=Person(study.how.entry.platform, person, submission_id=submission))
    lease_trials(rater)
    return rater


def send(
    said: Any,
    *,
    platform: str = "prolific",
    slug: str = "hidden",
    secret: str = SECRET,
    event: str = "1",
    timestamp: str = "",
    client: Client | None = None,
) -> Any:
    """Sign and post a message. said: bytes as they are, anything else as JSON."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    timestamp = timestamp or str(int(time.time()))
    names = headers_of(platform)
    headers = {
        names.signature: signature_of(body, timestamp=timestamp, secret=secret),
        names.timestamp: timestamp,
        names.event_id: event,
    }
    # As strict about CSRF as a real site: a platform has no cookie.
    client = client or Client(enforce_csrf_checks=True)
    return client.post(f"/platforms/{platform}/{slug}/", body, content_type="application/json", headers=headers)


def n_open(rater: Rater) -> int:
    return rater.trials.open().count()


def test_the_signature_is_that_of_the_documented_scheme() -> None:
    # printf '1700000000{"a": 1}' | openssl dgst -sha256 -hmac key -binary | base64
    signed = signature_of(b'{"a": 1}', timestamp="1700000000", secret="key")
    assert signed == "QcwEMP4tj9lhI0Rnai8wg7k1C8c1YRRE4/U7/FNktrk="


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("RETURNED", "returned"),
        ("TIMED-OUT", "timed_out"),
        ("TIMED_OUT", "timed_out"),
        ("SCREENED OUT", "screened_out"),
        ("SCREENED_OUT", "screened_out"),
    ],
)
def test_a_part_that_the_platform_ended_gives_its_trials_back_at_once(study: Study, status: str, outcome: str) -> None:
    rater = a_rater(study)
    assert n_open(rater) > 0
    reply = send({**RETURNED, "status": status})
    assert (reply.status_code, reply.json()) == (200, {"result": "done"})
    rater.refresh_from_db()
    assert rater.outcome == outcome
    assert rater.ended_at is not None
    assert n_open(rater) == 0
    call_command("recount", "--check")


def test_others_get_the_returned_pairs_without_waiting(study: Study) -> None:
    study.comparisons.update(votes_wanted=1)
    first = a_rater(study)
    held = set(first.trials.values_list("comparison", flat=True))
    second = a_rater(study, person="other", submission="f0")
    assert not held & set(second.trials.values_list("comparison", flat=True))
    send(RETURNED)
    third = a_rater(study, person="third", submission="f1")
    assert set(third.trials.values_list("comparison", flat=True)) <= held


def test_the_same_message_again_changes_nothing(study: Study) -> None:
    rater = a_rater(study)
    send(RETURNED)
    rater.refresh_from_db()
    lapses = list(Trial.objects.values_list("pk", "lapsed_at"))
    ended_at = rater.ended_at
    reply = send(RETURNED)
    assert (reply.status_code, reply.json()) == (200, {"result": "known"})
    rater.refresh_from_db()
    assert rater.ended_at == ended_at
    assert list(Trial.objects.values_list("pk", "lapsed_at")) == lapses
    assert PlatformEvent.objects.count() == 1


def test_a_message_that_failed_midway_is_not_taken_for_done(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    rater = a_rater(study)

    def break_off(trial: Trial) -> None:
        raise ConnectionError("the database went away")

    with monkeypatch.context() as patched:
        patched.setattr("survey_site.voting.releases.count_lapsed", break_off)
        reply = send(RETURNED, client=Client(raise_request_exception=False))
    assert reply.status_code == 500
    assert not PlatformEvent.objects.exists()
    rater.refresh_from_db()
    assert rater.outcome == ""
    assert send(RETURNED).json() == {"result": "done"}


def test_who_completed_stays_complete(study: Study) -> None:
    rater = a_rater(study)
    Rater.objects.filter(pk=rater.pk).update(outcome="complete", ended_at=rater.created_at)
    send(RETURNED)
    rater.refresh_from_db()
    assert rater.outcome == "complete"


def test_an_earlier_submission_s_end_does_not_end_the_later_one(study: Study) -> None:
    rater = a_rater(study, submission="e9")
    enter_study(study, person=Person("prolific", "5f", submission_id="later"))
    assert send(RETURNED).json() == {"result": "ignored"}
    rater.refresh_from_db()
    assert rater.outcome == ""
    assert send({**RETURNED, "resource_id": "later"}).json() == {"result": "done"}


def test_a_person_whose_link_named_no_submission_is_found_by_name(study: Study) -> None:
    rater = a_rater(study, submission="")
    assert send(RETURNED).json() == {"result": "done"}
    assert n_open(rater) == 0


@pytest.mark.parametrize(
    "said",
    [
        {**RETURNED, "status": "APPROVED"},
        {**RETURNED, "status": "SOMETHING NEW"},
        {**RETURNED, "event_type": "study.status.change"},
        {"event_type": "study.has_high_return_rate"},
        {**RETURNED, "status": 7},
        {},
    ],
)
def test_what_does_not_matter_is_taken_and_ignored_and_logged(
    study: Study, said: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    rater = a_rater(study)
    with caplog.at_level(logging.INFO):
        reply = send(said)
    assert (reply.status_code, reply.json()) == (200, {"result": "ignored"})
    assert "ignored" in caplog.text
    rater.refresh_from_db()
    assert (rater.outcome, n_open(rater) > 0) == ("", True)


def test_a_message_about_somebody_who_never_came_is_taken_and_leaves_no_trace(study: Study) -> None:
    assert send(RETURNED).json() == {"result": "ignored"}
    assert not PlatformEvent.objects.exists()


def refused(reply: Any, rater: Rater, *, status: int) -> str:
    """Assert that a message was refused in one sentence and changed nothing; return the sentence."""
    assert reply.status_code == status
    assert not PlatformEvent.objects.exists()
    rater.refresh_from_db()
    assert rater.outcome == ""
    assert n_open(rater) > 0
    return str(reply.json()["detail"])


def test_a_forged_signature_changes_nothing(study: Study) -> None:
    rater = a_rater(study)
    assert "not signed" in refused(send(RETURNED, secret="guessed"), rater, status=401)
    assert "not signed" in refused(send(RETURNED, secret=""), rater, status=401)


def test_another_body_under_a_good_signature_changes_nothing(study: Study) -> None:
    rater = a_rater(study)
    timestamp = str(int(time.time()))
    headers = {
        "X-Prolific-Request-Signature": signature_of(b"{}", timestamp=timestamp, secret=SECRET),
        "X-Prolific-Request-Timestamp": timestamp,
        "X-Event-ID": "1",
    }
    body = json.dumps(RETURNED)
    reply = Client().post("/platforms/prolific/hidden/", body, content_type="application/json", headers=headers)
    refused(reply, rater, status=401)


def test_a_message_without_a_signature_changes_nothing(study: Study) -> None:
    rater = a_rater(study)
    reply = Client().post("/platforms/prolific/hidden/", json.dumps(RETURNED), content_type="application/json")
    refused(reply, rater, status=401)
    strange = {"X-Prolific-Request-Signature": "é", "X-Prolific-Request-Timestamp": "é"}
    reply = Client().post("/platforms/prolific/hidden/", "{}", content_type="application/json", headers=strange)
    refused(reply, rater, status=401)


@pytest.mark.parametrize("seconds", [-FRESH_SECONDS - 5, FRESH_SECONDS + 5])
def test_a_recorded_message_cannot_be_sent_again_later(study: Study, seconds: int) -> None:
    rater = a_rater(study)
    reply = send(RETURNED, timestamp=str(int(time.time()) + seconds))
    assert "10 minutes" in refused(reply, rater, status=401)


@pytest.mark.parametrize("timestamp", ["now", "-5", "1e9", "NaN", "1" * 40])
def test_a_timestamp_that_is_none_is_refused(study: Study, timestamp: str) -> None:
    assert "seconds since 1970" in refused(send(RETURNED, timestamp=timestamp), a_rater(study), status=400)


@pytest.mark.parametrize("body", [b"", b"status=RETURNED", b"[1]", b"\xff", b'"RETURNED"'])
def test_a_signed_message_that_cannot_be_read_is_refused(study: Study, body: bytes) -> None:
    assert "JSON" in refused(send(body), a_rater(study), status=400)


@pytest.mark.parametrize("event", ["", "x" * 201])
def test_a_message_needs_a_name_of_its_own(study: Study, event: str) -> None:
    assert "X-Event-ID" in refused(send(RETURNED, event=event), a_rater(study), status=400)


def test_a_message_that_names_nobody_is_refused(study: Study) -> None:
    reply = send({"event_type": RETURNED["event_type"], "status": "RETURNED"})
    assert "names nobody" in refused(reply, a_rater(study), status=400)


def test_an_endless_message_is_refused(study: Study) -> None:
    rater = a_rater(study)
    refused(send(b" " * (LONGEST_BODY + 1)), rater, status=413)


def test_only_a_post_is_answered(study: Study) -> None:
    assert Client().get("/platforms/prolific/hidden/").status_code == 405


def test_unknown_studies_and_other_platforms_answer_alike(study: Study) -> None:
    make_study(slug="open-link")
    without_secret = make_study(design={"entry": {"way": "platform", "platform": "prolific"}}, slug="no-secret")
    assert without_secret.platform_secret == ""
    replies = [
        send(RETURNED, secret="guessed"),
        send(RETURNED, slug="nowhere"),
        send(RETURNED, slug="open-link"),
        send(RETURNED, slug="no-secret", secret=""),
        send(RETURNED, platform="mturk"),
        send(RETURNED, platform="unheard-of"),
    ]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.content for reply in replies}) == 1


@pytest.mark.parametrize(
    ("platform", "said", "outcome"),
    [
        ("mturk", {"assignmentId": "e9", "workerId": "5f", "status": "AssignmentReturned"}, "returned"),
        ("mturk", {"assignmentId": "e9", "status": "AssignmentAbandoned"}, "timed_out"),
        ("connect", {"assignmentId": "e9", "participantId": "5f", "status": "returned"}, "returned"),
        ("other", {"submission_id": "e9", "status": "timed out"}, "timed_out"),
        ("other", {"submission_id": "e9", "person_id": "5f", "status": "screened-out"}, "screened_out"),
    ],
)
def test_the_bridges_of_other_platforms_sign_in_the_same_way(platform: str, said: dict[str, str], outcome: str) -> None:
    entry = {"way": "platform", "platform": platform}
    if platform == "other":
        entry |= {"person_parameter": "pid", "submission_parameter": "run"}
    study = make_study(design={"entry": entry}, slug="bridged")
    Study.objects.filter(pk=study.pk).update(platform_secret=SECRET)
    rater = a_rater(study)
    assert send(said, platform=platform, slug="bridged").json() == {"result": "done"}
    rater.refresh_from_db()
    assert (rater.outcome, n_open(rater)) == (outcome, 0)


def test_two_studies_keep_their_events_and_people_apart(study: Study) -> None:
    other = make_study(design={"entry": {"way": "platform", "platform": "prolific"}}, slug="second")
    Study.objects.filter(pk=other.pk).update(platform_secret="another")
    mine, theirs = a_rater(study), a_rater(other)
    send(RETURNED)
    theirs.refresh_from_db()
    assert theirs.outcome == ""
    assert send(RETURNED, slug="second", secret="another").json() == {"result": "done"}
    mine.refresh_from_db()
    assert mine.outcome == "returned"
