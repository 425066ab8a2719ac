from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from generation.diffusion.guidance import Step, by_rows, classifier_guidance
from generation.diffusion.guides import guide_of
from generation.diffusion.noise import RecordedNoise, SeededNoise
from generation.diffusion.process import Diffusion
from generation.diffusion.sampling import Model, ddim, ddpm, to_uint8
from tests.generation.diffusion.golden import arrays, golden_classifier, golden_unet, largest_difference

SHAPE = (3, 32, 32)
STEPS = 4
PROCESS = Diffusion.make().respaced(STEPS)


@pytest.mark.parametrize("name", ["ddpm10_unguided", "ddpm10_s05", "ddpm25_s2"])
def test_ddpm_reproduces_the_reference_chain(name: str) -> None:
    recorded = arrays(name)
    guide = guide_of(golden_classifier("classifier_cifar"))
    out = ddpm(
        Model(golden_unet("unet_cifar"), recorded["y"]),
        Diffusion.make().respaced(len(recorded["timesteps"])),
        noise=RecordedNoise(recorded["noise"]),
        guidance=classifier_guidance(guide, recorded["y"], scale=float(recorded["scale"])),
    )
    assert largest_difference(out, recorded["out"]) < 1e-4


def test_ddim_reproduces_the_reference_chain() -> None:
    recorded = arrays("ddim10_s1")
    guide = guide_of(golden_classifier("classifier_cifar"))
    out = ddim(
        Model(golden_unet("unet_cifar"), recorded["y"]),
        Diffusion.make().strided(10),
        noise=RecordedNoise(recorded["noise"]),
        guidance=classifier_guidance(guide, recorded["y"], scale=1.0),
    )
    assert largest_difference(out, recorded["out"]) < 1e-4


def step_at(x_t: Tensor, t: Tensor) -> Step:
    """The first step of a sampler whose estimate of the image is x_t itself."""
    return Step(x_t=x_t, t=t, x_0=x_t, level=0.5, index=0, steps=STEPS)


def sample(seeds: Sequence[int], *, scales: Sequence[float | None]) -> Tensor:
    """Final samples, arm by arm, of the CIFAR-like golden networks; a scale of None means no guidance at all."""
    n = len(seeds)
    y = torch.tensor(seeds) % 10
    guide = guide_of(golden_classifier("classifier_cifar"))
    parts = [
        (
            slice(arm * n, (arm + 1) * n),
            None if scale is None else classifier_guidance(guide, y, scale=scale),
        )
        for arm, scale in enumerate(scales)
    ]
    return ddpm(
        Model(golden_unet("unet_cifar"), y.repeat(len(scales))),
        PROCESS,
        noise=SeededNoise(seeds, SHAPE, steps=STEPS, copies=len(scales)),
        guidance=by_rows(parts),
    )


def test_scale_0_equals_unguided_bit_for_bit() -> None:
    guided, plain = sample([5, 6], scales=[0.0, None]).chunk(2)
    assert torch.equal(guided, plain)


def test_no_guidance_at_all_equals_scale_0_bit_for_bit() -> None:
    seeds = [5, 6]
    labels = torch.tensor(seeds)
    noise = [SeededNoise(seeds, SHAPE, steps=STEPS) for _ in range(2)]
    network = golden_unet("unet_cifar")
    guidance = classifier_guidance(guide_of(golden_classifier("classifier_cifar")), labels, scale=0.0)
    without = ddpm(Model(network, labels), PROCESS, noise=noise[0])
    with_zero = ddpm(Model(network, labels), PROCESS, noise=noise[1], guidance=guidance)
    assert torch.equal(without, with_zero)


def test_guidance_changes_the_image() -> None:
    guided, plain = sample([5, 6], scales=[2.0, None]).chunk(2)
    assert largest_difference(guided, plain) > 1e-3


def test_two_arms_with_one_seed_start_from_identical_noise() -> None:
    noise = SeededNoise([3, 4], SHAPE, steps=1, copies=2)
    for drawn in (noise.initial(), noise.step(0)):
        first, second = drawn.chunk(2)
        assert torch.equal(first, second)
        assert not torch.equal(first[0], first[1])


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    one = sample([7, 8, 9], scales=[1.0, 0.5])
    other = sample([100, 8, 300], scales=[1.0, 0.5])
    assert torch.equal(one[[1, 4]], other[[1, 4]])
    assert not torch.equal(one[[0, 3]], other[[0, 3]])


