"""`verify_bundle FILE`: does a results bundle's report follow from its votes?"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.bundles import UnreadableBundle, Verdict, verify_bundle

DIFFERENT, UNREADABLE = 1, 2


class Command(BaseCommand):
    """Check a bundle; touches no database."""

    help = (
        "Compute a results bundle's report again from its plan, comparisons and votes, and say equal or name the first "
        "difference. Needs no database. Ends with 0 (equal), 1 (different) or 2 (no whole bundle)."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="The zip, as downloaded.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        file = options["file"]
        try:
            verdict = verify_bundle(file)
        except OSError as error:
            raise CommandError(f"Cannot read {file}: {error.strerror}.", returncode=UNREADABLE) from error
        except UnreadableBundle as error:
            raise CommandError(f"{file} cannot be checked: {error}.", returncode=UNREADABLE) from error
        if not verdict.is_equal:
            raise CommandError("\n".join(("different", *_what_differs(verdict))), returncode=DIFFERENT)
        self.stdout.write("\n".join(("equal", *_what_was_checked(verdict))))


def _what_differs(verdict: Verdict) -> list[str]:
    lines = [*verdict.changed]
    if verdict.difference is not None:
        lines.append(verdict.difference.sentence)
    if verdict.other_versions:
        lines.append(f"computed by {', '.join(verdict.other_versions)}; with these versions every digit is compared")
    return lines


def _what_was_checked(verdict: Verdict) -> list[str]:
    how = f"to {verdict.tolerance:g} of their size" if verdict.tolerance else "digit by digit"
    plan = f"plan {verdict.plan_sha256}, frozen before the votes" if verdict.plan_sha256 else "no plan was frozen"
    lines = [f"{verdict.numbers} numbers from {verdict.votes} votes on {verdict.pairs} comparisons, {how}", plan]
    if verdict.other_versions:
        lines.append(f"computed by {', '.join(verdict.other_versions)}")
    return lines
