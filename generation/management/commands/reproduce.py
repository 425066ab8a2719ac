"""Run a paper's experiment again and write its report."""

from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from generation.diffusion.training_runs import REFUSALS
from generation.holds import WorkImpossible
from generation.reproduction_options import TITLES, ReproductionOptions
from generation.reproductions import folder_of, reproduce, write_report


class Command(BaseCommand):
    """`manage.py reproduce gradcheck|robust-ablation [--budget 2h]`: writes a page, its figures and its numbers."""

    help = "Run a paper's experiment again and put the paper's numbers beside ours. Goes on where it was stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which experiment, how much of it, and where the report goes."""
        parser.add_argument("which", choices=list(TITLES))
        _add_amounts(parser)
        parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for the report (default: docs)")
        parser.add_argument("--folder", type=Path, help="folder for what is kept between calls (default: under var/)")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Run, write, say where."""
        try:
            asked = ReproductionOptions(**{one.name: options[one.name] for one in fields(ReproductionOptions)})
        except ValueError as error:
            raise CommandError(str(error)) from error
        with tqdm(total=0, unit="step", mininterval=2) as bar:
            try:
                done = reproduce(asked, folder=options["folder"] or folder_of(asked), report=_Bar(bar))
            except (WorkImpossible, *REFUSALS) as error:
                raise CommandError(str(error)) from error
        for path in write_report(done, options["out"]):
            self.stdout.write(f"Wrote {path}")


class _Bar:
    """A progress bar that is told where each part of the work is."""

    def __init__(self, bar: "tqdm[Any]") -> None:  # Any: tqdm's bars count anything
        self._bar, self._note = bar, ""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        if note.partition(",")[0] != self._note:
            self._note = note.partition(",")[0]
            self._bar.reset(total)
        self._bar.set_description_str(note, refresh=False)
        self._bar.total = total
        self._bar.update(done - self._bar.n)


def _add_amounts(parser: ArgumentParser) -> None:
    defaults = {one.name: one.default for one in fields(ReproductionOptions)}
    texts = {
        "budget": "time for this call, such as 2h or 90m",
        "n": "images an arm, at most",
        "steps": "sampling steps (0: the experiment's own)",
        "scale": "guidance scale of gradcheck, for gradients of length 1",
        "training_steps": "steps of the classifiers (0: the experiment's own, or what the budget allows)",
        "data": "sportballs, or a folder or archive of photographs to train on, such as CIFAR-10",
    }
    for name, text in texts.items():
        default = defaults[name]
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(default), default=default, help=f"{text} (default: {default})")
