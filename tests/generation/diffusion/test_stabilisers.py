from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from generation.diffusion.recipes import Guidance, Recipe, Stabiliser
from generation.diffusion.stabilisers import normalised, stabilised

STEPS = 6


def recipe(kind: Stabiliser, *, decay: float = 0.9) -> Recipe:
    return Recipe(guidance=Guidance.CLASSIFIER, stabiliser=kind, decay=decay)


def gradients(*, seed: int = 0) -> Tensor:
    """One run's: float64 [steps, N, 3, 2, 2]."""
    return torch.randn(STEPS, 2, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def run(kind: Stabiliser, g: Sequence[Tensor] | Tensor, *, decay: float = 0.9) -> list[np.ndarray]:
    stabilise = stabilised(recipe(kind, decay=decay))
    return [stabilise(gradient).numpy() for gradient in g]


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.99])
def test_ema_is_a_weighted_sum_of_all_gradients_so_far(decay: float) -> None:
    g = gradients()
    for n, out in enumerate(run(Stabiliser.EMA, g, decay=decay)):
        expected = sum((1 - decay) * decay ** (n - i) * g[i].numpy() for i in range(n + 1))
        np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize(("kind", "eps"), [(Stabiliser.ADAM, 1e-4), (Stabiliser.ADAM_CORRECTED, 1e-8)])
def test_adam_divides_the_mean_by_the_root_of_the_mean_square(kind: Stabiliser, eps: float) -> None:
    # Small gradients, so that eps is felt.
    g = gradients() * 1e-3
    for n, out in enumerate(run(kind, g)):
        m = sum(0.1 * 0.9 ** (n - i) * g[i].numpy() for i in range(n + 1))
        v = sum(0.001 * 0.999 ** (n - i) * g[i].numpy() ** 2 for i in range(n + 1))
        if kind is Stabiliser.ADAM_CORRECTED:
            m, v = m / (1 - 0.9 ** (n + 1)), v / (1 - 0.999 ** (n + 1))
        np.testing.assert_allclose(out, m / (np.sqrt(v) + eps), atol=1e-10)


def test_the_corrected_adam_moves_as_the_optimiser_of_torch() -> None:
    g = gradients()
    place = torch.zeros(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([place], lr=1.0, betas=(0.9, 0.999), eps=1e-8)
    total = np.zeros(place.shape)
    for gradient, out in zip(g, run(Stabiliser.ADAM_CORRECTED, g), strict=True):
        place.grad = gradient.clone()
        optimiser.step()
        total -= out
        np.testing.assert_allclose(place.detach().numpy(), total, atol=1e-10)


def test_no_stabiliser_returns_the_gradient_itself() -> None:
    g = gradients()
    for gradient, out in zip(g, run(Stabiliser.NONE, g), strict=True):
        assert np.array_equal(gradient.numpy(), out)


@pytest.mark.parametrize("kind", list(Stabiliser))
def test_a_row_is_the_same_whatever_its_neighbours_bit_for_bit(kind: Stabiliser) -> None:
    g, other = gradients(seed=0), gradients(seed=1)
    mixed = torch.stack([g[:, 0], other[:, 1]], dim=1)
    for alone, beside in zip(run(kind, g), run(kind, mixed), strict=True):
        assert np.array_equal(alone[0], beside[0])
        assert not np.array_equal(alone[1], beside[1])


@pytest.mark.parametrize("kind", list(Stabiliser))
def test_a_new_run_starts_without_memories(kind: Stabiliser) -> None:
    g = gradients()
    used = stabilised(recipe(kind))
    for gradient in g:
        used(gradient)
    fresh = run(kind, g)[0]
    assert np.array_equal(stabilised(recipe(kind))(g[0]).numpy(), fresh)
    if kind is not Stabiliser.NONE:
        assert not np.array_equal(used(g[0]).numpy(), fresh)


@pytest.mark.parametrize("kind", list(Stabiliser))
def test_gradients_given_in_are_not_changed(kind: Stabiliser) -> None:
    g = gradients()
    before = g.clone()
    run(kind, g)
    assert torch.equal(g, before)


def test_every_row_is_normalised_by_its_own_length() -> None:
    g = torch.tensor([[[[3.0, 4.0]]], [[[0.0, -2.0]]]], dtype=torch.float64)
    assert normalised(g).tolist() == [[[[0.6, 0.8]]], [[[0.0, -1.0]]]]


def test_a_vanishing_gradient_stays_small() -> None:
    g = torch.tensor([[[[3e-6, 4e-6]]], [[[0.0, 0.0]]]], dtype=torch.float64)
    np.testing.assert_allclose(normalised(g).numpy(), [[[[0.03, 0.04]]], [[[0, 0]]]], atol=1e-12)
