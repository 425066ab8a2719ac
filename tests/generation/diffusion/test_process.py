import numpy as np
import pytest
import torch

from generation.diffusion.process import Diffusion, InvalidSchedule
from tests.generation.diffusion.golden import arrays


def test_the_linear_schedule_runs_from_1e_4_to_0_02() -> None:
    process = Diffusion.make("linear")
    assert len(process) == 1000
    assert process.betas[[0, -1]] == pytest.approx([1e-4, 0.02])
    # The share of the image that is left at the end, from the closed product.
    assert process.alpha_bar[-1] == pytest.approx(4.0358e-5, rel=1e-4)


def test_the_cosine_schedule_follows_its_formula() -> None:
    process = Diffusion.make("cosine")
    at = np.cos((np.array([0, 400, 700]) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    assert process.alpha_bar[[399, 699]] == pytest.approx(at[1:] / at[0])
    assert process.betas.max() == pytest.approx(0.999)


@pytest.mark.parametrize("name", ["ddpm10_unguided", "ddpm25_s2"])
def test_respacing_picks_the_reference_timesteps(name: str) -> None:
    recorded = arrays(name)["timesteps"]
    assert Diffusion.make().respaced(len(recorded)).timesteps.tolist() == recorded.tolist()


def test_strided_respacing_picks_the_reference_timesteps() -> None:
    assert Diffusion.make().strided(10).timesteps.tolist() == arrays("ddim10_s1")["timesteps"].tolist()


def test_a_respaced_chain_has_the_noise_levels_of_the_original() -> None:
    process = Diffusion.make()
    respaced = process.respaced(250)
    assert np.allclose(respaced.alpha_bar, process.alpha_bar[respaced.timesteps], rtol=1e-12)
    assert respaced.timesteps[[0, -1]].tolist() == [0, 999]


@pytest.mark.parametrize("steps", [0, -3, 1001])
def test_an_impossible_number_of_steps_is_refused(steps: int) -> None:
    with pytest.raises(InvalidSchedule, match="between 1 and 1000"):
        Diffusion.make().respaced(steps)


def test_strided_respacing_refuses_a_number_that_does_not_divide() -> None:
    with pytest.raises(InvalidSchedule, match="divides 1000"):
        Diffusion.make().strided(30)


def test_the_first_level_takes_its_posterior_variance_from_the_second() -> None:
    process = Diffusion.make().respaced(50)
    assert process.posterior_log_variance(0) == process.posterior_log_variance(1)


def test_the_learned_variance_lies_between_its_bounds() -> None:
    process = Diffusion.make().respaced(50)
    v = torch.tensor([-1.0, 1.0])
    low, high = process.learned_log_variance(v, 7)
    assert low == process.posterior_log_variance(7)
    assert high.exp().item() == pytest.approx(process.betas[7])


def test_noise_and_image_can_be_recovered_from_each_other() -> None:
    process = Diffusion.make()
    rng = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 4, 3, 8, 8, generator=rng)
    k = torch.tensor([0, 300, 500, 700])
    x_t = process.noised(x_0, k, eps)
    assert torch.allclose(process.x_0(x_t, k, eps), x_0, atol=1e-4)
    assert torch.allclose(process.eps(x_t[:1], 0, x_0[:1]), eps[:1], atol=1e-3)
