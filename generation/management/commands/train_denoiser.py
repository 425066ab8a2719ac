"""Train the SportBalls denoiser: class-conditional, with a null class and learned variance."""

from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandParser

from generation.diffusion.networks import UNet
from generation.diffusion.presets import DENOISER, NULL_CLASS
from generation.diffusion.process import Diffusion
from generation.diffusion.training import denoiser_loss
from generation.management.training_run import add_training_arguments, run_training


class Command(BaseCommand):
    """`manage.py train_denoiser --out DIR`: writes DIR/NAME.safetensors and its model card DIR/NAME.md."""

    help = "Train the SportBalls denoiser. A run that was stopped continues with --resume."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of every training, and those of this loss."""
        add_training_arguments(parser, name="sportballs-denoiser", steps=6000, batch_size=32, rate=8e-4, decay=0.0)
        parser.add_argument("--label-dropout", type=float, default=0.1, help="share of labels made null")
        parser.add_argument("--snr-cap", type=float, default=5.0, help="cap of the loss's SNR weight")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Train, save, write the card."""
        torch.manual_seed(options["seed"])
        network = UNet(DENOISER)
        loss = denoiser_loss(
            Diffusion.make(),
            null_class=NULL_CLASS,
            dropped=options["label_dropout"],
            snr_cap=options["snr_cap"],
            bf16=options["bf16"],
        )
        run_training(self, network, loss, options=options)
