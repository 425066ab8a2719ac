"""Train a SportBalls classifier: vanilla, robust (--adversarial) or the judge (--clean)."""

from pathlib import Path
from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandError, CommandParser
from torch import nn

from generation.diffusion.attacks import Attack, Norm
from generation.diffusion.checkpoints import CheckpointMismatch, UnreadableCheckpoint, load_classifier
from generation.diffusion.classifiers import CleanClassifier, EncoderClassifier
from generation.diffusion.presets import GUIDE, JUDGE
from generation.diffusion.process import Diffusion
from generation.diffusion.training import BatchLoss, classifier_loss, judge_loss
from generation.management.training_run import add_training_arguments, run_training


class Command(BaseCommand):
    """`manage.py train_classifier --out DIR [--adversarial | --clean]`: writes weights and a model card."""

    help = "Train a SportBalls classifier on noised images; a robust one with --adversarial, the judge with --clean."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of every training, and those of the attack."""
        add_training_arguments(parser, name="sportballs-vanilla", steps=1500, batch_size=32, rate=6e-4, decay=0.05)
        kind = parser.add_mutually_exclusive_group()
        kind.add_argument("--adversarial", action="store_true", help="attack every batch: a robust classifier")
        kind.add_argument("--clean", action="store_true", help="train the judge, on clean images")
        parser.add_argument("--init-from", type=Path, help="weights to start from, of the same architecture")
        parser.add_argument("--norm", choices=[norm.value for norm in Norm], default=Norm.L2.value)
        parser.add_argument("--eps", type=float, default=0.5, help="how far an attack may go")
        parser.add_argument("--attack-step", type=float, default=0.083, help="length of one attack step")
        parser.add_argument("--attack-steps", type=int, default=7, help="steps of an attack, at most")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Train, save, write the card."""
        torch.manual_seed(options["seed"])
        network = _network(clean=options["clean"])
        if options["init_from"]:
            _start_from(network, options["init_from"])
        attack = _attack(options) if options["adversarial"] else None
        run_training(self, network, _loss(options, attack), options=options, attack=attack)


def _network(*, clean: bool) -> nn.Module:
    return CleanClassifier(JUDGE) if clean else EncoderClassifier(GUIDE)


def _loss(options: dict[str, Any], attack: Attack | None) -> BatchLoss:
    if options["clean"]:
        return judge_loss
    return classifier_loss(Diffusion.make(), attack=attack, bf16=options["bf16"])


def _attack(options: dict[str, Any]) -> Attack:
    if options["eps"] <= 0 or options["attack_step"] <= 0 or options["attack_steps"] < 1:
        raise CommandError("An attack needs a positive --eps, a positive --attack-step and at least one step.")
    return Attack(
        norm=Norm(options["norm"]),
        eps=options["eps"],
        step=options["attack_step"],
        steps=options["attack_steps"],
    )


def _start_from(network: nn.Module, path: Path) -> None:
    try:
        start = load_classifier(path)
    except (UnreadableCheckpoint, CheckpointMismatch) as error:
        raise CommandError(f"--init-from: {error}") from error
    if start.config != network.config:
        raise CommandError(f"--init-from: {path.name} is a classifier of another architecture.")
    network.load_state_dict(start.state_dict())
