"""`follow_demo`: a progress bar for the demo's images, then the three links."""

import signal
import socket
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from tqdm import tqdm

from generation.batches import progress_of
from generation.models import Batch
from survey_site.demo import DEMO_SLUG
from survey_site.models import Study

LOOK_EVERY_S = 1.0
# Lines, not a redrawn bar: the process manager prefixes and forwards whole lines.
LINE_EVERY_PERCENT = 5


class Command(BaseCommand):
    """Part of `make run`: it stays until Ctrl-C, because the process manager stops all when one ends."""

    help = "Show how far the demo is, then the links to rate, manage and see its results."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        try:
            study = Study.objects.get(slug=DEMO_SLUG)
        except Study.DoesNotExist as error:
            raise CommandError("There is no demo yet. Make it with: manage.py demo") from error
        self._follow(study.batches.get())
        _wait_until_open(study)
        _wait_for_server(options["host"], options["port"])
        self._print_links(study, root=f"http://{options['host']}:{options['port']}")
        signal.pause()

    def _follow(self, batch: Batch) -> None:
        shown = -LINE_EVERY_PERCENT
        started = time.monotonic()
        while batch.is_unfinished:
            progress = progress_of(batch)
            percent = int(100 * progress.share)
            if percent >= shown + LINE_EVERY_PERCENT:
                shown = percent
                self.stdout.write(
                    tqdm.format_meter(
                        round(progress.share * progress.wanted, 1),
                        progress.wanted,
                        time.monotonic() - started,
                        ncols=78,
                        prefix=batch.name,
                        unit="pair",
                    )
                )
            time.sleep(LOOK_EVERY_S)
            batch.refresh_from_db()
        if batch.status != Batch.Status.COMPLETE:
            self.stdout.write(f"{batch.name} is {batch.get_status_display().lower()}. {batch.problem}")
        elif batch.started_at and batch.finished_at:
            took = tqdm.format_interval((batch.finished_at - batch.started_at).total_seconds())
            self.stdout.write(f"{batch.name}: {progress_of(batch).made} pairs, {batch.steps} steps, took {took}.")

    def _print_links(self, study: Study, *, root: str) -> None:
        self.stdout.write("")
        self.stdout.write(f"  Rate:    {root}{study.rating_path}")
        self.stdout.write(f"  Manage:  {root}{reverse('study', args=[study.slug])}")
        self.stdout.write(f"  Results: {root}{reverse('results', args=[study.slug])}")
        self.stdout.write("  Ctrl-C stops everything; make run goes on where it was.")


def _wait_until_open(study: Study) -> None:
    # It opens by itself at the next look for studies that are ready.
    while Study.objects.waiting_to_open().filter(pk=study.pk).exists():
        time.sleep(LOOK_EVERY_S)


def _wait_for_server(host: str, port: int) -> None:
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        time.sleep(LOOK_EVERY_S)
