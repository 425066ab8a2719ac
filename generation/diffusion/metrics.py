"""Metrics: numbers for how close two sets of images are, and how right and how honest a classifier is.

Everything here is numpy on the CPU in float64; features may be any float type, also memory-mapped, and are read in
blocks. Symbols: mu, S: mean and covariance of features; r, g: real and generated; phi: one feature vector. Sources:
Heusel et al. (2017) for the Frechet distance; Kynkaanniemi et al. (2019) for precision and recall; Guo et al. (2017)
for the expected calibration error.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Feature arrays come as float32 from files and as float64 from arithmetic, so their type is left open.
Features = npt.NDArray[np.floating[Any]]
Classes = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]
OnTile = Callable[[int, int], None]

TILE = 1024  # Rows and columns of the distances held at once: 8 MiB in float64.


class Metric(StrEnum):
    """What can be measured of an arm's images, and of its guide."""

    FRECHET = "frechet"
    """Frechet distance to the reference, all images together or one class's."""
    CONDITIONAL_FRECHET = "conditional_frechet"
    """The mean over classes of the Frechet distance within each: the papers' conditional FID."""
    PRECISION = "precision"
    RECALL = "recall"
    TARGET_ACCURACY = "target_accuracy"
    """Share of images in which the judge sees the class that was asked for."""
    GUIDE_ACCURACY = "guide_accuracy"
    """Accuracy of the arm's classifier on noised reference images, by timestep."""
    GUIDE_ECE = "guide_ece"
    """Its expected calibration error there."""
    GUIDE_ACCURACY_X_0 = "guide_accuracy_x0"
    """As guide_accuracy, on the denoiser's estimate of the clean image."""
    GUIDE_ECE_X_0 = "guide_ece_x0"


OF_GUIDES = (Metric.GUIDE_ACCURACY, Metric.GUIDE_ECE, Metric.GUIDE_ACCURACY_X_0, Metric.GUIDE_ECE_X_0)
OF_FEATURES = (Metric.FRECHET, Metric.CONDITIONAL_FRECHET, Metric.PRECISION, Metric.RECALL)


class InvalidFeatures(ValueError):
    """Arrays that a metric cannot be computed of: too few, of unequal widths, or with values that are no numbers."""