def test_a_seed_has_its_own_stream_whatever_is_drawn_beside_it() -> None:
    alone = SeededNoise([8], SHAPE, steps=2)
    among = SeededNoise([1, 8, 2], SHAPE, steps=2)
    assert torch.equal(alone.initial()[0], among.initial()[1])
    for k in range(2):
        assert torch.equal(alone.step(k)[0], among.step(k)[1])


def test_noise_is_standard_normal_and_differs_from_step_to_step() -> None:
    noise = SeededNoise(range(20), SHAPE, steps=2)
    draws = torch.stack([noise.initial(), noise.step(0), noise.step(1)])
    assert draws.dtype == torch.float32
    assert draws.mean().item() == pytest.approx(0, abs=0.01)
    assert draws.std().item() == pytest.approx(1, abs=0.01)
    correlation = np.corrcoef(draws.flatten(1).numpy())
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 0.02


def test_noise_out_of_order_is_refused() -> None:
    noise = SeededNoise([1], SHAPE, steps=2)
    with pytest.raises(ValueError, match="step 0 comes next, not 1"):
        noise.step(1)
    noise.step(0)
    noise.step(1)
    with pytest.raises(ValueError, match="in order"):
        noise.step(2)


def test_the_fingerprint_of_the_initial_noise_tells_seeds_apart() -> None:
    prints = SeededNoise([1, 2, 1], SHAPE, steps=1, copies=2).initial_sha256()
    assert len(prints) == 3
    assert prints[0] == prints[2] != prints[1]


def test_every_step_is_reported_and_may_end_the_sampling() -> None:
    class Cancelled(Exception):
        pass

    seen: list[tuple[int, int]] = []

    def on_step(k: int, steps: int) -> None:
        seen.append((k, steps))
        if k == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        ddpm(
            Model(golden_unet("unet_cifar"), torch.tensor([1])),
            PROCESS,
            noise=SeededNoise([1], SHAPE, steps=STEPS),
            on_step=on_step,
        )
    assert seen == [(1, STEPS), (2, STEPS)]


def test_a_denoiser_without_variance_is_sampled_with_the_posterior_one() -> None:
    network = golden_unet("unet_plain")
    seen = RecordedNoise(torch.zeros(STEPS + 1, 1, 3, 16, 16))
    out = ddpm(Model(network, None), PROCESS, noise=seen)
    assert out.shape == (1, 3, 16, 16)
    # With zero noise the chain is a sequence of posterior means, so its last step is the predicted image itself.
    assert out.abs().max() <= 1 + 1e-5


def test_guidance_leaves_no_weight_gradients_and_rows_without_a_part_at_zero() -> None:
    network = golden_classifier("classifier_cifar")
    guide = guide_of(network)
    x_t, t = torch.zeros(4, *SHAPE), torch.full((4,), 500)
    guidance = by_rows([(slice(0, 2), classifier_guidance(guide, torch.tensor([1, 2]), scale=1.0))])
    gradient = guidance(step_at(x_t, t))
    assert gradient[:2].abs().sum(dim=(1, 2, 3)).min() > 0
    assert torch.equal(gradient[2:], torch.zeros(2, *SHAPE))
    assert all(parameter.grad is None for parameter in network.parameters())


def test_guidance_grows_in_proportion_to_its_scale() -> None:
    guide = guide_of(golden_classifier("classifier_cifar"))
    x_t, t, y = torch.ones(2, *SHAPE), torch.tensor([10, 900]), torch.tensor([0, 9])
    one, three = (classifier_guidance(guide, y, scale=s)(step_at(x_t, t)) for s in (1.0, 3.0))
    assert torch.allclose(3 * one, three, atol=1e-7)


def test_pixels_are_truncated_and_clamped() -> None:
    x = torch.tensor([-2.0, -1.0, 0.0, 0.999, 1.0, 3.0]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    pixels = to_uint8(x)
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (1, 1, 6, 3)
    assert pixels[0, 0, :, 0].tolist() == [0, 0, 127, 254, 255, 255]
