"""Works: long work besides making images. Begun, followed, cancelled, repeated; what a kind does is laboratory.py's."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from generation.holds import UNFINISHED
from generation.models import Batch, Work
from generation.tasks import do_work

Options = Mapping[str, Any]  # Any: what JSON can hold


class WorkFinished(Exception):
    """There is nothing left to cancel."""


class NothingToRepeat(Exception):
    """The work is done, or still being worked on."""


class MissingResult(Exception):
    """The work has no such file, or it is gone from storage."""


def create_work(
    *, owner: User | None, kind: str, title: str, options: Options, batch: Batch | None = None, queue: bool = True
) -> Work:
    """Write a new work's row and queue it. Check the options first: each kind has its own check.

    queue: off where the caller does the work itself, as commands do.
    """
    work = Work(owner=owner, kind=Work.Kind(kind), title=title[:200], options=dict(options), batch=batch)
    work.save()
    if queue:
        _enqueue(work)
    return work


def cancel_work(work: Work) -> None:
    """Stop the work; a worker notices at its next report."""
    unfinished = Work.objects.filter(pk=work.pk, status__in=UNFINISHED)
    if not unfinished.update(status=Work.Status.CANCELLED, finished_at=timezone.now()):
        raise WorkFinished(f'"{work.title}" is finished already.')


def repeat_work(work: Work) -> None:
    """Queue a failed or cancelled work again; what it can go on from, it does."""
    stopped = Work.objects.filter(pk=work.pk, status__in=(Work.Status.FAILED, Work.Status.CANCELLED))
    again = {"status": Work.Status.QUEUED, "problem": "", "note": "", "started_at": None, "finished_at": None}
    if not stopped.update(**again, attempts=0, claimed_by="", lease_until=None):
        raise NothingToRepeat(f'"{work.title}" has not stopped: there is nothing to try again.')
    _enqueue(work)


def read_file(work: Work, name: str) -> tuple[bytes, str]:
    """Return a result's bytes and content type. Raises MissingResult."""
    for file in work.files:
        if file["name"] == name:
            try:
                with default_storage.open(file["stored"]) as opened:
                    return bytes(opened.read()), str(file["content_type"])
            except FileNotFoundError as error:
                raise MissingResult(f'The file "{name}" of "{work.title}" is gone from storage.') from error
    raise MissingResult(f'"{work.title}" has no file "{name}".')


def _enqueue(work: Work) -> None:
    # Robust: where the broker is down the row stays, and the sweep queues it when it is back.
    transaction.on_commit(partial(do_work.delay, work.pk), robust=True)
