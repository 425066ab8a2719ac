"""Make and list a study's invitations: `manage.py invitations STUDY --create 20`, `manage.py invitations STUDY`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.entrance.invitations import TooManyInvitations, as_csv, create_invitations, listed, notes_in
from survey_site.management.named_studies import named_study
from survey_site.models import Study


class Command(BaseCommand):
    """Print a study's invitations as CSV, after making new ones if asked to."""

    help = (
        "Print the invitations of a study as CSV: code, note, link, state. --create 20 makes twenty first; --notes "
        "FILE makes one for each line of the file and keeps the line as its note. "
        "Example: manage.py invitations abcd2345 --create 20 --site https://study.example.org > codes.csv"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="The study's slug, as in its rating link.")
        parser.add_argument("--create", type=int, default=0, help="How many to make. Default: one for each note.")
        parser.add_argument("--notes", type=Path, help="A text file with one note a line, such as a name on a list.")
        parser.add_argument(
            "--site", default="", help="What comes before the links, such as https://study.example.org."
        )

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        study = named_study(options["study"])
        notes = _notes(options["notes"])
        if options["create"] or options["notes"]:
            self._create(study, options["create"] or len(notes), notes=notes)
        self.stdout.write(as_csv(listed(study), site=options["site"].rstrip("/")), ending="")
        if study.how.entry.way != "invited":
            self.stderr.write("This study does not ask for an invitation; codes have no effect before its design does.")

    def _create(self, study: Study, n: int, *, notes: list[str]) -> None:
        try:
            made = create_invitations(study, n, notes=notes)
        except TooManyInvitations as error:
            raise CommandError(str(error)) from error
        self.stderr.write(f"Made {len(made)} invitations to {study.title}.")


def _notes(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        notes = notes_in(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is no UTF-8 text. Save it as UTF-8, one note a line.") from error
    if not notes:
        raise CommandError(f"{path} holds no notes. Write one a line.")
    return notes
