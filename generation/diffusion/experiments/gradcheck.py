"""GradCheck on SportBalls: can a clean-trained classifier guide, and what must be done to its gradients?

After Vaeth et al. (2024, 2025). Two guides of one architecture, one trained on clean images and one on noised ones,
guide a denoiser that is not told the class; a judge that never guides says which class came out. All arms have the
same seeds and classes, one scale and l2-normalised gradients.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generation.diffusion.classifiers import Classifier, CleanClassifier
from generation.diffusion.datasets import SportBalls
from generation.diffusion.diagnostics import GradientTrace, Stability
from generation.diffusion.experiments.budgets import rounds
from generation.diffusion.experiments.measures import (
    Difference,
    Measured,
    features_of,
    frechet_difference,
    measured,
    share_interval,
    sportballs_references,
)
from generation.diffusion.experiments.sampled_sets import SetPlan, sampled_set
from generation.diffusion.experiments.stages import Numbers, Pixels, Report, Stages, device_here
from generation.diffusion.guides import guide_of
from generation.diffusion.metrics import FrechetTarget, Moments
from generation.diffusion.plans import HELD_OUT_SEED
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Guidance, Reads, Recipe, Stabiliser, Variance
from generation.diffusion.seed_matched import GuidedArm, Source, sample_arms

CLEAN, NOISED = "clean-trained", "noise-trained"
# Seeds of their own, so that images that are there already need not be made again.
TRACED_SEED = 1_000_000
LEVELS = (0, 25, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 999)


@dataclass(frozen=True, kw_only=True)
class GradcheckPlan:
    """How much to measure. scale: s, of gradients of length 1; n: images an arm; steps: of 1000 noise levels.

    traced: images whose gradients are compared from step to step; held_out, references: SportBalls drawn for the
    classifiers' accuracies and for the Frechet distance.
    """

    n: int = 64
    steps: int = 40
    scale: float = 10.0
    chunk: int = 16
    traced: int = 8
    held_out: int = 500
    references: int = 2000
    bf16: bool = True


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The denoiser, the two guides by how they were trained, and the judge; sha256 of the guides' and of its file."""

    source: Source
    denoiser_sha256: str
    guides: Mapping[str, Classifier]
    judge: CleanClassifier
    sha256: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One arm: which guide, None for none, and what is done to its gradients."""

    name: str
    guide: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # Any: a recipe's settings

    def arm(self, networks: Networks, *, scale: float) -> GuidedArm:
        """The arm, told no class."""
        if self.guide is None:
            return GuidedArm(name=self.name, recipe=Recipe(variance=Variance.FIXED_SMALL), class_conditional=False)
        recipe = Recipe(
            guidance=Guidance.CLASSIFIER,
            scale=scale,
            normalised=True,
            variance=Variance.FIXED_SMALL,
            **self.settings,
        )
        guide = guide_of(networks.guides[self.guide], recipe)
        return GuidedArm(name=self.name, recipe=recipe, guide=guide, class_conditional=False)


_ADAM, _EMA, _X_0 = {"stabiliser": Stabiliser.ADAM_CORRECTED}, {"stabiliser": Stabiliser.EMA}, {"reads": Reads.X_0}
CONDITIONS = (
    Condition(name="unguided"),
    Condition(name="noise-trained", guide=NOISED),
    Condition(name="clean", guide=CLEAN),
    Condition(name="clean, x0", guide=CLEAN, settings=_X_0),
    Condition(name="clean, ADAM", guide=CLEAN, settings=_ADAM),
    Condition(name="clean, EMA", guide=CLEAN, settings=_EMA),
    Condition(name="clean, x0 and ADAM", guide=CLEAN, settings={**_X_0, **_ADAM}),
    Condition(name="clean, x0 and EMA", guide=CLEAN, settings={**_X_0, **_EMA}),
    Condition(name="noise-trained, x0 and ADAM", guide=NOISED, settings={**_X_0, **_ADAM}),
)


@dataclass(frozen=True, kw_only=True)
class GradcheckResult:
    """What came out. noised_accuracy: by guide and level t, the share named right and its 95 % interval.

    stability: of every guided arm's gradients. mended: the distance of the clean-trained guide with x0-prediction
    and ADAM minus that of the noise-trained guide.
    """

    plan: GradcheckPlan
    noised_accuracy: Mapping[str, Sequence[Numbers]]
    arms: Sequence[Measured]
    stability: Mapping[str, Stability]
    mended: Difference
    images: Mapping[str, Pixels]

    def facts(self) -> Numbers:
        """The result as JSON has it, without the images."""
        return {
            "plan": asdict(self.plan),
            "noised_accuracy": dict(self.noised_accuracy),
            "arms": [arm.facts() for arm in self.arms],
            "mended": asdict(self.mended),
            "mean_cosine": {name: found.mean_cosine for name, found in self.stability.items()},
        }


def gradcheck(
    networks: Networks,
    *,
    plan: GradcheckPlan,
    folder: Path,
    report: Report,
    is_spent: Callable[[], bool] = lambda: False,
) -> GradcheckResult:
    """Run the experiment, going on from what the folder holds. report counts sampling steps of all arms.

    is_spent: asked after every chunk of images of all arms; the result's plan says how many there are in the end.
    """
    stages = Stages(folder)
    noised = {}
    for done, name in enumerate((CLEAN, NOISED)):
        report(done, 2, f"accuracies, {name}")
        noised[name] = _noised(networks, name, plan=plan, stages=stages)
    stability = _stability(networks, plan=plan, stages=stages, report=report)
    for n in rounds(plan.n, chunk=plan.chunk, is_spent=is_spent):
        plan = replace(plan, n=n)
        images = _images(networks, plan=plan, stages=stages, report=report)
    reference = FrechetTarget(Moments.of(features_of(sportballs_references(plan.references), judge=networks.judge)))
    wanted = [i % 4 for i in range(plan.n)]
    return GradcheckResult(
        plan=plan,
        noised_accuracy=noised,
        arms=measured(images, wanted, judge=networks.judge, reference=reference, report=report),
        stability=stability,
        mended=frechet_difference(
            images["clean, x0 and ADAM"], images["noise-trained"], judge=networks.judge, reference=reference
        ),
        images=images,
    )


def _noised(networks: Networks, name: str, *, plan: GradcheckPlan, stages: Stages) -> Sequence[Numbers]:
    settings = {"sha256": networks.sha256[name], "n": plan.held_out, "levels": LEVELS}

    def measure() -> Numbers:
        return {"levels": noised_accuracy(networks.guides[name], count=plan.held_out)}

    found: Sequence[Numbers] = stages.numbers(f"noised-accuracy-{name}", settings, measure)["levels"]
    return found


@torch.no_grad()
def noised_accuracy(classifier: Classifier, *, count: int) -> list[Numbers]:
    """How many of `count` held-out SportBalls a classifier names right, noised to each level."""
    x_0, y = SportBalls(seed=HELD_OUT_SEED).examples(range(count))
    process = Diffusion.make()
    logits = guide_of(classifier).logits
    rows: list[Numbers] = []
    for level in LEVELS:
        t = torch.full_like(y, level)
        noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(level))
        x_t, t = process.noised(x_0, t, noise).to(device_here()), t.to(device_here())
        parts = zip(torch.split(x_t, 50), torch.split(t, 50), strict=True)
        seen = torch.cat([logits(x, k).argmax(dim=1) for x, k in parts])
        right = int((seen.cpu() == y).sum())
        rows.append({"t": level, "n": count, "accuracy": right / count, "interval": share_interval(right, count)})
    return rows


def _images(networks: Networks, *, plan: GradcheckPlan, stages: Stages, report: Report) -> dict[str, Pixels]:
    return sampled_set(
        networks.source,
        [condition.arm(networks, scale=plan.scale) for condition in CONDITIONS],
        plan=SetPlan(
            name="images",
            count=plan.n,
            classes=4,
            steps=plan.steps,
            chunk=plan.chunk,
            bf16=plan.bf16,
            denoiser=networks.denoiser_sha256,
            weights={one.name: networks.sha256[one.guide] for one in CONDITIONS if one.guide is not None},
        ),
        stages=stages,
        report=report,
    )


def _stability(networks: Networks, *, plan: GradcheckPlan, stages: Stages, report: Report) -> dict[str, Stability]:
    found: dict[str, Stability] = {}
    for condition in CONDITIONS:
        if condition.guide is None:
            continue
        arm = condition.arm(networks, scale=plan.scale)
        settings = {
            "recipe": arm.recipe.settings(),
            "sha256": networks.sha256[condition.guide],
            "denoiser": networks.denoiser_sha256,
            "n": plan.traced,
            "steps": plan.steps,
            "bf16": plan.bf16,
        }

        def trace(arm: GuidedArm = arm) -> Numbers:
            return _traced(networks, arm, plan=plan, report=report)

        traced = stages.numbers(f"stability/{arm.name}", settings, trace)
        found[arm.name] = Stability(
            timesteps=np.array(traced["timesteps"], dtype=np.int64),
            **{name: np.array(traced[name], dtype=np.float64) for name in ("levels", "cosine", "norms")},
        )
    return found


def _traced(networks: Networks, arm: GuidedArm, *, plan: GradcheckPlan, report: Report) -> Numbers:
    recorder = GradientTrace()
    device = device_here()
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.bf16):
        sample_arms(
            networks.source,
            [arm],
            seeds=[TRACED_SEED + i for i in range(plan.traced)],
            requested=[(i % 4,) for i in range(plan.traced)],
            steps=plan.steps,
            device=device,
            on_step=lambda k, steps: report(k, steps, f"gradients, {arm.name}"),
            observe=recorder,
        )
    stability = recorder.stability(arm.name)
    return {
        "timesteps": stability.timesteps.tolist(),
        "levels": stability.levels.tolist(),
        "cosine": stability.cosine.tolist(),
        "norms": stability.norms.tolist(),
    }
