"""Images of several arms together: each arm's are those that it makes alone, and none depends on its neighbours."""

import dataclasses
from collections.abc import Sequence
from functools import cache

import pytest
import torch
from torch import Tensor

from generation.diffusion.classifiers import CleanClassifier, CleanConfig
from generation.diffusion.guidance import Step
from generation.diffusion.guides import Guide, guide_of
from generation.diffusion.networks import UNet, UNetConfig
from generation.diffusion.process import Diffusion, InvalidSchedule
from generation.diffusion.recipes import PRESETS, Guidance, Recipe, Stabiliser
from generation.diffusion.sampling import OnStep
from generation.diffusion.seed_matched import GuidedArm, ObserveArm, Sampled, Source, sample_arms
from generation.diffusion.spaces import Space

CLASSES = 3
STEPS = 4
SEEDS = (11, 12)
WANTED = ((0,), (2,))
DENOISER = UNetConfig(
    image_size=8,
    model_channels=8,
    out_channels=6,
    num_res_blocks=1,
    attention_resolutions=(2,),
    channel_mult=(1, 2),
    num_classes=CLASSES + 1,
    num_head_channels=8,
    norm_groups=4,
)


@cache
def source() -> Source:
    """A tiny class-conditional denoiser with weights that say something."""
    torch.manual_seed(0)
    network = UNet(DENOISER)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    frozen = network.eval().requires_grad_(False)
    return Source(denoiser=frozen, process=Diffusion.make(), space=Space(size=8), null_class=CLASSES)


@cache
def guide(recipe: Recipe) -> Guide:
    torch.manual_seed(1)
    return guide_of(CleanClassifier(CleanConfig(image_size=8, out_channels=CLASSES, widths=(8, 8))), recipe)


def arm(name: str, recipe: Recipe) -> GuidedArm:
    return GuidedArm(name=name, recipe=recipe, guide=guide(recipe) if recipe.needs_classifier else None)


# Strong enough that each way of guiding is seen in four steps.
RECIPES = {
    key: dataclasses.replace(preset.recipe, scale=preset.recipe.scale and 8.0) for key, preset in PRESETS.items()
}
MIXED = [
    arm("unguided", RECIPES["unguided"]),
    arm("vanilla", RECIPES["vanilla"]),
    arm("x0", RECIPES["gradcheck-x0"]),
    arm("elucd", RECIPES["elucd"]),
    arm("free", RECIPES["classifier-free"]),
    arm("x0 with learned variance", dataclasses.replace(RECIPES["vanilla"], reads="x_0", stabiliser=Stabiliser.ADAM)),
    arm("ema", RECIPES["non-robust-x0-ema"]),
    arm("ddim", dataclasses.replace(RECIPES["vanilla"], sampler="ddim", reads="x_0")),
    arm("free ddim", dataclasses.replace(RECIPES["classifier-free"], sampler="ddim", guided_until=0.8)),
]


def sampled(
    arms: Sequence[GuidedArm],
    *,
    seeds: Sequence[int] = SEEDS,
    requested: Sequence[Sequence[int]] = WANTED,
    steps: int = STEPS,
    on_step: OnStep | None = None,
    observe: ObserveArm | None = None,
) -> Sampled:
    return sample_arms(source(), arms, seeds=seeds, requested=requested, steps=steps, on_step=on_step, observe=observe)


@cache
def mixed() -> Sampled:
    return sampled(MIXED)


