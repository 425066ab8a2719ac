"""What experiments measure of an arm's images, with how far chance alone could have moved it.

Images are seed-matched: image i of every arm has the same seed and class, so two arms are compared seed by seed.
Intervals: Wilson (1927) for a share; the basic percentile bootstrap over seeds (Efron and Tibshirani, 1993) for a
Frechet distance and for the difference of two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import binomtest
from torch import Tensor

from generation.diffusion.classifiers import CleanClassifier
from generation.diffusion.datasets import SportBalls
from generation.diffusion.evaluation import seen_classes
from generation.diffusion.experiments.stages import Pixels, Report, device_here
from generation.diffusion.metrics import FrechetTarget
from generation.diffusion.plans import HELD_OUT_SEED

Features = npt.NDArray[np.float64]
Interval = tuple[float, float]
RESAMPLES = 500
# References are not the items that classifiers are tried on.
FIRST_REFERENCE = 10_000
ROWS = 64


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One arm's images, judged. accuracy: share in which the judge sees the wanted class.

    frechet: distance to the reference in the judge's features; frechet_difference: to that of the first arm, None for
    the first. All intervals are 95 %.
    """

    arm: str
    n: int
    accuracy: float
    accuracy_interval: Interval
    frechet: float
    frechet_difference: float | None
    frechet_difference_interval: Interval | None

    def facts(self) -> dict[str, object]:
        """The result as JSON has it."""
        return asdict(self)


def measured(
    images: Mapping[str, Pixels],
    wanted: Sequence[int],
    *,
    judge: CleanClassifier,
    reference: FrechetTarget,
    report: Report,
) -> list[Measured]:
    """Measure every arm's images, uint8 [N, H, W, 3]; wanted: the class that image i was asked to be of."""
    features = {arm: features_of(pixels, judge=judge) for arm, pixels in images.items()}
    first = next(iter(features.values()))
    results = []
    for done, (arm, pixels) in enumerate(images.items()):
        report(done, len(images), f"judging, {arm}")
        right = int((seen_classes(judge, shown(pixels)).cpu() == torch.tensor(wanted)).sum())
        distance = reference.distance(features[arm])
        difference, interval = _difference(features[arm], first, reference=reference)
        results.append(
            Measured(
                arm=arm,
                n=len(pixels),
                accuracy=right / len(pixels),
                accuracy_interval=share_interval(right, len(pixels)),
                frechet=distance,
                frechet_difference=None if features[arm] is first else difference,
                frechet_difference_interval=None if features[arm] is first else interval,
            )
        )
    return results


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much farther one arm's images are from the reference than another's, with its 95 % interval over seeds."""

    value: float
    interval: Interval


def frechet_difference(a: Pixels, b: Pixels, *, judge: CleanClassifier, reference: FrechetTarget) -> Difference:
    """The distance of images a minus that of seed-matched images b: negative where a is closer to the reference."""
    value, interval = _difference(features_of(a, judge=judge), features_of(b, judge=judge), reference=reference)
    return Difference(value=value, interval=interval)


def share_interval(right: int, n: int) -> Interval:
    """The 95 % Wilson interval of a share."""
    interval = binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


@torch.no_grad()
def features_of(pixels: Pixels, *, judge: CleanClassifier) -> Features:
    """What the judge sees before it decides: the pooled features [N, D] of uint8 images."""
    rows = [judge.features(part).mean(dim=(2, 3)) for part in torch.split(shown(pixels), ROWS)]
    return np.asarray(torch.cat(rows).cpu().numpy(), dtype=np.float64)


def sportballs_references(count: int) -> Pixels:
    """Held-out SportBalls that no classifier is tried on, uint8 [count, 64, 64, 3]."""
    balls = SportBalls(seed=HELD_OUT_SEED)
    return np.stack([balls.image(FIRST_REFERENCE + index) for index in range(count)])


def shown(pixels: Pixels) -> Tensor:
    """8-bit images, as raters see them, as a network's input: [N, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous().to(device_here())


def _difference(features: Features, first: Features, *, reference: FrechetTarget) -> tuple[float, Interval]:
    """How much farther than the first arm, and the interval when the seeds are drawn anew, the same for both."""
    rng = np.random.default_rng(0)

    def at(rows: npt.NDArray[np.int64]) -> float:
        return reference.distance(features[rows]) - reference.distance(first[rows])

    n = len(features)
    drawn = [at(rng.integers(n, size=n)) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return at(np.arange(n)), (float(low), float(high))
