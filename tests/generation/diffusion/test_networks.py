import dataclasses

import pytest
import torch

from generation.diffusion.classifiers import ClassifierConfig
from generation.diffusion.networks import UNet, UNetConfig
from tests.generation.diffusion.golden import (
    CLASSIFIERS,
    MODELS,
    UNETS,
    arrays,
    golden_classifier,
    golden_unet,
    largest_difference,
)


@pytest.mark.parametrize("name", UNETS)
def test_a_denoiser_reproduces_the_reference_output(name: str) -> None:
    recorded = arrays(name)
    labels = recorded["y"] if MODELS[name]["config"]["num_classes"] else None
    with torch.no_grad():
        out = golden_unet(name)(recorded["x"], recorded["t"], labels)
    assert largest_difference(out, recorded["out"]) < 1e-5


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_reproduces_the_reference_logits_and_gradient(name: str) -> None:
    recorded = arrays(name)
    x = recorded["x"].requires_grad_()
    logits = golden_classifier(name)(x, recorded["t"])
    chosen = logits.log_softmax(dim=1).gather(1, recorded["y"][:, None])
    (gradient,) = torch.autograd.grad(chosen.sum(), x)
    assert largest_difference(logits.detach(), recorded["logits"]) < 1e-5
    assert largest_difference(gradient, recorded["grad"]) < 1e-5


# Widths, depths and classes as published; parameter counts from the published files.
PUBLISHED = {
    421_529_606: UNetConfig(
        image_size=128,
        model_channels=256,
        out_channels=6,
        num_res_blocks=2,
        attention_resolutions=(4, 8, 16),
        channel_mult=(1, 1, 2, 3, 4),
        num_classes=1000,
    ),
    295_904_454: UNetConfig(
        image_size=64,
        model_channels=192,
        out_channels=6,
        num_res_blocks=3,
        attention_resolutions=(2, 4, 8),
        channel_mult=(1, 2, 3, 4),
        num_classes=1000,
        num_head_channels=64,
        use_new_attention_order=True,
        dropout=0.1,
    ),
    553_838_086: UNetConfig(
        image_size=256,
        model_channels=256,
        out_channels=6,
        num_res_blocks=2,
        attention_resolutions=(8, 16, 32),
        channel_mult=(1, 1, 2, 2, 4, 4),
        num_classes=1000,
        num_head_channels=64,
    ),
}


@pytest.mark.parametrize("count", PUBLISHED)
def test_a_published_configuration_has_the_published_number_of_parameters(count: int) -> None:
    with torch.device("meta"):
        network = UNet(PUBLISHED[count])
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_a_conditional_denoiser_refuses_to_run_without_labels() -> None:
    recorded = arrays("unet_cifar")
    with pytest.raises(ValueError, match="needs labels"):
        golden_unet("unet_cifar")(recorded["x"], recorded["t"])


def test_a_configuration_survives_a_round_trip_through_lists() -> None:
    config = UNetConfig(**MODELS["unet_cifar"]["config"])
    assert isinstance(config.channel_mult, tuple)
    assert UNetConfig(**{**dataclasses.asdict(config), "channel_mult": list(config.channel_mult)}) == config


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(ValueError, match="attention"):
        ClassifierConfig(**{**MODELS["classifier_cifar"]["config"], "pool": "spatial"})