def difference(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("one", MIXED, ids=[one.name for one in MIXED])
def test_an_arm_makes_the_same_images_among_others_as_alone(one: GuidedArm) -> None:
    alone = sampled([one]).images[one.name]
    assert difference(alone, mixed().images[one.name]) < 1e-5


def test_every_way_of_guiding_makes_other_images() -> None:
    images = list(mixed().images.values())
    for index, first in enumerate(images):
        for second in images[:index]:
            assert difference(first, second) > 1e-3


def test_images_are_the_same_bytes_whatever_seeds_are_their_neighbours() -> None:
    other = sampled(MIXED, seeds=(SEEDS[0], 999), requested=(WANTED[0], (1,)))
    for name, images in mixed().images.items():
        assert torch.equal(images[0], other.images[name][0])
        assert not torch.equal(images[1], other.images[name][1])


def test_a_second_call_remembers_nothing_of_the_first() -> None:
    again = sampled(MIXED)
    for name, images in mixed().images.items():
        assert torch.equal(images, again.images[name])


@pytest.mark.parametrize("key", list(PRESETS))
def test_scale_0_is_unguided_bit_for_bit_for_every_recipe(key: str) -> None:
    recipe = dataclasses.replace(PRESETS[key].recipe, scale=0.0)
    plain = Recipe(sampler=recipe.sampler, variance=recipe.variance)
    # Once in the place of the other, once beside it.
    apart = [sampled([arm("a", one)]).images["a"] for one in (recipe, plain)]
    assert torch.equal(*apart)
    together = sampled([arm("scale 0", recipe), arm("unguided", plain)]).images
    assert torch.equal(together["scale 0"], together["unguided"])


@pytest.mark.parametrize("key", [key for key in PRESETS if key != "unguided"])
def test_every_preset_guides(key: str) -> None:
    recipe = RECIPES[key]
    plain = Recipe(sampler=recipe.sampler, variance=recipe.variance)
    images = sampled([arm("guided", recipe), arm("unguided", plain)]).images
    assert difference(images["guided"], images["unguided"]) > 1e-3
    assert bool(images["guided"].isfinite().all())


def test_all_arms_start_from_the_noise_of_their_seeds() -> None:
    starts: dict[str, Tensor] = {}

    def observe(name: str, step: Step, gradient: Tensor) -> None:
        if step.index == 0:
            starts[name] = step.x_t

    fingerprints = sampled(MIXED, observe=observe).noise_sha256
    assert set(starts) == {one.name for one in MIXED}
    for start in starts.values():
        assert torch.equal(start, starts["unguided"])
    assert len(set(fingerprints)) == len(SEEDS)


def test_an_observer_sees_each_arms_own_rows_at_every_step() -> None:
    seen: list[tuple[str, int, bool]] = []

    def observe(name: str, step: Step, gradient: Tensor) -> None:
        assert step.x_t.shape == gradient.shape == (len(SEEDS), 3, 8, 8)
        seen.append((name, step.index, bool(gradient.any())))

    sampled([arm("unguided", RECIPES["unguided"]), arm("vanilla", RECIPES["vanilla"])], observe=observe)
    assert seen == [(name, i, name == "vanilla") for i in range(STEPS) for name in ("unguided", "vanilla")]


def test_progress_counts_the_steps_of_all_samplers() -> None:
    seen: list[tuple[int, int]] = []
    arms = [arm("a", Recipe()), arm("b", Recipe(sampler="ddim"))]
    sampled(arms, on_step=lambda step, steps: seen.append((step, steps)))
    assert seen == [(step, 2 * STEPS) for step in range(1, 2 * STEPS + 1)]


def test_several_requested_classes_guide_at_once_and_the_denoiser_is_told_none() -> None:
    both = sampled([arm("vanilla", RECIPES["vanilla"])], requested=((0, 1), (2,))).images["vanilla"]
    one = sampled([arm("vanilla", RECIPES["vanilla"])], requested=((0,), (2,))).images["vanilla"]
    assert difference(both[0], one[0]) > 1e-3
    assert torch.equal(both[1], one[1])
    plain = arm("unguided", Recipe())
    untold = sampled([dataclasses.replace(plain, class_conditional=False)]).images["unguided"]
    assert torch.equal(untold, sampled([plain], requested=[(0, 1)] * 2).images["unguided"])


def test_an_arm_without_a_class_needs_a_null_class() -> None:
    without = dataclasses.replace(source(), null_class=None)
    with pytest.raises(ValueError, match='Arm "unguided" samples without a class or with several'):
        sample_arms(without, [arm("unguided", Recipe())], seeds=[1], requested=[(0, 1)], steps=STEPS)


def test_classifier_free_guidance_without_one_class_is_refused_and_not_silently_unguided() -> None:
    free = arm("free", RECIPES["classifier-free"])
    untold = dataclasses.replace(free, class_conditional=False)
    for wrong, requested in ((free, [(0, 1)]), (untold, [(0,)])):
        with pytest.raises(ValueError, match='Arm "free" is guided classifier-free; its denoiser must be told'):
            sample_arms(source(), [wrong], seeds=[1], requested=requested, steps=STEPS)


def test_classifier_free_guidance_needs_a_null_class() -> None:
    without = dataclasses.replace(source(), null_class=None)
    with pytest.raises(ValueError, match="needs a denoiser with classes and a null class"):
        sample_arms(without, [arm("free", RECIPES["classifier-free"])], seeds=[1], requested=[(0,)], steps=STEPS)


@pytest.mark.parametrize(("recipe", "steps"), [(Recipe(), 0), (Recipe(), 1001), (Recipe(sampler="ddim"), 3)])
def test_steps_that_the_chain_has_not_are_refused(recipe: Recipe, steps: int) -> None:
    with pytest.raises(InvalidSchedule, match=str(steps)):
        sampled([arm("a", recipe)], steps=steps)


def test_a_guide_of_other_classes_is_refused() -> None:
    untold = dataclasses.replace(arm("vanilla", RECIPES["vanilla"]), class_conditional=False)
    with pytest.raises(ValueError, match=r"asks for classes \[5\]; there are classes 0 to 2"):
        sampled([untold], requested=((5,), (0,)))


def test_guidance_none_ignores_a_classifier() -> None:
    recipe = Recipe(guidance=Guidance.NONE)
    beside = GuidedArm(name="a", recipe=recipe, guide=guide(RECIPES["vanilla"]))
    assert torch.equal(sampled([beside]).images["a"], sampled([arm("a", recipe)]).images["a"])
