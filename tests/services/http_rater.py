"""A rater made of HTTP requests: enters, looks, votes, sometimes twice at once."""

import json
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

# Waiting for a pair that never comes must end in a failure, not in a hang.
PATIENCE_SECONDS = 120

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class HttpRater:
    """Every error status raises; `n_sent` counts the votes that were answered, copies included."""

    def __init__(self, site: str, slug: str, *, seed: int) -> None:
        self.page, self.api = f"{site}/rate/{slug}/", f"{site}/api/v1"
        self.slug = slug
        self.rng = random.Random(seed)
        self.opener = build_opener(HTTPCookieProcessor())
        self.n_sent = 0
        self.seconds: list[float] = []

    def rate_to_the_end(self, *, share_twice: float) -> None:
        """Vote until the site says that everything is done."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        self._enter()
        queue = self._read(f"{self.api}/studies/{self.slug}/trials/")
        while queue["standing"] != "finished":
            if queue["trials"]:
                queue = self._vote(queue["trials"][0], copies=1 + (self.rng.random() < share_twice))
            else:
                assert time.monotonic() < deadline, f"still {queue['standing']}"
                time.sleep(0.05)
                self._enter()
                queue = self._read(f"{self.api}/studies/{self.slug}/trials/")

    def _enter(self) -> None:
        text = self._open(self.page).decode()
        if token := TOKEN.search(text):
            self.token = token[1]
        self._open(f"{self.page}enter/", urlencode({"csrfmiddlewaretoken": self.token}).encode())

    def _vote(self, trial: dict[str, Any], *, copies: int) -> Any:
        answer = {"choice": self.rng.choice(("left", "right", "same")), "response_ms": 700, "key": trial["key"]}
        started = time.perf_counter()
        if copies == 1:
            replies = [self._send(trial, answer)]
        else:
            with ThreadPoolExecutor(copies) as clicks:
                replies = list(clicks.map(lambda _: self._send(trial, answer), range(copies)))
        self.seconds.append(time.perf_counter() - started)
        self.n_sent += copies
        return replies[-1]

    def _send(self, trial: dict[str, Any], answer: dict[str, Any]) -> Any:
        return self._read(f"{self.api}/trials/{trial['code']}/vote/", json.dumps(answer).encode())

    def _read(self, url: str, body: bytes | None = None) -> Any:
        return json.loads(self._open(url, body, content_type="application/json"))

    def _open(
        self, url: str, body: bytes | None = None, *, content_type: str = "application/x-www-form-urlencoded"
    ) -> bytes:
        headers = {"Content-Type": content_type} if body else {}
        if body and content_type == "application/json":
            headers["X-CSRFToken"] = self.token
        with self.opener.open(Request(url, data=body, headers=headers), timeout=60) as response:
            return bytes(response.read())
