"""Networks that an experiment trains for itself, kept in its folder with their cards."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from generation.diffusion.experiments.stages import Report
from generation.diffusion.plans import ClassifierPlan, DenoiserPlan, TrainingPlan
from generation.diffusion.training import Progress
from generation.diffusion.training_runs import state_path, train_classifier_run, train_denoiser_run


def trained_classifier(plan: ClassifierPlan, *, folder: Path, report: Report) -> Path:
    """The weights that this plan gives: those in the folder if they are such, else trained now or trained further."""
    return _trained(
        plan,
        folder=folder,
        train=lambda on_step: train_classifier_run(plan, out=folder, on_step=on_step),
        report=report,
    )


def trained_denoiser(plan: DenoiserPlan, *, folder: Path, report: Report) -> Path:
    """As `trained_classifier`, of a denoiser."""
    return _trained(
        plan, folder=folder, train=lambda on_step: train_denoiser_run(plan, out=folder, on_step=on_step), report=report
    )


def seconds_a_step(plan: ClassifierPlan | DenoiserPlan, *, folder: Path) -> float:
    """How long a training step takes here, of a few that are thrown away."""
    probe = replace(plan, name="probe", steps=4, anneal_steps=0)
    seconds: list[float] = []
    started = time.monotonic()

    def on_step(progress: Progress) -> None:
        seconds.append(time.monotonic() - started)

    if isinstance(probe, ClassifierPlan):
        train_classifier_run(replace(probe, held_out=5), out=folder, on_step=on_step)
    else:
        train_denoiser_run(probe, out=folder, on_step=on_step)
    for name in ("probe.safetensors", "probe.md", "probe.state"):
        (folder / name).unlink(missing_ok=True)
    # The first step also pays for what torch sets up.
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1)


def _trained(
    plan: TrainingPlan, *, folder: Path, train: Callable[[Callable[[Progress], None]], Path], report: Report
) -> Path:
    path = folder / f"{plan.name}.safetensors"
    _forget_other_run(plan, folder)
    if path.exists():
        return path

    def on_step(progress: Progress) -> None:
        report(progress.step, plan.steps, f"training {plan.name}, loss {progress.loss:.3f}")

    return train(on_step)


def _forget_other_run(plan: TrainingPlan, folder: Path) -> None:
    """Put away what a run with another plan left: its weights are not this plan's, its state can't be continued."""
    kept = folder / f"{plan.name}.plan.json"
    wanted = json.dumps(asdict(plan), sort_keys=True)
    if kept.exists() and kept.read_text(encoding="utf-8") == wanted:
        return
    for left in (state_path(plan, folder), folder / f"{plan.name}.safetensors"):
        left.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(wanted, encoding="utf-8")
