"""What the training commands share: their options, the progress bar, saving and the model card."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandError, CommandParser
from torch import nn
from tqdm import tqdm

from generation.diffusion.attacks import Attack
from generation.diffusion.datasets import SportBalls
from generation.diffusion.training import (
    BatchLoss,
    Progress,
    Trained,
    TrainingOptions,
    train,
)


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
    parser.add_argument("--ema-decay", type=float, default=0.999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=250, help="steps between resumable states")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16 (faster on recent CPUs)")
    parser.add_argument("--compile", action="store_true", help="compile the network (needs a C++ compiler)")
    parser.add_argument("--resume", action="store_true", help="continue the run that --out holds")


def run_training(
    command: BaseCommand,
    network: nn.Module,
    loss: BatchLoss,
    *,
    options: dict[str, Any],
    attack: Attack | None = None,
) -> Trained:
    """Train as the options say, with a progress bar."""
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    plan = TrainingOptions(
        steps=options["steps"],
        anneal_steps=options["anneal_steps"] or options["steps"],
        batch_size=options["batch_size"],
        learning_rate=options["learning_rate"],
        weight_decay=options["weight_decay"],
        ema_decay=options["ema_decay"],
        seed=options["seed"],
        save_every=options["save_every"],
        bf16=options["bf16"],
    )
    out: Path = options["out"]
    out.mkdir(parents=True, exist_ok=True)
    state_path = out / f"{options['name']}.state"
    if state_path.exists() and not options["resume"]:
        raise CommandError(f"{state_path} holds a run already: continue it with --resume, or name another --out.")
    if options["compile"]:
        network.compile()
    with tqdm(total=plan.steps, desc=options["name"], unit="step", mininterval=10) as bar:
        return train(
            network,
            loss,
            data=SportBalls(seed=plan.seed),
            options=plan,
            state_path=state_path,
            on_step=_show(bar),
        )


def _show(bar: "tqdm[Any]") -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        bar.set_postfix(loss=f"{progress.loss:.4f}", refresh=False)
        bar.update(progress.step - bar.n)

    return on_step
