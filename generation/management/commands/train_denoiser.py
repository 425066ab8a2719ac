"""Train a denoiser with learned variance on SportBalls or any pictures, class-conditional or not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from generation.diffusion.plans import PUBLISHED_DENOISERS, DenoiserPlan
from generation.diffusion.training_runs import train_denoiser_run
from generation.management.training_run import add_training_arguments, asked_plan, run_with_a_bar


class Command(BaseCommand):
    """`manage.py train_denoiser --out DIR`: writes DIR/NAME.safetensors and its model card DIR/NAME.md."""

    help = "Train a denoiser, by default on SportBalls. A run that was stopped continues with --resume."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of a denoiser's plan."""
        add_training_arguments(parser, DenoiserPlan, PUBLISHED_DENOISERS)

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Train, save, write the card."""
        plan = asked_plan(DenoiserPlan, options, published=PUBLISHED_DENOISERS)
        path = run_with_a_bar(train_denoiser_run, plan, options)
        self.stdout.write(f"Wrote {path} and its card.")
