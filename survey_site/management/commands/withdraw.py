"""Erase a rater who asks for it by other means than the page: `manage.py withdraw STUDY --code CODE`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.models import Study
from survey_site.voting.withdrawals import UnknownWithdrawalCode, rater_by_withdrawal_code, withdraw, withdrawn_tally


class Command(BaseCommand):
    """Withdraw one rater, by the code that the rater was shown."""

    help = "Erase a rater's answers by the withdrawal code. Example: manage.py withdraw k3m9q2xd --code abcdefghjkmn"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for the study and the code."""
        parser.add_argument("slug", help="The study's slug, as in its link.")
        parser.add_argument("--code", required=True, help="Twelve letters and digits; case and blanks do not matter.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Erase, and say how many have withdrawn."""
        study = Study.objects.filter(slug=options["slug"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['slug']!r}. The page /studies/ lists them.")
        try:
            withdraw(rater_by_withdrawal_code(study, options["code"]))
        except UnknownWithdrawalCode as error:
            raise CommandError(str(error)) from error
        tally = withdrawn_tally(study)
        self.stdout.write(f"Erased. {tally.withdrawn} of {tally.raters} raters of this study have withdrawn.")
