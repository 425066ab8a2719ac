"""Sets of seed-matched images of an experiment's arms, made a chunk at a time and kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from generation.diffusion.experiments.stages import Pixels, Report, Stages, device_here
from generation.diffusion.sampling import to_uint8
from generation.diffusion.seed_matched import GuidedArm, ObserveArm, Source, sample_arms


@dataclass(frozen=True, kw_only=True)
class SetPlan:
    """How many images, of which classes, in how many sampling steps. Image i has seed first_seed + i, class i mod C."""

    name: str
    count: int
    classes: int
    steps: int
    first_seed: int = 0
    chunk: int = 16
    bf16: bool = False
    denoiser: str
    """Its file's sha256: images of another denoiser are other images too."""
    weights: Mapping[str, str] = field(default_factory=dict)
    """By arm, the sha256 of the classifier that guides it: images of other weights are other images."""

    def wanted(self) -> list[int]:
        """The class of every image."""
        return [i % self.classes for i in range(self.count)]


def sampled_set(
    source: Source,
    arms: Sequence[GuidedArm],
    *,
    plan: SetPlan,
    stages: Stages,
    report: Report,
    observe: Callable[[], ObserveArm] | None = None,
) -> dict[str, Pixels]:
    """All arms' images, uint8 [count, H, W, 3] each, from the stages' folder as far as they are there.

    report(done, total, note) counts sampling steps. observe: makes an observer for a chunk that is made now.
    """
    starts = range(0, plan.count, plan.chunk)
    pieces: dict[str, list[Pixels]] = {arm.name: [] for arm in arms}
    for index, start in enumerate(starts):
        numbers = range(start, min(start + plan.chunk, plan.count))
        for arm in arms:

            def make(arm: GuidedArm = arm, numbers: range = numbers, done: int = index) -> Pixels:
                note = f"{plan.name}, {arm.name}: images {numbers.start + 1} to {numbers.stop} of {plan.count}"
                return _made(
                    source,
                    arm,
                    plan=plan,
                    numbers=numbers,
                    on_step=lambda k, steps: report(done * steps + k, len(starts) * steps, note),
                    observe=observe() if observe else None,
                )

            settings = _settings(plan, arm, numbers)
            pieces[arm.name].append(stages.images(f"{plan.name}/{arm.name}-{start:05d}", settings, make))
    return {name: np.concatenate(parts) for name, parts in pieces.items()}


def _made(
    source: Source,
    arm: GuidedArm,
    *,
    plan: SetPlan,
    numbers: range,
    on_step: Callable[[int, int], None],
    observe: ObserveArm | None,
) -> Pixels:
    device = device_here()
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.bf16):
        made = sample_arms(
            source,
            [arm],
            seeds=[plan.first_seed + i for i in numbers],
            requested=[(i % plan.classes,) for i in numbers],
            steps=plan.steps,
            device=device,
            on_step=on_step,
            observe=observe,
        )
    return np.asarray(to_uint8(made.images[arm.name]).numpy(), dtype=np.uint8)


def _settings(plan: SetPlan, arm: GuidedArm, numbers: range) -> dict[str, Any]:  # Any: what JSON can hold
    return {
        "recipe": arm.recipe.settings(),
        "class_conditional": arm.class_conditional,
        "denoiser": plan.denoiser,
        "weights": plan.weights.get(arm.name, ""),
        "seeds": [plan.first_seed + numbers.start, plan.first_seed + numbers.stop],
        "classes": plan.classes,
        "steps": plan.steps,
        "bf16": plan.bf16,
    }
