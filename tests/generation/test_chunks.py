"""Claims, leases and the sweep: a chunk has one worker, and is never forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from generation import chunks
from generation.batches import cancel_batch
from generation.chunks import LostClaim, claim_chunk, complete_batches, finish_chunk, take_unqueued
from generation.models import Batch, Chunk
from tests.generation.factories import make_batch
from tests.generation.test_batches import two_arms

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch() -> Batch:
    return make_batch(two_arms())


@pytest.fixture
def chunk(batch: Batch) -> Chunk:
    return batch.chunks.get(position=0)


def later(seconds: float) -> None:
    """Let time pass, for everything that has a time."""
    move = timedelta(seconds=seconds)
    for row in Chunk.objects.all():
        row.lease_until = row.lease_until and row.lease_until - move
        row.done_at = row.done_at and row.done_at - move
        row.save()
    for batch in Batch.objects.all():
        batch.created_at -= move
        batch.save()


def test_a_chunk_has_one_worker(chunk: Chunk) -> None:
    claim_chunk(chunk.pk)
    with pytest.raises(LostClaim):
        claim_chunk(chunk.pk)


def test_claiming_starts_the_batch_once(batch: Batch, chunk: Chunk) -> None:
    claim_chunk(chunk.pk)
    batch.refresh_from_db()
    started = batch.started_at
    assert (batch.status, started is not None) == ("running", True)
    claim_chunk(batch.chunks.get(position=1).pk)
    batch.refresh_from_db()
    assert batch.started_at == started


def test_a_silent_workers_chunk_can_be_taken_over(chunk: Chunk, settings: Settings) -> None:
    first = claim_chunk(chunk.pk)
    later(settings.CHUNK_LEASE_SECONDS + 1)
    second = claim_chunk(chunk.pk)
    with pytest.raises(LostClaim):
        finish_chunk(first)
    finish_chunk(second)


def test_a_heartbeat_lengthens_the_lease(chunk: Chunk, settings: Settings) -> None:
    claim = claim_chunk(chunk.pk)
    later(settings.CHUNK_LEASE_SECONDS - 1)
    claim.renewed -= settings.CHUNK_LEASE_SECONDS
    claim.beat(2)
    chunk.refresh_from_db()
    assert chunk.steps_done == 2
    # A step that took a whole lease is allowed three of its length.
    assert chunk.lease_until > timezone.now() + timedelta(seconds=2.9 * settings.CHUNK_LEASE_SECONDS)


def test_a_heartbeat_writes_only_every_few_seconds(chunk: Chunk, django_assert_num_queries: object) -> None:
    claim = claim_chunk(chunk.pk)
    with django_assert_num_queries(0):  # type: ignore[operator]  # the fixture's type is private
        claim.beat(1)


def test_a_cancelled_batchs_worker_loses_its_claim(batch: Batch, chunk: Chunk) -> None:
    claim = claim_chunk(chunk.pk)
    cancel_batch(batch)
    claim.renewed -= 100
    with pytest.raises(LostClaim):
        claim.beat(1)
    with pytest.raises(LostClaim):
        finish_chunk(claim)
    with pytest.raises(LostClaim):
        claim_chunk(batch.chunks.get(position=1).pk)


def test_the_last_chunk_completes_the_batch(batch: Batch) -> None:
    for chunk in batch.chunks.all():
        batch.refresh_from_db()
        assert batch.status != "complete"
        finish_chunk(claim_chunk(chunk.pk))
    batch.refresh_from_db()
    assert (batch.status, batch.finished_at is not None) == ("complete", True)


def test_a_batch_whose_last_two_chunks_finished_at_once_is_completed_by_the_sweep(batch: Batch) -> None:
    batch.chunks.update(done_at=timezone.now())
    complete_batches(Batch.objects.all())
    batch.refresh_from_db()
    assert batch.status == "complete"


def test_a_batch_without_chunks_is_not_completed() -> None:
    empty = Batch.objects.create(name="empty")
    complete_batches(Batch.objects.all())
    empty.refresh_from_db()
    assert empty.status == "queued"


def test_the_sweep_takes_a_silent_workers_chunk_once(chunk: Chunk, settings: Settings) -> None:
    claim_chunk(chunk.pk)
    assert take_unqueued(now=timezone.now()) == []
    later(settings.CHUNK_LEASE_SECONDS + 1)
    assert take_unqueued(now=timezone.now()) == [chunk.pk]
    chunk.refresh_from_db()
    assert (chunk.lease_until, chunk.claimed_by) == (None, "")


def test_the_sweep_takes_a_chunk_that_was_given_back(chunk: Chunk) -> None:
    claim_chunk(chunk.pk).give_back()
    assert take_unqueued(now=timezone.now()) == [chunk.pk]
    assert take_unqueued(now=timezone.now()) == []


def test_waiting_messages_are_not_doubled_while_anybody_works(batch: Batch, chunk: Chunk, settings: Settings) -> None:
    later(settings.CHUNK_LEASE_SECONDS + 1)
    claim = claim_chunk(chunk.pk)
    assert take_unqueued(now=timezone.now()) == []
    finish_chunk(claim)
    assert take_unqueued(now=timezone.now()) == []


def test_lost_messages_are_sent_again_when_nothing_has_happened_for_a_lease(batch: Batch, settings: Settings) -> None:
    assert take_unqueued(now=timezone.now()) == []
    later(settings.CHUNK_LEASE_SECONDS + 1)
    assert take_unqueued(now=timezone.now()) == [chunk.pk for chunk in batch.chunks.all()]


def test_finished_batches_are_left_alone(batch: Batch, chunk: Chunk, settings: Settings) -> None:
    claim_chunk(chunk.pk)
    cancel_batch(batch)
    later(settings.CHUNK_LEASE_SECONDS + 1)
    assert take_unqueued(now=timezone.now()) == []


def test_a_chunk_that_kills_its_workers_stops_the_batch(batch: Batch, chunk: Chunk, settings: Settings) -> None:
    for _ in range(chunks.DEATHS_ALLOWED):
        claim_chunk(chunk.pk)
        later(settings.CHUNK_LEASE_SECONDS + 1)
    assert take_unqueued(now=timezone.now()) == []
    batch.refresh_from_db()
    assert batch.status == "failed"
    assert batch.problem.startswith("Part 1 was begun 10 times and never finished")
