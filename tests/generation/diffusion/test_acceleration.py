"""Networks that are made ready to sample give the same numbers, within what is stated of their precision."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from generation.diffusion.acceleration import TOLERANCES, CannotAccelerate, ready_denoiser, ready_guide
from generation.diffusion.arithmetic import Arithmetic, CompileMode, Precision
from generation.diffusion.checkpoints import load_classifier, load_denoiser
from generation.diffusion.classifiers import CleanClassifier, CleanConfig
from generation.diffusion.guides import Guide, guide_of
from generation.diffusion.recipes import Guidance, Reads, Recipe
from generation.diffusion.sampling import Denoiser
from generation.diffusion.seed_matched import GuidedArm, Source, sample_arms, sportballs_source

WEIGHTS = Path(__file__).resolve().parents[3] / "generation" / "weights"
RECIPE = Recipe(guidance=Guidance.CLASSIFIER, scale=1.0)
THROUGH_DENOISER = Recipe(guidance=Guidance.CLASSIFIER, scale=1.0, reads=Reads.X_0, guided_until=0.1)
STEPS = 6


@pytest.fixture(scope="module")
def source() -> Source:
    return sportballs_source(load_denoiser(WEIGHTS / "sportballs-denoiser.safetensors"))


def images(source: Source, denoiser: Denoiser, guide: Guide) -> Tensor:
    """Six images of two arms: twelve rows, which are more than one piece."""
    ready = Source(denoiser=denoiser, process=source.process, space=source.space, null_class=source.null_class)
    arms = [
        GuidedArm(name="x_t", recipe=RECIPE, guide=guide),
        GuidedArm(name="x_0", recipe=THROUGH_DENOISER, guide=guide),
    ]
    made = sample_arms(ready, arms, seeds=range(5), requested=[[seed % 4] for seed in range(5)], steps=STEPS)
    return torch.cat([made.images["x_t"], made.images["x_0"]])


def test_samples_are_as_near_to_the_exact_path_as_is_stated(source: Source) -> None:
    network = source.denoiser
    assert isinstance(network, nn.Module)
    classifier = load_classifier(WEIGHTS / "sportballs-robust.safetensors")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    exact = images(source, network, guide_of(classifier))
    for precision, tolerance in TOLERANCES.items():
        arithmetic = Arithmetic(precision=precision)
        ready = images(source, ready_denoiser(network, arithmetic), ready_guide(classifier, RECIPE, arithmetic))
        away = (ready - exact).abs()
        assert 0 < away.mean() < tolerance.mean
        assert away.max() < tolerance.largest
    # The network itself is as it was loaded.
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(value.dtype == before[name].dtype for name, value in network.state_dict().items())


def test_bfloat16_is_what_the_torso_computes_in_and_float32_what_comes_out(source: Source) -> None:
    network = source.denoiser
    assert isinstance(network, nn.Module)
    seen: list[torch.dtype] = []
    hook = network.get_submodule("middle_block").register_forward_pre_hook(lambda _, given: seen.append(given[0].dtype))
    ready_denoiser.cache_clear()
    x_t, t, y = torch.zeros(1, 3, 64, 64), torch.tensor([10]), torch.tensor([0])
    outputs = [ready_denoiser(network, Arithmetic(precision=precision))(x_t, t, y) for precision in Precision]
    hook.remove()
    ready_denoiser.cache_clear()
    assert seen == [torch.float32, torch.bfloat16]
    assert {out.dtype for out in outputs} == {torch.float32}


def test_a_network_of_another_make_runs_under_autocast() -> None:
    torch.manual_seed(0)
    judge = CleanClassifier(CleanConfig(image_size=16, out_channels=4)).eval()
    x, t = torch.randn(2, 3, 16, 16), torch.zeros(2, dtype=torch.int64)
    half = ready_guide(judge, RECIPE, Arithmetic(precision=Precision.BFLOAT16)).logits(x, t)
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), judge(x), atol=0.02)
    assert not torch.equal(half.float(), judge(x))


def test_what_is_ready_is_made_once_and_shared_between_scales() -> None:
    judge = CleanClassifier(CleanConfig(image_size=16, out_channels=4)).eval()
    twice = Recipe(guidance=Guidance.CLASSIFIER, scale=2.0)
    smooth = Recipe(guidance=Guidance.CLASSIFIER, scale=1.0, softplus_beta=3.0)
    once = ready_guide(judge, RECIPE, Arithmetic())
    assert ready_guide(judge, twice, Arithmetic()) is once
    assert ready_guide(judge, smooth, Arithmetic()) is not once


@pytest.mark.parametrize("mode", [mode for mode in CompileMode if mode])
def test_compiling_is_refused_without_a_gpu(mode: CompileMode, source: Source) -> None:
    network = source.denoiser
    assert isinstance(network, nn.Module)
    arithmetic = Arithmetic(compile_mode=mode)
    with pytest.raises(CannotAccelerate, match=f'Compile mode "{mode}" needs a CUDA device'):
        ready_denoiser(network, arithmetic)
    judge = CleanClassifier(CleanConfig(image_size=16, out_channels=4))
    with pytest.raises(CannotAccelerate, match="make the batch without a compile mode"):
        ready_guide(judge, RECIPE, arithmetic)
