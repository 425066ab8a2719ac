"""Chunks: claimed by a conditional UPDATE, kept by a heartbeat, finished once.

`lease_until` tells where a chunk is: empty, its message is believed to wait in the queue; in the future, a worker holds
it; in the past, it must be queued (its worker died, or gave it back). A message may get lost or come twice: neither
does harm.
"""

import os
import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from generation.models import Batch, Chunk, Image

UNFINISHED = (Batch.Status.QUEUED, Batch.Status.RUNNING)
# So often an error may come back before the batch stops, and so often a worker may die over one chunk.
ERRORS_ALLOWED = 3
DEATHS_ALLOWED = 10


class LostClaim(Exception):
    """The chunk is no longer this worker's: cancelled, finished, or taken over after a silence."""


@dataclass
class Claim:
    """One worker's hold on one chunk."""

    chunk: Chunk
    worker: str
    renewed: float = field(default_factory=time.monotonic)

    def rows(self) -> QuerySet[Chunk]:
        """Return the chunk as long as it is held, else nothing."""
        return Chunk.objects.filter(pk=self.chunk.pk, claimed_by=self.worker, done_at=None, batch__in=_unfinished())

    def beat(self, steps_done: int) -> None:
        """Lengthen the lease and note the progress, every few seconds at most; raise LostClaim if it is gone."""
        if time.monotonic() - self.renewed < min(2.0, settings.CHUNK_LEASE_SECONDS / 4):
            return
        # A step may take longer than the lease (a large model on a CPU): allow three times what the last one took.
        lease = max(_lease(), timedelta(seconds=3 * (time.monotonic() - self.renewed)))
        if not self.rows().update(lease_until=timezone.now() + lease, steps_done=steps_done):
            raise LostClaim(f"Chunk {self.chunk} is not this worker's any more.")
        self.renewed = time.monotonic()

    def give_back(self) -> None:
        """Let the sweep queue the chunk again at once."""
        self.rows().update(lease_until=timezone.now(), claimed_by="", steps_done=0)


def claim_chunk(chunk_id: int) -> Claim:
    """Take the chunk for this worker, or raise LostClaim: somebody has it, it is done, or its batch is finished."""
    now = timezone.now()
    worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(8)}"
    # The conditions stand on the chunk's own columns: PostgreSQL checks those again after waiting for a rival.
    free = Chunk.objects.filter(pk=chunk_id, done_at=None, batch__in=_unfinished())
    free = free.filter(Q(lease_until=None) | Q(lease_until__lte=now))
    if not free.update(claimed_by=worker, lease_until=now + _lease(), attempts=F("attempts") + 1, steps_done=0):
        raise LostClaim(f"Chunk {chunk_id} is held, done, or its batch is finished.")
    chunk = Chunk.objects.select_related("batch").get(pk=chunk_id)
    Batch.objects.filter(pk=chunk.batch_id, status=Batch.Status.QUEUED).update(
        status=Batch.Status.RUNNING, started_at=Coalesce("started_at", Value(now))
    )
    return Claim(chunk, worker)


def finish_chunk(claim: Claim) -> None:
    """Mark the chunk done, and the batch if this was its last; call it in the transaction that writes the images."""
    now = timezone.now()
    if not claim.rows().update(done_at=now, lease_until=None, steps_done=claim.chunk.batch.steps or 0):
        raise LostClaim(f"Chunk {claim.chunk} was finished or taken over by another worker.")
    complete_batches(Batch.objects.filter(pk=claim.chunk.batch_id))


def complete_batches(batches: QuerySet[Batch]) -> None:
    """Mark those of these batches complete whose chunks are all done."""
    chunks = Chunk.objects.filter(batch=OuterRef("pk"))
    batches.filter(Exists(chunks), ~Exists(chunks.filter(done_at=None)), status__in=UNFINISHED).update(
        status=Batch.Status.COMPLETE, finished_at=timezone.now()
    )


