"""What a worker is asked to do: fetch, call, nothing else. Every task may come twice or get lost."""

from celery import shared_task
from celery.worker import state
from django.utils import timezone

from generation import chunks, holds
from generation.models import Batch


@shared_task
def generate_chunk(chunk_id: int) -> None:
    """Make the images of one chunk."""
    # One of the house's two lazy imports: only a worker that generates pays for torch.
    from generation import runner

    runner.make_chunk(chunk_id, stop_wanted=_is_shutting_down)


@shared_task
def do_work(work_id: int) -> None:
    """Do one piece of other long work."""
    # The other lazy import, for the same reason.
    from generation import laboratory

    laboratory.do_work(work_id, stop_wanted=_is_shutting_down)


@shared_task
def sweep_chunks() -> None:
    """Queue the chunks and works that nobody works on and nobody will, and complete what is complete."""
    for chunk_id in chunks.take_unqueued(now=timezone.now()):
        generate_chunk.delay(chunk_id)
    chunks.complete_batches(Batch.objects.all())
    for work_id in holds.take_unqueued_works(now=timezone.now()):
        do_work.delay(work_id)


def _is_shutting_down() -> bool:
    return state.should_stop is not None or state.should_terminate is not None
