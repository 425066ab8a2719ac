"""Networks that an experiment trains for itself, kept in its folder with their cards."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from generation.diffusion.checkpoints import CheckpointFacts, inspect_checkpoint
from generation.diffusion.experiments.stages import Report
from generation.diffusion.plans import ClassifierPlan, DenoiserPlan, Kind, TrainingPlan
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


def seconds_a_step(plan: ClassifierPlan, *, folder: Path) -> float:
    """How long a training step takes here, of a few that are thrown away."""
    probe = ClassifierPlan(**{**asdict(plan), "name": "probe", "steps": 4, "anneal_steps": 0, "held_out": 5})
    seconds: list[float] = []
    started = time.monotonic()

    def on_step(progress: Progress) -> None:
        seconds.append(time.monotonic() - started)

    train_classifier_run(probe, out=folder, on_step=on_step)
    for name in ("probe.safetensors", "probe.md", "probe.state"):
        (folder / name).unlink(missing_ok=True)
    # The first step also pays for what torch sets up.
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1)


def _trained(
    plan: TrainingPlan, *, folder: Path, train: Callable[[Callable[[Progress], None]], Path], report: Report
) -> Path:
    path = folder / f"{plan.name}.safetensors"
    if path.exists() and _is_of(plan, inspect_checkpoint(path)):
        return path
    _forget_other_run(plan, folder)

    def on_step(progress: Progress) -> None:
        report(progress.step, plan.steps, f"training {plan.name}, loss {progress.loss:.3f}")

    return train(on_step)


def _is_of(plan: TrainingPlan, facts: CheckpointFacts) -> bool:
    """Whether a file's own facts are what this plan would give."""
    card = facts.card
    same = all(card.get(name) == value for name, value in _facts(plan).items())
    if isinstance(plan, ClassifierPlan):
        attack = plan.attack.facts() if plan.kind is Kind.ROBUST else None
        return same and facts.adversarial == attack and facts.noise_trained == (plan.kind is not Kind.CLEAN)
    return same


def _facts(plan: TrainingPlan) -> dict[str, int]:
    return {"steps": plan.steps, "batch size": plan.batch_size, "seed": plan.seed}


def _forget_other_run(plan: TrainingPlan, folder: Path) -> None:
    """Put away the state of a run with another plan, which could not be continued by this one."""
    kept = folder / f"{plan.name}.plan.json"
    wanted = json.dumps(asdict(plan), sort_keys=True)
    if not (kept.exists() and kept.read_text(encoding="utf-8") == wanted):
        state_path(plan, folder).unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text(wanted, encoding="utf-8")
