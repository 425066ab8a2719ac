"""A training from its plan to its files: NAME.safetensors, the model card NAME.md, and kept weights along the run.

A run's state lies beside them, so calling again with the same plan and folder continues a run that was stopped, to the
same weights. `on_step` may raise to stop it. Nothing here knows of a command line or a task queue.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from generation.diffusion.cards import CardTable, Fact, ModelCard
from generation.diffusion.checkpoints import CheckpointMismatch, Training, UnreadableCheckpoint, save_checkpoint
from generation.diffusion.classifiers import attribute_labels
from generation.diffusion.datasets import DataSet
from generation.diffusion.losses import LevelWeights
from generation.diffusion.pictures import InvalidData
from generation.diffusion.planned import classifier_of, data_of, denoiser_of, device_of
from generation.diffusion.plans import ClassifierPlan, DenoiserPlan, InvalidPlan, Kind, TrainingPlan
from generation.diffusion.process import Diffusion
from generation.diffusion.training import (
    BatchLoss,
    ForeignState,
    Progress,
    TrainingDiverged,
    TrainingOptions,
    Weights,
    classifier_loss,
    denoiser_loss,
    judge_loss,
    train,
    unconditional_loss,
)
from generation.diffusion.training_cards import (
    classes_in_words,
    classifier_facts,
    command_line,
    denoiser_facts,
    measured,
    outcome,
    run_facts,
    subject_of,
)

OnStep = Callable[[Progress], None]


class UnwritableFolder(OSError):
    """The folder for a run's files can't be made."""


REFUSALS = (
    InvalidPlan,
    InvalidData,
    ForeignState,
    TrainingDiverged,
    UnwritableFolder,
    UnreadableCheckpoint,
    CheckpointMismatch,
)
"""All that a run raises of its own, each with a sentence."""


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is trained: the network, its loss, its data, and what its card says of it."""

    network: nn.Module
    loss: BatchLoss
    data: DataSet
    command: str
    title: str
    summary: str
    training: Training
    facts: Mapping[str, Fact]
    measure: Callable[[nn.Module], Sequence[CardTable]] = field(default=lambda network: ())


def train_classifier_run(plan: ClassifierPlan, *, out: Path, on_step: OnStep) -> Path:
    """Train a classifier in a folder, or continue there; return the path of its weights. Raises REFUSALS."""
    data = data_of(plan)
    if len(data.class_labels) < (1 if data.has_attributes else 2):
        raise InvalidData(f"A classifier needs two classes to tell apart; {plan.data} has {len(data.class_labels)}.")
    torch.manual_seed(plan.seed)
    network = classifier_of(plan, data)
    process = Diffusion.make().to(device_of(plan))
    attack = plan.attack if plan.kind is Kind.ROBUST else None
    subject = _Subject(
        network=network,
        loss=judge_loss
        if plan.kind is Kind.CLEAN
        else classifier_loss(process, attack=attack, bf16=plan.bf16, timed=plan.kind is not Kind.UNTIMED),
        data=data,
        command="train_classifier",
        title=f"{subject_of(plan)} classifier, {_WORDS[plan.kind]}",
        summary=f"{_SUMMARIES[plan.kind]} {classes_in_words(data)}",
        training=Training(
            class_labels=attribute_labels(data.class_labels) if data.has_attributes else data.class_labels,
            noise_trained=plan.kind is not Kind.CLEAN,
            adversarial=attack.facts() if attack else None,
        ),
        facts=classifier_facts(plan, data, attack),
        measure=lambda trained: measured(trained, plan, data),
    )
    return _run(subject, plan, out=out, on_step=on_step)


