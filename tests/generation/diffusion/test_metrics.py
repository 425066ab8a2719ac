"""Metrics agree with torchmetrics and prdc, and keep what their papers say."""

import math

import numpy as np
import numpy.typing as npt
import prdc
import pytest
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassCalibrationError
from torchmetrics.image.fid import FrechetInceptionDistance

from generation.diffusion.metrics import (
    FrechetTarget,
    InvalidFeatures,
    Moments,
    accuracy,
    expected_calibration_error,
    frechet_distance,
    frechet_distance_of,
    precision_recall,
    target_accuracy,
)

Floats = npt.NDArray[np.float64]


class Flattened(nn.Module):
    """A feature module as torchmetrics wants it: features of images that hold them as they are."""

    num_features = 6

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 1, 1, 6] -> [N, 6]."""
        return images.flatten(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def correlated(rng: np.random.Generator, n: int, width: int = 6, *, shift: float = 0.0) -> Floats:
    return rng.standard_normal((n, width)) @ rng.standard_normal((width, width)) + shift


def test_frechet_distance_agrees_with_torchmetrics(rng: np.random.Generator) -> None:
    real, fake = correlated(rng, 300), correlated(rng, 200, shift=0.3)
    theirs = FrechetInceptionDistance(Flattened(), input_img_size=(1, 1, 6), normalize=True).set_dtype(torch.float64)
    theirs.update(torch.from_numpy(real)[:, None, None, :], real=True)
    theirs.update(torch.from_numpy(fake)[:, None, None, :], real=False)
    assert frechet_distance(Moments.of(real), Moments.of(fake)) == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_frechet_distance_is_the_closed_form_for_diagonal_covariances() -> None:
    a, b = np.array([4.0, 9.0, 1.0]), np.array([1.0, 4.0, 0.0])
    shift = np.array([1.0, -2.0, 0.5])
    distance = frechet_distance(Moments.known(np.zeros(3), np.diag(a)), Moments.known(shift, np.diag(b)))
    assert distance == pytest.approx(float((shift**2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()), abs=1e-12)


def test_frechet_distance_is_the_eigenvalue_formula_in_float64(rng: np.random.Generator) -> None:
    a, b = Moments.of(correlated(rng, 80)), Moments.of(correlated(rng, 90, shift=1.0))
    roots = np.sqrt(np.linalg.eigvals(a.covariance @ b.covariance).astype(complex)).real.sum()
    shift = a.mean - b.mean
    formula = shift @ shift + np.trace(a.covariance) + np.trace(b.covariance) - 2 * roots
    assert frechet_distance(a, b) == pytest.approx(formula, rel=1e-9)


def test_fewer_images_than_features_still_give_zero_for_a_set_and_itself(rng: np.random.Generator) -> None:
    features = rng.standard_normal((12, 40))
    assert frechet_distance(Moments.of(features), Moments.of(features.copy())) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(12, 9), (30, 80), (2, 2)])
def test_the_distance_of_small_sets_is_that_of_their_moments(rng: np.random.Generator, n: int, m: int) -> None:
    a, b = rng.standard_normal((n, 40)), rng.standard_normal((m, 40)) * 2 + 0.5
    expected = frechet_distance(Moments.of(a), Moments.of(b))
    assert frechet_distance_of(a, b) == pytest.approx(expected, rel=1e-9)
    assert FrechetTarget(Moments.of(b)).distance(a) == pytest.approx(expected, rel=1e-9)


def test_a_constant_set_is_at_the_distance_of_its_point(rng: np.random.Generator) -> None:
    point = np.ones((5, 3))
    assert frechet_distance(Moments.of(point), Moments.of(point + 2)) == pytest.approx(12.0)


def test_moments_are_those_of_numpy_whatever_the_blocks(rng: np.random.Generator) -> None:
    features = correlated(rng, 101, shift=1e6)
    moments = Moments(6)
    for block in np.split(features, [1, 2, 40, 40, 97]):
        moments.add(block)
    np.testing.assert_allclose(moments.mean, features.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(features, rowvar=False), rtol=1e-8)
    assert moments.n == 101


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(InvalidFeatures, match="at least 2 images, and there are 1"):
        frechet_distance(Moments.of(np.ones((1, 3))), Moments.of(np.eye(3)))


def test_features_of_two_extractors_are_refused() -> None:
    with pytest.raises(InvalidFeatures, match="one extractor"):
        frechet_distance(Moments.of(np.eye(3)), Moments.of(np.eye(4)))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_features_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(InvalidFeatures, match="no numbers"):
        Moments.of(np.array([[0.0, bad], [1.0, 2.0]]))


def test_statistics_from_a_file_take_no_rows() -> None:
    with pytest.raises(InvalidFeatures, match="finished"):
        Moments.known(np.zeros(2), np.eye(2)).add(np.ones((2, 2)))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("tile", [7, 1024])
def test_precision_and_recall_agree_with_prdc(rng: np.random.Generator, k: int, tile: int) -> None:
    real, fake = correlated(rng, 61, 4), correlated(rng, 45, 4, shift=0.4)
    theirs = prdc.compute_prdc(real, fake, nearest_k=k)
    ours = precision_recall(real, fake, k=k, tile=tile)
    assert ours.precision == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours.recall == pytest.approx(theirs["recall"], abs=1e-6)
    assert 0 < ours.precision < 1


def test_precision_and_recall_change_places_with_their_sets(rng: np.random.Generator) -> None:
    real, fake = correlated(rng, 40, 3), correlated(rng, 50, 3, shift=0.5)
    there, back = precision_recall(real, fake), precision_recall(fake, real)
    assert (there.precision, there.recall) == (back.recall, back.precision)


def test_one_repeated_real_image_is_precise_and_recalls_little(rng: np.random.Generator) -> None:
    real = correlated(rng, 100, 3)
    found = precision_recall(real, np.repeat(real[:1], 30, axis=0))
    assert found.precision == 1.0
    assert found.recall == pytest.approx(0.01)


def test_progress_counts_every_tile(rng: np.random.Generator) -> None:
    seen: list[tuple[int, int]] = []
    precision_recall(correlated(rng, 20), correlated(rng, 11), tile=10, on_tile=lambda *at: seen.append(at))
    assert seen == [(done, 12) for done in range(1, 13)]


def test_too_few_images_for_the_neighbours_are_refused() -> None:
    with pytest.raises(InvalidFeatures, match="more than 3 fake images, and there are 3"):
        precision_recall(np.ones((9, 2)), np.ones((3, 2)))


def test_calibration_error_agrees_with_torchmetrics(rng: np.random.Generator) -> None:
    probabilities = torch.from_numpy(rng.standard_normal((500, 5))).softmax(dim=1)
    classes = torch.from_numpy(rng.integers(5, size=500))
    theirs = MulticlassCalibrationError(num_classes=5, n_bins=15, norm="l1")(probabilities, classes)
    confidence, seen = probabilities.max(dim=1)
    ours = expected_calibration_error(confidence.numpy(), (seen == classes).numpy())
    assert ours == pytest.approx(float(theirs), abs=1e-6)


def test_a_sure_classifier_that_is_half_right_is_off_by_a_half() -> None:
    assert expected_calibration_error(np.ones(4), np.array([True, False] * 2)) == pytest.approx(0.5)


def test_logits_are_no_confidences() -> None:
    with pytest.raises(InvalidFeatures, match="not logits"):
        expected_calibration_error(np.array([3.0]), np.array([True]))


def test_target_accuracy_is_the_share_that_shows_what_was_asked_for() -> None:
    assert target_accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 3])) == 0.75


def test_no_predictions_have_no_accuracy() -> None:
    with pytest.raises(InvalidFeatures, match="at least one image"):
        accuracy(np.array([], dtype=bool))
