"""Drawings: figures of batches and classifiers, asked for. Options are checked here, before a worker has them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from django.contrib.auth.models import User

from generation.arms import InvalidArm, recipe_of
from generation.diffusion.recipes import Sampler
from generation.figure_kinds import FIGURES as FIGURES
from generation.figure_kinds import SPORTBALLS_LABELS, InvalidFigure, Shows
from generation.figure_kinds import FigureKind as FigureKind
from generation.figure_options import Chosen, Options, chosen_options
from generation.labelled_folders import InvalidFolder, labels_of
from generation.models import Arm, Batch, Checkpoint, Work
from generation.pairs import choose_pairs
from generation.scorings import LOWER_IS_BETTER, TITLES
from generation.sweeps import NothingToSweep, sweep_of
from generation.sweeps import metrics_of as metrics_of
from generation.works import create_work


def create_figure(batch: Batch | None, *, kind: str, options: Options, owner: User | None) -> Work:
    """Check the options and queue the figure. Raises InvalidFigure."""
    chosen = check_figure(batch, kind=kind, options=options)
    title = FIGURES[kind].title if batch is None else f"{FIGURES[kind].title}: {batch.name}"
    return create_work(owner=owner, kind=Work.Kind.FIGURE, title=title, options={"figure": kind, **chosen}, batch=batch)


def check_figure(batch: Batch | None, *, kind: str, options: Options) -> Chosen:
    """Return all the options of a figure as its worker needs them, absent ones filled in. Raises InvalidFigure."""
    chosen = chosen_options(kind, options)
    if batch is not None:
        _CHECKS_OF_BATCHES[kind](batch, chosen)
    elif FIGURES[kind].batch_needed:
        raise InvalidFigure(f'The figure "{kind}" is drawn of a batch; choose one.')
    if "classifiers" in chosen:
        _check_shown(batch, chosen)
    return chosen


def _check_pairs(batch: Batch, chosen: Chosen) -> None:
    chosen["arms"] = [arm.pk for arm in _arms(batch, chosen["arms"])]
    _check_classes(chosen["classes"], known=map(int, batch.class_table))
    _check_any_pair(batch, chosen, made_by=chosen["arms"])


def _check_trajectory(batch: Batch, chosen: Chosen) -> None:
    arms = _arms(batch, chosen["arms"])
    chosen["arms"] = [arm.pk for arm in arms]
    _check_classes(chosen["classes"], known=map(int, batch.class_table))
    _check_any_pair(batch, chosen, made_by=())
    for arm in arms:
        if arm.denoiser is None:
            raise InvalidFigure(f'Arm "{arm}" was made elsewhere, so its trajectory is not known; leave it out.')
    chosen["steps"] = int(chosen["steps"] or batch.steps or 0)
    _check_steps(arms, chosen["steps"])


def _check_stability(batch: Batch, chosen: Chosen) -> None:
    arms = [arm for arm in _arms(batch, chosen["arms"]) if arm.guidance == Arm.Guidance.CLASSIFIER and arm.scale]
    if not arms:
        raise InvalidFigure("None of these arms is guided by a classifier, so there are no gradients; choose others.")
    chosen["arms"] = [arm.pk for arm in arms]
    _check_trajectory(batch, chosen)


def _check_sweep(batch: Batch, chosen: Chosen) -> None:
    chosen["arms"] = [arm.pk for arm in _arms(batch, chosen["arms"])]
    known = set(Batch.objects.filter(pk__in=chosen["batches"]).values_list("pk", flat=True))
    for key in chosen["batches"]:
        if key not in known:
            raise InvalidFigure(f"Further batches: there is no batch {key}.")
    # In words, and whether more is better: what the axis of the plot says.
    title = {str(metric): words for metric, words in TITLES.items()}.get(chosen["metric"], chosen["metric"])
    chosen["title"] = f"{title} (lower is better)" if chosen["metric"] in LOWER_IS_BETTER else title
    try:
        sweep_of(
            batch,
            metric=chosen["metric"],
            arms=chosen["arms"],
            further=chosen["batches"],
            features=chosen["features"],
            reference=chosen["reference"],
        )
    except (NothingToSweep, InvalidArm) as error:
        raise InvalidFigure(str(error)) from error


def _check_gradients(batch: Batch, chosen: Chosen) -> None:
    """What the two figures of classifiers on images ask of a batch, if it is the batch's images they are shown."""
    if chosen["images"] != Shows.BATCH:
        return
    (arm,) = _arms(batch, [chosen["arm"]]) if chosen["arm"] is not None else _arms(batch, [])[:1]
    chosen["arm"] = arm.pk
    _check_any_pair(batch, chosen, made_by=[arm.pk])


_CHECKS_OF_BATCHES: dict[str, Callable[[Batch, Chosen], None]] = {
    "pairs": _check_pairs,
    "gradients": _check_gradients,
    "targeted": _check_gradients,
    "trajectory": _check_trajectory,
    "stability": _check_stability,
    "sweep": _check_sweep,
}


