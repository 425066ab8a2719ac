"""Scores of one arm: its images against a reference, and what a judge sees in them.

Pure: images come in blocks (uint8 [N, H, W, 3], class indices [N]) and are gone through once, features are kept in
files. What cannot be measured is a Scored with a problem, a sentence, in place of a value.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from generation.diffusion.classifiers import Classifier, Head
from generation.diffusion.features import (
    Block,
    Classes,
    Extractor,
    Gathered,
    Pixels,
    as_tensor,
    check_size,
    gather,
    in_range,
)
from generation.diffusion.metrics import (
    OF_FEATURES,
    Bools,
    InvalidFeatures,
    Metric,
    Moments,
    PrecisionRecall,
    accuracy,
    frechet_distance,
    frechet_distance_of,
    precision_recall,
)
from generation.diffusion.references import Pictures

LEAST_OF_A_CLASS = 10
"""Images: below this, the distance of a class says more of the images drawn than of the arm."""
NEIGHBOURS = 3
BEAT = 2.0
"""Seconds between reports while nothing else can be told."""
OnProgress = Callable[[int, str], None]
"""Called with the number of images looked at so far, and what is being done. What it raises ends the scoring."""


class JudgeIsGuide(ValueError):
    """A judge has the weights of the guide whose images it is to judge."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One number, or why there is none. class_index, level: of this class or timestep only, None for all."""

    metric: Metric
    value: float | None
    n: int
    problem: str = ""
    n_reference: int | None = None
    class_index: int | None = None
    level: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Reference:
    """What images are compared with: features of images, or statistics alone."""

    name: str
    gathered: Gathered | None = None
    known: Moments | None = None

    @property
    def n(self) -> int | None:
        """How many images it stands for, None if its file does not say."""
        return self.moments.n if self.gathered is None else len(self.gathered)

    @cached_property
    def moments(self) -> Moments:
        """Mean and covariance of all its images."""
        if self.known is not None:
            return self.known
        if self.gathered is None:
            raise InvalidFeatures(f"The reference {self.name} holds neither images nor statistics.")
        return Moments.of(self.gathered.features)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A classifier of clean images that guided nobody."""

    name: str
    sha256: str
    classifier: Classifier
    image_size: int | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @torch.no_grad()
    def finds(self, images: Pixels, requested: Sequence[Sequence[int]]) -> Bools:
        """Whether each image uint8 [N, H, W, 3] shows what was requested of it: one of these classes.

        Attributes (a sigmoid head) must all be there.
        """
        check_size(images, size=self.image_size, name=f"The judge {self.name}")
        logits = self.classifier(in_range(as_tensor(images, device=self.device))).cpu()
        if self.classifier.head_kind is Head.SIGMOID:
            found = [bool((row[list(classes)] > 0).all()) for row, classes in zip(logits, requested, strict=True)]
        else:
            seen = logits.argmax(dim=1).tolist()
            found = [one in classes for one, classes in zip(seen, requested, strict=True)]
        return np.array(found, dtype=bool)


def gather_reference(
    pictures: Pictures, extractor: Extractor, *, file: Path, on_progress: OnProgress | None = None
) -> Reference:
    """Go through a reference's pictures once. Raises UnfitImages, InvalidReference."""
    counter = ImageCounter(on_progress, f"features of {pictures.name}")
    return Reference(
        name=pictures.name, gathered=gather(pictures.blocks(), extractor, file=file, look=lambda b, _: counter(len(b)))
    )


def score_arm(
    images: Iterable[Block],
    *,
    metrics: Sequence[Metric],
    extractor: Extractor,
    file: Path,
    reference: Reference | None = None,
    judge: Judge | None = None,
    guide_sha256: str = "",
    requested: Mapping[int, Sequence[int]] | None = None,
    per_class: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Scored]:
    """Score an arm's images. file: where their features go. guide_sha256: of the arm's classifier's weights.

    requested: classes that are asked for at once under a class index, where it is not that class alone. per_class:
    every score is also given for each class where it has a meaning. Metrics of guides are score_guide's. Raises
    JudgeIsGuide, UnfitImages.
    """
    if judge is not None and judge.sha256 == guide_sha256:
        raise JudgeIsGuide(f"The judge {judge.name} guided these images; judge them by a classifier that did not.")
    counter = ImageCounter(on_progress, "features")
    answers: list[Bools] = []

    def look(block: Pixels, classes: Classes) -> None:
        if judge is not None and Metric.TARGET_ACCURACY in metrics:
            answers.append(judge.finds(block, [(requested or {}).get(int(index), (int(index),)) for index in classes]))
        counter(len(block))

    found = gather(images, extractor, file=file, look=look)
    scored: list[Scored] = []
    if Metric.TARGET_ACCURACY in metrics:
        scored += _target_accuracies(found, answers, per_class=per_class)
    wanted = [metric for metric in metrics if metric in OF_FEATURES]
    if wanted and reference is None:
        return scored + [
            _without(metric, found, "There is nothing to compare with; choose a reference.") for metric in wanted
        ]
    if reference is not None:
        scored += _distances(found, reference, metrics=wanted, per_class=per_class, counter=counter)
        scored += _manifolds(found, reference, metrics=wanted, counter=counter)
    return scored


