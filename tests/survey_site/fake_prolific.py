"""A platform of our own that speaks like Prolific: a real HTTP server in a thread, and signed messages to a site."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

from survey_site.crowds.webhooks import signature_of

TOKEN = "a researcher's token"
PROOF = "proof of intent"


@dataclass
class FakeProlific:
    """Use as a context manager. Set what it knows; read what it was asked.

    failures: (status, headers) of the next answers, before it behaves again. page_size: at most as many rows a page.
    """

    submissions: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    page_size: int = 2
    says_links: bool = True
    asked: list[str] = field(default_factory=list)
    subscriptions: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> "FakeProlific":
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                platform._answer(self, body={})

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                platform._answer(self, body=json.loads(self.rfile.read(length) or b"{}"))

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def url(self) -> str:
        """The address that stands for https://api.prolific.com/api/v1/."""
        return f"http://127.0.0.1:{self.server.server_port}/api/v1/"

    def add_submission(self, study: str, *, submission: str, participant: str, status: str) -> None:
        """Put one more submission on a study's list."""
        row = {"id": submission, "participant_id": participant, "status": status, "study_id": study}
        self.submissions.setdefault(study, []).append(row)

    def report(self, target: str, *, submission: str, status: str, secret: str, event: str = "") -> dict[str, Any]:
        """Send a site the signed message that a submission has changed; return the site's answer. Errors raise."""
        said = {"event_type": "submission.status.change", "resource_id": submission, "status": status}
        body, timestamp = json.dumps(said).encode(), str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Prolific-Request-Timestamp": timestamp,
            "X-Prolific-Request-Signature": signature_of(body, timestamp=timestamp, secret=secret),
            "X-Event-ID": event or uuid4().hex,
        }
        with urlopen(Request(target, data=body, headers=headers), timeout=20) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer

    def _answer(self, handler: BaseHTTPRequestHandler, *, body: dict[str, Any]) -> None:
        self.asked.append(f"{handler.command} {handler.path}")
        if self.failures:
            status, headers = self.failures.pop(0)
            return _reply(handler, status, {"error": "not now"}, headers=headers)
        if handler.headers["Authorization"] != f"Token {TOKEN}":
            return _reply(handler, 401, {"detail": "Invalid token."})
        address = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        return self._route(handler, f"{handler.command} {address.path.removeprefix('/api/v1/')}", query or body)

    def _route(self, handler: BaseHTTPRequestHandler, route: str, said: dict[str, Any]) -> None:
        match route:
            case "GET submissions/" if said["study"] in self.submissions:
                _reply(handler, 200, self._page(said))
            case "GET hooks/secrets/":
                rows = [
                    {"id": "1", "value": value} for name, value in self.secrets.items() if name == said["workspace_id"]
                ]
                _reply(handler, 200, {"results": rows})
            case "POST hooks/secrets/":
                self.secrets[said["workspace_id"]] = f"drawn for {said['workspace_id']}"
                _reply(handler, 201, {"id": "1", "value": self.secrets[said["workspace_id"]]})
            case "POST hooks/subscriptions/":
                self.subscriptions["s1"] = {**said, "state": "unconfirmed"}
                _reply(handler, 201, {"id": "s1"}, headers={"X-Hook-Secret": PROOF})
            case "POST hooks/subscriptions/s1/" if said == {"secret": PROOF}:
                self.subscriptions["s1"]["state"] = "confirmed"
                _reply(handler, 200, {"id": "s1"})
            case _:
                _reply(handler, 404, {"detail": "Not found."})

    def _page(self, said: dict[str, str]) -> dict[str, Any]:
        rows, page = self.submissions[said["study"]], int(said["page"])
        size = min(self.page_size, int(said["page_size"]))
        shown = {"results": rows[(page - 1) * size : page * size], "meta": {"count": len(rows)}}
        following = f"{self.url}submissions/?page={page + 1}" if page * size < len(rows) else None
        return {**shown, "_links": {"next": {"href": following}}} if self.says_links else shown


def _reply(
    handler: BaseHTTPRequestHandler, status: int, said: dict[str, Any], *, headers: dict[str, str] | None = None
) -> None:
    body = json.dumps(said).encode()
    handler.send_response(status)
    for name, value in {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **(headers or {}),
    }.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)
