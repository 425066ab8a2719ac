"""`manage.py upload_batch FILE...`: what the upload page does, from a terminal."""

from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from generation.management.owners import named_owner
from generation.uploads import InvalidUpload, Upload, import_batch


class Command(BaseCommand):
    """Upload a batch made elsewhere; the last line of output is its id."""

    help = "Upload a batch: one .zip of images with metadata.csv or metadata.jsonl, or one .npz an arm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the files and what cannot be read from them."""
        parser.add_argument("files", nargs="*", metavar="FILE", help="a .zip, or .npz files named after their arms")
        parser.add_argument("--arm", action="append", default=[], metavar="NAME=FILE.npz", help="an arm's own file")
        parser.add_argument("--name", required=True, help="what the batch is called")
        parser.add_argument("--arms", default="", help="the arms to expect in a .zip, with commas between them")
        parser.add_argument("--classes", type=Path, metavar="FILE", help="texts of labels 0, 1, ..., one a line")
        parser.add_argument("--owner", help="user name of the researcher; default: the installation's first")

    # Django passes the options untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Import the files with a progress bar."""
        with ExitStack() as files, tqdm(unit="image", disable=None) as bar:

            def show(done: int, wanted: int) -> None:
                bar.total = wanted
                bar.update(done - bar.n)

            try:
                uploads = [_opened(word, files=files) for word in options["files"]]
                uploads += [_opened_arm(word, files=files) for word in options["arm"]]
                batch = import_batch(
                    uploads,
                    owner=named_owner(options["owner"]),
                    name=options["name"],
                    arms=[name.strip() for name in options["arms"].split(",") if name.strip()],
                    class_texts=_lines(options["classes"]),
                    on_image=show,
                )
            except InvalidUpload as error:
                raise CommandError(str(error)) from error
            except OSError as error:
                name = error.filename or "A file"
                raise CommandError(f"{name} cannot be read or written: {error.strerror}.") from error
        self.stdout.write(str(batch.pk))


def _opened(path: str, *, files: ExitStack, arm: str = "") -> Upload:
    return Upload(Path(path).name, files.enter_context(Path(path).open("rb")), arm)


def _opened_arm(word: str, *, files: ExitStack) -> Upload:
    arm, equals, path = word.partition("=")
    if not equals or not arm or not path:
        raise CommandError(f'--arm "{word}": write it as NAME=FILE.npz.')
    return _opened(path, files=files, arm=arm)


def _lines(path: Path | None) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path else []
