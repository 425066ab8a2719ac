"""Diagnostics against computations of their own in float64."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from generation.diffusion.classifiers import ClassifierConfig, EncoderClassifier, Head
from generation.diffusion.diagnostics import (
    EstimateTrace,
    GradientTrace,
    NothingRecorded,
    band,
    input_gradients,
    probabilities,
    towards,
)
from generation.diffusion.guidance import Step, classifier_guidance
from generation.diffusion.guides import Guide, guide_of
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.plans import Attack, Norm
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


def a_classifier() -> EncoderClassifier:
    classifier = EncoderClassifier(ClassifierConfig(**SMALL, out_channels=CLASSES))
    randomise(classifier, seed=1)
    return classifier


def a_guide() -> Guide:
    return guide_of(a_classifier())


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


def test_estimates_are_those_of_evenly_spaced_steps_with_both_ends() -> None:
    trace, seen = EstimateTrace(columns=3), []

    def observe(arm: str, step: Step, gradient: Tensor) -> None:
        trace(arm, step, gradient)
        if arm == "narrow":
            seen.append(step.x_0.clone())

    sample(observe, seeds=[8, 9])
    estimates = trace.estimates("narrow")
    assert estimates.timesteps.tolist() == [999, 333, 0]
    assert torch.equal(estimates.images, torch.stack([seen[0], seen[2], seen[3]]))
    chunked = EstimateTrace(columns=3)
    for seed in (8, 9):
        sample(chunked, seeds=[seed])
    torch.testing.assert_close(chunked.estimates("narrow").images, estimates.images, atol=1e-4, rtol=1e-4)
    with pytest.raises(NothingRecorded, match='arm "other"'):
        trace.estimates("other")


def images_and_classes() -> tuple[Tensor, Tensor, Tensor]:
    x = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) * 0.3
    return x, torch.tensor([0, 400, 999]), torch.eye(CLASSES, dtype=torch.bool)[[2, 0, 1]]


WEIGHTS = torch.randn(CLASSES, 3 * SIDE**2, generator=torch.Generator().manual_seed(4)) * 0.3
LINEAR = Guide(logits=lambda x, t: x.flatten(1) @ WEIGHTS.T, classes=CLASSES)


def test_an_input_gradient_is_that_of_the_formula_in_float64() -> None:
    x, t, wanted = images_and_classes()
    weights = WEIGHTS.numpy().astype(np.float64)
    logits = x.flatten(1).numpy().astype(np.float64) @ weights.T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    # d log p_y / dx of a linear classifier: w_y - sum_k p_k w_k.
    expected = (wanted.numpy() - p) @ weights
    gradients = input_gradients(LINEAR, x, t=t, wanted=wanted)
    np.testing.assert_allclose(gradients.flatten(1).numpy(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        probabilities(LINEAR, x, t=t, wanted=wanted), (p * wanted.numpy()).sum(axis=1), rtol=1e-5
    )


def test_an_input_gradient_is_what_guidance_at_scale_1_applies() -> None:
    x, t, wanted = images_and_classes()
    guide = a_guide()
    step = Step(x_t=x, t=t, x_0=x, level=0.5, index=0, steps=STEPS)
    applied = classifier_guidance(guide, wanted.int().argmax(dim=1), scale=1.0)(step)
    torch.testing.assert_close(input_gradients(guide, x, t=t, wanted=wanted), applied)


def test_a_probability_is_softmaxs_or_the_product_of_wanted_attributes() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.5]])
    soft = Guide(logits=lambda x, t: logits, classes=4)
    attributes = Guide(logits=lambda x, t: logits, classes=4, head=Head.SIGMOID)
    x, t, wanted = (
        torch.zeros(1, 3, 2, 2),
        torch.zeros(1, dtype=torch.int64),
        torch.tensor([[True, False, True, False]]),
    )
    exact = np.exp(logits.numpy()[0].astype(np.float64))
    assert probabilities(soft, x, t=t, wanted=wanted).item() == pytest.approx(exact[0] * exact[2] / exact.sum() ** 2)
    sides = exact / (1 + exact)
    assert probabilities(attributes, x, t=t, wanted=wanted).item() == pytest.approx(sides[0] * sides[2])


@pytest.mark.parametrize("norm", Norm)
def test_a_targeted_attack_raises_the_targets_probability_and_stays_in_its_ball(norm: Norm) -> None:
    x, _, wanted = images_and_classes()
    t = torch.zeros(3, dtype=torch.int64)
    attack = Attack(norm=norm, eps=0.5, step=0.2, steps=7)
    moved = towards(LINEAR, x, t=t, wanted=wanted, attack=attack)
    before, after = (probabilities(LINEAR, image, t=t, wanted=wanted) for image in (x, moved))
    assert (after > 1.5 * before).all()
    offset = (moved - x).flatten(1)
    distance = offset.norm(dim=1) if norm is Norm.L2 else offset.abs().amax(dim=1)
    assert (distance <= 0.5 * (1 + 1e-5)).all()
    # 7 steps of 0.2 reach further than the ball: it is the ball that held them.
    assert (distance > 0.4).all()


def test_a_targeted_attack_of_one_step_is_that_step_along_the_gradient() -> None:
    x, _, wanted = images_and_classes()
    t, guide = torch.zeros(3, dtype=torch.int64), a_guide()
    moved = towards(guide, x, t=t, wanted=wanted, attack=Attack(eps=100, step=0.25, steps=1))
    gradient = input_gradients(guide, x, t=t, wanted=wanted)
    unit = gradient / gradient.flatten(1).norm(dim=1)[:, None, None, None]
    torch.testing.assert_close(moved - x, 0.25 * unit, atol=1e-6, rtol=1e-4)
