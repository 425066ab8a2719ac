"""`analyse VOTES.csv`: the whole report of a vote log, without a database."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError

from analysis import InvalidPlan, InvalidVotes, Plan, Report, analyse, read_csv
from analysis.files.csv_tables import csv_files, tidy_csv
from analysis.files.html import html_of
from analysis.files.latex import latex_file
from analysis.files.sections import tables_of
from analysis.files.text import text_of

# Where a format goes when no file is named: standard output.
STANDARD_OUTPUT = "-"
REFUSED = 2


class Format(NamedTuple):
    """One form of the report. write: the report as that text."""

    write: Callable[[Report], str]
    help: str


def _json(report: Report) -> str:
    return json.dumps(report.as_json(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Format] = {
    "json": Format(_json, "Every figure as JSON (docs/report.schema.json)."),
    "latex": Format(lambda report: latex_file(tables_of(report)), "Every table for booktabs and longtable."),
    "csv": Format(
        lambda report: tidy_csv(tables_of(report)),
        "Every table in one tidy file, a line a figure; with a folder (existing, or ending in /), one file a table.",
    ),
    "html": Format(html_of, "One page with charts that needs nothing else."),
}


class Command(BaseCommand):
    """Analyse a vote log; touches no database."""

    help = (
        "Analyse a vote table; needs no database. Columns: pair_id, class_label, rater_id, left_arm, choice, "
        "response_ms; right_arm with more than two arms; group_id and gold_arm where there are. A table that cannot be "
        "analysed ends with status 2. Example: manage.py analyse tests/data/table2_votes.csv --html report.html"
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("votes", nargs="?", help="The CSV file, rows in order of arrival; - reads standard input.")
        parser.add_argument("--arms", help="Names in order, as A,B: figures are first minus second. Default: A to Z.")
        parser.add_argument("--plan", type=Path, help="The analysis plan (TOML), as it was fixed before the votes.")
        for name, form in FORMATS.items():
            out = f"{form.help} OUT: a file; left out, standard output."
            parser.add_argument(f"--{name}", nargs="?", const=STANDARD_OUTPUT, metavar="OUT", help=out)

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {name: options[name] for name in FORMATS if options[name] is not None}
        source = options["votes"] or _taken_for_output(wanted)
        if list(wanted.values()).count(STANDARD_OUTPUT) > 1:
            raise CommandError("Only one format can go to standard output; name a file for the others.")
        if any(out != STANDARD_OUTPUT and Path(out).resolve() == Path(source).resolve() for out in wanted.values()):
            raise CommandError(f"{source} holds the votes; name another file for the report.")
        try:
            report = _report(source, arms=options["arms"], plan=options["plan"])
        except InvalidVotes as error:
            self._refuse(error, source=source, json_to=wanted.get("json"))
        for name, out in wanted.items() or {"text": STANDARD_OUTPUT}.items():
            self._write(report, name, out=out)

    def _refuse(self, error: InvalidVotes, *, source: str, json_to: str | None) -> None:
        """One error object where the JSON would be, else one sentence; status 2 either way."""
        if json_to is not None:
            self._put(json.dumps(error.as_json(), ensure_ascii=False) + "\n", out=json_to)
        if json_to == STANDARD_OUTPUT:
            sys.exit(REFUSED)
        raise CommandError(f"{source} cannot be analysed: {error.detail}.", returncode=REFUSED) from error

    def _write(self, report: Report, name: str, *, out: str) -> None:
        if name == "csv" and (out.endswith("/") or Path(out).is_dir()):
            for file, text in csv_files(tables_of(report)).items():
                self._put(text, out=str(_folder(out) / file))
        else:
            self._put(FORMATS[name].write(report) if name in FORMATS else text_of(report), out=out)

    def _put(self, text: str, *, out: str) -> None:
        if out == STANDARD_OUTPUT:
            self.stdout.write(text, ending="")
            return
        try:
            Path(out).write_text(text, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"Cannot write {out}: {error.strerror}.") from error
        self.stderr.write(f"Wrote {out}")


def _taken_for_output(wanted: dict[str, str]) -> str:
    """`analyse --json votes.csv`: the votes were meant, since nothing else names them."""
    for name, out in wanted.items():
        if Path(out).is_file():
            wanted[name] = STANDARD_OUTPUT
            return out
    raise CommandError("Name the vote table. Example: manage.py analyse votes.csv --json")


def _report(source: str, *, arms: str | None, plan: Path | None) -> Report:
    followed = None if plan is None else _plan(plan)
    names = None if arms is None else [name.strip() for name in arms.split(",") if name.strip()]
    try:
        votes = read_csv(sys.stdin if source == STANDARD_OUTPUT else source, arms=names)
    except OSError as error:
        raise CommandError(f"Cannot read {source}: {error.strerror}.") from error
    return analyse(votes, plan=followed)


def _plan(path: Path) -> Plan:
    try:
        return Plan.read(path)
    except OSError as error:
        raise CommandError(f"Cannot read the plan {path}: {error.strerror}.") from error
    except InvalidPlan as error:
        raise CommandError(f"The plan {path} cannot be followed: {error}.") from error


def _folder(path: str) -> Path:
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"Cannot make the folder {path}: {error.strerror}.") from error
    return Path(path)
