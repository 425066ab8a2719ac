"""A copy of a study in this process's memory, to be played with: nothing that happens to it can reach the study.

A rater's visit writes: a trial is leased, a counter moves. An audit that did this in the database would have to take it
back, and would hold every other writer until then. So the thread gets another database for a moment, an SQLite one
in memory with the study's rows; the files of the images are the real ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.utils import timezone

from generation.models import Arm, Batch, Image
from survey_site.design.designs import Checks, Design, Entry, Sampling, Welcome
from survey_site.drafts.pairings import NotPairable, comparisons
from survey_site.models import Comparison, Study, new_secret

Row = TypeVar("Row", Study, Arm, Batch)


class NothingToCopy(Exception):
    """The study has no comparison that could be shown; the message says why."""


@dataclass(frozen=True)
class StudyCopy:
    """The rows of a study that its raters' pages need, read and not yet written anywhere."""

    study: Study
    arms: list[Arm]
    batches: list[Batch]
    images: list[Image]
    comparisons: list[Comparison]
    n_comparisons: int
    """Of the study itself."""


def copy_study(study: Study, *, at_most: int, seed: int) -> StudyCopy:
    """Read a study, with `at_most` of its normal comparisons, drawn by the seed. Raises `NothingToCopy`.

    The copy is open to all, without questionnaire and checks, and nobody has rated it yet.
    """
    drawn, n_comparisons = _drawn(study, at_most=at_most, rng=random.Random(seed))
    images = {image.pk: image for pair in drawn for image in (pair.image_a, pair.image_b)}
    if not all(image.is_made for image in images.values()):
        raise NothingToCopy("The study's images are not all there yet. Wait until they are made.")
    return StudyCopy(
        _unvisited(study),
        arms=[_alone(arm) for arm in study.arms.all()],
        batches=[_alone(batch) for batch in study.batches.all()],
        images=list(images.values()),
        comparisons=drawn,
        n_comparisons=n_comparisons,
    )


@contextmanager
def in_memory(rows: StudyCopy) -> Iterator[None]:
    """Let this thread's queries go to a database in memory that holds these rows, and to no other."""
    real = connections[DEFAULT_DB_ALIAS]
    memory = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})["default"]
    connections[DEFAULT_DB_ALIAS] = memory
    try:
        _create_tables(memory)
        _write(rows)
        yield
    finally:
        connections[DEFAULT_DB_ALIAS] = real
        # Django's own close would keep a database in memory open.
        BaseDatabaseWrapper.close(memory)


def _drawn(study: Study, *, at_most: int, rng: random.Random) -> tuple[list[Comparison], int]:
    if study.status == Study.Status.DRAFT:
        try:
            pairs = comparisons(study)
        except NotPairable as reason:
            raise NothingToCopy(str(reason)) from reason
        drawn, n = rng.sample(pairs, k=min(at_most, len(pairs))), len(pairs)
    else:
        keys = list(study.comparisons.normal().order_by("pk").values_list("pk", flat=True))
        chosen = rng.sample(keys, k=min(at_most, len(keys)))
        drawn, n = list(study.comparisons.filter(pk__in=chosen).select_related("image_a", "image_b")), len(keys)
    if not drawn:
        raise NothingToCopy("The study has no comparisons.")
    rng.shuffle(drawn)
    fresh = [
        Comparison(
            pk=place + 1,
            study_id=study.pk,
            position=place,
            pair_id=pair.pair_id,
            image_a=pair.image_a,
            image_b=pair.image_b,
        )
        for place, pair in enumerate(drawn)
    ]
    return fresh, n


def _unvisited(study: Study) -> Study:
    played = _alone(study)
    played.status, played.opened_at, played.closed_at = Study.Status.OPEN, timezone.now(), None
    played.votes_wanted, played.platform_secret = None, ""
    # What a process keeps of a study, it keeps under the secret: nothing of the copy may be taken for the study's.
    played.secret = new_secret()
    played.design = _played(study.how).as_json()
    return played


def _played(design: Design) -> Design:
    order = {"trials_per_rater": None, "break_after": None, "sampling": Sampling.LEAST_JUDGED}
    parts = {"entry": Entry(), "welcome": Welcome(), "checks": Checks()}
    return design.model_copy(update={**parts, "order": design.order.model_copy(update=order)})


def _alone(row: Row) -> Row:
    """Return a row of its own, without the owner, whose account is nobody's business here."""
    alone = copy(row)
    alone.owner_id = None
    return alone


def _create_tables(memory: BaseDatabaseWrapper) -> None:
    # Rows that no rater's page needs, such as checkpoints, stay away, and so do the keys that point to them.
    memory.disable_constraint_checking()
    with memory.schema_editor() as editor:
        for model in apps.get_models():
            editor.create_model(model)
    memory.disable_constraint_checking()


def _write(rows: StudyCopy) -> None:
    Arm.objects.bulk_create(rows.arms)
    Batch.objects.bulk_create(rows.batches)
    for image in rows.images:
        image.chunk_id = None
    Image.objects.bulk_create(rows.images)
    rows.study.save(force_insert=True)
    rows.study.arms.set(rows.arms)
    rows.study.batches.set(rows.batches)
    Comparison.objects.bulk_create(rows.comparisons)
