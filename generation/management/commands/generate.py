"""`manage.py generate NAME --arms A B`: what the page of a new batch does, from a terminal."""

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from generation.arms import class_labels_of
from generation.batches import (
    DEFAULT_STEPS,
    PAIRS_PER_CHUNK,
    InvalidBatch,
    cancel_batch,
    create_batch,
    progress_of,
)
from generation.class_lists import InvalidClasses, read_classes
from generation.management.owners import named_owner
from generation.models import Arm, Batch
from generation.runner import make_chunk

LOOK_SECONDS = 1.0


class Command(BaseCommand):
    """Create a batch; the last line of output is its id. With --wait, make its images in this process too."""

    help = "Generate a batch: every arm makes one image of each class and seed, all from the same noise."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what the form asks for."""
        parser.add_argument("name", metavar="NAME", help="what the batch is called")
        parser.add_argument("--arms", nargs="+", required=True, metavar="ARM", help="names or ids of arms")
        parser.add_argument("--classes", default="", help='such as "0, 3, 5-9, 0+3" or names; default: all')
        parser.add_argument("--seeds-per-class", type=int, default=10, metavar="N", help="pairs per class")
        parser.add_argument("--steps", type=int, default=DEFAULT_STEPS, metavar="N", help="sampling steps")
        parser.add_argument("--first-seed", type=int, default=0, metavar="N", help="another one makes other images")
        parser.add_argument("--precision", choices=Batch.Precision.values, default=Batch.Precision.FLOAT32.value)
        parser.add_argument(
            "--pairs-at-once", type=int, default=PAIRS_PER_CHUNK, metavar="N", help="less memory: fewer"
        )
        parser.add_argument("--wait", action="store_true", help="make the images here, and end when they are there")
        parser.add_argument("--owner", help="user name of the researcher; default: the installation's first")

    # Django passes the options untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Create the batch, and make it if asked to."""
        batch = _created(options)
        if options["wait"]:
            _make(batch)
        self.stdout.write(str(batch.pk))


def _created(options: dict[str, Any]) -> Batch:  # Any: Django passes the options untyped
    arms = [_arm(word) for word in options["arms"]]
    labels = next((labels for labels in map(class_labels_of, arms) if labels), [])
    try:
        classes = read_classes(options["classes"], labels)
        return create_batch(
            owner=named_owner(options["owner"]),
            name=options["name"],
            arms=arms,
            class_indices=classes.alone,
            combined=classes.together,
            seeds_per_class=options["seeds_per_class"],
            steps=options["steps"],
            first_seed=options["first_seed"],
            precision=options["precision"],
            pairs_per_chunk=options["pairs_at_once"],
        )
    except (InvalidClasses, InvalidBatch) as error:
        raise CommandError(str(error)) from error


def _arm(word: str) -> Arm:
    arms = Arm.objects.filter(source=Arm.Source.GENERATED).select_related("denoiser", "classifier")
    # A name comes first: an arm may be called 3.
    found = arms.filter(name=word)[:2] or (arms.filter(pk=int(word)) if word.isdigit() else ())
    if len(found) > 1:
        keys = ", ".join(str(key) for key in arms.filter(name=word).values_list("pk", flat=True))
        raise CommandError(f'Several arms are called "{word}"; name one by its id: {keys}.')
    for arm in found:
        return arm
    raise CommandError(f'There is no arm "{word}" that generates; make one with create_arm.')


def _make(batch: Batch) -> None:
    # A worker that runs beside this may take chunks too: then this process makes the others and waits for those.
    try:
        with tqdm(total=progress_of(batch).wanted, unit="pair", disable=None) as bar:
            while batch.is_unfinished:
                for key in _unmade(batch):
                    make_chunk(key)
                    _show(batch, bar)
                # Others hold what is left, or it was begun again with fewer rows.
                if batch.is_unfinished:
                    time.sleep(LOOK_SECONDS)
                    _show(batch, bar)
    except KeyboardInterrupt:
        cancel_batch(batch)
        raise CommandError("Stopped. What is made stays; the batch's page can make the rest.") from None
    if batch.status != Batch.Status.COMPLETE:
        raise CommandError(batch.problem or f"The batch is {batch.get_status_display().lower()}.")


def _unmade(batch: Batch) -> Sequence[int]:
    return list(batch.chunks.filter(done_at=None).values_list("pk", flat=True))


def _show(batch: Batch, bar: "tqdm[Any]") -> None:  # Any: what a bar goes over; nothing here
    batch.refresh_from_db()
    bar.update(progress_of(batch).made - bar.n)
