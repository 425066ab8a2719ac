"""`answers SLUG`: write the complete log of a study."""

import os
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.logs.answer_files import FORMATS, answer_file
from survey_site.models import Study


class Command(BaseCommand):
    """Write every vote ever given, those taken back too, to a file or to standard output."""

    help = (
        "Write the complete log of a study: every vote ever given, one row each. "
        "Example: manage.py answers table-2 --format jsonl --output answers.jsonl"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="The study's slug, as in its link.")
        parser.add_argument("--format", choices=FORMATS, default="csv", help="csv unless given; pwcmp is CSV as well.")
        parser.add_argument("--output", type=Path, help="The file to write; standard output unless given.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        slug, out = options["slug"], options["output"]
        try:
            pieces = answer_file(Study.objects.get(slug=slug), options["format"])
        except Study.DoesNotExist as error:
            raise CommandError(f"There is no study {slug!r}. The page /studies/ lists them.") from error
        try:
            if out is None:
                self._print(pieces)
            else:
                _write(pieces, out)
        except OSError as error:
            raise CommandError(f"Cannot write {out}: {error.strerror}.") from error

    def _print(self, pieces: Iterator[str]) -> None:
        for piece in pieces:
            self.stdout.write(piece, ending="")


def _write(pieces: Iterator[str], out: Path) -> None:
    # Under another name until it is whole: half a log would pass for a smaller study.
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
