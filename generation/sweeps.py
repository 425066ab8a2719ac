"""Sweeps: stored scores of arms that differ in their scale only, as series over the scale."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from generation.arms import recipe_of
from generation.models import Arm, Batch, Score


class NothingToSweep(Exception):
    """The stored scores make no series; the message says what is missing."""


@dataclass(frozen=True)
class Point:
    """One arm's score."""

    scale: float
    value: float
    n: int
    arm: str
    batch: str


@dataclass(frozen=True)
class Series:
    """Arms that differ in their scale only, in its order; one point a scale, of the newest score."""

    label: str
    points: Sequence[Point]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A metric over the scale. unguided: arms without a scale to draw them at. measured: on what and against what."""

    metric: str
    series: Sequence[Series]
    unguided: Sequence[Point]
    measured: str


def metrics_of(batch: Batch) -> list[str]:
    """Return the names of the scores that a sweep of this batch can be of."""
    return sorted(set(_whole(Score.objects.filter(batch=batch)).values_list("metric", flat=True)))


def sweep_of(
    batch: Batch,
    *,
    metric: str,
    arms: Sequence[int] = (),
    further: Sequence[int] = (),
    features: str = "",
    reference: str = "",
) -> Sweep:
    """Return the newest scores of a metric, grouped. arms: keys; empty: all. further: keys of other batches.

    Only scores on the same features, against the same reference and by the same judge as the newest are compared.
    Raises NothingToSweep.
    """
    own = Q(batch=batch, arm__in=arms) if arms else Q(batch=batch)
    scores = _whole(Score.objects.filter(own | Q(batch__in=further), metric=metric))
    for name, value in (("features", features), ("reference", reference)):
        scores = scores.filter(**{name: value}) if value else scores
    rows = list(
        scores.select_related("arm__classifier", "arm__denoiser", "batch", "judge").order_by("created_at", "pk")
    )
    if not rows:
        known = metrics_of(batch)
        raise NothingToSweep(
            f'No score "{metric}" of these arms is stored; '
            + (f"stored are {', '.join(known)}." if known else "score the batch first.")
        )
    last = rows[-1]
    alike = [row for row in rows if _measure(row) == _measure(last)]
    sweep = Sweep(metric=metric, series=_series(alike), unguided=_unguided(alike), measured=_in_words(last))
    if not any(len(series.points) > 1 for series in sweep.series):
        raise NothingToSweep(
            f'No two arms with a score "{metric}" differ in their scale only; score arms at two scales or more.'
        )
    return sweep


def _whole(scores: QuerySet[Score]) -> QuerySet[Score]:
    """Scores of all classes and noise levels together, that have a value."""
    return scores.filter(class_index=None, level=None, value__isnull=False)


def _measure(score: Score) -> tuple[str, str, int | None]:
    return score.features, score.reference, score.judge_id


def _in_words(score: Score) -> str:
    parts = [
        f"features: {score.features}" if score.features else "",
        f"reference: {score.reference}" if score.reference else "",
        f"judge: {score.judge}" if score.judge else "",
    ]
    return "; ".join(part for part in parts if part)


def _series(scores: Sequence[Score]) -> list[Series]:
    groups: dict[str, dict[float, Score]] = {}
    for score in scores:
        if score.arm.guidance != Arm.Guidance.NONE:
            groups.setdefault(_setup(score), {})[score.arm.scale] = score
    labels = _labels([next(iter(group.values())) for group in groups.values()])
    return [
        Series(label, [_point(group[scale]) for scale in sorted(group)])
        for label, group in zip(labels, groups.values(), strict=True)
    ]


def _unguided(scores: Sequence[Score]) -> list[Point]:
    newest = {_setup(score): score for score in scores if score.arm.guidance == Arm.Guidance.NONE}
    return [_point(score) for score in newest.values()]


def _point(score: Score) -> Point:
    assert score.value is not None  # _whole asks for those that have one
    return Point(scale=score.arm.scale, value=score.value, n=score.n, arm=score.arm.name, batch=score.batch.name)


def _setup(score: Score) -> str:
    """Everything about how an image is made but the scale, and the arm's name."""
    arm, batch = score.arm, score.batch
    parts = [arm.denoiser_id, arm.classifier_id, arm.guidance, arm.class_conditional, arm.sampler, arm.settings]
    return json.dumps([*parts, batch.steps, batch.precision], sort_keys=True)


def _labels(firsts: Sequence[Score]) -> list[str]:
    """A name for each series: its classifier's, with as much of the rest as tells it from the others."""
    plain = [_guide(score.arm) for score in firsts]
    fuller = [f"{name}: {_method(score.arm)}" for name, score in zip(plain, firsts, strict=True)]
    fullest = [
        f"{name}, {score.batch.steps} steps, {score.arm.denoiser}" for name, score in zip(fuller, firsts, strict=True)
    ]
    return [
        next((names[i] for names in (plain, fuller) if names.count(names[i]) == 1), fullest[i])
        for i in range(len(firsts))
    ]


def _guide(arm: Arm) -> str:
    return str(arm.classifier) if arm.classifier else arm.get_guidance_display()


def _method(arm: Arm) -> str:
    parts = recipe_of(arm).describe().split(", ")
    return ", ".join(part for part in parts if not part.startswith("s = "))
