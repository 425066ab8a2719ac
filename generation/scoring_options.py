"""What can be asked of a scoring, checked against rows before anything is queued. No torch: pages import this."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Q

from generation.diffusion.metrics import OF_FEATURES, OF_GUIDES, Metric
from generation.models import Arm, Batch, Checkpoint

Options = Mapping[str, Any]  # Any: what JSON can hold
Chosen = dict[str, Any]  # Any: as above

KEYS = ("metrics", "arms", "reference", "features", "judge", "per_class", "levels", "guide_images")
REFERENCES = ("batch_arm", "folder", "npz", "sportballs")
LEVELS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)
PIXELS = re.compile(r"pixels-([1-9]\d{0,2})")
FILES = ("inception", "model")
"""Kinds of features that are read from a file or folder, named "KIND:PATH"."""
MOST_DRAWN = 50_000


class InvalidScoring(Exception):
    """This cannot be measured of this batch; the message says why."""


def check_scoring(batch: Batch, options: Options, *, inside: Path | None = None) -> Chosen:
    """Return all options as a worker needs them, absent ones filled in. Raises InvalidScoring.

    metrics: names. arms: ids, all of the batch's if absent. reference: {"kind": "batch_arm", "batch": id, "arm": id},
    {"kind": "folder" or "npz", "path": ...} or {"kind": "sportballs", "n": ..., "seed": ...}. features: "pixels-N",
    "judge", "checkpoint:NAME", "inception:PATH" or "model:PATH". judge: id of a classifier of clean images. per_class:
    every score also by class. levels, guide_images: timesteps, and how many reference images guides are tried on.
    inside: the folder that paths are relative to and may not leave; None where the caller may read any file.
    """
    for key in options:
        if key not in KEYS:
            raise InvalidScoring(f'A scoring has no option "{key}"; it has {", ".join(KEYS)}.')
    if batch.status != Batch.Status.COMPLETE:
        raise InvalidScoring(f'Batch "{batch}" is {batch.get_status_display().lower()}; score it when it is complete.')
    metrics = _metrics(options.get("metrics"))
    arms = _arms(batch, options.get("arms"))
    judge = _judge(batch, arms, options.get("judge"))
    chosen: Chosen = {
        "metrics": [metric.value for metric in metrics],
        "arms": [arm.pk for arm in arms],
        "reference": check_reference(options["reference"], inside=inside) if options.get("reference") else None,
        "features": check_features(options.get("features") or "pixels-8", judge=judge, inside=inside),
        "judge": None if judge is None else judge.pk,
        "per_class": bool(options.get("per_class", False)),
        "levels": _levels(options.get("levels"), arms),
        "guide_images": _count(options.get("guide_images", 500), name="guide_images"),
    }
    _check_complete(chosen, arms, metrics)
    return chosen


def check_reference(wanted: Options, *, inside: Path | None = None) -> Chosen:
    """Return a reference's options, absent ones filled in; see check_scoring. Raises InvalidScoring."""
    kind = wanted.get("kind")
    if kind not in REFERENCES:
        raise InvalidScoring(f'There is no reference of kind "{kind}"; there are {", ".join(REFERENCES)}.')
    if kind == "batch_arm":
        return _other_arm(wanted)
    if kind == "sportballs":
        n = _count(wanted.get("n", 1000), name="The number of balls")
        if n > MOST_DRAWN:
            raise InvalidScoring(f"{n} balls are more than the {MOST_DRAWN} that are drawn at most.")
        return {"kind": kind, "n": n, "seed": _count(wanted.get("seed", 424_242), name="The seed", least=0)}
    return {"kind": kind, "path": str(_path(wanted.get("path"), inside=inside))}


def check_features(name: str, *, judge: Checkpoint | None = None, inside: Path | None = None) -> str:
    """Return the name of features with a full path, if it has one; see check_scoring. Raises InvalidScoring."""
    kind, _, path = name.partition(":")
    if kind == "checkpoint":
        return _registered(path)
    if kind in FILES and path:
        return f"{kind}:{_path(path, inside=inside)}"
    if name == "judge" and judge is None:
        raise InvalidScoring("Features of the judge need a judge; choose one.")
    if name != "judge" and not PIXELS.fullmatch(name):
        raise InvalidScoring(
            f'There are no features "{name}"; there are pixels-N (N pixels a side), judge, checkpoint:NAME, '
            "inception:FILE and model:FOLDER."
        )
    return name


def reference_folder() -> Path:
    """Return where references and feature networks lie that may be named from the browser."""
    folder: Path = settings.VAR_DIR / "references"
    return folder


def labels_of(batch: Batch) -> list[str]:
    """Return the texts of classes 0, 1, 2, ... as far as this batch knows them."""
    if labels := batch.class_labels:
        return labels
    table = {int(index): str(text) for index, text in batch.class_table.items()}
    return [table.get(index, "") for index in range(max(table, default=-1) + 1)]


def _metrics(names: Sequence[str] | None) -> list[Metric]:
    known = [metric.value for metric in Metric]
    for name in names or ():
        if name not in known:
            raise InvalidScoring(f'There is no metric "{name}"; there are {", ".join(known)}.')
    if not names:
        raise InvalidScoring(f"Choose at least one metric of {', '.join(known)}.")
    return [metric for metric in Metric if metric.value in names]


