"""What a training writes on its model card: facts, how well it did on held-out items, and the command that made it."""

import platform
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor, nn

from generation.diffusion.attacks import Attack
from generation.diffusion.cards import CardTable, Fact, level_table, percent
from generation.diffusion.datasets import DataSet
from generation.diffusion.evaluation import NOISE_LEVELS, accuracies, clean_accuracy
from generation.diffusion.planned import device_of
from generation.diffusion.plans import SPORTBALLS, ClassifierPlan, DenoiserPlan, Kind, TrainingPlan
from generation.diffusion.process import Diffusion
from generation.diffusion.training import Progress

ATTACKED_LEVELS = (0, 200, 400, 600, 800)
_ALWAYS_TOLD = {"steps", "batch_size", "learning_rate", "weight_decay", "optimiser", "ema_decay", "seed"}


def run_facts(plan: TrainingPlan, network: nn.Module) -> dict[str, Fact]:
    """Facts that every training has."""
    device = device_of(plan)
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU ({platform.machine()}), {torch.get_num_threads()} threads"
    )
    rise = (
        f"{plan.learning_rate:g}, rising over {plan.warmup_steps} steps"
        if plan.warmup_steps
        else f"{plan.learning_rate:g}"
    )
    fall = "constant" if plan.anneal is None else f"straight to 0 at step {plan.anneal}"
    norm = f"gradient norm at most {plan.clip_norm:g}" if plan.clip_norm else "gradients not clipped"
    weights = f"exponential average, decay {plan.ema_decay:g}" if plan.ema_decay else "those of the last step"
    return {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "learning rate": f"{rise}, {fall}",
        "batch size": plan.batch_size,
        "optimiser": f"{plan.optimiser}, weight decay {plan.weight_decay:g}, {norm}",
        "weights": f"{weights}, stored as {'float32' if plan.float32_file else 'float16'}",
        "seed": plan.seed,
        "device": name,
        "precision": "bfloat16 multiplications, float32 weights" if plan.bf16 else "float32",
        "torch": torch.__version__,
        **({"started from": Path(plan.init_from).name} if plan.init_from else {}),
    }


def outcome(progress: Progress) -> dict[str, Fact]:
    """What a run, or a part of it, came to."""
    return {
        "steps": progress.step,
        "hours": round(progress.seconds / 3600, 2),
        "loss at the end": round(progress.loss, 4),
    }


def classifier_facts(plan: ClassifierPlan, data: DataSet, attack: Attack | None) -> dict[str, Fact]:
    """A classifier's loss and the attack it was trained under."""
    kind = "binary cross-entropy of every attribute" if data.has_attributes else "cross-entropy"
    where = " on clean images with 0.05 of pixel noise" if plan.kind is Kind.CLEAN else " at uniform timesteps"
    return {"loss": kind + where, **({"attack": f"{attack}, early stop"} if attack else {})}


def denoiser_facts(plan: DenoiserPlan) -> dict[str, Fact]:
    """A denoiser's loss and its labels."""
    weighted = (
        "every level alike"
        if plan.uniform_levels
        else f"weighted by min(1, {plan.snr_cap:g} / SNR) and, below SNR 1, by SNR^(-1/2) up to {plan.boost:g}"
    )
    loss = (
        f"squared error of the noise, {weighted}; plus the variational bound in bits per dimension, which trains the "
        "variance alone"
    )
    return {"loss": loss, "labels dropped": "no labels" if plan.unconditional else plan.label_dropout}


def measured(network: nn.Module, plan: ClassifierPlan, data: DataSet) -> list[CardTable]:
    """The card's tables, of held-out items: by noise level, under attack where that is defined, and clean."""
    device, process = device_of(plan), Diffusion.make()
    count = plan.held_out if data.held_out_size is None else min(plan.held_out, data.held_out_size)
    timed = plan.kind in (Kind.VANILLA, Kind.ROBUST)

    def answers(x_t: Tensor, t: Tensor) -> Tensor:
        logits: Tensor = network(x_t, t) if timed else network(x_t)
        return logits

    def shares(levels: Sequence[int], count: int, attack: Attack | None = None) -> dict[int, float]:
        return accuracies(
            answers, process, levels=levels, count=count, attack=attack, data=data.held_out, device=device
        )

    columns = {f"unattacked (n = {count})": shares(NOISE_LEVELS, count)}
    if not data.has_attributes:
        fifth = max(1, count // 5)
        # All guides are tried with this attack, so that their cards can be compared; robust ones also with their own.
        tried = dict.fromkeys((Attack(), plan.attack) if plan.kind is Kind.ROBUST else (Attack(),))
        columns |= {f"{attack} (n = {fifth})": shares(ATTACKED_LEVELS, fifth, attack) for attack in tried}
    what = "Share of attributes told right" if data.has_attributes else "Accuracy"
    tables = [level_table(f"{what} on held-out items by noise level (t = 0 is clean but for 1 % of noise)", columns)]
    if not timed:
        share = percent(clean_accuracy(network, count=count, data=data.held_out, device=device))
        tables.insert(0, CardTable(f"{what} on held-out clean items", ("n", "accuracy"), [(str(count), share)]))
    return tables


def command_line(plan: TrainingPlan, *, command: str) -> str:
    """The command that makes a plan's files again: what differs from the defaults, and the main numbers anyway."""
    words = [f"python manage.py {command}", f"--out DIR --name {plan.name}"]
    if isinstance(plan, ClassifierPlan) and plan.kind is not Kind.VANILLA:
        words.append(f"--{plan.kind}")
    for one in fields(plan):
        value = getattr(plan, one.name)
        flag = one.name.replace("_", "-")
        if one.name in ("name", "kind") or (value == one.default and one.name not in _ALWAYS_TOLD):
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            # A card names no folders of the machine that wrote it.
            words.append(f"--{flag} {Path(value).name if isinstance(value, str) and value else value}")
    return " ".join(words)


def subject_of(plan: TrainingPlan) -> str:
    """What a title calls the data."""
    return "SportBalls" if plan.data == SPORTBALLS else Path(plan.data).name


def classes_in_words(data: DataSet) -> str:
    """A sentence with the names of the classes or attributes."""
    kind = "Attributes" if data.has_attributes else "Classes"
    named = [f"{index} {label}" for index, label in enumerate(data.class_labels)]
    shown = named if len(named) <= 40 else [*named[:10], f"... {named[-1]}"]
    return f"{kind}: {', '.join(shown)}."
