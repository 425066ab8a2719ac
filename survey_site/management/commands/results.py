"""`results SLUG`: print a study's report."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis import InvalidVotes
from analysis.files.csv_tables import tidy_csv
from analysis.files.sections import tables_of
from analysis.files.text import text_of
from survey_site.models import Study
from survey_site.results import study_report


class Command(BaseCommand):
    """Print what the results page shows, as a table, JSON or CSV."""

    help = "Print a study's results. Example: manage.py results table-2 --json"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="The study's slug, as import_votes printed it or as in its link.")
        formats = parser.add_mutually_exclusive_group()
        formats.add_argument("--json", action="store_const", dest="format", const="json", help="The whole report.")
        formats.add_argument(
            "--csv", action="store_const", dest="format", const="csv", help="Every table, a line a figure."
        )
        parser.set_defaults(format="text")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = study_report(Study.objects.get(slug=options["slug"]))
        except Study.DoesNotExist as error:
            raise CommandError(f"There is no study {options['slug']!r}. The page /studies/ lists them.") from error
        except InvalidVotes as error:
            raise CommandError(f"Study {options['slug']} has no results: {error.detail}.") from error
        if options["format"] == "json":
            self.stdout.write(json.dumps(report.as_json(), indent=2, allow_nan=False))
        elif options["format"] == "csv":
            self.stdout.write(tidy_csv(tables_of(report)), ending="")
        else:
            self.stdout.write(text_of(report), ending="")
