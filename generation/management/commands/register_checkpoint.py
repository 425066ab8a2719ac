"""`manage.py register_checkpoint PATH...`: make weights known to the site."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation.checkpoints import InvalidCheckpoint, register_checkpoint
from generation.diffusion.checkpoints import Options
from generation.diffusion.plans import Attack
from generation.models import Checkpoint


class Command(BaseCommand):
    """Register weights; a second time changes nothing but a moved file's path."""

    help = (
        "Inspect weights files and folders and store what they are. What is known already is not added twice. "
        "docs/checkpoints.md lists published weights, and the command for each."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the files, and what can be said of weights that don't say it themselves."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a weights file, or a model's folder")
        parser.add_argument("--name", help="what the checkpoint is called; default: the file's name")
        parser.add_argument("--role", choices=Checkpoint.Role.values, help="refuse weights that are not this")
        parser.add_argument(
            "--features", action="store_const", dest="role", const="features", help="Inception weights, for scores"
        )
        _add_classes(parser)
        _add_training(parser)
        _add_network(parser)

    # Django passes the options untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Register file by file, and stop at the first that is refused."""
        if options["name"] and len(options["paths"]) > 1:
            raise CommandError("--name is for one file; register the others on their own.")
        said = _said(options)
        for path in options["paths"]:
            try:
                checkpoint = register_checkpoint(path, name=options["name"], options=said, role=options["role"])
            except InvalidCheckpoint as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{checkpoint.pk} {checkpoint.role} {checkpoint.name}")
            self.stdout.write(f"  {_described(checkpoint)}")


def _add_classes(parser: ArgumentParser) -> None:
    classes = parser.add_argument_group("classes")
    labels = classes.add_mutually_exclusive_group()
    labels.add_argument("--labels", type=_lines, metavar="FILE", help="the classes' texts, one a line, class 0 first")
    labels.add_argument("--labels-from", metavar="NAME", help="the labels of another registered checkpoint")
    classes.add_argument("--null-class", type=int, metavar="INDEX", help="a denoiser's class for 'no class': its last")
    classes.add_argument("--prompt", help='the sentence that CLIP reads a label in, with "{}" in its place')


def _add_training(parser: ArgumentParser) -> None:
    training = parser.add_argument_group("training")
    noise = training.add_mutually_exclusive_group()
    noise.add_argument("--noise-trained", action="store_true", default=None, help="a classifier saw noised images")
    noise.add_argument("--clean-trained", action="store_false", dest="noise_trained", help="it saw clean ones only")
    training.add_argument(
        "--adversarial", type=_attack, metavar="NORM:EPS:STEPS:STEP", help="a robust classifier's, as l2:0.5:7:0.083"
    )
    training.add_argument("--schedule", help="linear, cosine, linear:FIRST:LAST or scaled_linear:FIRST:LAST (betas)")
    training.add_argument("--timesteps", type=int, help="the length of the chain")
    training.add_argument("--predicts", choices=("epsilon", "v_prediction", "sample"), help="a diffusers network's")


def _add_network(parser: ArgumentParser) -> None:
    network = parser.add_argument_group("network", "what the shapes in a state dict don't show")
    network.add_argument("--image-size", type=int, metavar="PX")
    heads = network.add_mutually_exclusive_group()
    heads.add_argument("--heads", type=int, help="attention heads, as many at every level")
    heads.add_argument("--head-width", type=int, help="or channels of a head")
    network.add_argument("--attention-order", choices=("legacy", "new"), help="of queries, keys and values")
    network.add_argument("--res-blocks", type=int, help="residual blocks a level")
    network.add_argument("--norm-groups", type=int, help="groups of the norms; default: 32, as published")


def _said(options: dict[str, Any]) -> Options:  # Any: as Django passes them
    labels = options["labels"]
    if options["labels_from"]:
        other = Checkpoint.objects.filter(name=options["labels_from"]).first()
        if other is None or not other.class_labels:
            raise CommandError(f'No checkpoint with labels is registered as "{options["labels_from"]}".')
        labels = tuple(other.class_labels)
    return Options.of({**options, "class_labels": labels} if labels else options)


def _described(checkpoint: Checkpoint) -> str:
    """What was found, in a line."""
    if checkpoint.role == Checkpoint.Role.FEATURES:
        defines = "those that FID is defined by" if checkpoint.facts["published"] else "not those that define FID"
        return f"{checkpoint.architecture}, {defines}, sha256 {checkpoint.sha256[:12]}"
    known = checkpoint.facts.get("card", {}).get("recognised as")
    found = [known or checkpoint.architecture, f"{checkpoint.image_size} px", _classes(checkpoint)]
    if checkpoint.role == Checkpoint.Role.DENOISER:
        found.append(f"{checkpoint.schedule} over {checkpoint.timesteps} timesteps")
    else:
        found.append("trained on noised images" if checkpoint.noise_trained else "trained on clean images")
        attack = checkpoint.adversarial
        found.append(f"adversarially ({attack['norm']} {attack['eps']})" if attack else "not adversarially")
    return ", ".join([*found, f"sha256 {checkpoint.sha256[:12]}"])


def _classes(checkpoint: Checkpoint) -> str:
    if not checkpoint.class_labels:
        return "no classes of its own"
    first = checkpoint.class_labels[0]
    null = " and one for none" if checkpoint.null_class is not None else ""
    return f'{len(checkpoint.class_labels)} classes from "{first}"{null}'


def _lines(file: str) -> tuple[str, ...]:
    try:
        lines = Path(file).read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArgumentTypeError(f"{file} can't be read as text ({error}).") from error
    labels = tuple(line.strip() for line in lines)
    if not labels or "" in labels:
        where = f"line {labels.index('') + 1} is empty" if labels else "it is empty"
        raise ArgumentTypeError(f"{file} must have one label a line, but {where}.")
    return labels


def _attack(text: str) -> dict[str, str | float | int]:
    try:
        return Attack.parse(text).facts()
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
