import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from generation.diffusion.attacks import Attack
from generation.diffusion.classifiers import ClassifierConfig, EncoderClassifier
from generation.diffusion.datasets import SportBalls
from generation.diffusion.losses import LevelWeights, classification_loss, denoising_loss
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.optimisers import Optimiser
from generation.diffusion.process import Diffusion
from generation.diffusion.training import (
    BatchLoss,
    ForeignState,
    Progress,
    Trained,
    TrainingDiverged,
    TrainingOptions,
    classifier_loss,
    denoiser_loss,
    train,
)

OPTIONS = TrainingOptions(
    steps=4, anneal_steps=10, batch_size=4, learning_rate=1e-3, seed=5, warmup_steps=2, save_every=2
)
DATA = SportBalls(seed=5, image_size=16, diameters=(6, 10))
DENOISER = UNetConfig(
    image_size=16,
    model_channels=32,
    out_channels=6,
    num_res_blocks=1,
    attention_resolutions=(2,),
    channel_mult=(1, 1),
    num_classes=5,
)
CLASSIFIER = ClassifierConfig(
    image_size=16,
    model_channels=32,
    out_channels=4,
    num_res_blocks=1,
    attention_resolutions=(2,),
    channel_mult=(1, 1),
    num_head_channels=32,
)


def denoiser_and_loss() -> tuple[nn.Module, BatchLoss]:
    torch.manual_seed(1)
    loss = denoiser_loss(Diffusion.make(), null_class=4, dropped=0.1, weights=LevelWeights(cap=5.0), bf16=False)
    return UNet(DENOISER), loss


def robust_and_loss() -> tuple[nn.Module, BatchLoss]:
    torch.manual_seed(1)
    return EncoderClassifier(CLASSIFIER), classifier_loss(Diffusion.make(), attack=Attack(), bf16=False)


def trained(network: nn.Module, loss: BatchLoss, *, path: Path, options: TrainingOptions = OPTIONS) -> Trained:
    return train(network, loss, data=DATA, options=options, state_path=path, on_step=lambda progress: None)


@pytest.mark.parametrize(("workers", "optimiser"), [(1, Optimiser.ADAMW), (2, Optimiser.MUON)])
@pytest.mark.parametrize("make", [denoiser_and_loss, robust_and_loss])
def test_a_resumed_training_gives_the_weights_of_an_uninterrupted_one(
    make: Callable[[], tuple[nn.Module, BatchLoss]], workers: int, optimiser: Optimiser, tmp_path: Path
) -> None:
    options = dataclasses.replace(OPTIONS, workers=workers, optimiser=optimiser)
    whole = trained(*make(), path=tmp_path / "whole.state", options=options)
    trained(*make(), path=tmp_path / "parts.state", options=dataclasses.replace(options, steps=2))
    resumed = trained(*make(), path=tmp_path / "parts.state", options=options)
    assert resumed.progress.step == whole.progress.step == 4
    for name, value in whole.weights.items():
        assert torch.equal(resumed.weights[name], value), name


def test_a_training_killed_between_saves_continues_from_the_last_one(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.step == 3:
            raise Killed

    path = tmp_path / "run.state"
    network, loss = denoiser_and_loss()
    with pytest.raises(Killed):
        train(network, loss, data=DATA, options=OPTIONS, state_path=path, on_step=kill)
    resumed = trained(*denoiser_and_loss(), path=path)
    whole = trained(*denoiser_and_loss(), path=tmp_path / "whole.state")
    for name, value in whole.weights.items():
        assert torch.equal(resumed.weights[name], value), name


def test_a_state_of_other_options_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.state"
    trained(*denoiser_and_loss(), path=path)
    with pytest.raises(ForeignState, match="other options"):
        trained(*denoiser_and_loss(), path=path, options=dataclasses.replace(OPTIONS, seed=6))


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path) -> None:
    def broken(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        return network(x_0, torch.zeros(len(y), dtype=torch.int64), y).sum() * float("nan")

    with pytest.raises(TrainingDiverged, match="step 0"):
        trained(UNet(DENOISER), broken, path=tmp_path / "run.state")


def test_training_a_denoiser_lowers_its_loss(tmp_path: Path) -> None:
    losses: list[float] = []
    options = dataclasses.replace(OPTIONS, steps=30, anneal_steps=60, save_every=1000)
    network, loss = denoiser_and_loss()
    train(
        network,
        loss,
        data=DATA,
        options=options,
        state_path=tmp_path / "run.state",
        on_step=lambda progress: losses.append(progress.loss),
    )
    # The mean over all 30 steps lies well below the first loss.
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("optimiser", Optimiser)
def test_every_parameter_of_a_denoiser_is_trained(optimiser: Optimiser, tmp_path: Path) -> None:
    network, loss = denoiser_and_loss()
    before = {name: value.clone() for name, value in network.named_parameters()}
    # Output layers start at zero: their inputs get a gradient one step later, and so on inwards.
    options = dataclasses.replace(OPTIONS, optimiser=optimiser, batch_size=20)
    trained(network, loss, path=tmp_path / "run.state", options=options)
    unmoved = [name for name, value in network.named_parameters() if torch.equal(value, before[name])]
    assert unmoved == []


@pytest.mark.parametrize("cut", [{"workers": 2}, {"parts": 2}])
def test_a_batch_cut_in_two_is_trained_on_as_a_whole(cut: dict[str, int], tmp_path: Path) -> None:
    seen: list[Tensor] = []

    def noted(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        seen.append(x_0)
        return (network(x_0, torch.zeros(len(y), dtype=torch.int64), y) - 1).square().mean()

    networks = []
    for how in ({}, cut):
        torch.manual_seed(1)
        networks.append(UNet(DENOISER))
        options = dataclasses.replace(OPTIONS, steps=1, **how)
        trained(networks[-1], noted, path=tmp_path / f"{len(networks)}.state", options=options)
    assert sorted(len(rows) for rows in seen) == [2, 2, 4]
    one, two = (network.out[2].bias for network in networks)
    assert torch.allclose(one, two, atol=1e-6)


def test_the_learning_rate_rises_and_then_falls_to_0() -> None:
    rates = [OPTIONS.rate(step) for step in range(11)]
    assert rates[0] == pytest.approx(0.5e-3)
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[10] == 0


def test_without_warm_up_clipping_and_averages_a_step_is_that_of_plain_adamw(tmp_path: Path) -> None:
    def far(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        # Gradients far longer than 1 and of different lengths, which clipping would make equally long.
        return 10.0 ** y.sum() * (network(x_0) - 5).square().mean()

    options = dataclasses.replace(OPTIONS, steps=3, anneal_steps=4, warmup_steps=0, clip_norm=None, ema_decay=0.0)
    torch.manual_seed(1)
    network = nn.Conv2d(3, 2, 3)
    expected = copy.deepcopy(network)
    found = trained(network, far, path=tmp_path / "run.state", options=options).weights
    optimiser = torch.optim.AdamW(expected.parameters(), weight_decay=options.weight_decay)
    for step in range(3):
        optimiser.param_groups[0]["lr"] = 1e-3 * (1 - step / 4)
        optimiser.zero_grad()
        x_0, y = DATA.examples(range(4 * step, 4 * step + 4))
        far(expected, x_0, y, torch.Generator()).backward()
        optimiser.step()
    for name, value in expected.state_dict().items():
        assert torch.allclose(found[name], value, rtol=0, atol=1e-6), name


def test_the_learning_rate_of_a_run_without_anneal_stays(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, anneal_steps=None, warmup_steps=0)
    assert {options.rate(step) for step in (0, 10, 100_000)} == {1e-3}


def test_attributes_are_trained_by_the_binary_cross_entropy_of_each() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]], dtype=torch.float64)
    y = torch.tensor([[1, 0], [0, 1]])
    share = 1 / (1 + torch.exp(-logits))
    expected = -(y * share.log() + (1 - y) * (1 - share).log()).mean()

    class Told(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            return logits

    loss = classification_loss(Told(), torch.zeros(2, 3, 4, 4), t=torch.zeros(2), y=y)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-6)


