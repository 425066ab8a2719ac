"""Train the SportBalls denoiser: class-conditional, with a null class and learned variance."""

from pathlib import Path
from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandError, CommandParser

from generation.diffusion.checkpoints import CheckpointMismatch, UnreadableCheckpoint, load_denoiser
from generation.diffusion.losses import LevelWeights
from generation.diffusion.networks import UNet
from generation.diffusion.presets import DENOISER, NULL_CLASS
from generation.diffusion.process import Diffusion
from generation.diffusion.training import denoiser_loss
from generation.management.training_run import Description, Options, add_training_arguments, run_training

SUMMARY = (
    "Predicts the noise in a picture of one ball, and the variance of a sampling step. Class-conditional "
    f"(0 baseball, 1 basketball, 2 volleyball, 3 soccer ball) with a null class, {NULL_CLASS}, for unconditional "
    "sampling. Linear schedule, 1000 timesteps."
)


class Command(BaseCommand):
    """`manage.py train_denoiser --out DIR`: writes DIR/NAME.safetensors and its model card DIR/NAME.md."""

    help = "Train the SportBalls denoiser. A run that was stopped continues with --resume."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of every training, and those of this loss."""
        add_training_arguments(parser, name="sportballs-denoiser", steps=6000, batch_size=32, rate=8e-4, decay=0.0)
        parser.add_argument("--init-from", type=Path, help="weights to start from, of the same architecture")
        parser.add_argument("--label-dropout", type=float, default=0.1, help="share of labels made null")
        parser.add_argument("--snr-cap", type=float, default=5.0, help="SNR from which levels count less")
        parser.add_argument("--boost", type=float, default=10.0, help="most that a very noisy level counts")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Train, save, write the card."""
        _check(options)
        torch.manual_seed(options["seed"])
        network = UNet(DENOISER)
        if options["init_from"]:
            _start_from(network, options["init_from"])
        loss = denoiser_loss(
            Diffusion.make(),
            null_class=NULL_CLASS,
            dropped=options["label_dropout"],
            weights=LevelWeights(cap=options["snr_cap"], boost=options["boost"]),
            bf16=options["bf16"],
        )
        path = run_training(network, loss, options=options, about=_about(options))
        self.stdout.write(f"Wrote {path} and its card.")


def _check(options: Options) -> None:
    if not 0 <= options["label_dropout"] <= 1:
        raise CommandError(f"--label-dropout is a share between 0 and 1, not {options['label_dropout']}.")
    if options["snr_cap"] <= 0 or options["boost"] < 1:
        raise CommandError("--snr-cap must be more than 0 and --boost at least 1.")


def _start_from(network: UNet, path: Path) -> None:
    try:
        start = load_denoiser(path)
    except (UnreadableCheckpoint, CheckpointMismatch) as error:
        raise CommandError(f"--init-from: {error}") from error
    if start.config != network.config:
        raise CommandError(f"--init-from: {path.name} is a denoiser of another architecture.")
    network.load_state_dict(start.state_dict())


def _about(options: Options) -> Description:
    loss = (
        f"squared error of the noise, weighted by min(1, {options['snr_cap']:g} / SNR) and, below SNR 1, by "
        f"SNR^(-1/2) up to {options['boost']:g}; plus the variational bound in bits per dimension, which trains the "
        "variance alone"
    )
    return Description(
        command="train_denoiser",
        own_options=("init_from", "label_dropout", "snr_cap", "boost"),
        title="SportBalls denoiser",
        summary=SUMMARY,
        facts={"loss": loss, "labels dropped": options["label_dropout"]},
    )