def train_denoiser_run(plan: DenoiserPlan, *, out: Path, on_step: OnStep) -> Path:
    """Train a denoiser in a folder, or continue there; return the path of its weights. Raises REFUSALS."""
    data = data_of(plan, labelled=not plan.unconditional)
    labels = () if plan.unconditional else data.class_labels
    null_class = len(labels) if labels and plan.label_dropout else None
    torch.manual_seed(plan.seed)
    network = denoiser_of(plan, len(labels) + (null_class is not None) or None)
    process = Diffusion.make(plan.schedule).to(device_of(plan))
    weights = LevelWeights() if plan.uniform_levels else LevelWeights(cap=plan.snr_cap, boost=plan.boost)
    loss = (
        unconditional_loss(process, weights=weights, bf16=plan.bf16)
        if plan.unconditional
        else denoiser_loss(process, null_class=null_class, dropped=plan.label_dropout, weights=weights, bf16=plan.bf16)
    )
    known = f"Class-conditional. {classes_in_words(data)}" if labels else "Unconditional."
    null = f" Class {null_class} means none of them, for unconditional sampling." if null_class is not None else ""
    subject = _Subject(
        network=network,
        loss=loss,
        data=data,
        command="train_denoiser",
        title=f"{subject_of(plan)} denoiser",
        summary=f"Predicts the noise in a picture and the variance of a sampling step. {known}{null}",
        training=Training(class_labels=labels, schedule=plan.schedule),
        facts=denoiser_facts(plan),
    )
    return _run(subject, plan, out=out, on_step=on_step)


def state_path(plan: TrainingPlan, out: Path) -> Path:
    """Where a run keeps its resumable state."""
    return out / f"{plan.name}.state"


def kept_path(plan: TrainingPlan, out: Path, step: int) -> Path:
    """Where a run keeps its averaged weights of a step."""
    return out / f"{plan.name}-step{step:08d}.safetensors"


def _run(subject: _Subject, plan: TrainingPlan, *, out: Path, on_step: OnStep) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableFolder(f"{out} can't be made a folder: {error.strerror}.") from error
    if plan.threads:
        torch.set_num_threads(plan.threads)
    network, half = subject.network, not plan.float32_file
    facts = {"data": subject.data.description, **run_facts(plan, network), **subject.facts}

    def keep(progress: Progress, weights: Weights) -> None:
        kept = copy.deepcopy(network)
        kept.load_state_dict(weights)
        training = replace(subject.training, card={**facts, **outcome(progress)})
        save_checkpoint(kept_path(plan, out, progress.step), kept, training=training, half=half)

    trained = train(
        network,
        subject.loss,
        data=subject.data.training,
        options=_options(plan),
        state_path=state_path(plan, out),
        on_step=on_step,
        on_keep=keep,
        device=device_of(plan),
    )
    network.load_state_dict(trained.weights)
    network.eval().requires_grad_(False)
    facts |= outcome(trained.progress)
    path = out / f"{plan.name}.safetensors"
    # Half precision halves the file; the difference to the float32 weights is far below their own noise.
    save_checkpoint(path, network, training=replace(subject.training, card=facts), half=half)
    card = ModelCard(
        title=subject.title,
        summary=subject.summary,
        command=command_line(plan, command=subject.command),
        facts=facts,
        tables=subject.measure(network),
    )
    path.with_suffix(".md").write_text(card.markdown(), encoding="utf-8")
    return path


def _options(plan: TrainingPlan) -> TrainingOptions:
    return TrainingOptions(
        steps=plan.steps,
        anneal_steps=plan.anneal,
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        seed=plan.seed,
        weight_decay=plan.weight_decay,
        warmup_steps=plan.warmup_steps,
        clip_norm=plan.clip_norm or None,
        ema_decay=plan.ema_decay,
        optimiser=plan.optimiser,
        bf16=plan.bf16,
        workers=plan.workers,
        parts=plan.parts,
        save_every=plan.save_every,
        keep_every=plan.keep_every,
    )


_WORDS = {
    Kind.VANILLA: "vanilla",
    Kind.ROBUST: "robust",
    Kind.CLEAN: "trained on clean pictures",
    Kind.UNTIMED: "trained on noise without t",
}
_GUIDE = "Names what a noised picture shows, knowing the timestep (linear schedule, 1000 timesteps)."
_SUMMARIES = {
    Kind.VANILLA: _GUIDE,
    Kind.ROBUST: _GUIDE,
    Kind.CLEAN: "Names what a clean picture shows: a judge, or a guide that was not trained on noise.",
    Kind.UNTIMED: "Names what a noised picture shows, without knowing the timestep (linear schedule, 1000 timesteps).",
}
