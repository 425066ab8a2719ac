"""`simulate_votes --out FILE` or `--study SLUG`: votes that no person gave, to teach with and to test with."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from analysis.gatekeeping import RESERVED_ARM_NAMES
from analysis.simulated_designs import InvalidDesign, LazyRaters, SimulatedDesign
from analysis.simulation import simulate
from analysis.vote_file import write_columns
from survey_site.management.shares import share
from survey_site.models import Study
from survey_site.simulations import Frame, PeopleHaveVoted, Simulation, frame_of, simulate_votes
from survey_site.studies import StudyClosed

DEFAULTS = SimulatedDesign()
# What the main paper found, in points of net preference, where two arms are compared.
NET = 8.0
# With more arms each is by so many logits better than the next.
STEP = 0.2


class Command(BaseCommand):
    """Write a simulated vote table, or let simulated raters vote in an open study."""

    help = (
        "Simulate raters. Examples: manage.py simulate_votes --out votes.csv --seed 1; "
        "manage.py simulate_votes --study abcd2345 --complete-raters 3 --partial-raters 0. "
        "Whatever comes out of it is labelled as simulated, everywhere and for good."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--out", type=Path, metavar="FILE", help="Write a vote table (CSV).")
        where.add_argument("--study", metavar="SLUG", help="Vote in this open study, in which no person has voted.")
        parser.add_argument("--seed", type=_seed, help="Equal seeds and options give equal tables.")
        _add_stimuli(parser)
        _add_effects(parser)
        _add_panel(parser)

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        rng = np.random.default_rng(options["seed"])
        try:
            if options["out"] is not None:
                self._write(options, rng)
            else:
                self._vote(options, rng)
        except InvalidDesign as error:
            raise CommandError(f"This cannot be simulated. {_as_options(error)}.") from error
        except OSError as error:
            raise CommandError(f"Cannot write {options['out']}: {error.strerror}.") from error

    def _write(self, options: dict[str, Any], rng: np.random.Generator) -> None:
        design = _design(options, Frame(options["arms"] or DEFAULTS.arms, options["pairs"] or DEFAULTS.groups))
        columns = simulate(design, rng=rng).columns()
        with options["out"].open("w", encoding="utf-8", newline="") as stream:
            write_columns(columns, stream)
        self.stdout.write(f"{len(columns.pair_id)} simulated votes by {design.n_raters} raters: {options['out']}")

    def _vote(self, options: dict[str, Any], rng: np.random.Generator) -> None:
        if given := [name for name in ("arms", "pairs", "classes", "gold") if options[name]]:
            raise CommandError(f"--{given[0]} is for --out; a study has its own.")
        try:
            study = Study.objects.get(slug=options["study"])
            simulation = simulate_votes(study, _design(options, frame_of(study)), rng=rng)
        except Study.DoesNotExist as error:
            raise CommandError(f"There is no study {options['study']!r}. The page /studies/ lists them.") from error
        except (StudyClosed, PeopleHaveVoted) as error:
            raise CommandError(str(error)) from error
        n_votes = _watched(simulation, quiet=options["verbosity"] == 0)
        self.stdout.write(f"{n_votes} simulated votes in {study.title}, which is labelled as simulated from now on.")


def _watched(simulation: Simulation, *, quiet: bool) -> int:
    votes = tqdm(simulation.votes, total=simulation.n_wanted, unit=" votes", disable=True if quiet else None)
    return sum(1 for _ in votes)


def _add_stimuli(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("what is shown (with --out)")
    group.add_argument("--arms", type=_names, help="Names with commas between. Default: robust,vanilla.")
    group.add_argument("--pairs", type=int, help="Classes and seeds; every two arms make a pair of each. Default: 200.")
    group.add_argument("--classes", type=int, help=f"Default: {DEFAULTS.classes}.")
    group.add_argument("--gold", type=int, default=0, help="Gold pairs that each rater also sees. Default: 0.")
    group.add_argument("--gold-accuracy", type=share, default=DEFAULTS.gold_accuracy, help="Default: 95 %%.")


def _add_effects(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("effects (logits, where nothing else is said)")
    group.add_argument(
        "--net", type=float, help=f"Points of net preference for the first of two arms. Default: {NET:g}."
    )
    group.add_argument("--ratings", type=_numbers, help="Instead: a rating per arm. More than two arms: 0.2 apart.")
    group.add_argument("--pair-sd", type=float, default=DEFAULTS.pair_sd, help="How far pairs differ. Default: 1.1.")
    group.add_argument("--pair-skew", type=float, default=0.0, help="Skewness of the pairs; 2 is exponential.")
    group.add_argument("--rater-sd", type=float, default=DEFAULTS.rater_sd, help="How far raters lean. Default: 0.2.")
    group.add_argument("--same", type=share, default=DEFAULTS.same_share, help="Share of Same. Default: 27 %%.")
    group.add_argument("--left-bias", type=float, default=0.0, help="What standing left adds. Default: 0.")
    group.add_argument("--left-bias-sd", type=float, default=0.0, help="How far raters differ in it. Default: 0.")


def _add_panel(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("raters")
    group.add_argument("--complete-raters", type=int, default=14, help="Who judge every pair. Default: 14.")
    group.add_argument("--partial-raters", type=int, default=30, help="Who judge a part. Default: 30.")
    group.add_argument("--partial-votes", type=_range, default=(20, 127), help="How large a part. Default: 20-127.")
    group.add_argument("--median-ms", type=int, default=DEFAULTS.median_ms, help="Response time. Default: 4000.")
    group.add_argument("--always-same", type=int, default=0, help="Raters who only say Same.")
    group.add_argument("--one-side", type=int, default=0, help="Raters who only press one side.")
    group.add_argument("--hasty", type=int, default=0, help="Raters who press anything, fast.")


def _design(options: dict[str, Any], frame: Frame) -> SimulatedDesign:
    lazy = LazyRaters(*(options[name] for name in ("always_same", "one_side", "hasty")))
    same_names = ("gold_accuracy", "pair_sd", "pair_skew", "rater_sd", "left_bias", "left_bias_sd", "median_ms")
    panel = ("complete_raters", "partial_raters", "partial_votes")
    net, ratings = _worth(options, n_arms=len(frame.arms))
    return SimulatedDesign(
        arms=frame.arms,
        groups=frame.groups,
        classes=options["classes"] or DEFAULTS.classes,
        net=net,
        arm_logits=ratings,
        same_share=options["same"],
        gold_pairs=options["gold"],
        lazy=lazy,
        **{name: options[name] for name in (*same_names, *panel)},
    )


def _worth(options: dict[str, Any], *, n_arms: int) -> tuple[float, tuple[float, ...]]:
    """Return the net preference and the ratings of the arms, of which one says it all."""
    if options["ratings"]:
        return (options["net"] or 0.0) / 100, options["ratings"]
    if n_arms > 2:
        return (options["net"] or 0.0) / 100, tuple(STEP * (n_arms - 1 - place) for place in range(n_arms))
    return (NET if options["net"] is None else options["net"]) / 100, ()


def _as_options(error: InvalidDesign) -> str:
    """Say what a design refuses in the names of the options."""
    renamed = {"same_share": "same", "groups": "pairs", "gold_pairs": "gold", "arm_logits": "ratings"}
    sentence = str(error)
    for entry in (*renamed, *(f.name for f in fields(SimulatedDesign))):
        option = "--" + renamed.get(entry, entry).replace("_", "-")
        # At the start and in lists; elsewhere `arms` may be a plain word.
        sentence = re.sub(rf"\b{entry}\b" if "_" in entry else rf"\b{entry}(?=[:,])", option, sentence)
    return sentence.replace("--lazy", "--always-same, --one-side and --hasty together")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ArgumentTypeError(f"{text!r} has an empty name; write names such as a,b,c")
    if taken := RESERVED_ARM_NAMES & set(names):
        raise ArgumentTypeError(f"{taken.pop()!r} is a column of the report; give the arm another name")
    return names


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no seed; write a whole number from 0 up")
    return int(text)


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} are no numbers; write them such as 0.4,0.2,0") from error


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no range; write it such as 20-127") from error
