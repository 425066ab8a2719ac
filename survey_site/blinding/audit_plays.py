"""Playing raters against this very site, and keeping everything that their browsers receive but the pixels.

Requests go through all of the site's middleware and views, without a network. The database is the caller's to choose:
`study_copies.in_memory` leaves the study alone.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic, perf_counter
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase, StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from survey_site.blinding.png_facts import FileFacts, facts_of
from survey_site.models import Study, Trial

# A sitting of a real rater, and below the limit on images a minute.
TRIALS_A_RATER = 40
# The first answer of an image is kept apart: what is slow once (a cold file) tells as well.
REPEATS = 2
# Of the page around an image, on each side of its tag.
AROUND = 300
BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "*/*", "Accept-Encoding": "gzip, deflate, br"}
CHOICES = ("left", "right", "same")


class CannotPlay(Exception):
    """A played rater got something else than a pair; the message says what."""


@dataclass(frozen=True)
class SeenImage:
    """One image as a browser gets it. tag, around: in the page's source. place: where the tag begins."""

    address: str
    status: int
    headers: Mapping[str, str]
    n_bytes: int
    file: FileFacts
    first_ms: float
    later_ms: float
    tag: str
    around: str
    place: int


@dataclass(frozen=True)
class SeenPair:
    """One pair as a browser gets it; arms and group are what the server knows besides."""

    arms: tuple[str, str]
    group: str
    position: int
    code: str
    entry: str
    page: str
    reply: str
    left: SeenImage
    right: SeenImage


def play(study: Study, *, at_most: int, seconds: float | None, rng: random.Random) -> Iterator[SeenPair]:
    """Let raters in, one after the other, and yield the pairs they are shown: `at_most`, or till the time is over.

    A rater sees every comparison once, and the next one those that were seen least. Raises `CannotPlay`.
    """
    ends, seen = inf if seconds is None else monotonic() + seconds, 0
    while seen < at_most and monotonic() < ends:
        visit = _visit(study, rng=rng)
        for pair, _turn in zip(visit, range(min(TRIALS_A_RATER, at_most - seen)), strict=False):
            seen += 1
            yield pair
            if monotonic() > ends:
                return


def _visit(study: Study, *, rng: random.Random) -> Iterator[SeenPair]:
    client = _browser(rng)
    _get(client, study.rating_path)
    client.post(reverse("rate-enter", args=[study.slug]), secure=_is_secure())
    queue = _json(_get(client, reverse("api-trials", args=[study.slug])))
    while queue["trials"]:
        entry = queue["trials"][0]
        page = _body(_get(client, reverse("rate-trial", args=[study.slug]))).decode()
        left, right = _images(client, entry, page=page, rng=rng)
        reply = _vote(client, study, entry=entry, rng=rng)
        queue = _json(reply)
        yield _seen(entry, page=page, reply=_body(reply).decode(), images=(left, right))


def _browser(rng: random.Random) -> Client:
    """Return a browser with an address of its own, of those that are kept for examples and reach nobody (RFC 3849)."""
    address = f"2001:db8:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}::1"
    host = next((host for host in settings.ALLOWED_HOSTS if host != "*"), "localhost").lstrip(".")
    return Client(headers={**BROWSER, "X-Forwarded-For": address}, REMOTE_ADDR=address, SERVER_NAME=host)


def _is_secure() -> bool:
    return bool(settings.SECURE_SSL_REDIRECT)


def _get(client: Client, path: str) -> HttpResponseBase:
    return client.get(path, secure=_is_secure())


def _body(response: HttpResponseBase) -> bytes:
    if isinstance(response, StreamingHttpResponse):
        return response.getvalue()
    return bytes(getattr(response, "content", b""))


def _json(response: HttpResponseBase) -> dict[str, Any]:  # Any: what the API says
    if response.status_code != 200:
        said = _body(response)[:200].decode(errors="replace")
        raise CannotPlay(f"A played rater was answered with status {response.status_code} instead of a pair: {said}")
    answer = json.loads(_body(response))
    assert isinstance(answer, dict), "a queue is an object"
    return answer


