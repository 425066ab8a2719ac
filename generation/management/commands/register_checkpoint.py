"""`manage.py register_checkpoint PATH...`: make weights known to the site."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from generation.checkpoints import InvalidCheckpoint, register_checkpoint


class Command(BaseCommand):
    """Register weights files; a second time changes nothing but a moved file's path."""

    help = "Inspect weights files and store what they are. A file that is known already is not added twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the files."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--name", help="what the checkpoint is called; default: the file's name")

    # Django passes the options untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Register file by file, and stop at the first that is refused."""
        if options["name"] and len(options["paths"]) > 1:
            raise CommandError("--name is for one file; register the others on their own.")
        for path in options["paths"]:
            try:
                checkpoint = register_checkpoint(path, name=options["name"])
            except InvalidCheckpoint as error:
                raise CommandError(str(error)) from error
            self.stdout.write(f"{checkpoint.pk} {checkpoint.role} {checkpoint.name}")
