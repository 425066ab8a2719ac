"""What the training commands share: their options, the progress bar, saving and the model card."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from django.core.management.base import CommandError, CommandParser
from torch import nn
from tqdm import tqdm

from generation.diffusion.cards import CardTable, Fact, ModelCard
from generation.diffusion.checkpoints import Training, save_checkpoint
from generation.diffusion.datasets import CLASS_LABELS, SportBalls
from generation.diffusion.evaluation import HELD_OUT_SEED
from generation.diffusion.optimisers import Optimiser
from generation.diffusion.training import (
    BatchLoss,
    ForeignState,
    Progress,
    TrainingDiverged,
    TrainingOptions,
    train,
)

Options = dict[str, Any]  # Any: what Django's parser returns
SHARED_OPTIONS = (
    "steps",
    "anneal_steps",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "optimiser",
    "ema_decay",
    "seed",
    "threads",
    "workers",
    "bf16",
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a command says of the network it trains.

    command: its name; own_options: options that it does not share. measure: tables for the card, of the trained
    network.
    """

    command: str
    own_options: Sequence[str]
    title: str
    summary: str
    noise_trained: bool = True
    adversarial: Mapping[str, Fact] | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    measure: Callable[[nn.Module], Sequence[CardTable]] = field(default=lambda network: ())


def add_training_arguments(
    parser: CommandParser, *, name: str, steps: int, batch_size: int, rate: float, decay: float
) -> None:
    """Options of every training command, with that command's defaults."""
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the card")
    parser.add_argument("--name", default=name, help="file name, without ending")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--anneal-steps", type=int, help="where the learning rate reaches 0 (default: --steps)")
    parser.add_argument("--batch-size", type=int, default=batch_size)
    parser.add_argument("--learning-rate", type=float, default=rate)
    parser.add_argument("--weight-decay", type=float, default=decay)
    parser.add_argument("--optimiser", choices=[kind.value for kind in Optimiser], default=Optimiser.ADAMW.value)
    parser.add_argument("--ema-decay", type=float, default=0.999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=250, help="steps between resumable states")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--workers", type=int, default=1, help="parts of a batch trained on at once")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16 (faster on recent CPUs)")
    parser.add_argument("--resume", action="store_true", help="continue the run that --out holds")


def training_options(options: Options) -> TrainingOptions:
    """The options of a training command, checked. Raises CommandError with a sentence."""
    for name in ("steps", "batch_size", "learning_rate", "save_every", "workers"):
        if options[name] <= 0:
            raise CommandError(f"--{name.replace('_', '-')} must be more than 0, not {options[name]}.")
    if not 0 <= options["ema_decay"] < 1:
        raise CommandError(f"--ema-decay must be at least 0 and less than 1, not {options['ema_decay']}.")
    if options["seed"] < 0 or options["seed"] == HELD_OUT_SEED:
        raise CommandError(f"--seed must be 0 or more, and not {HELD_OUT_SEED}, which draws the held-out items.")
    anneal_steps = options["anneal_steps"] or options["steps"]
    if anneal_steps < options["steps"]:
        raise CommandError(f"--anneal-steps {anneal_steps} would end before --steps {options['steps']}.")
    return TrainingOptions(
        steps=options["steps"],
        anneal_steps=anneal_steps,
        batch_size=options["batch_size"],
        learning_rate=options["learning_rate"],
        weight_decay=options["weight_decay"],
        ema_decay=options["ema_decay"],
        seed=options["seed"],
        save_every=options["save_every"],
        optimiser=Optimiser(options["optimiser"]),
        bf16=options["bf16"],
        workers=options["workers"],
    )


def run_training(network: nn.Module, loss: BatchLoss, *, options: Options, about: Description) -> Path:
    """Train as the options say, with a progress bar; write the averaged weights and their card."""
    plan = training_options(options)
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    progress = _train(network, loss, plan=plan, options=options)
    network.eval().requires_grad_(False)
    path: Path = options["out"] / f"{options['name']}.safetensors"
    facts = _facts(network, plan, progress=progress, about=about)
    training = Training(
        class_labels=CLASS_LABELS,
        noise_trained=about.noise_trained,
        adversarial=about.adversarial,
        card=facts,
    )
    # Half precision halves the file; the difference to the float32 weights is far below their own noise.
    save_checkpoint(path, network, training=training, half=True)
    card = ModelCard(
        title=about.title,
        summary=about.summary,
        command=_command_line(options, about=about),
        facts=facts,
        tables=about.measure(network),
    )
    path.with_suffix(".md").write_text(card.markdown(), encoding="utf-8")
    return path


def _train(network: nn.Module, loss: BatchLoss, *, plan: TrainingOptions, options: Options) -> Progress:
    state_path = _state_path(options)
    try:
        with tqdm(total=plan.steps, desc=options["name"], unit="step", mininterval=1) as bar:
            trained = train(
                network,
                loss,
                data=SportBalls(seed=plan.seed),
                options=plan,
                state_path=state_path,
                on_step=_show(bar),
            )
    except (ForeignState, TrainingDiverged) as error:
        raise CommandError(str(error)) from error
    network.load_state_dict(trained.weights)
    return trained.progress


def _state_path(options: Options) -> Path:
    out: Path = options["out"]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out {out} can't be made a folder: {error.strerror}.") from error
    state_path = out / f"{options['name']}.state"
    if state_path.exists() and not options["resume"]:
        raise CommandError(f"{state_path} holds a run already: continue it with --resume, or name another --out.")
    return state_path


def _facts(network: nn.Module, plan: TrainingOptions, *, progress: Progress, about: Description) -> dict[str, Fact]:
    return {
        "data": f"SportBalls, 64 px, diameters 20 to 40 px, white canvas, seed {plan.seed}, drawn without end",
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": progress.step,
        "learning rate": f"{plan.learning_rate:g}, straight to 0 at step {plan.anneal_steps}",
        "batch size": plan.batch_size,
        "optimiser": f"{plan.optimiser}, weight decay {plan.weight_decay:g}, gradient norm at most 1",
        "weights": f"exponential average, decay {plan.ema_decay:g}, stored as float16",
        "seed": plan.seed,
        "hours": round(progress.seconds / 3600, 2),
        "device": f"CPU ({platform.machine()}), {torch.get_num_threads()} threads",
        "precision": "bfloat16 multiplications, float32 weights" if plan.bf16 else "float32",
        "torch": torch.__version__,
        "loss at the end": round(progress.loss, 4),
        **about.facts,
    }


def _command_line(options: Options, *, about: Description) -> str:
    """The command that makes this file again, every option spelled out."""
    words = [f"python manage.py {about.command}", f"--out DIR --name {options['name']}"]
    for name in (*SHARED_OPTIONS, *about.own_options):
        value = options[name]
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif value not in (None, False):
            words.append(f"{flag} {value.name if isinstance(value, Path) else value}")
    return " ".join(words)


def _show(bar: "tqdm[Any]") -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        bar.set_postfix(loss=f"{progress.loss:.4f}", refresh=False)
        bar.update(progress.step - bar.n)

    return on_step
