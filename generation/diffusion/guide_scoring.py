"""Scores of a guide: how right and how honest a classifier is on noised pictures, by timestep.

Noise is drawn by timestep and place of the picture, so a guide meets the same noised pictures as another one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from generation.diffusion.classifiers import Classifier, Head
from generation.diffusion.features import (
    FORWARD_ROWS,
    NO_CLASS,
    Block,
    Classes,
    Pixels,
    as_tensor,
    check_size,
    in_range,
)
from generation.diffusion.metrics import Bools, Metric, accuracy, expected_calibration_error
from generation.diffusion.process import Diffusion
from generation.diffusion.references import Pictures
from generation.diffusion.scoring import ImageCounter, OnProgress, Scored
from generation.diffusion.seed_matched import Source
from generation.diffusion.spaces import unchanged

NOISE_LEVELS = (0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)


def score_guide(
    classifier: Classifier,
    pictures: Pictures,
    *,
    process: Diffusion,
    metrics: Sequence[Metric],
    levels: Sequence[int] = NOISE_LEVELS,
    source: Source | None = None,
    image_size: int | None = None,
    device: torch.device | str = "cpu",
    on_progress: OnProgress | None = None,
) -> list[Scored]:
    """Accuracy and calibration of a guide on noised pictures, at every level of the whole chain and on average.

    source: its denoiser estimates x_0 for the metrics of x_0; without one, they are refused in a sentence. Raises
    UnfitImages.
    """
    scored: list[Scored] = []
    plain = [metric for metric in metrics if metric in (Metric.GUIDE_ACCURACY, Metric.GUIDE_ECE)]
    cleaned = [metric for metric in metrics if metric in (Metric.GUIDE_ACCURACY_X_0, Metric.GUIDE_ECE_X_0)]
    for wanted, through in ((plain, None), (cleaned, source)):
        problem = _cannot_answer(classifier, pictures, through, needs_source=wanted is cleaned)
        if wanted and problem:
            scored += [Scored(metric=metric, value=None, n=pictures.n, problem=problem) for metric in wanted]
        elif wanted:
            reading = _Reading(classifier, process, through, torch.device(device), image_size)
            scored += _over_levels(reading, pictures, metrics=wanted, levels=levels, on_progress=on_progress)
    return scored


@dataclass(frozen=True)
class _Reading:
    """A guide, and how it reads noised pictures: as they are, or through a denoiser's estimate of x_0."""

    classifier: Classifier
    process: Diffusion
    source: Source | None
    device: torch.device
    image_size: int | None

    @torch.no_grad()
    def answers(self, pixels: Pixels, classes: Classes, *, level: int, place: int) -> tuple[Tensor, Bools]:
        """Confidences [N], and whether the answers are right. place: of the first picture, which decides the noise."""
        check_size(pixels, size=self.image_size, name="The guide")
        x_0 = in_range(as_tensor(pixels, device=self.device))
        drawn = np.random.default_rng([level, place]).standard_normal(tuple(x_0.shape), dtype=np.float32)
        t = torch.full((len(x_0),), level, dtype=torch.int64, device=self.device)
        x = self.process.noised(x_0, t, torch.from_numpy(drawn).to(self.device))
        if self.source is not None:
            x = _estimate(self.source, self.process, x, t=t, classes=classes)
        logits = self.classifier(x, t) if self.classifier.takes_t else self.classifier(x)
        confidence, seen = logits.double().softmax(dim=1).max(dim=1)
        return confidence.cpu(), seen.cpu().numpy() == classes


def _estimate(source: Source, process: Diffusion, x_t: Tensor, *, t: Tensor, classes: Classes) -> Tensor:
    """The denoiser's x_0, told no class where it knows such a class, and the true one where it does not."""
    labels = None
    if source.takes_labels and source.null_class is not None:
        labels = torch.full_like(t, source.null_class)
    elif source.takes_labels:
        labels = torch.from_numpy(classes).to(t.device)
    eps = source.denoiser(x_t, t, labels)[:, : x_t.shape[1]]
    x_0 = process.x_0(x_t, t, eps)
    return x_0.clamp(-1, 1) if source.space.clipped else x_0


def _cannot_answer(classifier: Classifier, pictures: Pictures, source: Source | None, *, needs_source: bool) -> str:
    if classifier.head_kind is Head.SIGMOID:
        return "The guide tells attributes, and these pictures have classes: its accuracy has no meaning here."
    if needs_source and source is None:
        return "There is no denoiser to estimate x_0 with."
    if source is not None and source.space.decode is not unchanged:
        return "The denoiser works on latents; its x_0 of noised pictures is not measured."
    return ""


def _over_levels(
    reading: _Reading,
    pictures: Pictures,
    *,
    metrics: Sequence[Metric],
    levels: Sequence[int],
    on_progress: OnProgress | None,
) -> Iterator[Scored]:
    counter = ImageCounter(on_progress, "the guide on noised pictures")
    confidences: dict[int, list[Tensor]] = {level: [] for level in levels}
    rights: dict[int, list[Bools]] = {level: [] for level in levels}
    for place, (pixels, classes) in _known(pictures):
        for level in levels:
            confidence, right = reading.answers(pixels, classes, level=level, place=place)
            confidences[level].append(confidence)
            rights[level].append(right)
            counter(len(pixels))
    for metric in metrics:
        n = sum(map(len, rights[levels[0]]))
        if not n:
            yield Scored(metric=metric, value=None, n=0, problem=f"{pictures.name} has no pictures of known classes.")
            continue
        is_error = metric in (Metric.GUIDE_ECE, Metric.GUIDE_ECE_X_0)
        values: list[float] = []
        for level in levels:
            right = np.concatenate(rights[level])
            sure = torch.cat(confidences[level]).numpy()
            values.append(expected_calibration_error(sure, right) if is_error else accuracy(right))
            yield Scored(metric=metric, value=values[-1], n=n, level=level)
        yield Scored(metric=metric, value=float(np.mean(values)), n=n)


def _known(pictures: Pictures) -> Iterator[tuple[int, Block]]:
    """Pictures of known classes in small blocks, with the place of the first of each."""
    place = 0
    for pixels, classes in pictures.blocks():
        kept = classes != NO_CLASS
        shown, known = pixels[kept], classes[kept]
        for start in range(0, len(known), FORWARD_ROWS):
            part = slice(start, start + FORWARD_ROWS)
            yield place + start, (shown[part], known[part])
        place += len(classes)
