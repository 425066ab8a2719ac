"""`import_votes FILE`: keep a vote table made elsewhere as a closed study."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis import InvalidVotes
from survey_site.logs.imports import import_votes


class Command(BaseCommand):
    """Read a vote table; the last line of the output is the new study's slug alone."""

    help = (
        "Import a vote table (CSV with pair_id, class_label, rater_id, left_arm, choice, response_ms; right_arm where "
        "there are more than two arms) as a closed study. Example: manage.py import_votes votes.csv --title 'Table 2'"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="The CSV file.")
        parser.add_argument("--title", default="", help="Title of the study; the file's name unless given.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            study = import_votes(options["file"], title=options["title"])
        except OSError as error:
            raise CommandError(f"Cannot read {options['file']}: {error.strerror}.") from error
        except InvalidVotes as error:
            raise CommandError(f"{options['file']} was not imported: {error.detail}.") from error
        self.stderr.write(f"Imported {study.title}; see it with: manage.py results {study.slug}")
        self.stdout.write(study.slug)
