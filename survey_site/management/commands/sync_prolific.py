"""`sync_prolific STUDY --prolific-study ID`: give back what returned and timed-out raters held."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.crowds.prolific import NotOnProlific, Progress, sync_submissions
from survey_site.crowds.prolific_client import ProlificFailed
from survey_site.management.named_studies import named_study


class Command(BaseCommand):
    """Read Prolific's list of submissions and end the parts that ended there."""

    help = (
        "Ask Prolific for a study's submissions, and end the parts of raters who returned it, ran out of time or "
        "were screened out; their open pairs go to others at once. For studies without webhooks, and for messages that "
        "got lost. Needs TWINSEED_PROLIFIC_TOKEN. Example: manage.py sync_prolific abcd2345 --prolific-study 64f0c2"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="The study's slug, as in its rating link.")
        parser.add_argument("--prolific-study", required=True, help="The study's id on Prolific.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done; change nothing.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        study = named_study(options["study"])
        progress = Progress()
        try:
            for progress in sync_submissions(study, options["prolific_study"], dry_run=options["dry_run"]):
                self.stderr.write(f"{progress.n_read} submissions read")
        except (NotOnProlific, ProlificFailed) as error:
            raise CommandError(str(error)) from error
        would = "would be " if options["dry_run"] else ""
        self.stdout.write(
            f"Of {progress.n_read} submissions, {progress.n_ended} {would}ended here; "
            f"{progress.n_released} pairs {would}given back."
        )
