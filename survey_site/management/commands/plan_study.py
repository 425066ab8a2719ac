"""`plan_study`: how many raters and pairs a study needs, as the planning page says it."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis import InvalidVotes, read_csv
from analysis.planning import Planning, plan_study, points, short_chance
from analysis.precision import PAPER_LIKE, Components, components_of
from analysis.records import Unavailable, as_json
from analysis.wishes import InvalidDesign, Purpose, Wish, Workload
from survey_site.management.shares import share
from survey_site.models import Study
from survey_site.pilots import components_of_study

USUAL = Wish()


class Command(BaseCommand):
    """Print one answer, its warnings and the table around it, or all of it as JSON."""

    help = (
        "Say how many raters and pairs a study needs to find a difference. "
        "Examples: manage.py plan_study --difference 8 --power 0.8 --pairs 200; "
        "manage.py plan_study --difference 5 --raters 25 --pilot votes.csv --json"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--difference", type=float, default=8.0, help="To find, in points of net preference.")
        parser.add_argument("--power", type=share, default=USUAL.power, help="How surely; 0.8 or 80%% unless given.")
        parser.add_argument("--alpha", type=share, default=USUAL.alpha, help="Significance level, 5%% unless given.")
        parser.add_argument("--pairs", type=int, default=USUAL.pairs, help="200 unless given.")
        parser.add_argument("--raters", type=int, help="Without it: how many are needed?")
        parser.add_argument("--judged", default="", help="Pairs a rater judges, such as 40 or 50%%; all unless given.")
        parser.add_argument("--same", type=share, help="Share of Same, for the threshold table.")
        parser.add_argument("--table", action="store_true", help="The threshold table is a purpose too.")
        parser.add_argument("--pilot", help="Take the variances from a study (slug) or a vote table (CSV file).")
        parser.add_argument("--json", action="store_true", help="Print everything as JSON.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            wish = _wish(options)
        except InvalidDesign as error:
            raise CommandError(str(error)) from error
        planning = plan_study(wish, _components(options["pilot"]) if options["pilot"] else PAPER_LIKE)
        if options["json"]:
            self.stdout.write(json.dumps(as_json(planning), indent=2, allow_nan=False))
        else:
            self.stdout.write("\n".join(_lines(planning)))


def _wish(options: dict[str, Any]) -> Wish:
    return Wish(
        difference=options["difference"] / 100,
        power=options["power"],
        alpha=options["alpha"],
        pairs=options["pairs"],
        raters=options["raters"],
        workload=Workload.read(options["judged"]),
        same_share=options["same"],
        purpose=Purpose.TABLE if options["table"] else Purpose.MEAN,
    )


def _components(pilot: str) -> Components:
    components = _of_file(Path(pilot)) if pilot.endswith(".csv") else _of_study(pilot)
    if isinstance(components, Unavailable):
        raise CommandError(f"{pilot} cannot be the pilot: {components.detail}.")
    return components


def _of_file(path: Path) -> Components | Unavailable:
    try:
        return components_of(read_csv(path), source=f"the pilot {path.name}")
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror}.") from error
    except InvalidVotes as error:
        raise CommandError(f"{path} cannot be the pilot: {error.detail}.") from error


def _of_study(slug: str) -> Components | Unavailable:
    try:
        return components_of_study(Study.objects.get(slug=slug))
    except Study.DoesNotExist as error:
        raise CommandError(
            f"There is no study {slug!r}. The page /studies/ lists them; a vote table is named with its .csv."
        ) from error
    except InvalidVotes as error:
        raise CommandError(f"Study {slug} cannot be the pilot: {error.detail}.") from error


def _lines(planning: Planning) -> Iterator[str]:
    components = planning.components
    yield planning.answer
    yield planning.for_the_table
    yield from (f"Warning: {warning}" for warning in planning.warnings)
    yield ""
    yield (
        f"Variances: {components.pair:.2g} / pairs + {components.rater:.2g} / raters + {components.vote:.2g} / votes, "
        f"from {components.source}."
    )
    yield f"Power for {points(planning.wish.difference)} points:"
    yield "raters " + "".join(f"{outlook.design.pairs:>8,} pairs" for outlook in planning.table[0])
    for row in planning.table:
        yield f"{row[0].design.raters:>6,} " + "".join(f"{short_chance(outlook.power):>14}" for outlook in row)