def test_labels_are_dropped_to_the_null_class() -> None:
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
            seen.append(y)
            return x_t

    loss = denoiser_loss(Diffusion.make(), null_class=4, dropped=0.1, weights=LevelWeights(cap=5.0), bf16=False)
    loss(Spy(), torch.zeros(2000, 3, 2, 2), torch.zeros(2000, dtype=torch.int64), torch.manual_seed(0))
    (labels,) = seen
    assert set(labels.tolist()) == {0, 4}
    assert (labels == 4).double().mean().item() == pytest.approx(0.1, abs=0.02)


def test_the_exact_noise_has_no_squared_error_and_a_smaller_bound_than_a_wrong_one() -> None:
    process = Diffusion.make()
    rng = torch.Generator().manual_seed(0)
    x_0 = torch.rand(4, 3, 8, 8, generator=rng) * 2 - 1
    noise = torch.randn(x_0.shape, generator=rng)
    k = torch.tensor([0, 1, 500, 999])
    # v = -1 is the posterior's own variance, so that the exact noise leaves no divergence above level 0.
    exact = torch.cat([noise, -torch.ones_like(noise)], dim=1)
    wrong = torch.cat([noise + 0.5, -torch.ones_like(noise)], dim=1)
    right = denoising_loss(exact, process, x_0=x_0, k=k, noise=noise, weights=LevelWeights())
    off = denoising_loss(wrong, process, x_0=x_0, k=k, noise=noise, weights=LevelWeights())
    assert right.eps.abs().max() < 1e-12
    assert off.eps.tolist() == pytest.approx([0.25] * 4)
    assert right.bound[1:].abs().max() < 1e-4
    assert (off.bound > right.bound).all()


def test_the_bound_trains_the_variance_and_not_the_noise() -> None:
    process = Diffusion.make()
    x_0, noise = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    predicted = torch.zeros(2, 6, 4, 4, requires_grad=True)
    loss = denoising_loss(
        predicted, process, x_0=x_0, k=torch.tensor([3, 700]), noise=noise, weights=LevelWeights(cap=5.0)
    )
    (gradient,) = torch.autograd.grad(loss.bound.sum(), predicted)
    assert gradient[:, :3].abs().max() == 0
    assert gradient[:, 3:].abs().min() > 0


def test_the_cap_lowers_the_weight_of_rows_with_little_noise() -> None:
    process = Diffusion.make()
    x_0, noise = torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)
    loss = denoising_loss(
        torch.zeros(2, 3, 4, 4),
        process,
        x_0=x_0,
        k=torch.tensor([100, 900]),
        noise=noise,
        weights=LevelWeights(cap=5.0),
    )
    assert loss.eps.tolist() == pytest.approx([5 / process.snr[100].item(), 1.0])
    assert loss.bound.tolist() == [0, 0]


def test_the_boost_raises_the_weight_of_rows_with_much_noise() -> None:
    snr = torch.tensor([4.0, 1.0, 0.25, 1e-4])
    assert LevelWeights(boost=10.0).of(snr).tolist() == pytest.approx([1.0, 1.0, 2.0, 10.0])
    assert LevelWeights().of(snr).tolist() == [1.0, 1.0, 1.0, 1.0]
