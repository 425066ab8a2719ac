"""`prolific_codes STUDY`: the completion codes to tell Prolific."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.crowds.prolific import NotOnProlific, completion_addresses, completion_codes
from survey_site.management.named_studies import named_study


class Command(BaseCommand):
    """Print the `completion_codes` of Prolific's API as JSON; on the side, where raters are sent."""

    help = (
        "Print a study's endings as the JSON that Prolific's API calls completion_codes. In Prolific's forms, type the "
        "same codes. Review the actions before you paste them: they decide who is paid."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="The study's slug, as in its rating link.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        study = named_study(options["study"])
        try:
            codes = completion_codes(study)
        except NotOnProlific as error:
            raise CommandError(str(error)) from error
        if not codes:
            raise CommandError("The design has no endings with a code. Set entry.endings.complete.code first.")
        for outcome, address in completion_addresses(study.how.entry):
            self.stderr.write(f"{outcome}: raters go to {address}")
        self.stdout.write(json.dumps({"completion_codes": codes}, indent=2))
