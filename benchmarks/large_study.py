"""A study with very many votes, written straight into the database, to measure pages on.

The rows are what raters' votes would have left: every trial with its sides, every vote, every counter. Images are
known by name only.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

import numpy as np
from django.db import connection, transaction

from generation.models import Arm, Batch, Image
from survey_site.models import Comparison, Rater, Study, Trial, Vote

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHOICES = np.array([Vote.Choice.LEFT, Vote.Choice.RIGHT, Vote.Choice.SAME])
ROWS_AT_ONCE = 20_000


def fill_study(
    *, slug: str, comparisons: int, raters: int, votes_each: int, status: str = "closed", seed: int = 1
) -> Study:
    """Write a two-arm study in which every rater judged `votes_each` of the comparisons, in random order."""
    rng = np.random.default_rng(seed)
    with transaction.atomic():
        study = _study(slug, status=status)
        pairs = _comparisons(study, comparisons)
        panel = Rater.objects.bulk_create([Rater(study=study) for _ in range(raters)], batch_size=2000)
        _write_votes(rng, pairs=[pair.pk for pair in pairs], panel=[rater.pk for rater in panel], each=votes_each)
        _count(study)
    if connection.vendor == "postgresql":
        # What the server does by itself a minute after many rows came in.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return study


def _study(slug: str, *, status: str) -> Study:
    arms = [Arm.objects.create(name=name, source=Arm.Source.UPLOADED) for name in ("robust", "vanilla")]
    table = {str(index): f"class {index:03d}" for index in range(100)}
    batch = Batch.objects.create(
        name=slug, source=Batch.Source.IMPORTED, status=Batch.Status.COMPLETE, class_table=table, finished_at=NOW
    )
    batch.arms.set(arms)
    closed_at = NOW if status == "closed" else None
    study = Study.objects.create(title=slug, slug=slug, status=status, opened_at=NOW, closed_at=closed_at)
    study.arms.set(arms)
    study.batches.set([batch])
    return study


def _comparisons(study: Study, n: int) -> list[Comparison]:
    batch, arms = study.batches.get(), list(study.arms.order_by("name"))
    images = Image.objects.bulk_create(
        [Image(batch=batch, arm=arm, class_index=seed % 100, seed=seed) for seed in range(n) for arm in arms],
        batch_size=2000,
    )
    return Comparison.objects.bulk_create(
        [
            Comparison(study=study, position=i, pair_id=f"p{i:06d}", image_a=images[2 * i], image_b=images[2 * i + 1])
            for i in range(n)
        ],
        batch_size=2000,
    )


def _write_votes(rng: np.random.Generator, *, pairs: list[int], panel: list[int], each: int) -> None:
    appeal = rng.normal(0.15, 0.35, len(pairs))
    before = Trial.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    before = max(before, Vote.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)
    rows = _rows(rng, pairs=np.array(pairs), panel=panel, appeal=appeal, each=each)
    for chunk in _chunks(enumerate(rows, start=before + 1)):
        _insert(
            Trial._meta.db_table,
            "id,code,rater_id,comparison_id,kind,repeat_no,position,swapped,leased_at,expires_at",
            [
                (pk, _code(), rater, pair, "normal", 0, position, swapped, NOW, NOW)
                for pk, (rater, pair, position, swapped, _, _) in chunk
            ],
        )
        _insert(
            Vote._meta.db_table,
            "id,trial_id,question,choice,response_ms,reason,pressed_with,created_at",
            [(pk, pk, "preference", choice, ms, "", "key", NOW) for pk, (_, _, _, _, choice, ms) in chunk],
        )


def _rows(
    rng: np.random.Generator, *, pairs: np.ndarray, panel: list[int], appeal: np.ndarray, each: int
) -> Iterator[tuple[int, int, int, bool, str, int]]:
    for rater in panel:
        shown = rng.choice(len(pairs), each, replace=False)
        swapped = rng.random(each) < 0.5
        prefers_a = rng.random(each) < 1 / (1 + np.exp(-2 * appeal[shown]))
        code = np.where(rng.random(each) < 0.27, 2, np.where(prefers_a != swapped, 0, 1))
        times = np.exp(rng.normal(8.3, 0.5, each)).astype(int).tolist()
        choices = CHOICES[code].tolist()
        yield from zip(
            [rater] * each, pairs[shown].tolist(), range(each), swapped.tolist(), choices, times, strict=True
        )


def _chunks(
    rows: Iterable[tuple[int, tuple[int, int, int, bool, str, int]]],
) -> Iterator[list[tuple[int, tuple[int, int, int, bool, str, int]]]]:
    rows = iter(rows)
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        yield chunk


def _code() -> object:
    code = uuid.uuid4()
    return code if connection.features.has_native_uuid_field else code.hex


def _insert(table: str, columns: str, rows: list[tuple[object, ...]]) -> None:
    marks = ",".join(["%s"] * (columns.count(",") + 1))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def _count(study: Study) -> None:
    of_this = "FROM survey_trial t WHERE t.comparison_id = survey_comparison.id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE survey_comparison SET n_votes = (SELECT count(*) {of_this}),
                n_a_left = (SELECT count(*) {of_this} AND NOT t.swapped),
                n_a_right = (SELECT count(*) {of_this} AND t.swapped)
                WHERE study_id = %s""",
            [study.pk],
        )
