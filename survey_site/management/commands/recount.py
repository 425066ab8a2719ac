"""Prove, or mend, the comparisons' counters: `manage.py recount --check`, `manage.py recount --fix`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.models import Comparison
from survey_site.voting.counters import COUNTERS, mend_counters


class Command(BaseCommand):
    """Compare every counter with the trials and votes it stands for."""

    help = "Compare the comparisons' counters with a recount of trials and votes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for exactly one of check and fix."""
        act = parser.add_mutually_exclusive_group(required=True)
        act.add_argument("--check", action="store_true", help="List wrong counters; exit with 1 if there are any.")
        act.add_argument("--fix", action="store_true", help="Set wrong counters right.")

    # Django hands the options over as it likes.
    def handle(self, *args: Any, **options: Any) -> None:
        """Run the recount."""
        if options["fix"]:
            self.stdout.write(f"{mend_counters()} comparisons had wrong counters; they are right now.")
            return
        wrong = list(Comparison.objects.miscounted().order_by("study", "position"))
        for comparison in wrong:
            self.stdout.write(f"study {comparison.study_id}, {comparison}: {_differences(comparison)}")
        if wrong:
            raise CommandError(f"{len(wrong)} comparisons have wrong counters. Set them right with: recount --fix")
        self.stdout.write(f"All counters of {Comparison.objects.count()} comparisons are right.")


def _differences(comparison: Comparison) -> str:
    stored_and_true = ((name, getattr(comparison, name), getattr(comparison, f"true_{name}")) for name in COUNTERS)
    return ", ".join(
        f"{name} is {stored}, should be {true}" for name, stored, true in stored_and_true if stored != true
    )