class Moments:
    """Mean and covariance of features, gathered block by block: n rows seen, mean [D], covariance [D, D] (over n - 1).

    Blocks are merged pairwise (Chan et al., 1979), which keeps digits that a sum of squares would lose.
    """

    def __init__(self, width: int) -> None:
        self.n: int | None = 0
        """Rows seen; None for published statistics that do not say."""
        self.mean: Floats = np.zeros(width)
        self._scatter: Floats = np.zeros((width, width))
        self._known: Floats | None = None

    @classmethod
    def known(cls, mean: Floats, covariance: Floats, *, n: int | None = None) -> "Moments":
        """Moments that somebody else computed: no rows can be added. Raises InvalidFeatures for wrong shapes."""
        if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
            raise InvalidFeatures(
                f"A mean of shape {list(mean.shape)} and a covariance of shape {list(covariance.shape)} do not belong "
                "together; they must be [D] and [D, D]."
            )
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise InvalidFeatures("The mean or the covariance holds values that are no numbers.")
        moments = cls(0)
        moments.n, moments.mean, moments._known = n, np.asarray(mean, dtype=np.float64), _symmetric(covariance)
        return moments

    @classmethod
    def of(cls, features: Features) -> "Moments":
        """The moments of features [N, D]."""
        moments = cls(features.shape[1])
        for start in range(0, len(features), TILE):
            moments.add(features[start : start + TILE])
        return moments

    def add(self, features: Features) -> None:
        """Take in a block [N, D]. Raises InvalidFeatures for another width or values that are no numbers."""
        if self.n is None or self._known is not None:
            raise InvalidFeatures("Statistics from a file are finished: no rows can be added to them.")
        rows = _checked(features, self.width)
        if not len(rows):
            return
        mean = rows.mean(axis=0)
        off = rows - mean
        shift, n = mean - self.mean, self.n + len(rows)
        self._scatter += off.T @ off + np.outer(shift, shift) * (self.n * len(rows) / n)
        self.mean = self.mean + shift * (len(rows) / n)
        self.n = n

    @property
    def width(self) -> int:
        """D, how many numbers describe an image."""
        return len(self.mean)

    @property
    def covariance(self) -> Floats:
        """The unbiased covariance [D, D]. Raises InvalidFeatures for fewer than two rows."""
        if self._known is not None:
            return self._known
        if self.n is None or self.n < 2:
            raise InvalidFeatures(f"A covariance needs at least 2 images, and there are {self.n}; add images.")
        return self._scatter / (self.n - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Frechet distance of two Gaussians: |mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)), >= 0.

    The eigenvalues of S_a S_b are the squared singular values of S_a^(1/2) S_b^(1/2), so the trace term is a sum of
    singular values: real and not negative even where a covariance has not full rank (fewer images than features).
    Eigenvalues of a covariance below D eps times its largest are round-off and count as 0, and so does a result below
    0. Raises InvalidFeatures for fewer than two images or unequal widths. Heusel et al. (2017), eq. 6.
    """
    if a.width != b.width:
        raise InvalidFeatures(f"Features of {a.width} and of {b.width} numbers cannot be compared; use one extractor.")
    shift, s_a, s_b = a.mean - b.mean, a.covariance, b.covariance
    overlap = np.linalg.svd(_root(s_a) @ _root(s_b), compute_uv=False).sum()
    return max(0.0, float(shift @ shift + np.trace(s_a) + np.trace(s_b) - 2 * overlap))


def frechet_distance_of(a: Features, b: Features) -> float:
    """The distance of features [N, D] and [M, D]: frechet_distance of their moments, cheaper for small sets.

    With centred rows A and B, S = A' A / (N - 1), and the singular values of S_a^(1/2) S_b^(1/2) are those of A B'
    over the root of (N - 1)(M - 1): an [N, M] matrix in place of a [D, D] one. Raises as frechet_distance.
    """
    if max(len(a), len(b)) >= a.shape[1] or min(len(a), len(b)) < 2 or a.shape[1] != b.shape[1]:
        return frechet_distance(Moments.of(a), Moments.of(b))
    rows_a, rows_b = _checked(a, a.shape[1]), _checked(b, a.shape[1])
    shift = rows_a.mean(axis=0) - rows_b.mean(axis=0)
    off_a = (rows_a - rows_a.mean(axis=0)) / np.sqrt(len(a) - 1)
    off_b = (rows_b - rows_b.mean(axis=0)) / np.sqrt(len(b) - 1)
    overlap = np.linalg.svd(off_a @ off_b.T, compute_uv=False).sum()
    return max(0.0, float(shift @ shift + (off_a**2).sum() + (off_b**2).sum() - 2 * overlap))


class FrechetTarget:
    """A set that many small ones are measured against: the root of its covariance is taken once."""

    def __init__(self, moments: Moments) -> None:
        self._mean = moments.mean
        self._root, self._trace = _root(moments.covariance), float(np.trace(moments.covariance))

    def distance(self, features: Features) -> float:
        """frechet_distance of features [N, D] to the set.

        With centred rows A, S = A' A / (N - 1), and the singular values of S^(1/2) R are those of A R over the root of
        N - 1, where R is the set's root: no decomposition of a [D, D] matrix. Raises as frechet_distance.
        """
        rows = _checked(features, len(self._mean))
        if len(rows) < 2:
            raise InvalidFeatures(f"A covariance needs at least 2 images, and there are {len(rows)}; add images.")
        mean = rows.mean(axis=0)
        off = (rows - mean) / np.sqrt(len(rows) - 1)
        overlap = np.linalg.svd(off @ self._root, compute_uv=False).sum()
        shift = mean - self._mean
        return max(0.0, float(shift @ shift + (off**2).sum() + self._trace - 2 * overlap))


@dataclass(frozen=True, kw_only=True)
class PrecisionRecall:
    """precision: share of fake images within the real set's manifold. recall: share of real ones within the fake's."""

    precision: float
    recall: float
    n_real: int
    n_fake: int
    k: int


def precision_recall(
    real: Features, fake: Features, *, k: int = 3, on_tile: OnTile | None = None, tile: int = TILE
) -> PrecisionRecall:
    """Improved precision and recall of features [N, D] and [M, D].

    A set's manifold is the union of balls around its members, each reaching to that member's k-th nearest neighbour;
    nobody is their own neighbour. Distances are made `tile` x `tile` at a time, so memory does not grow with N or M;
    on_tile(done, total) is called after each. Raises InvalidFeatures unless each set has more than k members.
    Kynkaanniemi et al. (2019), eq. 1 and 2.
    """
    for name, features in (("real", real), ("fake", fake)):
        if len(features) <= k:
            raise InvalidFeatures(f"{k} neighbours need more than {k} {name} images, and there are {len(features)}.")
    if real.shape[1] != fake.shape[1]:
        raise InvalidFeatures(f"Real features have {real.shape[1]} numbers and fake ones {fake.shape[1]}.")
    # One common shift changes no distance, and keeps |a|^2 + |b|^2 - 2ab from losing digits.
    shift = Moments.of(real[: 4 * tile]).mean
    counter = _Tiles(real=len(real), fake=len(fake), tile=tile, on_tile=on_tile)
    real_radii = _radii(real, k=k, shift=shift, counter=counter)
    fake_radii = _radii(fake, k=k, shift=shift, counter=counter)
    fake_inside, real_inside = np.zeros(len(fake), dtype=bool), np.zeros(len(real), dtype=bool)
    for rows, columns, squared in _tiles(real, fake, shift=shift, counter=counter):
        fake_inside[columns] |= (squared <= real_radii[rows, None]).any(axis=0)
        real_inside[rows] |= (squared <= fake_radii[None, columns]).any(axis=1)
    return PrecisionRecall(
        precision=float(fake_inside.mean()), recall=float(real_inside.mean()), n_real=len(real), n_fake=len(fake), k=k
    )


def expected_calibration_error(confidence: Features, right: Bools, *, bins: int = 15) -> float:
    """Mean distance between confidence and accuracy over equally wide bins of confidence, weighted by their size.

    confidence: the largest class probability of each prediction, [N] in [0, 1]; right: whether it was right, [N].
    Bins are ((m - 1) / bins, m / bins]. Returns a value in [0, 1]. Raises InvalidFeatures for no predictions or
    confidences outside [0, 1]. Guo et al. (2017), eq. 3.
    """
    scores = np.asarray(confidence, dtype=np.float64)
    if not len(scores) or len(scores) != len(right):
        raise InvalidFeatures(f"{len(scores)} confidences and {len(right)} answers: they must be as many, and some.")
    if not ((scores >= 0) & (scores <= 1)).all():
        raise InvalidFeatures("Confidences must lie between 0 and 1; pass probabilities, not logits.")
    bin_of = np.clip(np.ceil(scores * bins).astype(np.int64) - 1, 0, bins - 1)
    # |sum of confidence - number right| of a bin is its gap times its size, so no bin is divided by 0.
    gaps = np.bincount(bin_of, weights=scores - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))


def accuracy(right: Bools) -> float:
    """The share of predictions that are right. Raises InvalidFeatures if there are none."""
    if not len(right):
        raise InvalidFeatures("The accuracy of no predictions is not a number; pass at least one image.")
    return float(np.mean(right))


def target_accuracy(seen: Classes, wanted: Classes) -> float:
    """The share of images in which a judge sees the class that was asked for: classes [N] and [N] -> [0, 1]."""
    if len(seen) != len(wanted):
        raise InvalidFeatures(f"{len(seen)} classes seen and {len(wanted)} classes wanted: they must be as many.")
    return accuracy(np.equal(seen, wanted))


@dataclass
class _Tiles:
    """Counts the tiles of all three passes for on_tile."""

    real: int
    fake: int
    tile: int
    on_tile: OnTile | None
    done: int = 0

    @property
    def total(self) -> int:
        real, fake = (-(-n // self.tile) for n in (self.real, self.fake))
        return real * real + fake * fake + real * fake

    def count(self) -> None:
        self.done += 1
        if self.on_tile is not None:
            self.on_tile(self.done, self.total)


def _radii(features: Features, *, k: int, shift: Floats, counter: _Tiles) -> Floats:
    """Squared distance of each member to its k-th nearest other member: [N]."""
    nearest = np.full((len(features), k), np.inf)
    for rows, columns, squared in _tiles(features, features, shift=shift, counter=counter):
        if rows == columns:
            np.fill_diagonal(squared, np.inf)
        candidates = np.concatenate([nearest[rows], squared], axis=1)
        nearest[rows] = np.partition(candidates, k - 1, axis=1)[:, :k]
    return np.asarray(nearest.max(axis=1), dtype=np.float64)


def _tiles(a: Features, b: Features, *, shift: Floats, counter: _Tiles) -> Iterator[tuple[slice, slice, Floats]]:
    """Squared distances between members of a and of b, a tile at a time, with the rows and columns they are of."""
    for i in range(0, len(a), counter.tile):
        left = _checked(a[i : i + counter.tile], len(shift)) - shift
        for j in range(0, len(b), counter.tile):
            right = _checked(b[j : j + counter.tile], len(shift)) - shift
            yield slice(i, i + len(left)), slice(j, j + len(right)), _squared_distances(left, right)
            counter.count()


def _squared_distances(a: Floats, b: Floats) -> Floats:
    lengths = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :]
    squared = lengths - 2 * (a @ b.T)
    # What is left of equal vectors is round-off; a copy must be at distance 0 for its ball to contain it.
    squared[squared < lengths * (a.shape[1] * np.finfo(np.float64).eps)] = 0.0
    return np.asarray(squared, dtype=np.float64)


def _root(covariance: Floats) -> Floats:
    """The symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(_symmetric(covariance))
    floor = max(0.0, float(values[-1])) * len(values) * np.finfo(np.float64).eps
    root = np.sqrt(np.where(values > floor, values, 0.0))
    return np.asarray((vectors * root) @ vectors.T, dtype=np.float64)


def _symmetric(covariance: Floats) -> Floats:
    return np.asarray((covariance + covariance.T) / 2, dtype=np.float64)


def _checked(features: Features, width: int) -> Floats:
    if features.ndim != 2 or features.shape[1] != width:
        raise InvalidFeatures(f"Features of shape {list(features.shape)} where [N, {width}] was expected.")
    rows = np.asarray(features, dtype=np.float64)
    if not np.isfinite(rows).all():
        raise InvalidFeatures("Features hold values that are no numbers; look at the extractor and its weights.")
    return rows
