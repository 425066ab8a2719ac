"""Seed-matched images: the same classes and seeds under every arm, from the same noise.

All arms that share a sampler go through the denoiser in one forward. Every arm's rows have the same place and number
in every call with as many pairs, so an image depends on its own seed and arm, never on its neighbours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from generation.diffusion.guidance import Guidance, Step, by_rows, guidance_of, wanted_classes
from generation.diffusion.guides import Guide
from generation.diffusion.noise import SeededNoise
from generation.diffusion.presets import DENOISER, NULL_CLASS
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Guidance as By
from generation.diffusion.recipes import Recipe, Sampler, Variance
from generation.diffusion.sampling import Denoiser, Model, Observe, OnStep, Weighted, ddim, ddpm
from generation.diffusion.spaces import Space

_SAMPLERS = {Sampler.DDPM: ddpm, Sampler.DDIM: ddim}


@dataclass(frozen=True, kw_only=True)
class GuidedArm:
    """One way to make an image: a recipe, its classifier, and whether the denoiser is told the class."""

    name: str
    recipe: Recipe = field(default_factory=Recipe)
    guide: Guide | None = None
    class_conditional: bool = True


@dataclass(frozen=True, kw_only=True)
class Source:
    """A denoiser, its full chain, the space of its samples, and its classes.

    takes_labels: whether it is class-conditional. null_class: its index for "no class", None if it knows none.
    """

    denoiser: Denoiser
    process: Diffusion
    space: Space
    takes_labels: bool = True
    null_class: int | None = None


@dataclass(frozen=True)
class Sampled:
    """Images of all arms, [N, 3, H, W] about in [-1, 1], by arm; noise_sha256: fingerprints of each seed's x_T."""

    images: Mapping[str, Tensor]
    noise_sha256: Sequence[str]


ObserveArm = Callable[[str, Step, Tensor], None]
"""Called at every step with an arm's name, its rows of the step, and its gradient times the scale."""


def sample_arms(
    source: Source,
    arms: Sequence[GuidedArm],
    *,
    seeds: Sequence[int],
    requested: Sequence[Sequence[int]],
    steps: int,
    device: torch.device | str = "cpu",
    on_step: OnStep | None = None,
    observe: ObserveArm | None = None,
) -> Sampled:
    """Make one image per seed and arm. Arm names must differ.

    requested: each seed's classes, mostly one; several at once are for guidance, and the denoiser is then told none.
    on_step counts over all groups of arms with one sampler. Raises ValueError where a denoiser lacks the null class
    that is asked of it and where classifier-free guidance has no single class, InvalidSchedule for steps that the
    chain has not.
    """
    images: dict[str, Tensor] = {}
    groups = _groups(arms)
    fingerprints: Sequence[str] = ()
    for index, group in enumerate(groups):
        recipe = group[0].recipe
        process = _chain(source.process, recipe.sampler, steps).to(device)
        noise = SeededNoise(
            seeds, source.space.shape, steps=_draws(recipe.sampler, steps), copies=len(group), device=device
        )
        samples = _SAMPLERS[recipe.sampler](
            _model(source, group, requested, variance=recipe.variance, device=device),
            process,
            noise=noise,
            guidance=_guidance(source, group, requested, device=device),
            on_step=_counted(on_step, done=index * steps, of=len(groups) * steps),
            observe=_observed(observe, group, n=len(seeds)),
        )
        fingerprints = noise.initial_sha256()
        for arm, rows in zip(group, samples.chunk(len(group)), strict=True):
            images[arm.name] = source.space.decode(rows)
    return Sampled({arm.name: images[arm.name] for arm in arms}, fingerprints)


def sportballs_source(denoiser: Denoiser) -> Source:
    """The SportBalls denoiser with its chain and its null class."""
    space = Space(size=DENOISER.image_size)
    return Source(denoiser=denoiser, process=Diffusion.make(), space=space, null_class=NULL_CLASS)


def _chain(process: Diffusion, sampler: Sampler, steps: int) -> Diffusion:
    # As published: DDPM respaces evenly from end to end, "ddimN" takes every (T/N)-th level.
    return process.strided(steps) if sampler is Sampler.DDIM else process.respaced(steps)


def _draws(sampler: Sampler, steps: int) -> int:
    # Besides x_T: DDPM's last step and all of DDIM's take no noise.
    return 0 if sampler is Sampler.DDIM else steps - 1


def _groups(arms: Sequence[GuidedArm]) -> list[list[GuidedArm]]:
    groups: dict[tuple[Sampler, Variance], list[GuidedArm]] = {}
    for arm in arms:
        groups.setdefault((arm.recipe.sampler, arm.recipe.variance), []).append(arm)
    return list(groups.values())


def _model(
    source: Source,
    arms: Sequence[GuidedArm],
    requested: Sequence[Sequence[int]],
    *,
    variance: Variance,
    device: torch.device | str,
) -> Model:
    labels = None
    if source.takes_labels:
        labels = torch.tensor([_label(source, arm, classes) for arm in arms for classes in requested], device=device)
    n = len(requested)
    classifier_free = [
        Weighted(
            rows=slice(row * n, (row + 1) * n),
            weight=arm.recipe.scale,
            guided_from=arm.recipe.guided_from,
            guided_until=arm.recipe.guided_until,
        )
        for row, arm in enumerate(arms)
        if arm.recipe.guidance is By.CLASSIFIER_FREE
    ]
    return Model(
        source.denoiser,
        labels,
        clipped=source.space.clipped,
        variance=variance,
        null_class=source.null_class,
        classifier_free=classifier_free,
    )


def _label(source: Source, arm: GuidedArm, classes: Sequence[int]) -> int:
    if arm.class_conditional and len(classes) == 1:
        return classes[0]
    if arm.recipe.guidance is By.CLASSIFIER_FREE:
        # Its two predictions would be one and the same, and the arm unguided without a word.
        raise ValueError(f'Arm "{arm.name}" is guided classifier-free; its denoiser must be told one class an image.')
    if source.null_class is None:
        raise ValueError(
            f'Arm "{arm.name}" samples without a class or with several, but its denoiser has no null class.'
        )
    return source.null_class


def _guidance(
    source: Source, arms: Sequence[GuidedArm], requested: Sequence[Sequence[int]], *, device: torch.device | str
) -> Guidance:
    n = len(requested)
    parts: list[tuple[slice, Guidance | None]] = []
    for row, arm in enumerate(arms):
        guidance = None
        if arm.guide is not None and arm.recipe.needs_classifier:
            wanted = wanted_classes(requested, classes=arm.guide.classes, device=device)
            guidance = guidance_of(arm.recipe, arm.guide, wanted, decode=source.space.decode)
        parts.append((slice(row * n, (row + 1) * n), guidance))
    return by_rows(parts)


def _counted(on_step: OnStep | None, *, done: int, of: int) -> OnStep | None:
    return None if on_step is None else lambda step, steps: on_step(done + step, of)


def _observed(observe: ObserveArm | None, arms: Sequence[GuidedArm], *, n: int) -> Observe | None:
    if observe is None:
        return None

    def seen(step: Step, gradient: Tensor) -> None:
        for row, arm in enumerate(arms):
            rows = slice(row * n, (row + 1) * n)
            observe(arm.name, step.of(rows), gradient[rows])

    return seen
