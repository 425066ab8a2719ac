"""The house's promises about generated images, on small real networks."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from django.db.models import F
from django.utils import timezone
from PIL import Image as Pillow
from pytest_django import Settings
from torch import Tensor, nn

from generation import chunks
from generation.arms import create_arm
from generation.batches import cancel_batch, retry_batch
from generation.checkpoints import load, register_checkpoint
from generation.diffusion.acceleration import ready_denoiser
from generation.images import read_bytes
from generation.models import Batch, Checkpoint, Chunk, Image
from generation.runner import make_chunk
from tests.generation.factories import (
    SIDE,
    bytes_of,
    guided,
    make_arms,
    make_batch,
    make_every_chunk,
    write_classifier,
    write_denoiser,
)

pytestmark = pytest.mark.django_db


def test_every_chunk_made_completes_the_batch(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    make_every_chunk(batch, make_chunk)
    batch.refresh_from_db()
    assert batch.status == Batch.Status.COMPLETE
    assert batch.started_at
    assert batch.finished_at
    for image in batch.images.all():
        data = read_bytes(image)
        assert image.sha256 == hashlib.sha256(data).hexdigest()
        assert (image.width, image.height, image.n_bytes) == (SIDE, SIDE, len(data))
        assert image.torch_version
        assert image.device
        assert image.precision == "float32"
        assert Pillow.open(BytesIO(data)).info == {}


def test_two_arms_of_one_seed_start_from_identical_noise(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    make_every_chunk(batch, make_chunk)
    noises: dict[tuple[int, int], set[str]] = {}
    for image in batch.images.all():
        noises.setdefault((image.class_index, image.seed), set()).add(image.noise_sha256)
    assert all(len(of_pair) == 1 for of_pair in noises.values())
    assert len(set.union(*noises.values())) == 4
    x_T = np.random.Generator(np.random.Philox(0)).standard_normal((3, SIDE, SIDE), dtype=np.float32)
    assert noises[0, 0] == {hashlib.sha256(x_T.astype("<f4").tobytes()).hexdigest()}


def test_guidance_changes_the_image_and_scale_zero_does_not(tmp_path: Path) -> None:
    plain, guided = make_arms(tmp_path, scale=5.0)
    still = make_arms(tmp_path, scale=0.0)[1]
    still.name = "still"
    still.save()
    batch = make_batch([plain, guided, still])
    make_every_chunk(batch, make_chunk)
    made = bytes_of(batch)
    pairs = {pair for _, *pair in map(list, made) for pair in [tuple(pair)]}
    assert all(made["still", *pair] == made["plain", *pair] for pair in pairs)
    assert all(made["guided", *pair] != made["plain", *pair] for pair in pairs)


def test_an_image_does_not_depend_on_its_neighbours_or_the_order_of_work(tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    whole = make_batch(arms, class_indices=[0, 1, 2], seeds_per_class=3, pairs_per_chunk=2)
    make_every_chunk(whole, make_chunk)
    backwards = make_batch(arms, class_indices=[0, 1, 2], seeds_per_class=3, pairs_per_chunk=2)
    for chunk in reversed(backwards.chunks.all()):
        make_chunk(chunk.pk)
    # Other neighbours, and a last chunk that is padded.
    some = make_batch(arms, class_indices=[2], seeds_per_class=3, pairs_per_chunk=2)
    make_every_chunk(some, make_chunk)
    assert bytes_of(backwards) == bytes_of(whole)
    assert bytes_of(some).items() <= bytes_of(whole).items()


def test_arms_of_two_denoisers_share_their_noise(tmp_path: Path) -> None:
    plain, guided = make_arms(tmp_path)
    other = register_checkpoint(write_denoiser(tmp_path, seed=5))
    plain.pk, plain.denoiser, plain.name = None, other, "other"
    plain.save()
    batch = make_batch([plain, guided])
    make_every_chunk(batch, make_chunk)
    assert batch.images.exclude(name="").count() == 8
    assert batch.images.values("noise_sha256").distinct().count() == 4


def test_an_arm_without_class_is_given_the_null_class(tmp_path: Path) -> None:
    plain, _ = make_arms(tmp_path)
    plain.pk, plain.class_conditional, plain.name = None, False, "classless"
    plain.save()
    batch = make_batch([plain], class_indices=[0, 1], seeds_per_class=2, shared_seeds=True, pairs_per_chunk=1)
    make_every_chunk(batch, make_chunk)
    made = bytes_of(batch)
    assert all(made["classless", 0, seed] == made["classless", 1, seed] for seed in (0, 1))
    assert made["classless", 0, 0] != made["classless", 0, 1]


def test_a_chunk_asked_for_twice_is_made_once(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    for _ in range(2):
        make_every_chunk(batch, make_chunk)
    assert set(batch.chunks.values_list("attempts", flat=True)) == {1}


def test_a_chunk_that_another_worker_holds_is_left_alone(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    chunk = batch.chunks.first()
    assert chunk is not None
    chunks.claim_chunk(chunk.pk)
    make_chunk(chunk.pk)
    assert not batch.images.exclude(name="").exists()


def test_a_worker_that_lost_its_claim_writes_nothing(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    chunk = batch.chunks.first()
    assert chunk is not None

    def taken_over() -> bool:
        Chunk.objects.filter(pk=chunk.pk).update(claimed_by="another worker")
        return False

    make_chunk(chunk.pk, stop_wanted=taken_over)
    chunk.refresh_from_db()
    assert (chunk.claimed_by, chunk.done_at) == ("another worker", None)
    assert not batch.images.exclude(name="").exists()


def test_cancelling_stops_a_chunk_at_the_next_heartbeat(tmp_path: Path, settings: Settings) -> None:
    batch = make_batch(make_arms(tmp_path), steps=1000)
    chunk = batch.chunks.first()
    assert chunk is not None
    settings.CHUNK_LEASE_SECONDS = 0.001
    calls = 0

    def cancels_at_once() -> bool:
        nonlocal calls
        calls += 1
        if calls == 1:
            cancel_batch(batch)
        return False

    make_chunk(chunk.pk, stop_wanted=cancels_at_once)
    assert calls < 20
    assert not batch.images.exclude(name="").exists()


def test_a_worker_that_shuts_down_gives_its_chunk_back(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    chunk = batch.chunks.first()
    assert chunk is not None
    make_chunk(chunk.pk, stop_wanted=lambda: True)
    assert chunk.pk in chunks.take_unqueued(now=timezone.now())


def test_a_missing_file_stops_the_batch_with_a_sentence(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    write_classifier(tmp_path, seed=1).unlink()
    make_every_chunk(batch, make_chunk)
    batch.refresh_from_db()
    assert batch.status == Batch.Status.FAILED
    assert batch.problem.startswith("Weights cannot be loaded: ")
    assert "classifier-1.safetensors" in batch.problem


def test_weights_that_were_exchanged_stop_the_batch(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    write_denoiser(tmp_path, seed=9).replace(tmp_path / "denoiser-0.safetensors")
    make_every_chunk(batch, make_chunk)
    batch.refresh_from_db()
    assert batch.status == Batch.Status.FAILED
    assert "was registered (its sha256 differs)" in batch.problem


def test_an_error_is_tried_again_and_then_stops_the_batch(tmp_path: Path) -> None:
    # Weights so large that float32 overflows are an error of the arithmetic, in the middle of the work.
    plain, _ = make_arms(tmp_path)
    assert plain.denoiser is not None
    huge = register_checkpoint(write_classifier(tmp_path, seed=2, spread=1e30))
    overflowing = create_arm(owner=None, name="huge", denoiser=plain.denoiser, classifier=huge, recipe=guided())
    batch = Batch.objects.get(pk=make_batch([plain, overflowing]).pk)
    chunk = batch.chunks.first()
    assert chunk is not None
    for _ in range(chunks.ERRORS_ALLOWED):
        batch.refresh_from_db()
        assert batch.status != Batch.Status.FAILED
        make_chunk(chunk.pk)
    batch.refresh_from_db()
    assert batch.status == Batch.Status.FAILED
    assert batch.problem.startswith("Part 1 failed 3 times, the last time with FloatingPointError: the samples of arm")


def test_a_failed_batch_can_be_finished_later(tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    batch, undisturbed = make_batch(arms), make_batch(arms)
    first = batch.chunks.first()
    assert first is not None
    make_chunk(first.pk)
    made = batch.images.exclude(name="").count()
    chunks.stop_batch(batch.pk, problem="The disk was full.")
    retry_batch(batch)
    for one in (batch, undisturbed):
        make_every_chunk(one, make_chunk)
    batch.refresh_from_db()
    assert (made, batch.status, batch.problem) == (4, "complete", "")
    assert bytes_of(batch) == bytes_of(undisturbed)


def test_out_of_memory_starts_the_whole_batch_again_at_half_the_rows(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    first, second = batch.chunks.all()
    make_chunk(first.pk)

    def no_memory() -> bool:
        raise MemoryError

    make_chunk(second.pk, stop_wanted=no_memory)
    batch.refresh_from_db()
    assert (batch.forward_rows, batch.problem) == (2, "Out of memory: started again with 2 images at once.")
    assert not batch.images.exclude(name="").exists()
    make_every_chunk(batch, make_chunk)
    batch.refresh_from_db()
    assert (batch.status, batch.chunks.count()) == ("complete", 4)


@pytest.mark.parametrize("reads", ["x_t", "x_0"])
def test_a_batch_that_needs_too_much_memory_is_made_at_the_rows_that_fit(tmp_path: Path, reads: str) -> None:
    plain, usual = make_arms(tmp_path)
    assert usual.denoiser is not None
    arm = create_arm(
        owner=None,
        name="arm",
        denoiser=usual.denoiser,
        classifier=usual.classifier,
        recipe=guided(2.0, reads=reads),
    )
    wanted = {"class_indices": [0, 1], "seeds_per_class": 4}
    fitting = make_batch([plain, arm], **wanted, pairs_per_chunk=2)
    make_every_chunk(fitting, make_chunk)
    # The same denoiser on a small device, with memory for two rows with a graph, and for four without.
    with memory_for(usual.denoiser, rows=4, rows_with_graph=2):
        batch = make_batch([plain, arm], **wanted, pairs_per_chunk=8)
        problems = []
        while batch.status not in ("complete", "failed"):
            make_every_chunk(batch, make_chunk)
            batch.refresh_from_db()
            problems.append(batch.problem)
    assert problems[0] == "Out of memory: started again with 8 images at once."
    assert (batch.status, batch.forward_rows) == ("complete", 4)
    assert batch.problem == "Out of memory: started again with 4 images at once."
    assert bytes_of(batch) == bytes_of(fitting)


@contextmanager
def memory_for(denoiser: Checkpoint, *, rows: int, rows_with_graph: int) -> Iterator[None]:
    """Let a registered network run out of memory above so many rows, as a device would in the middle of a forward."""
    _, network = load(denoiser, device=torch.device("cpu"))

    def allocates(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if len(inputs[0]) > (rows_with_graph if torch.is_grad_enabled() else rows):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    hook = network.get_submodule("middle_block").register_forward_pre_hook(allocates)
    ready_denoiser.cache_clear()
    try:
        yield
    finally:
        hook.remove()
        ready_denoiser.cache_clear()


def test_out_of_memory_with_one_pair_stops_the_batch(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path), pairs_per_chunk=1)
    chunk = batch.chunks.first()
    assert chunk is not None

    def no_memory() -> bool:
        raise MemoryError

    make_chunk(chunk.pk, stop_wanted=no_memory)
    batch.refresh_from_db()
    assert (batch.status, batch.problem.split(";")[0]) == ("failed", "Out of memory even with one pair at a time")


def test_progress_is_written_while_a_chunk_is_made(tmp_path: Path, settings: Settings) -> None:
    settings.CHUNK_LEASE_SECONDS = 0.001
    batch = make_batch(make_arms(tmp_path), steps=20)
    chunk = batch.chunks.first()
    assert chunk is not None
    seen: list[int] = []

    def looks() -> bool:
        seen.append(Chunk.objects.get(pk=chunk.pk).steps_done)
        return False

    make_chunk(chunk.pk, stop_wanted=looks)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert max(seen) > 10
    assert Image.objects.filter(chunk=chunk, width=F("height")).count() == 4
