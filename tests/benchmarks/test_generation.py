"""The benchmark compares two ways to the same images, and its numbers are of what it says."""

from pathlib import Path

import pytest
import torch

from benchmarks import obvious
from benchmarks.generation import Networks, Watch, flop_of_a_step, make_obviously, make_ours, measured, table
from generation.diffusion.arithmetic import Arithmetic
from generation.diffusion.classifiers import ClassifierConfig, EncoderClassifier
from generation.diffusion.guidance import classifier_guidance
from generation.diffusion.guides import guide_of
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.noise import RecordedNoise
from generation.diffusion.process import Diffusion
from generation.diffusion.sampling import Model, ddpm
from tests.generation.factories import SIDE, SMALL


@pytest.fixture
def networks() -> Networks:
    torch.manual_seed(0)
    denoiser = UNet(UNetConfig(**SMALL, out_channels=6, num_classes=4))
    classifiers = {name: EncoderClassifier(ClassifierConfig(**SMALL, out_channels=4)) for name in ("vanilla", "robust")}
    with torch.no_grad():
        for network in (denoiser, *classifiers.values()):
            for weight in network.eval().requires_grad_(False).parameters():
                weight.normal_(std=0.1)
    return Networks(denoiser, dict(classifiers))


def test_the_obvious_way_leads_to_the_same_images(networks: Networks) -> None:
    process, labels = Diffusion.make().respaced(4), torch.tensor([2, 0])
    classifier = networks.classifiers["robust"]
    torch.manual_seed(1)
    draws = torch.stack([torch.randn(2, 3, SIDE, SIDE) for _ in range(5)])
    torch.manual_seed(1)
    run = obvious.Run("robust", classifier, 2.0)
    theirs = obvious._sampled(networks.denoiser, obvious.Tables(process), run, labels=labels, size=SIDE)
    guidance = classifier_guidance(guide_of(classifier), labels, scale=2.0)
    ours = ddpm(Model(networks.denoiser, labels), process, noise=RecordedNoise(draws), guidance=guidance)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_both_ways_write_every_image(networks: Networks, tmp_path: Path) -> None:
    for way in (make_ours, make_obviously):
        folder = tmp_path / way.__name__
        folder.mkdir()
        way(networks, Arithmetic(), pairs=2, steps=2, folder=folder)
        assert {path.name for path in folder.iterdir()} == {
            "vanilla-0.png",
            "vanilla-1.png",
            "robust-0.png",
            "robust-1.png",
        }


def test_work_grows_with_the_pairs(networks: Networks) -> None:
    assert flop_of_a_step(networks, pairs=3) == 3 * flop_of_a_step(networks, pairs=1) > 0


def test_every_part_is_watched_and_the_shares_are_of_the_whole(networks: Networks, tmp_path: Path) -> None:
    watch = Watch(torch.device("cpu"))
    make_ours(networks, Arithmetic(), pairs=1, steps=2, folder=tmp_path, watch=watch)
    shares = watch.shares(1000.0)
    assert list(shares) == ["denoiser", "classifiers, forward and backward", "saving", "rest"]
    assert sum(shares.values()) == pytest.approx(1)
    assert all(share > 0 for share in shares.values())


def test_a_measurement_is_a_row_of_the_table(networks: Networks) -> None:
    result = measured(networks, Arithmetic(), rows=2, steps=2, turns=1, rate=1e12)
    assert result.ours > 0
    assert result.ratio == pytest.approx(result.ours / result.obvious)
    assert 0 < result.share_of_matmul_rate < 1
    printed = table({"device": "a CPU"}, [result])
    assert printed.startswith("- device: a CPU\n")
    assert f"| 2 | {result.ours:.3f} | {result.obvious:.3f} |" in printed
