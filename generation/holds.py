"""Holds: a worker's claim on a work, kept by its reports, ended once.

`lease_until` tells where a work is, as for chunks: empty, its message is believed to wait in the queue; in the future,
a worker holds it; in the past, its worker died or gave it back.
"""

import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from generation.models import Work

UNFINISHED = (Work.Status.QUEUED, Work.Status.RUNNING)
# So often a worker may die over one work.
DEATHS_ALLOWED = 3


class LostWork(Exception):
    """The work is no longer this worker's: cancelled, finished, or taken over after a silence."""


class WorkImpossible(Exception):
    """The work cannot be done as it was asked for; the message says why. It is not tried again."""


class Report(Protocol):
    """How a work tells where it is; raises what must end it: cancelled, taken over, the worker shutting down."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


@dataclass
class Hold:
    """One worker's hold on one work."""

    work: Work
    worker: str
    renewed: float = field(default_factory=time.monotonic)

    def rows(self) -> QuerySet[Work]:
        """Return the work as long as it is held, else nothing."""
        return Work.objects.filter(pk=self.work.pk, claimed_by=self.worker, status=Work.Status.RUNNING)

    def report(self, done: int, total: int, note: str = "") -> None:
        """Note the progress and lengthen the lease, every few seconds at most; raise LostWork if it is gone."""
        silence = time.monotonic() - self.renewed
        if silence < min(2.0, settings.CHUNK_LEASE_SECONDS / 4) and done < total:
            return
        lease = max(_hold_lease(), timedelta(seconds=3 * silence))
        changed = {"lease_until": timezone.now() + lease, "done_units": done, "all_units": total, "note": note[:300]}
        if not self.rows().update(**changed):
            raise LostWork(f"Work {self.work.pk} is not this worker's any more.")
        self.renewed = time.monotonic()

    def finish(self, *, note: str = "") -> None:
        """Mark the work done; call it in the transaction that writes its results. Raises LostWork."""
        now = timezone.now()
        changed = {"status": Work.Status.DONE, "finished_at": now, "lease_until": None, "note": note[:300]}
        if not self.rows().update(**changed, done_units=F("all_units")):
            raise LostWork(f"Work {self.work.pk} is not this worker's any more.")

    def fail(self, problem: str) -> None:
        """Mark the work failed for this reason."""
        failed = {"status": Work.Status.FAILED, "finished_at": timezone.now(), "lease_until": None}
        self.rows().update(**failed, problem=problem)

    def give_back(self) -> None:
        """Let the sweep queue the work again at once."""
        back = {"status": Work.Status.QUEUED, "lease_until": timezone.now(), "claimed_by": ""}
        self.rows().update(**back, attempts=F("attempts") - 1)

    def keep_file(self, name: str, data: bytes, *, content_type: str) -> None:
        """Store a result under an opaque name; one of the same name is replaced. Raises LostWork."""
        stored = default_storage.save(f"works/{secrets.token_hex(24)}", ContentFile(data))
        entry = {"name": name, "stored": stored, "content_type": content_type}
        with transaction.atomic():
            work = self.rows().select_for_update().first()
            if work is None:
                default_storage.delete(stored)
                raise LostWork(f"Work {self.work.pk} is not this worker's any more.")
            replaced = [file["stored"] for file in work.files if file["name"] == name]
            work.files = [*(file for file in work.files if file["name"] != name), entry]
            work.save(update_fields=("files",))
        for old in replaced:
            default_storage.delete(old)


def hold_work(work_id: int) -> Hold:
    """Take the work for this worker, or raise LostWork: somebody has it, or it is finished."""
    now = timezone.now()
    worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(8)}"
    free = Work.objects.filter(pk=work_id, status__in=UNFINISHED).filter(Q(lease_until=None) | Q(lease_until__lte=now))
    running = {"status": Work.Status.RUNNING, "claimed_by": worker, "lease_until": now + _hold_lease()}
    if not free.update(**running, attempts=F("attempts") + 1):
        raise LostWork(f"Work {work_id} is held, or finished.")
    Work.objects.filter(pk=work_id, started_at=None).update(started_at=now)
    return Hold(Work.objects.select_related("batch", "owner").get(pk=work_id), worker)


def take_unqueued_works(*, now: datetime) -> Sequence[int]:
    """Return the works that need a message, and mark them as having one; give up those that keep killing workers."""
    waiting = Work.objects.filter(status__in=UNFINISHED)
    problem = f"It was begun {DEATHS_ALLOWED} times and never finished: the worker died each time. See its log."
    failed = {"status": Work.Status.FAILED, "finished_at": now, "problem": problem}
    waiting.filter(attempts__gte=DEATHS_ALLOWED, lease_until__lte=now).update(**failed)
    stale = list(waiting.filter(lease_until__lte=now).values_list("pk", flat=True))
    queued = {"status": Work.Status.QUEUED, "lease_until": None, "claimed_by": ""}
    waiting.filter(pk__in=stale, lease_until__lte=now).update(**queued)
    return stale or _forgotten(since=now - _lease())


def _forgotten(*, since: datetime) -> Sequence[int]:
    # Nothing has moved for a whole lease: then the waiting messages are lost, not late.
    unfinished = Work.objects.filter(status__in=UNFINISHED)
    if unfinished.filter(Q(lease_until__gt=since) | Q(created_at__gt=since)).exists():
        return []
    return list(unfinished.filter(lease_until=None).values_list("pk", flat=True))


def _hold_lease() -> timedelta:
    # Much longer than a chunk's: reading a large file or judging a classifier is silent for minutes.
    return timedelta(seconds=settings.WORK_LEASE_SECONDS)


def _lease() -> timedelta:
    return timedelta(seconds=settings.CHUNK_LEASE_SECONDS)