def _images(client: Client, entry: Mapping[str, str], *, page: str, rng: random.Random) -> tuple[SeenImage, SeenImage]:
    """Fetch both images in the page's order, then again in turns, so that neither is always the second."""
    sides = ("left", "right")
    addresses = [_address(entry, side, page=page) for side in sides]
    tags = [_tag(page, address) for address in addresses]
    spots = [tag.start() for tag in tags]
    first = {side: _fetched(client, addresses[side]) for side in sorted((0, 1), key=lambda side: spots[side])}
    times: tuple[list[float], list[float]] = ([], [])
    for _repeat in range(REPEATS):
        for side in rng.sample((0, 1), k=2):
            times[side].append(_fetched(client, addresses[side])[1])
    bodies = [_body(first[side][0]) for side in (0, 1)]
    left, right = (
        SeenImage(
            address=addresses[side],
            status=first[side][0].status_code,
            headers=_headers(first[side][0]),
            n_bytes=len(bodies[side]),
            file=facts_of(bodies[side], other=bodies[1 - side]),
            first_ms=first[side][1],
            later_ms=min(times[side]),
            tag=tags[side][0],
            around=_around(page, spots, side=side),
            place=spots[side],
        )
        for side in (0, 1)
    )
    return left, right


def _address(entry: Mapping[str, str], side: str, *, page: str) -> str:
    """Return the address that the page itself has for an image, with whatever was put behind the API's."""
    path = entry[side].partition("?")[0]
    found = re.search(rf'src="({re.escape(path)}[^"]*)"', page)
    if found is None:
        raise CannotPlay(f"The rating page has no image with the address {path}, which the API names.")
    return found[1]


def _tag(page: str, address: str) -> re.Match[str]:
    tag = re.search(rf'<img\b[^>]*src="{re.escape(address)}"[^>]*>', page)
    if tag is None:
        raise CannotPlay(f"The rating page has no image tag with the address {address}.")
    return tag


def _fetched(client: Client, address: str) -> tuple[HttpResponseBase, float]:
    began = perf_counter()
    response = _get(client, address.replace("&amp;", "&"))
    return response, (perf_counter() - began) * 1000


def _headers(response: HttpResponseBase) -> dict[str, str]:
    cookies = {f"Set-Cookie {name}": morsel.OutputString() for name, morsel in response.cookies.items()}
    return {**dict(response.items()), **cookies}


def _around(page: str, spots: Sequence[int], *, side: int) -> str:
    """Return the page from a little before an image's tag to a little after, up to halfway to the other's."""
    here, middle = spots[side], sum(spots) // 2
    if here < spots[1 - side]:
        return page[max(0, here - AROUND) : min(here + AROUND, middle)]
    return page[max(middle, here - AROUND) : here + AROUND]


def _vote(client: Client, study: Study, *, entry: Mapping[str, str], rng: random.Random) -> HttpResponseBase:
    asked = study.how.page
    choice = rng.choice(CHOICES)
    sent: dict[str, object] = {"choice": choice, "response_ms": rng.randint(800, 4000), "key": entry["key"]}
    if asked.questions:
        sent["others"] = {question.key: rng.choice(CHOICES) for question in asked.questions}
    if asked.strength and choice != "same":
        sent["strength"] = 1
    path = reverse("api-vote", args=[entry["code"]])
    return client.post(path, json.dumps(sent), content_type="application/json", secure=_is_secure())


def _seen(
    entry: Mapping[str, Any],
    *,
    page: str,
    reply: str,
    images: tuple[SeenImage, SeenImage],  # Any: as in `_json`
) -> SeenPair:
    trial = Trial.objects.select_related("comparison__image_a__arm", "comparison__image_b__arm").get(code=entry["code"])
    image = trial.left_image
    return SeenPair(
        arms=(image.arm.name, trial.right_image.arm.name),
        group=f"{image.batch_id}/{image.class_index}/{image.seed}",
        position=trial.position,
        code=str(trial.code),
        entry=json.dumps(entry),
        page=page,
        reply=reply,
        left=images[0],
        right=images[1],
    )
