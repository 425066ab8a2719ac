"""Diagnostics against computations of their own in float64."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from generation.diffusion.classifiers import ClassifierConfig, EncoderClassifier
from generation.diffusion.diagnostics import GradientTrace, NothingRecorded, band
from generation.diffusion.guidance import Step
from generation.diffusion.guides import Guide, guide_of
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Guidance, Recipe
from generation.diffusion.seed_matched import GuidedArm, ObserveArm, Source, sample_arms
from generation.diffusion.spaces import Space

SIDE, CLASSES, STEPS = 8, 3, 4
SMALL: dict[str, Any] = {
    "image_size": SIDE,
    "model_channels": 32,
    "num_res_blocks": 1,
    "attention_resolutions": (2,),
    "channel_mult": (1, 1),
    "num_head_channels": 32,
}


def randomise(network: nn.Module, *, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            width = parameter.shape[1:].numel() ** -0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * width)


def source() -> Source:
    denoiser = UNet(UNetConfig(**SMALL, out_channels=6, num_classes=CLASSES + 1))
    randomise(denoiser, seed=0)
    return Source(
        denoiser=denoiser.eval(),
        process=Diffusion.make(),
        space=Space(size=SIDE),
        takes_labels=True,
        null_class=CLASSES,
    )


def a_guide() -> Guide:
    classifier = EncoderClassifier(ClassifierConfig(**SMALL, out_channels=CLASSES))
    randomise(classifier, seed=1)
    return guide_of(classifier)


def sample(observe: ObserveArm, *, seeds: list[int]) -> None:
    """Two arms, one of them guided between the middle levels only."""
    narrow = Recipe(guidance=Guidance.CLASSIFIER, scale=2.0, guided_from=0.3, guided_until=0.7)
    arms = [
        GuidedArm(name="guided", recipe=Recipe(guidance=Guidance.CLASSIFIER, scale=2.0), guide=a_guide()),
        GuidedArm(name="narrow", recipe=narrow, guide=a_guide()),
    ]
    requested = [(seed % CLASSES,) for seed in seeds]
    sample_arms(source(), arms, seeds=seeds, requested=requested, steps=STEPS, observe=observe)


def test_cosines_and_norms_are_those_of_the_gradients_in_float64() -> None:
    trace, gradients = GradientTrace(), []

    def observe(arm: str, step: Step, gradient: Tensor) -> None:
        trace(arm, step, gradient)
        if arm == "guided":
            gradients.append(gradient.numpy().astype(np.float64).reshape(len(gradient), -1))

    sample(observe, seeds=[5, 6, 7])
    stability = trace.stability("guided")
    norms = [[np.sqrt(sum(value**2 for value in row)) for row in step] for step in gradients]
    cosine = [
        [
            float(np.dot(one / np.sqrt(one @ one), other / np.sqrt(other @ other)))
            for one, other in zip(*pair, strict=True)
        ]
        for pair in itertools.pairwise(gradients)
    ]
    np.testing.assert_allclose(stability.norms, norms, rtol=1e-12)
    np.testing.assert_allclose(stability.cosine, cosine, rtol=1e-10, atol=1e-12)
    assert (stability.cosine.shape, stability.norms.shape) == ((STEPS - 1, 3), (STEPS, 3))
    assert stability.timesteps.tolist() == [999, 666, 333, 0]
    assert stability.levels == pytest.approx([1, 666 / 999, 333 / 999, 0])
    assert stability.mean_cosine == pytest.approx(np.mean(cosine), abs=1e-12)


def test_a_cosine_with_a_gradient_of_zero_is_unknown_and_not_one_or_zero() -> None:
    trace = GradientTrace()
    sample(trace, seeds=[1, 2])
    narrow = trace.stability("narrow")
    assert (narrow.norms == 0).tolist() == [[True] * 2, [False] * 2, [False] * 2, [True] * 2]
    assert np.isnan(narrow.cosine).tolist() == [[True] * 2, [False] * 2, [True] * 2]
    assert narrow.mean_cosine == pytest.approx(narrow.cosine[1].mean())


def test_chunks_of_seeds_give_what_all_seeds_at_once_give() -> None:
    whole, chunked = GradientTrace(), GradientTrace()
    sample(whole, seeds=[3, 4, 5])
    sample(chunked, seeds=[3, 4])
    sample(chunked, seeds=[5])
    assert whole.arms == ("guided", "narrow")
    np.testing.assert_allclose(chunked.stability("guided").cosine, whole.stability("guided").cosine, atol=1e-4)
    np.testing.assert_allclose(chunked.stability("guided").norms, whole.stability("guided").norms, rtol=1e-4)


def test_a_trajectory_that_was_broken_off_has_no_stability() -> None:
    trace = GradientTrace()

    def observe(arm: str, step: Step, gradient: Tensor) -> None:
        trace(arm, step, gradient)
        if step.index == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        sample(observe, seeds=[1])
    with pytest.raises(NothingRecorded, match='arm "guided"'):
        trace.stability("guided")
    with pytest.raises(NothingRecorded, match='arm "unheard of"'):
        trace.stability("unheard of")


def test_a_band_is_the_mean_and_the_quartiles_of_what_is_known() -> None:
    nan = float("nan")
    measured = band(np.array([[1.0, 2.0, 3.0, 4.0], [nan, 5.0, nan, 7.0], [nan] * 4]))
    np.testing.assert_allclose(measured.mean, [2.5, 6.0, nan])
    np.testing.assert_allclose(measured.low, [1.75, 5.5, nan])
    np.testing.assert_allclose(measured.high, [3.25, 6.5, nan])
    assert measured.n.tolist() == [4, 2, 0]