@dataclass
class ImageCounter:
    """Tells on_progress how many images have been looked at."""

    on_progress: OnProgress | None
    note: str
    done: int = 0

    def __call__(self, images: int, note: str = "") -> None:
        """Count so many more images."""
        self.done += images
        if self.on_progress is not None:
            self.on_progress(self.done, note or self.note)


def _target_accuracies(found: Gathered, answers: Sequence[Bools], *, per_class: bool) -> Iterator[Scored]:
    if not answers:
        yield _without(Metric.TARGET_ACCURACY, found, "There is no judge; choose a classifier that guides no arm.")
        return
    right = np.concatenate(answers)
    yield Scored(metric=Metric.TARGET_ACCURACY, value=accuracy(right), n=len(right))
    for index in _classes(found) if per_class else ():
        of_class = right[found.classes == index]
        yield Scored(metric=Metric.TARGET_ACCURACY, value=accuracy(of_class), n=len(of_class), class_index=index)


def _distances(
    found: Gathered, reference: Reference, *, metrics: Sequence[Metric], per_class: bool, counter: ImageCounter
) -> Iterator[Scored]:
    if Metric.FRECHET in metrics:
        yield _measured(
            Metric.FRECHET,
            lambda: _waiting(lambda: _distance(found, reference), counter),
            n=len(found),
            n_reference=reference.n,
        )
    if Metric.CONDITIONAL_FRECHET not in metrics and not (per_class and Metric.FRECHET in metrics):
        return
    by_class = []
    for index in _classes(found):
        counter(0, f"distance of class {index}")
        by_class.append(_class_distance(found, reference, index, counter=counter))
    if per_class:
        yield from by_class
    if Metric.CONDITIONAL_FRECHET not in metrics:
        return
    values = [scored.value for scored in by_class if scored.value is not None]
    lost = next((scored for scored in by_class if scored.value is None), None)
    # A mean over fewer classes is another quantity, so one class that is missing leaves none.
    yield Scored(
        metric=Metric.CONDITIONAL_FRECHET,
        value=None if lost else float(np.mean(values)),
        problem=lost.problem if lost else "",
        n=len(found),
        n_reference=reference.n,
    )


def _waiting(measure: Callable[[], float], counter: ImageCounter) -> float:
    """Measure in a thread, reporting meanwhile: matrices of 2048 x 2048 can take a busy CPU a minute."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(measure)
        while not wait([future], timeout=BEAT).done:
            counter(0, "distance")
        return future.result()


def _distance(found: Gathered, reference: Reference) -> float:
    if reference.gathered is not None and max(len(found), len(reference.gathered)) < found.features.shape[1]:
        return frechet_distance_of(found.features, reference.gathered.features)
    return frechet_distance(Moments.of(found.features), reference.moments)


def _class_distance(found: Gathered, reference: Reference, index: int, *, counter: ImageCounter) -> Scored:
    rows = found.of_class(index)
    others = None if reference.gathered is None else reference.gathered.of_class(index)

    def distance() -> float:
        if others is None:
            raise InvalidFeatures("The reference holds statistics of all classes together; take one with images.")
        for name, n in (("this arm", len(rows)), ("the reference", len(others))):
            if n < LEAST_OF_A_CLASS:
                raise InvalidFeatures(
                    f"Class {index} has {n} images in {name}; its distance needs at least {LEAST_OF_A_CLASS}."
                )
        return frechet_distance_of(rows, others)

    n_reference = None if others is None else len(others)
    waiting = partial(_waiting, distance, counter)
    return _measured(Metric.FRECHET, waiting, n=len(rows), n_reference=n_reference, class_index=index)


def _manifolds(
    found: Gathered, reference: Reference, *, metrics: Sequence[Metric], counter: ImageCounter
) -> Iterator[Scored]:
    wanted = [metric for metric in (Metric.PRECISION, Metric.RECALL) if metric in metrics]
    if not wanted:
        return
    if reference.gathered is None:
        problem = "The reference holds statistics only; precision and recall need one with images."
        yield from (_without(metric, found, problem) for metric in wanted)
        return
    real = reference.gathered.features

    def tile(done: int, total: int) -> None:
        counter(0, f"neighbours, {done} of {total}")

    try:
        both: PrecisionRecall | None = precision_recall(real, found.features, k=NEIGHBOURS, on_tile=tile)
        problem = ""
    except InvalidFeatures as error:
        both, problem = None, str(error)
    for metric in wanted:
        value = None if both is None else getattr(both, metric.value)
        yield Scored(metric=metric, value=value, problem=problem, n=len(found), n_reference=len(real))


def _measured(
    metric: Metric,
    measure: Callable[[], float],
    *,
    n: int,
    n_reference: int | None,
    class_index: int | None = None,
) -> Scored:
    try:
        value, problem = measure(), ""
    except InvalidFeatures as error:
        value, problem = None, str(error)
    return Scored(metric=metric, value=value, problem=problem, n=n, n_reference=n_reference, class_index=class_index)


def _without(metric: Metric, found: Gathered, problem: str) -> Scored:
    return Scored(metric=metric, value=None, n=len(found), problem=problem)


def _classes(found: Gathered) -> list[int]:
    return [int(index) for index in np.unique(found.classes)]
