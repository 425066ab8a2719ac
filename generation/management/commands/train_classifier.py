"""Train a classifier on SportBalls or any pictures: vanilla, robust (--adversarial), on clean images, or without t."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from generation.diffusion.plans import PUBLISHED_CLASSIFIERS, ClassifierPlan, Kind
from generation.diffusion.training_runs import train_classifier_run
from generation.management.training_run import add_training_arguments, asked_plan, run_with_a_bar

KINDS = {
    Kind.ROBUST: "attack every batch: a robust classifier",
    Kind.CLEAN: "train on clean images: a judge, or a guide for the stabilisers to tame",
    Kind.UNTIMED: "train the clean images' network on noised ones, without telling it t",
}


class Command(BaseCommand):
    """`manage.py train_classifier --out DIR [--adversarial | --clean | ...]`: writes weights and a model card."""

    help = "Train a classifier, by default on noised SportBalls. A run that was stopped continues with --resume."

    def add_arguments(self, parser: CommandParser) -> None:
        """The options of a classifier's plan; its kind is a flag."""
        add_training_arguments(parser, ClassifierPlan, PUBLISHED_CLASSIFIERS)
        kinds = parser.add_mutually_exclusive_group()
        for kind, about in KINDS.items():
            kinds.add_argument(f"--{kind}", action="store_true", help=about)

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Train, save, write the card."""
        chosen = [kind for kind in KINDS if options[kind.replace("-", "_")]]
        said = {"kind": chosen[0]} if chosen else {}
        plan = asked_plan(ClassifierPlan, options, published=PUBLISHED_CLASSIFIERS, said=said)
        path = run_with_a_bar(train_classifier_run, plan, options)
        self.stdout.write(f"Wrote {path} and its card.")
