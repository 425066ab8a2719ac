"""Raters made of sockets: they enter, vote without a pause and take every reply as a browser's page does.

One thread, one connection a rater, requests written whole: the client takes as little as it can of the machine that
it measures. Nobody's votes are copied or skipped; an answer that is no success is counted as an error.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass, field
from typing import Any

CHOICES = ("left", "right", "same")
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')
LENGTH = re.compile(rb"(?i)content-length: (\d+)")
COOKIE = re.compile(rb"(?i)set-cookie: ([^=]+)=([^;\r]*)")
Reply = tuple[int, bytes, bytes]


@dataclass
class Load:
    """What a few raters did in some seconds. seconds: of each vote, from its first byte out to its last byte in."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    images: int = 0
    elapsed: float = 0.0

    @property
    def per_second(self) -> float:
        """Return votes a second, those that failed not counted."""
        return len(self.seconds) / self.elapsed

    def quantile(self, share: float) -> float:
        """Return the milliseconds that this share of the votes stayed under."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def play_raters(port: int, slug: str, *, raters: int, seconds: float, door: str = "api", images: bool = False) -> Load:
    """Let some raters vote at once, each its next vote as soon as the last is answered.

    door: "api", as the page's script does, or "page", as a browser without JavaScript does.
    """
    players = [_Rater(port, slug, seed=seed, door=door, images=images) for seed in range(raters)]
    return asyncio.run(_all(players, seconds=seconds))


def send_bare_votes(port: int, *, senders: int, seconds: float) -> Load:
    """Send the bare site one request after the other from some connections."""
    return asyncio.run(_all([_Sender(port) for _ in range(senders)], seconds=seconds))


async def _all(players: list[Any], *, seconds: float) -> Load:  # Any: raters or senders
    load = Load()
    for player in players:
        await player.enter()
    start = time.perf_counter()
    await asyncio.gather(*(player.play(load, until=start + seconds) for player in players))
    load.elapsed = time.perf_counter() - start
    return load


class _Line:
    """A connection that is opened again whenever the server has closed it, as gunicorn's sync workers do."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.cookies: dict[bytes, bytes] = {}

    async def ask(self, head: str, body: bytes = b"", *, kind: str = "application/json") -> Reply:
        cookies = b"; ".join(name + b"=" + value for name, value in self.cookies.items())
        token = self.cookies.get(b"csrftoken", b"").decode()
        lines = f"{head} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CSRFToken: {token}\r\n"
        lines += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\nCookie: "
        return await self._exchange(lines.encode() + cookies + b"\r\n\r\n" + body)

    async def _exchange(self, message: bytes) -> Reply:
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        self.writer.write(message)
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            # Closed while it was idle; nothing of this message was read.
            await self._close()
            return await self._exchange(message)
        length = LENGTH.search(head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        self.cookies.update(dict(COOKIE.findall(head)))
        if b"connection: close" in head.lower():
            await self._close()
        return int(head[9:12]), head, body

    async def _close(self) -> None:
        self.writer.close()
        self.reader = None


class _Rater:
    def __init__(self, port: int, slug: str, *, seed: int, door: str, images: bool) -> None:
        self.port, self.slug, self.images, self.by_page = port, slug, images, door == "page"
        self.rng = random.Random(seed)

    async def enter(self) -> None:
        """Open the study's page, press Start, read what is to be judged."""
        self.line = _Line(self.port)
        self.fetched: set[str] = set()
        _, _, page = await self.line.ask(f"GET /rate/{self.slug}/")
        token = TOKEN.search(page)
        assert token is not None, f"The study's page has no form: {page[:300]!r}"
        body = b"csrfmiddlewaretoken=" + token[1]
        await self.line.ask(f"POST /rate/{self.slug}/enter/", body, kind="application/x-www-form-urlencoded")
        await self._look()

    async def play(self, load: Load, *, until: float) -> None:
        while time.perf_counter() < until:
            if not self.trials:
                await self.enter()
            if self.images:
                load.images += await self._fetch_images()
            start = time.perf_counter()
            good = await (self._vote_on_page() if self.by_page else self._vote())
            if good:
                load.seconds.append(time.perf_counter() - start)
            else:
                load.errors += 1
                await self._look()

    async def _look(self) -> None:
        _, _, body = await self.line.ask(f"GET /api/v1/studies/{self.slug}/trials/")
        self.trials = json.loads(body)["trials"]

    async def _vote(self) -> bool:
        trial = self.trials[0]
        answer = {"choice": self.rng.choice(CHOICES), "response_ms": 700, "key": trial["key"], "pressed_with": "key"}
        status, _, body = await self.line.ask(f"POST /api/v1/trials/{trial['code']}/vote/", json.dumps(answer).encode())
        if status == 200:
            self.trials = json.loads(body)["trials"]
        return status == 200

    async def _vote_on_page(self) -> bool:
        """Send the form, follow it to the next pair's page, as two requests."""
        trial, token = self.trials[0], self.line.cookies[b"csrftoken"].decode()
        body = f"csrfmiddlewaretoken={token}&choice={self.rng.choice(CHOICES)}&key={trial['key']}"
        form = f"POST /rate/{self.slug}/trial/{trial['code']}/"
        status, _, _ = await self.line.ask(form, body.encode(), kind="application/x-www-form-urlencoded")
        await self.line.ask(f"GET /rate/{self.slug}/trial/")
        self.trials = self.trials[1:]
        if not self.trials:
            await self._look()
        return status == 302

    async def _fetch_images(self) -> int:
        paths = [path for trial in self.trials for path in (trial["left"], trial["right"])]
        new = [path for path in paths if path not in self.fetched]
        for path in new:
            await self.line.ask(f"GET {path}")
        self.fetched.update(new)
        return len(new)


class _Sender:
    def __init__(self, port: int) -> None:
        self.line = _Line(port)

    async def enter(self) -> None:
        await self.line.ask("POST /vote/", b"{}")

    async def play(self, load: Load, *, until: float) -> None:
        while time.perf_counter() < until:
            start = time.perf_counter()
            status, _, _ = await self.line.ask("POST /vote/", b"{}")
            if status == 200:
                load.seconds.append(time.perf_counter() - start)
            else:
                load.errors += 1
