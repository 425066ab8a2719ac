"""Draw a figure of a batch or of classifiers, as the batch page does."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from generation.checkpoints import UnusableCheckpoint
from generation.drawings import FIGURES, FigureKind, check_figure
from generation.figure_kinds import InvalidFigure, Option, Takes
from generation.figures_at_work import CONTENT_TYPES, draw_figure
from generation.holds import Report, WorkImpossible
from generation.models import Batch, Checkpoint

LISTS = {Takes.ARMS, Takes.CLASSES, Takes.SEEDS, Takes.CLASSIFIERS, Takes.BATCHES, Takes.TIMESTEPS}
NUMBERS: dict[Takes, Callable[[str], Any]] = {  # Any: what JSON can hold
    Takes.SEEDS: int,
    Takes.TIMESTEPS: int,
    Takes.COUNT: int,
    Takes.NUMBER: float,
}


class Command(BaseCommand):
    """`manage.py figure KIND --batch NAME --out FILE ...`."""

    help = "Draw a figure. Each kind has its own options: manage.py figure KIND --help."

    def add_arguments(self, parser: CommandParser) -> None:
        """One sub-command a kind, with that kind's options."""
        kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True, parser_class=ArgumentParser)
        for figure in FIGURES.values():
            own = kinds.add_parser(figure.key, help=figure.help, description=figure.help)
            own.add_argument(
                "--out",
                type=Path,
                nargs="+",
                required=True,
                metavar="FILE",
                help=f"where to write it, as {' or '.join(_suffixes(figure))} (json: its numbers)",
            )
            own.add_argument("--batch", required=figure.batch_needed, help="name or number of a batch")
            for option in figure.options:
                _add(own, option)

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Check, draw, write."""
        figure = FIGURES[options["kind"]]
        _check_files(options["out"], figure)
        batch = _batch(options["batch"])
        given = {option.key: _resolved(option, options[option.key], batch=batch) for option in figure.options}
        try:
            chosen = check_figure(batch, kind=figure.key, options=given)
            with tqdm(unit="step", mininterval=1) as bar:
                files = draw_figure(batch, kind=figure.key, chosen=chosen, report=_shown_on(bar))
        except (InvalidFigure, WorkImpossible, UnusableCheckpoint) as error:
            raise CommandError(str(error)) from error
        for path in options["out"]:
            path.write_bytes(files[_suffix(path)])
            self.stdout.write(f"{path}: {figure.title}")


def _add(parser: ArgumentParser, option: Option) -> None:
    default = f" (default: {option.default})" if option.default not in (None, "") else ""
    parser.add_argument(
        f"--{option.key.replace('_', '-')}",
        dest=option.key,
        nargs="+" if option.takes in LISTS else None,
        type=NUMBERS.get(option.takes, str),
        choices=option.choices or None,
        help=f"{option.title}. {option.help}{default}",
    )


def _suffixes(figure: FigureKind) -> Sequence[str]:
    return tuple(CONTENT_TYPES) if figure.is_plot else ("png", "json")


def _suffix(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _check_files(paths: Sequence[Path], figure: FigureKind) -> None:
    for path in paths:
        if _suffix(path) not in _suffixes(figure):
            raise CommandError(f"--out: {path}: this figure is made as {', '.join(_suffixes(figure))}.")
        if not path.parent.is_dir():
            raise CommandError(f"--out: there is no folder {path.parent}; make it first.")


def _batch(wanted: str | None) -> Batch | None:
    if wanted is None:
        return None
    found = list(Batch.objects.filter(name=wanted)[:2])
    if not found and wanted.isdecimal():
        found = list(Batch.objects.filter(pk=int(wanted)))
    if len(found) > 1:
        raise CommandError(f'--batch: more than one batch is called "{wanted}"; give the number of one.')
    if not found:
        raise CommandError(f'--batch: there is no batch "{wanted}".')
    return found[0]


def _resolved(option: Option, value: Any, *, batch: Batch | None) -> Any:  # Any: what JSON can hold
    """The keys of what was given by name; numbers and texts as they are."""
    if value is None or option.takes not in _NAMES:
        return value
    known = _NAMES[option.takes](batch)
    keys = [_key(option, word, known) for word in ([value] if isinstance(value, str) else value)]
    return keys if option.takes in LISTS else keys[0]


def _key(option: Option, word: str, known: dict[str, int]) -> int:
    if word in known:
        return known[word]
    if word.isdecimal():
        return int(word)
    names = ", ".join(known) or "none"
    raise CommandError(f'--{option.key.replace("_", "-")}: there is no "{word}"; there are: {names}.')


def _arm_names(batch: Batch | None) -> dict[str, int]:
    return {} if batch is None else {arm.name: arm.pk for arm in batch.arms.all()}


def _class_names(batch: Batch | None) -> dict[str, int]:
    return {} if batch is None else {label: int(index) for index, label in batch.class_table.items()}


def _classifier_names(batch: Batch | None) -> dict[str, int]:
    return {row.name: row.pk for row in Checkpoint.objects.filter(role=Checkpoint.Role.CLASSIFIER)}


def _batch_names(batch: Batch | None) -> dict[str, int]:
    return {row.name: row.pk for row in Batch.objects.order_by("pk")}


_NAMES: dict[Takes, Callable[[Batch | None], dict[str, int]]] = {
    Takes.ARMS: _arm_names,
    Takes.ARM: _arm_names,
    Takes.CLASSES: _class_names,
    Takes.CLASSIFIERS: _classifier_names,
    Takes.BATCHES: _batch_names,
}


def _shown_on(bar: "tqdm[Any]") -> Report:  # Any: tqdm counts anything
    def report(done: int, total: int, note: str = "") -> None:
        bar.total = total
        bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    return report
