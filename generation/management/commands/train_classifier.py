"""Train a SportBalls classifier: vanilla, robust (--adversarial) or the judge (--clean)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandError, CommandParser
from torch import nn

from generation.diffusion.attacks import Attack, Norm
from generation.diffusion.cards import CardTable, level_table, percent
from generation.diffusion.checkpoints import CheckpointMismatch, UnreadableCheckpoint, load_classifier
from generation.diffusion.classifiers import CleanClassifier, EncoderClassifier
from generation.diffusion.evaluation import accuracies, clean_accuracy
from generation.diffusion.presets import GUIDE, JUDGE
from generation.diffusion.process import Diffusion
from generation.diffusion.training import classifier_loss, judge_loss
from generation.management.training_run import Description, Options, add_training_arguments, run_training

CLASSES = "Classes: 0 baseball, 1 basketball, 2 volleyball, 3 soccer ball."
GUIDE_SUMMARY = f"Names the ball in a noised picture, knowing the timestep (linear schedule, 1000 timesteps). {CLASSES}"
JUDGE_SUMMARY = (
    f"Names the ball in a clean picture. It judges generated images and never guides: another architecture and seed "
    f"than the guides, trained on clean pictures (with 0.05 of pixel noise). {CLASSES}"
)
ATTACK_OPTIONS = ("norm", "eps", "attack_step", "attack_steps")
ATTACKED_LEVELS = (0, 200, 400, 600, 800)


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
        parser.add_argument(
            "--held-out", type=int, default=500, help="items that the card's accuracies are of; a fifth is attacked"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Train, save, write the card."""
        if options["held_out"] < 5:
            raise CommandError(f"--held-out must be at least 5, not {options['held_out']}.")
        torch.manual_seed(options["seed"])
        network = CleanClassifier(JUDGE) if options["clean"] else EncoderClassifier(GUIDE)
        if options["init_from"]:
            _start_from(network, options["init_from"])
        if options["clean"]:
            path = run_training(network, judge_loss, options=options, about=_about_judge(options))
        else:
            attack = _attack(options) if options["adversarial"] else None
            loss = classifier_loss(Diffusion.make(), attack=attack, bf16=options["bf16"])
            path = run_training(network, loss, options=options, about=_about_guide(options, attack))
        self.stdout.write(f"Wrote {path} and its card.")


def _attack(options: Options) -> Attack:
    if options["eps"] <= 0 or options["attack_step"] <= 0 or options["attack_steps"] < 1:
        raise CommandError("An attack needs a positive --eps, a positive --attack-step and at least one step.")
    norm = Norm(options["norm"])
    return Attack(norm=norm, eps=options["eps"], step=options["attack_step"], steps=options["attack_steps"])


def _start_from(network: nn.Module, path: Path) -> None:
    try:
        start = load_classifier(path)
    except (UnreadableCheckpoint, CheckpointMismatch) as error:
        raise CommandError(f"--init-from: {error}") from error
    if start.config != network.config:
        raise CommandError(f"--init-from: {path.name} is a classifier of another architecture.")
    network.load_state_dict(start.state_dict())


def _about_judge(options: Options) -> Description:
    return Description(
        command="train_classifier",
        own_options=("clean",),
        title="SportBalls judge",
        summary=JUDGE_SUMMARY,
        noise_trained=False,
        facts={"loss": "cross-entropy"},
        measure=partial(_measure_judge, count=options["held_out"]),
    )


def _about_guide(options: Options, attack: Attack | None) -> Description:
    own: tuple[str, ...] = ("init_from",)
    facts: dict[str, str | float | int] = {"loss": "cross-entropy at uniform timesteps"}
    if options["init_from"]:
        facts["started from"] = options["init_from"].name
    if attack is not None:
        own = ("adversarial", *own, *ATTACK_OPTIONS)
        facts["attack"] = f"{attack.norm} PGD, eps {attack.eps}, {attack.steps} steps of {attack.step}, early stop"
    return Description(
        command="train_classifier",
        own_options=own,
        title=f"SportBalls {'robust' if attack else 'vanilla'} classifier",
        summary=GUIDE_SUMMARY,
        adversarial=attack.facts() if attack else None,
        facts=facts,
        measure=partial(_measure_guide, count=options["held_out"]),
    )


def _measure_judge(network: nn.Module, *, count: int) -> Sequence[CardTable]:
    share = clean_accuracy(network, count=count)
    return [CardTable("Accuracy on held-out clean items", ("n", "accuracy"), [(str(count), percent(share))])]


def _measure_guide(network: nn.Module, *, count: int) -> Sequence[CardTable]:
    process = Diffusion.make()
    # Both guides are tried with the same attack, so that their cards can be compared.
    fifth = count // 5
    attacked = accuracies(network, process, levels=ATTACKED_LEVELS, count=fifth, attack=Attack())
    columns = {
        f"unattacked (n = {count})": accuracies(network, process, count=count),
        f"L2 PGD, eps 0.5, 7 steps (n = {fifth})": attacked,
    }
    return [level_table("Accuracy on held-out items by noise level (t = 0 is clean but for 1 % of noise)", columns)]
