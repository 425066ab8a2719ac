"""A rater's browser cannot tell normal, gold, identical and repeated trials apart by anything but the images."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from survey_site.models import Comparison, Rater, Study, Trial
from tests.factories import make_study, make_study_with_files

pytestmark = pytest.mark.django_db

CHECKS = {"checks": {"block": 6, "per_block": 2}}
KINDS = {"normal", "gold", "identical", "repeat"}
# At the end fewer pairs lie ahead, at the start none lies behind: neither has to do with kinds.
AHEAD = 3


def enter(client: Client, study: Study) -> dict[str, Any]:
    client.post(reverse("rate-enter", args=[study.slug]))
    return client.get(reverse("api-trials", args=[study.slug])).json()


def kind_of(code: str) -> str:
    trial = Trial.objects.select_related("comparison").get(code=code)
    return "identical" if trial.comparison.kind == "identical" else trial.kind


def replies(client: Client, study: Study, *, choice: str = "left") -> Iterator[tuple[str, dict[str, Any]]]:
    """Rate to the end; yield the kind of each trial and the reply to its answer."""
    queue = enter(client, study)
    while queue["trials"]:
        trial = queue["trials"][0]
        said = {"choice": choice, "response_ms": 900, "key": trial["key"]}
        queue = client.post(reverse("api-vote", args=[trial["code"]]), said, content_type="application/json").json()
        yield kind_of(trial["code"]), queue


def test_nothing_but_the_images_differs_between_kinds(client: Client) -> None:
    study = make_study(20, design=CHECKS)
    address = reverse("rate-trial", args=[study.slug])
    cards, answers, pages, totals = defaultdict(set), defaultdict(set), defaultdict(set), []
    for kind, reply in replies(client, study):
        totals.append((reply["n_votes"], reply["n_comparisons"]))
        for trial in reply["trials"]:
            cards[kind_of(trial["code"])].add(shape_of(trial))
        if len(reply["trials"]) == AHEAD:
            answers[kind].add(shape_of({**reply, "trials": reply["trials"][:1]}))
            page = client.get(address).content.decode()
            pages[kind_of(reply["trials"][0]["code"])].add(shape_of_page(page))
    for seen in (cards, answers, pages):
        assert set(seen) == KINDS
        assert len(set.union(*seen.values())) == 1
    # The progress counts checks like all other trials, from the first to the last.
    assert totals == [(n, len(totals)) for n in range(1, len(totals) + 1)]
    assert len(totals) > 20


@pytest.mark.parametrize(
    "scarce",
    [{"kinds": ["repeat"]}, {"kinds": ["gold"], "mismatched": 2}, {"kinds": ["identical", "repeat"], "identical": 1}],
)
def test_progress_ends_where_it_said_from_the_start_also_where_checks_run_out(
    scarce: dict[str, object], client: Client
) -> None:
    study = make_study(16, design={"checks": {**CHECKS["checks"], **scarce}, "welcome": {"practice": 0}})
    totals = [(reply["n_votes"], reply["n_comparisons"]) for _, reply in replies(client, study)]
    assert totals == [(n, len(totals)) for n in range(1, len(totals) + 1)]
    assert len(totals) > 16


def test_images_come_under_like_addresses_with_like_headers(client: Client) -> None:
    study = make_study_with_files(6, design=CHECKS)
    enter(client, study)
    rater = study.raters.get()
    normal = study.comparisons.normal().exclude(trials__rater=rater)[0]
    shown = [("normal", normal), ("repeat", normal)]
    unseen = study.comparisons.exclude(trials__rater=rater)
    shown += [("gold", unseen.filter(kind=kind)[0]) for kind in ("gold", "identical")]
    looks = set()
    for kind, comparison in shown:
        trial = lease(rater, comparison, kind=kind)
        for address in ("rate-image-left", "rate-image-right"):
            reply = client.get(reverse(address, args=[trial.code]))
            assert reply.status_code == 200
            looks.add(shape_of_headers(reply.headers))
    assert len(looks) == 1


def lease(rater: Rater, comparison: Comparison, *, kind: str) -> Trial:
    return Trial.objects.create(
        rater=rater,
        comparison=comparison,
        kind=kind,
        repeat_no=int(kind == "repeat"),
        swapped=False,
        position=rater.trials.count(),
        expires_at=timezone.now() + timedelta(minutes=15),
    )


@pytest.mark.parametrize("choice", ["left", "right", "same"])
def test_only_practice_says_what_was_right(choice: str, client: Client) -> None:
    for kind, reply in replies(client, make_study(8, design=CHECKS), choice=choice):
        assert kind in KINDS
        assert reply["feedback"] is None


def shape_of(value: object) -> object:
    """What a value looks like once its own numbers and names are gone; hashable, so that sets hold it."""
    if isinstance(value, dict):
        return tuple((key, shape_of(of_key)) for key, of_key in value.items())
    if isinstance(value, list):
        return tuple(shape_of(item) for item in value)
    return without_names(value) if isinstance(value, str) else type(value).__name__


def shape_of_page(page: str) -> str:
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "TOKEN", page)
    return re.sub(r"\d+", "0", without_names(page))


def shape_of_headers(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, re.sub(r"\d+", "0", value)) for name, value in headers.items()))


def without_names(text: str) -> str:
    text = re.sub(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", "CODE", text)
    text = re.sub(r"golf ball|tennis ball", "LABEL", text)
    return re.sub(r"left|right|same", "SIDE", text)
