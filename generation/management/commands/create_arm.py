"""`manage.py create_arm NAME`: what the page of a new arm does, from a terminal."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from generation.arms import InvalidArm, create_arm, recipe_of
from generation.diffusion.recipes import PRESETS, InvalidRecipe, Recipe
from generation.management.owners import named_owner
from generation.models import Arm, Checkpoint
from generation.recipe_files import read_recipe_file, read_setting


class Command(BaseCommand):
    """Make an arm; the last line of output begins with its id."""

    help = "Make an arm: a denoiser, maybe a classifier, and a published method, a recipe file or settings of your own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the checkpoints and the three ways to a recipe."""
        parser.add_argument("name", metavar="NAME", help="what the arm is called")
        parser.add_argument("--denoiser", required=True, metavar="NAME", help="a registered denoiser")
        parser.add_argument("--classifier", metavar="NAME", help="the registered classifier that guides")
        start = parser.add_mutually_exclusive_group()
        start.add_argument("--preset", choices=[*PRESETS], metavar="KEY", help=f"a method: {', '.join(PRESETS)}")
        start.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as JSON, as an arm's page gives it")
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that differs from all these"
        )
        parser.add_argument("--without-class", action="store_true", help="sample with the denoiser's null class")
        parser.add_argument("--owner", help="user name of the researcher; default: the installation's first")

    # Django passes the options untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Make the arm, or say in a sentence why not."""
        try:
            recipe = _recipe(options)
            arm = _made(options, recipe, owner=named_owner(options["owner"]))
        except (InvalidRecipe, InvalidArm) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{arm.pk} {arm.name}: {recipe_of(arm).describe()}")


def _recipe(options: dict[str, Any]) -> Recipe:  # Any: Django passes the options untyped
    start: dict[str, Any] = {}  # Any: a recipe's settings have many types
    if options["preset"]:
        start = PRESETS[options["preset"]].recipe.settings()
    elif options["recipe"]:
        start = read_recipe_file(_text(options["recipe"])).recipe.settings()
    return Recipe.from_settings({**start, **dict(read_setting(word) for word in options["set"])})


def _made(options: dict[str, Any], recipe: Recipe, *, owner: User | None) -> Arm:  # Any: as above
    return create_arm(
        owner=owner,
        name=options["name"],
        denoiser=_checkpoint(options["denoiser"], Checkpoint.Role.DENOISER),
        classifier=_checkpoint(options["classifier"], Checkpoint.Role.CLASSIFIER) if options["classifier"] else None,
        recipe=recipe,
        class_conditional=False if options["without_class"] else None,
    )


def _checkpoint(name: str, role: Checkpoint.Role) -> Checkpoint:
    found = Checkpoint.objects.filter(name=name, role=role).first()
    if found is None:
        known = ", ".join(Checkpoint.objects.filter(role=role).values_list("name", flat=True))
        there = f"registered are {known}" if known else "register one with register_checkpoint"
        raise CommandError(f'There is no {role.label.lower()} "{name}"; {there}.')
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from error
