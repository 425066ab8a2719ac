"""`results_bundle SLUG OUT.zip`: write everything that a study's figures follow from into one file."""

import hashlib
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis import InvalidVotes, Report
from survey_site.bundles import write_study_bundle
from survey_site.models import Study


class Command(BaseCommand):
    """Write a results bundle; its sha256 goes into the paper."""

    help = (
        "Write a study's results bundle: plan, comparisons, votes, report, figures, versions and checksums. "
        "Example: manage.py results_bundle table-2 table-2.zip"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="The study's slug, as in its link.")
        parser.add_argument("out", type=Path, help="The zip to write; one that is there is replaced.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        slug, out = options["slug"], options["out"]
        try:
            report = _written(Study.objects.get(slug=slug), out)
        except Study.DoesNotExist as error:
            raise CommandError(f"There is no study {slug!r}. The page /studies/ lists them.") from error
        except InvalidVotes as error:
            raise CommandError(f"Study {slug} has no results: {error.detail}.") from error
        except OSError as error:
            raise CommandError(f"Cannot write {out}: {error.strerror}.") from error
        with out.open("rb") as bundle:
            digest = hashlib.file_digest(bundle, "sha256").hexdigest()
        self.stdout.write(f"{digest}  {out}")
        self.stderr.write(
            f"Bundled {report.votes} votes on {report.pairs} comparisons. Check it with: manage.py verify_bundle {out}"
        )


def _written(study: Study, out: Path) -> Report:
    # Under another name until it is whole: a bundle that is half there would pass for a damaged one.
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            report = write_study_bundle(study, file)
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return report
