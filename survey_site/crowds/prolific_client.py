"""A thin client of Prolific's API: what Twinseed asks it, and nothing else."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from django.conf import settings

SECONDS_TO_ANSWER = 20.0
TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
TOO_MANY = 429
PAGE_SIZE = 100

Reply = dict[str, Any]  # Any: what JSON can hold


class ProlificFailed(Exception):
    """Prolific could not be asked, or said no; the message says what to do."""


@dataclass(frozen=True)
class Submission:
    """One person's part in a Prolific study, as Prolific knows it."""

    submission_id: str
    participant_id: str
    status: str


@dataclass(frozen=True)
class Subscription:
    """A confirmed subscription to messages. secret: the workspace's, with which they are signed."""

    subscription_id: str
    secret: str


class Prolific:
    """Use as a context manager."""

    def __init__(self, *, token: str = "", url: str = "") -> None:
        token = token or settings.PROLIFIC_TOKEN
        if not token:
            raise ProlificFailed("There is no token for Prolific. Create one there and set TWINSEED_PROLIFIC_TOKEN.")
        self.http = httpx.Client(
            base_url=url or settings.PROLIFIC_URL,
            headers={"Authorization": f"Token {token}"},
            timeout=SECONDS_TO_ANSWER,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()

    def submissions(self, study_id: str) -> Iterator[list[Submission]]:
        """Yield the submissions of a study, a page at a time. Raises `ProlificFailed`."""
        n_seen, page = 0, 1
        while True:
            reply = self._ask("GET", "submissions/", params={"study": study_id, "page_size": PAGE_SIZE, "page": page})
            read = [_submission(row) for row in _rows(reply)]
            if not read:
                return
            yield read
            n_seen, page = n_seen + len(read), page + 1
            if not _has_more(reply, n_seen=n_seen):
                return

    def subscribe(self, workspace_id: str, *, target_url: str) -> Subscription:
        """Have every change of a submission reported, signed with the workspace's secret. Raises `ProlificFailed`."""
        secret = self._secret(workspace_id)
        wanted = {"workspace_id": workspace_id, "event_type": "submission.status.change", "target_url": target_url}
        response = self._send("POST", "hooks/subscriptions/", json=wanted)
        subscription_id, proof = str(_object(response).get("id", "")), response.headers.get("X-Hook-Secret", "")
        if not subscription_id or not proof:
            raise ProlificFailed("Prolific took the subscription without an id and X-Hook-Secret; it is not confirmed.")
        self._ask("POST", f"hooks/subscriptions/{subscription_id}/", json={"secret": proof})
        return Subscription(subscription_id, secret=secret)

    def _secret(self, workspace_id: str) -> str:
        """Return the workspace's secret. A new one would end the old: other studies' messages would be refused."""
        known = _rows(self._ask("GET", "hooks/secrets/", params={"workspace_id": workspace_id}))
        made = known[0] if known else self._ask("POST", "hooks/secrets/", json={"workspace_id": workspace_id})
        secret = str(made.get("value", ""))
        if not secret:
            raise ProlificFailed("Prolific returned no secret for this workspace. Is the workspace's id right?")
        return secret

    def _ask(self, method: str, path: str, **said: Any) -> Reply:  # Any: what httpx takes
        return _object(self._send(method, path, **said))

    def _send(self, method: str, path: str, **said: Any) -> httpx.Response:  # Any: what httpx takes
        """Send a request until it is answered; busy servers and short failures are given time."""
        for number in range(TRIES):
            try:
                response = self.http.request(method, path, **said)
            except httpx.TransportError as error:
                if number == TRIES - 1:
                    raise ProlificFailed(f"Prolific cannot be reached ({error}). Try again later.") from error
                time.sleep(_pause(number, asked=""))
                continue
            if response.status_code != TOO_MANY and response.status_code < 500:
                return _accepted(response)
            if number < TRIES - 1:
                time.sleep(_pause(number, asked=response.headers.get("Retry-After", "")))
        raise ProlificFailed(f"Prolific answered {response.status_code} {TRIES} times. Try again later.")


def _pause(number: int, *, asked: str) -> float:
    """Return the seconds before the next try: those that Prolific asked for, else twice as long each time."""
    wanted = float(asked) if asked.isdigit() else FIRST_PAUSE * 2**number
    return min(wanted, LONGEST_PAUSE)


def _accepted(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    if response.status_code in {401, 403}:
        raise ProlificFailed(
            f"Prolific does not accept the token for this ({response.status_code}). Create a new one there, with the "
            "rights of the workspace, and set TWINSEED_PROLIFIC_TOKEN."
        )
    if response.status_code == 404:
        raise ProlificFailed("Prolific knows no such thing (404). Copy the id from the address bar of its page.")
    raise ProlificFailed(f"Prolific refused: {response.status_code} {response.text[:200]}")


def _object(response: httpx.Response) -> Reply:
    try:
        said = response.json()
    except ValueError as error:
        raise ProlificFailed("Prolific answered something that is no JSON. Is TWINSEED_PROLIFIC_URL right?") from error
    if not isinstance(said, dict):
        raise ProlificFailed("Prolific answered JSON of another shape than its documentation says.")
    return said


def _rows(reply: Reply) -> list[Reply]:
    rows = reply.get("results")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProlificFailed("Prolific answered a list of another shape than its documentation says.")
    return rows


def _submission(row: Reply) -> Submission:
    participant = row.get("participant_id") or row.get("participant") or ""
    return Submission(str(row.get("id", "")), participant_id=str(participant), status=str(row.get("status", "")))


def _has_more(reply: Reply, *, n_seen: int) -> bool:
    """Whether the list goes on: by its link to the next page, or by its count."""
    links, meta = reply.get("_links") or {}, reply.get("meta") or {}
    if "next" in links:
        return bool((links["next"] or {}).get("href"))
    return n_seen < int(meta.get("count") or 0)
