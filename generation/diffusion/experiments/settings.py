"""What the experiments run on: SportBalls with the shipped weights, or photographs with networks trained for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from generation.diffusion.attacks import Attack
from generation.diffusion.checkpoints import inspect_checkpoint, load_classifier, load_denoiser
from generation.diffusion.classifiers import Classifier, CleanClassifier
from generation.diffusion.datasets import CLASS_LABELS, DataSet
from generation.diffusion.evaluation import accuracies
from generation.diffusion.experiments.measures import sportballs_references
from generation.diffusion.experiments.robust_ablation import Setting
from generation.diffusion.experiments.stages import Pixels, Report, device_here
from generation.diffusion.experiments.trained import seconds_a_step, trained_classifier, trained_denoiser
from generation.diffusion.planned import data_of
from generation.diffusion.plans import ClassifierPlan, DenoiserPlan, Kind, plan_of
from generation.diffusion.process import Diffusion
from generation.diffusion.seed_matched import Source, sportballs_source
from generation.diffusion.spaces import Space


class NoJudge(ValueError):
    """The weights given for the judge are not a clean classifier's."""


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """Data to train on where there is a GPU, and for how many steps: an archive or a folder of class folders."""

    data: str
    architecture: str = "cifar"
    image_size: int = 32
    denoiser_steps: int = 200_000
    judge_steps: int = 20_000
    batch_size: int = 128


def shipped_judge(weights: Path) -> CleanClassifier:
    """The SportBalls judge of a folder of weights. Raises NoJudge."""
    judge = load_classifier(weights / "sportballs-judge.safetensors", device=device_here())
    if not isinstance(judge, CleanClassifier):
        raise NoJudge(f"{weights} holds a judge that is no classifier of clean images.")
    return judge


def sportballs_setting(weights: Path) -> Setting:
    """SportBalls, with the shipped denoiser and judge."""
    return Setting(
        name="SportBalls at 64 px, drawn by this project",
        source=sportballs_source(load_denoiser(weights / "sportballs-denoiser.safetensors", device=device_here())),
        denoiser_sha256=inspect_checkpoint(weights / "sportballs-denoiser.safetensors").sha256,
        judge=shipped_judge(weights),
        class_labels=CLASS_LABELS,
        references=sportballs_references,
        accuracies=_sportballs_accuracies,
    )


def photographs_setting(photographs: Photographs, *, folder: Path, report: Report) -> Setting:
    """Photographs, with a denoiser and a judge trained on them in the folder, or found there."""
    denoiser, judge = _denoiser_plan(photographs), _judge_plan(photographs)
    path = trained_denoiser(denoiser, folder=folder, report=report)
    judging = load_classifier(trained_classifier(judge, folder=folder, report=report), device=device_here())
    if not isinstance(judging, CleanClassifier):
        raise NoJudge(f"{folder} holds a judge that is no classifier of clean images.")
    data = data_of(denoiser)
    return Setting(
        name=data.description,
        source=_source(path),
        denoiser_sha256=inspect_checkpoint(path).sha256,
        judge=judging,
        class_labels=data.class_labels,
        references=partial(_references, data),
        accuracies=partial(_accuracies, data),
    )


def photographs_within(photographs: Photographs, *, seconds: float, folder: Path) -> Photographs:
    """The same with as many steps as fit, at most those given: 30 % of the time is the denoiser's, 5 % the judge's."""
    denoiser = seconds_a_step(_denoiser_plan(photographs), folder=folder)
    judge = seconds_a_step(_judge_plan(photographs), folder=folder)
    return replace(
        photographs,
        denoiser_steps=max(20, min(photographs.denoiser_steps, int(0.3 * seconds / denoiser))),
        judge_steps=max(20, min(photographs.judge_steps, int(0.05 * seconds / judge))),
    )


def guide_plan(
    data: str, *, attack: Attack | None, name: str, steps: int, photographs: Photographs | None
) -> ClassifierPlan:
    """How the ablation trains a classifier: as published but for the length, and on SportBalls with Muon.

    The learning rate falls towards 1.25 times the steps, as the paper stops 300k steps of annealing after 240k.
    """
    changes: dict[str, object] = {
        "name": name,
        "data": data,
        "kind": Kind.VANILLA if attack is None else Kind.ROBUST,
        "steps": steps,
        "anneal_steps": round(1.25 * steps),
        "seed": 11,
        "save_every": 25,
        "held_out": 100,
    }
    if attack is not None:
        changes |= {"norm": attack.norm, "eps": attack.eps, "attack_step": attack.step, "attack_steps": attack.steps}
    if photographs is not None:
        published = {"learning_rate": 3e-4, "weight_decay": 0.05, "warmup_steps": 0, "clip_norm": 0.0, "ema_decay": 0.0}
        size = {"batch_size": photographs.batch_size, "image_size": photographs.image_size, "save_every": 1000}
        return plan_of(ClassifierPlan, {**changes, **published, **size, "architecture": photographs.architecture})
    quick = {"optimiser": "muon", "learning_rate": 2e-3, "ema_decay": 0.97, "batch_size": 32, "bf16": True}
    return plan_of(ClassifierPlan, {**changes, **quick, "threads": 1, "workers": 2})


def _denoiser_plan(photographs: Photographs) -> DenoiserPlan:
    own = {"name": "denoiser", "steps": photographs.denoiser_steps, "architecture": photographs.architecture}
    return plan_of(DenoiserPlan, {**_shared(photographs), **own, "seed": 5})


def _judge_plan(photographs: Photographs) -> ClassifierPlan:
    own = {"name": "judge", "steps": photographs.judge_steps, "kind": Kind.CLEAN}
    return plan_of(ClassifierPlan, {**_shared(photographs), **own, "seed": 6})


def _shared(photographs: Photographs) -> dict[str, object]:
    size = {"image_size": photographs.image_size, "batch_size": photographs.batch_size}
    return {"data": photographs.data, "flips": True, **size}


def _source(path: Path) -> Source:
    facts = inspect_checkpoint(path)
    return Source(
        denoiser=load_denoiser(path, device=device_here()),
        process=Diffusion.make(facts.schedule, facts.timesteps),
        space=Space(size=facts.image_size),
        null_class=facts.null_class,
    )


def _sportballs_accuracies(
    classifier: Classifier, *, levels: Sequence[int], count: int, attack: Attack | None
) -> dict[int, float]:
    return accuracies(classifier, Diffusion.make(), levels=levels, count=count, attack=attack, device=device_here())


def _accuracies(
    data: DataSet, classifier: Classifier, *, levels: Sequence[int], count: int, attack: Attack | None
) -> dict[int, float]:
    return accuracies(
        classifier,
        Diffusion.make(),
        levels=levels,
        count=count,
        attack=attack,
        data=data.held_out,
        device=device_here(),
    )


def _references(data: DataSet, count: int) -> Pixels:
    x_0, _ = data.held_out.examples(range(min(count, data.held_out_size or count)))
    # These were whole numbers once: rounding gives them back, truncation would not.
    pixels = ((x_0 + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    return np.asarray(pixels.contiguous().numpy(), dtype=np.uint8)