def _arms(batch: Batch, ids: Sequence[int] | None) -> list[Arm]:
    arms = {arm.pk: arm for arm in batch.arms.select_related("classifier", "denoiser")}
    for pk in ids or ():
        if pk not in arms:
            raise InvalidScoring(f'Arm {pk} is not in batch "{batch}".')
    return [arm for pk, arm in arms.items() if not ids or pk in ids]


def _judge(batch: Batch, arms: Sequence[Arm], asked: object) -> Checkpoint | None:
    if asked is None:
        return None
    if isinstance(asked, bool) or not isinstance(asked, int | str):
        raise InvalidScoring("The judge is named by its id or its name.")
    # A name of digits is an id, as a form sends it.
    known = Q(pk=int(asked)) if str(asked).isdecimal() and len(str(asked)) < 19 else Q(name=str(asked))
    judge = Checkpoint.objects.filter(known, role=Checkpoint.Role.CLASSIFIER).first()
    if judge is None:
        raise InvalidScoring(f'There is no classifier "{asked}"; register the judge first.')
    if judge.takes_timestep:
        raise InvalidScoring(f'"{judge}" reads noised images; a judge must be a classifier of clean ones.')
    for arm in arms:
        if arm.classifier is not None and arm.classifier.sha256 == judge.sha256:
            raise InvalidScoring(f'"{judge}" guides arm "{arm}"; judge by a classifier that guides none of them.')
    for index, text in ((int(index), str(text)) for index, text in batch.class_table.items()):
        _check_known(judge, batch.requested(index), text)
    return judge


def _check_known(judge: Checkpoint, requested: Sequence[int], text: str) -> None:
    labels = judge.class_labels
    if labels and max(requested) >= len(labels):
        raise InvalidScoring(f'Judge "{judge}" knows {len(labels)} classes, and class {max(requested)} is asked for.')
    if labels and len(requested) == 1 and labels[requested[0]].casefold() != text.casefold():
        raise InvalidScoring(
            f'Class {requested[0]} is "{text}" in this batch and "{labels[requested[0]]}" for judge "{judge}"; '
            "choose a judge of the same classes."
        )


def _other_arm(wanted: Options) -> Chosen:
    batch_id = _count(wanted.get("batch"), name="The reference's batch")
    arm_id = _count(wanted.get("arm"), name="The reference's arm")
    batch = Batch.objects.filter(pk=batch_id).first()
    arm = batch.arms.filter(pk=arm_id).first() if batch else None
    if batch is None or arm is None:
        raise InvalidScoring(f"There is no batch {batch_id} with arm {arm_id}.")
    if batch.status != Batch.Status.COMPLETE:
        raise InvalidScoring(f'Batch "{batch}" is not complete; it cannot be a reference yet.')
    return {"kind": "batch_arm", "batch": batch.pk, "arm": arm.pk}


def _registered(name: str) -> str:
    network = Checkpoint.objects.filter(name=name, role=Checkpoint.Role.FEATURES).first()
    if network is None:
        raise InvalidScoring(f'No feature network is registered as "{name}"; register the file first.')
    return f"inception:{settings.BASE_DIR / network.path}"


def _path(wanted: object, *, inside: Path | None) -> Path:
    if not isinstance(wanted, str) or not wanted.strip() or "\0" in wanted:
        raise InvalidScoring("Name the file or folder that the reference or the features are read from.")
    path = ((inside or Path.cwd()) / wanted).resolve()
    if inside is not None and not path.is_relative_to(inside.resolve()):
        raise InvalidScoring(f'"{wanted}" is not inside the reference folder; only what lies there can be named here.')
    if not path.exists():
        raise InvalidScoring(f'There is no "{wanted}"; put it there first.')
    return path


def _levels(levels: Sequence[int] | None, arms: Sequence[Arm]) -> list[int]:
    last = min([arm.denoiser.timesteps for arm in arms if arm.denoiser is not None], default=1000) - 1
    if not levels:
        return [level for level in LEVELS if level <= last]
    for level in levels:
        if not isinstance(level, int) or not 0 <= level <= last:
            raise InvalidScoring(f"{level} is no timestep; they go from 0 to {last}.")
    return sorted(set(levels))


def _count(value: object, *, name: str, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InvalidScoring(f"{name} must be a whole number from {least} on, not {value!r}.")
    return value


def _check_complete(chosen: Chosen, arms: Sequence[Arm], metrics: Sequence[Metric]) -> None:
    if chosen["reference"] is None and any(metric in (*OF_FEATURES, *OF_GUIDES) for metric in metrics):
        raise InvalidScoring("These metrics compare with a reference; choose one.")
    if Metric.TARGET_ACCURACY in metrics and chosen["judge"] is None:
        raise InvalidScoring("The target accuracy needs a judge: a classifier of clean images that guides no arm.")
    if all(metric in OF_GUIDES for metric in metrics) and not any(arm.classifier for arm in arms):
        raise InvalidScoring("No arm of this batch has a classifier, so there is no guide to measure.")
