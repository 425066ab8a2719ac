"""What a worker is asked to do: fetch, call, nothing else. Every task may come twice or get lost."""

from celery import shared_task
from celery.worker import state
from django.utils import timezone

from generation import chunks
from generation.models import Batch


@shared_task
def generate_chunk(chunk_id: int) -> None:
    """Make the images of one chunk."""
    # The one lazy import in the house: only a worker that generates pays for torch.
    from generation import runner

    runner.make_chunk(chunk_id, stop_wanted=_is_shutting_down)


@shared_task
def sweep_chunks() -> None:
    """Queue the chunks that nobody works on and nobody will, and complete what is complete."""
    for chunk_id in chunks.take_unqueued(now=timezone.now()):
        generate_chunk.delay(chunk_id)
    chunks.complete_batches(Batch.objects.all())


def _is_shutting_down() -> bool:
    return state.should_stop is not None or state.should_terminate is not None
