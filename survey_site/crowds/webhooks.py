"""What platforms report by signed messages: a rater returned the task, ran out of time, was screened out.

Every message is signed with the study's platform secret: base64 of HMAC-SHA256 over the timestamp's text and the
body, as Prolific does it. The bridges that other platforms need (docs/crowd-platforms.md) sign in the same way.
"""

import base64
import hmac
import json
import logging
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from survey_site.design.designs import Outcome
from survey_site.entrance.platforms import NAMES, PROLIFIC, Person, outcome_of
from survey_site.models import PlatformEvent, Study
from survey_site.voting.releases import end_part, part_of

logger = logging.getLogger(__name__)

# Both ways: clocks differ. Prolific's timestamp is that of sending, so that a late repetition is no old message.
FRESH_SECONDS = 600
LONGEST_BODY = 64 * 1024
LONGEST_EVENT_ID = 200
LONGEST_KIND = 60
SUBMISSION_CHANGED = "submission.status.change"
TIMESTAMP = re.compile(r"\d{1,12}(\.\d{1,9})?")


class WebhookRefused(Exception):
    """The message changed nothing; the exception's message says why."""

    status = 400


class Unsigned(WebhookRefused):
    """The signature is not that of a study at this address. Said alike where there is no such study."""

    status = 401


class Stale(WebhookRefused):
    """The message is signed, and too old to be acted on."""

    status = 401


class Malformed(WebhookRefused):
    """The message is signed and cannot be read."""


class TooLong(WebhookRefused):
    """No message of a platform is as long."""

    status = 413


class Receipt(StrEnum):
    """What was done about a message."""

    DONE = "done"
    KNOWN = "known"
    """It came before; nothing was done again."""
    IGNORED = "ignored"
    """It says nothing that matters here, or is about somebody who never came."""


class Headers(NamedTuple):
    """The names of the headers that a message is signed and numbered with."""

    signature: str
    timestamp: str
    event_id: str = "X-Event-ID"


PROLIFIC_HEADERS = Headers("X-Prolific-Request-Signature", "X-Prolific-Request-Timestamp")
BRIDGE_HEADERS = Headers("X-Twinseed-Signature", "X-Twinseed-Timestamp")


@dataclass(frozen=True)
class Message:
    """One signed message, as it came."""

    body: bytes
    signature: str
    timestamp: str
    event_id: str


def headers_of(platform: str) -> Headers:
    """Return the headers that a platform's messages carry."""
    return PROLIFIC_HEADERS if platform == PROLIFIC else BRIDGE_HEADERS


def signature_of(body: bytes, *, timestamp: str, secret: str) -> str:
    """Return what a message is signed with."""
    digest = hmac.new(secret.encode(), timestamp.encode() + body, "sha256").digest()
    return base64.b64encode(digest).decode()


def receive(platform: str, slug: str, *, message: Message) -> Receipt:
    """Act on a message once, however often it is sent. Raises `WebhookRefused`; nothing is changed then."""
    study = _signed_study(platform, slug, message=message)
    said = _said(message)
    outcome = outcome_of(said.get("status", ""))
    if outcome is None or said.get("event_type", SUBMISSION_CHANGED) != SUBMISSION_CHANGED:
        logger.info("Study %s: %s reports %s; ignored.", slug, platform, _kind(said))
        return Receipt.IGNORED
    person = _person(platform, said)
    # A platform may report on all studies of a workspace: others' submissions leave no trace here.
    if part_of(study, person) is None:
        logger.info("Study %s: %s reports %s of somebody who never came.", slug, platform, _kind(said))
        return Receipt.IGNORED
    return _act(study, person, outcome=outcome, event_id=message.event_id, kind=_kind(said))


def _act(study: Study, person: Person, *, outcome: Outcome, event_id: str, kind: str) -> Receipt:
    """Note the message and end the part in one transaction: what was noted was done, and the other way round."""
    with transaction.atomic():
        _event, is_new = PlatformEvent.objects.get_or_create(study=study, event_id=event_id, defaults={"kind": kind})
        ended = end_part(study, person, outcome=outcome) if is_new else None
    if ended is None:
        return Receipt.KNOWN
    rater, n_released = ended.rater, ended.n_released
    logger.info("Study %s: rater %s is %s, %d trials went back.", study.slug, rater, rater.outcome, n_released)
    return Receipt.DONE


def _signed_study(platform: str, slug: str, *, message: Message) -> Study:
    if len(message.body) > LONGEST_BODY:
        raise TooLong(f"The message has {len(message.body)} bytes; at most {LONGEST_BODY} are read.")
    study = Study.objects.filter(slug=slug, design__entry__platform=platform).exclude(platform_secret="").first()
    secret = study.platform_secret if study else ""
    expected = signature_of(message.body, timestamp=message.timestamp, secret=secret)
    # Bytes: compare_digest takes no other text than ASCII.
    is_signed = hmac.compare_digest(expected.encode(), message.signature.encode())
    if study is None or not is_signed:
        raise Unsigned(
            "This message is not signed with the secret of a study at this address. Compare the address and the "
            "secret with those on the study's page."
        )
    _require_fresh(message.timestamp)
    return study


def _require_fresh(timestamp: str) -> None:
    if not TIMESTAMP.fullmatch(timestamp):
        raise Malformed("The timestamp is no number of seconds since 1970. Send the time at which the message leaves.")
    if abs(timezone.now().timestamp() - float(timestamp)) > FRESH_SECONDS:
        raise Stale(
            f"The message was signed more than {FRESH_SECONDS // 60} minutes ago or in the future. Set the clock, "
            "and sign it again."
        )


def _said(message: Message) -> dict[str, str]:
    """Return the texts in the message's JSON object."""
    if not 1 <= len(message.event_id) <= LONGEST_EVENT_ID:
        raise Malformed(f"The header X-Event-ID must name the message in 1 to {LONGEST_EVENT_ID} characters.")
    try:
        said = json.loads(message.body)
    except ValueError as error:
        raise Malformed("The body is no JSON. Send one JSON object.") from error
    if not isinstance(said, dict):
        raise Malformed("The body is JSON, but no object. Send one JSON object.")
    return {name: text for name, text in said.items() if isinstance(text, str)}


def _person(platform: str, said: dict[str, str]) -> Person:
    person_name, submission_name = (
        ("participant_id", "resource_id") if platform == PROLIFIC else _bridge_names(platform)
    )
    person = Person(
        platform,
        person_id=said.get(person_name, "") or said.get("person_id", ""),
        submission_id=said.get(submission_name, "") or said.get("submission_id", ""),
    )
    if not person.person_id and not person.submission_id:
        raise Malformed(f"The message names nobody. Send {submission_name} or {person_name}.")
    return person


def _bridge_names(platform: str) -> tuple[str, str]:
    """Return the platform's own names, which a bridge may pass on as they are."""
    names = NAMES.get(platform)
    return (names.person, names.submission) if names else ("person_id", "submission_id")


def _kind(said: dict[str, str]) -> str:
    return f"{said.get('event_type', SUBMISSION_CHANGED)} {said.get('status', '')}".strip()[:LONGEST_KIND]
