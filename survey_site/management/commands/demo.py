"""`demo`: the researcher's account and the demo study, made once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from survey_site.demo import CheckpointsMissing, demo_study, researcher_account


class Command(BaseCommand):
    """Make what a newcomer needs to look around; run again, it changes nothing."""

    help = "Create the researcher account (its password is printed once) and the SportBalls demo study."

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with transaction.atomic():
                account = researcher_account()
                demo_study(account.user)
        except CheckpointsMissing as error:
            raise CommandError(str(error)) from error
        if account.password is not None:
            self.stdout.write(f"Your account: {account.user.username}, password: {account.password}")
            self.stdout.write(
                "It is shown only now. To set another: .venv/bin/python manage.py changepassword researcher"
            )