def stop_batch(batch_id: int, *, problem: str) -> None:
    """Mark the batch failed for this reason; its finished chunks stay."""
    Batch.objects.filter(pk=batch_id, status__in=UNFINISHED).update(
        status=Batch.Status.FAILED, problem=problem, finished_at=timezone.now()
    )


def take_unqueued(*, now: datetime) -> list[int]:
    """Return the chunks that need a message, and mark them as having one."""
    waiting = Chunk.objects.filter(done_at=None, batch__in=_unfinished())
    for chunk in waiting.filter(attempts__gte=DEATHS_ALLOWED, lease_until__lte=now):
        stop_batch(
            chunk.batch_id,
            problem=f"Part {chunk.position + 1} was begun {chunk.attempts} times and never finished: the worker died "
            "each time. See its log; it may have run out of memory.",
        )
    stale = list(waiting.filter(lease_until__lte=now).values_list("pk", flat=True)[:1000])
    Chunk.objects.filter(pk__in=stale, lease_until__lte=now).update(lease_until=None, claimed_by="", steps_done=0)
    return stale or _forgotten(waiting, since=now - _lease())


def cut_into_chunks(batch: Batch, images: Sequence[Sequence[Image]], *, pairs_per_chunk: int) -> list[Chunk]:
    """Divide the batch's images, given pair by pair, into new chunks; write the chunks, set them on the images."""
    groups = [images[start : start + pairs_per_chunk] for start in range(0, len(images), pairs_per_chunk)]
    chunks = Chunk.objects.bulk_create(Chunk(batch=batch, position=position) for position in range(len(groups)))
    for chunk, group in zip(chunks, groups, strict=True):
        for image in (image for pair in group for image in pair):
            image.chunk = chunk
    return chunks


def start_again_at_half(claim: Claim) -> None:
    """Make the claim's whole batch anew with half the rows: all its bytes must come from one number of rows."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=claim.chunk.batch_id)
        n_arms = batch.arms.count()
        pairs_per_chunk = (batch.forward_rows or n_arms) // n_arms
        # Another worker of this batch may have run out of memory too, and been here before.
        if not claim.rows().exists():
            return
        if pairs_per_chunk == 1:
            stop_batch(batch.pk, problem="Out of memory even with one pair at a time; use a machine with more.")
            return
        _cut_again(batch, n_arms=n_arms, pairs_per_chunk=pairs_per_chunk // 2)


def _cut_again(batch: Batch, *, n_arms: int, pairs_per_chunk: int) -> None:
    images = list(batch.images.order_by("chunk__position", "class_index", "seed", "arm_id"))
    batch.images.update(chunk=None, name="", sha256="", n_bytes=0, width=0, height=0)
    batch.chunks.all().delete()
    pairs = [images[start : start + n_arms] for start in range(0, len(images), n_arms)]
    cut_into_chunks(batch, pairs, pairs_per_chunk=pairs_per_chunk)
    Image.objects.bulk_update(images, ["chunk"], batch_size=500)
    # In the past: the sweep is to queue them.
    batch.chunks.update(lease_until=timezone.now())
    batch.forward_rows = pairs_per_chunk * n_arms
    batch.started_at = timezone.now()
    batch.problem = f"Out of memory: started again with {batch.forward_rows} images at once."
    batch.save(update_fields=("forward_rows", "started_at", "problem"))


def _unfinished() -> QuerySet[Batch]:
    return Batch.objects.filter(status__in=UNFINISHED)


def _lease() -> timedelta:
    return timedelta(seconds=settings.CHUNK_LEASE_SECONDS)


def _forgotten(waiting: QuerySet[Chunk], *, since: datetime) -> list[int]:
    # Nothing has been claimed or finished for a whole lease: then the waiting messages are lost, not late.
    active = Q(lease_until__gt=since) | Q(done_at__gt=since) | Q(batch__in=_unfinished().filter(created_at__gt=since))
    if Chunk.objects.filter(active).exists():
        return []
    return list(waiting.values_list("pk", flat=True)[:1000])
