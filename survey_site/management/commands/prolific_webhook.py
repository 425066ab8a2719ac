"""`prolific_webhook STUDY --workspace ID --site URL`: have Prolific report what becomes of submissions."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from survey_site.crowds.prolific import NotOnProlific, require_prolific
from survey_site.crowds.prolific_client import Prolific, ProlificFailed
from survey_site.entrance.platforms import PROLIFIC
from survey_site.management.named_studies import named_study
from survey_site.studies import keep_platform_secret


class Command(BaseCommand):
    """Subscribe to Prolific's messages and keep the secret with which they are signed."""

    help = (
        "Subscribe at Prolific to changes of submissions, confirm it, and keep the workspace's secret with the study. "
        "The site must be reachable by https from outside. Needs TWINSEED_PROLIFIC_TOKEN. "
        "Example: manage.py prolific_webhook abcd2345 --workspace 62fce6 --site https://study.example.org"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="The study's slug, as in its rating link.")
        parser.add_argument("--workspace", required=True, help="The workspace's id on Prolific.")
        parser.add_argument("--site", required=True, help="This site's address, such as https://study.example.org.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        study = named_study(options["study"])
        if not options["site"].startswith("https://"):
            raise CommandError("Prolific reports to https addresses only. Give --site as https://...")
        target = options["site"].rstrip("/") + reverse("platform-message", args=[PROLIFIC, study.slug])
        try:
            require_prolific(study)
            with Prolific() as prolific:
                subscription = prolific.subscribe(options["workspace"], target_url=target)
        except (NotOnProlific, ProlificFailed) as error:
            raise CommandError(str(error)) from error
        keep_platform_secret(study, subscription.secret)
        self.stdout.write(f"Prolific reports to {target}; subscription {subscription.subscription_id}.")