def _check_shown(batch: Batch | None, chosen: Chosen) -> None:
    classifiers = _classifiers(batch, chosen["classifiers"])
    chosen["classifiers"] = [checkpoint.pk for checkpoint in classifiers]
    if chosen["images"] == Shows.FOLDER and chosen["seeds"]:
        raise InvalidFigure("Seeds: the images of a folder have none; leave them out.")
    chosen["labels"] = labels = _labels(batch, chosen)
    for key in ("classes", "targets"):
        _check_classes(chosen.get(key, ()), known=range(len(labels)))
    for checkpoint in classifiers:
        for label in labels if checkpoint.class_labels else ():
            if label not in checkpoint.class_labels:
                raise InvalidFigure(
                    f'Classifier "{checkpoint}" knows no class "{label}"; choose other images or another classifier.'
                )
    _check_sizes(batch, classifiers, chosen)
    levels = min(checkpoint.timesteps for checkpoint in classifiers)
    if max(chosen.get("timesteps", (0,))) >= levels:
        raise InvalidFigure(f"Timesteps: {max(chosen['timesteps'])} is too many; choose from 0 to {levels - 1}.")


def _classifiers(batch: Batch | None, keys: Sequence[int]) -> list[Checkpoint]:
    if not keys and batch is not None:
        guides = batch.arms.filter(classifier__isnull=False).values_list("classifier", flat=True).distinct()
        keys = sorted({key for key in guides if key is not None})
    if not keys:
        raise InvalidFigure("No classifier guides here; choose at least one.")
    found = Checkpoint.objects.in_bulk(keys)
    for key in keys:
        if key not in found or found[key].role != Checkpoint.Role.CLASSIFIER:
            raise InvalidFigure(f'Classifiers: "{found.get(key, key)}" is no registered classifier.')
    return [found[key] for key in keys]


def _labels(batch: Batch | None, chosen: Chosen) -> list[str]:
    """The texts of the classes of the images that will be shown."""
    if chosen["images"] == Shows.SPORTBALLS:
        return list(SPORTBALLS_LABELS)
    if chosen["images"] == Shows.FOLDER:
        try:
            return labels_of(Path(chosen["folder"]))
        except InvalidFolder as error:
            raise InvalidFigure(f"Folder: {error}") from error
    if batch is None:
        raise InvalidFigure("There is no batch to take images from; choose one, or SportBalls, or a folder.")
    return batch.class_labels or [batch.label_of(int(index)) for index in sorted(batch.class_table, key=int)]


def _check_sizes(batch: Batch | None, classifiers: Sequence[Checkpoint], chosen: Chosen) -> None:
    sizes = {checkpoint.image_size for checkpoint in classifiers if not checkpoint.facts.get("resizes")}
    if len(sizes) > 1:
        raise InvalidFigure(
            f"These classifiers take images of {' and '.join(map(str, sorted(sizes)))} px; choose some of one size."
        )
    if chosen["images"] != Shows.BATCH or batch is None or not sizes:
        return
    image = batch.images.filter(arm=chosen["arm"]).exclude(name="").first()
    if image is not None and {image.width, image.height} != sizes:
        raise InvalidFigure(
            f"The batch's images have {image.width} x {image.height} px, these classifiers take {sizes.pop()} px; "
            "choose others."
        )


def _arms(batch: Batch, keys: Sequence[int]) -> list[Arm]:
    """The chosen arms in their order, or all."""
    arms = {arm.pk: arm for arm in batch.arms.select_related("denoiser", "classifier")}
    for key in keys:
        if key not in arms:
            raise InvalidFigure(f'Batch "{batch}" has no arm {key}; choose from {", ".join(map(str, arms.values()))}.')
    return [arms[key] for key in keys] or list(arms.values())


def _check_classes(classes: Sequence[int], *, known: Iterable[int]) -> None:
    indices = set(known)
    for index in classes:
        if index not in indices:
            raise InvalidFigure(f"Classes: there is no class {index} here; choose from {_listed(sorted(indices))}.")


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return shown if len(numbers) <= 12 else f"{shown}, ... {numbers[-1]}"


def _check_any_pair(batch: Batch, chosen: Chosen, *, made_by: Sequence[int]) -> None:
    """Every seed that is named must have a pair, or there must be any."""
    classes, seeds = chosen["classes"], chosen["seeds"]
    most = chosen["count"] + 1 if seeds else 1
    found = choose_pairs(batch, classes=classes, seeds=seeds, count=most, made_by=made_by)
    if seeds and len(found) > chosen["count"]:
        raise InvalidFigure(f"Seeds: these are more than {chosen['count']} pairs, too many for one figure; name fewer.")
    missing = sorted(set(seeds) - {seed for _, seed in found})
    if missing or not found:
        what = f"pair with seed {missing[0]}" if missing else "pair"
        among = " in these classes" if classes else ""
        wait = (
            " that these arms have all made; choose others, or wait for the batch." if made_by else "; choose others."
        )
        raise InvalidFigure(f'Batch "{batch}" has no {what}{among}{wait}')


def _check_steps(arms: Sequence[Arm], steps: int) -> None:
    for arm in arms:
        levels = arm.denoiser.timesteps if arm.denoiser else 0
        if not 1 <= steps <= levels:
            raise InvalidFigure(f'Sampling steps: {steps} is out of range; arm "{arm}" takes from 1 to {levels}.')
        try:
            sampler = recipe_of(arm).sampler
        except InvalidArm as error:
            raise InvalidFigure(str(error)) from error
        if sampler is Sampler.DDIM and levels % steps:
            raise InvalidFigure(f'Sampling steps: DDIM (arm "{arm}") needs a divisor of {levels}, not {steps}.')
