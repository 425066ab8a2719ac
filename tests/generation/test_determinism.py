"""An image's bytes are a function of its batch's rows, its arm and its seed, for every kind of arm."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from pytest_django import Settings

from generation.arms import create_arm
from generation.batches import InvalidBatch
from generation.checkpoints import register_checkpoint
from generation.diffusion.recipes import Guidance, Reads, Recipe, Sampler, Stabiliser
from generation.images import read_bytes
from generation.models import Arm, Batch, Chunk
from generation.runner import make_chunk
from tests.generation.factories import (
    bytes_of,
    guided,
    make_batch,
    make_every_chunk,
    write_classifier,
    write_denoiser,
)

pytestmark = pytest.mark.django_db

Pixels = dict[tuple[str, int, int], np.typing.NDArray[np.int16]]

RECIPES = {
    "plain": Recipe(),
    "vanilla": guided(2.0),
    "through_x_0": guided(2.0, reads=Reads.X_0, guided_from=0.1),
    "adam": guided(1.0, reads=Reads.DETACHED_X_0, stabiliser=Stabiliser.ADAM),
    "ema": guided(2.0, stabiliser=Stabiliser.EMA, normalised=True),
    "free": Recipe(guidance=Guidance.CLASSIFIER_FREE, scale=1.5),
    "ddim": guided(2.0, sampler=Sampler.DDIM),
}


@pytest.fixture
def arms(tmp_path: Path) -> list[Arm]:
    denoiser = register_checkpoint(write_denoiser(tmp_path))
    classifier = register_checkpoint(write_classifier(tmp_path))
    return [
        create_arm(
            owner=None,
            name=name,
            denoiser=denoiser,
            classifier=classifier if recipe.needs_classifier else None,
            recipe=recipe,
        )
        for name, recipe in RECIPES.items()
    ]


@pytest.fixture
def _threads_as_they_were() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def a_batch(arms: list[Arm], **changes: object) -> Batch:
    """Nine pairs in five chunks, the last of them padded."""
    wanted = {"class_indices": [0, 1, 2], "seeds_per_class": 3, "steps": 5, "pairs_per_chunk": 2}
    return make_batch(arms, **{**wanted, **changes})


def made(arms: list[Arm], **changes: object) -> Batch:
    batch = a_batch(arms, **changes)
    make_every_chunk(batch, make_chunk)
    return batch


def pixels_of(batch: Batch) -> Pixels:
    return {
        (image.arm.name, image.class_index, image.seed): np.asarray(
            Pillow.open(BytesIO(read_bytes(image))), dtype=np.int16
        )
        for image in batch.images.select_related("arm")
    }


def first_chunk(batch: Batch) -> Chunk:
    chunk = batch.chunks.first()
    assert chunk is not None
    return chunk


def test_every_kind_of_arm_makes_the_same_bytes_in_any_order_and_beside_any_neighbours(arms: list[Arm]) -> None:
    whole = made(arms)
    backwards = a_batch(arms)
    for chunk in reversed(backwards.chunks.all()):
        make_chunk(chunk.pk)
    assert len(set(bytes_of(whole).values())) == 9 * len(RECIPES)
    assert bytes_of(backwards) == bytes_of(whole)
    # Other seeds beside them, and other places in their chunks.
    assert bytes_of(made(arms, class_indices=[2])).items() <= bytes_of(whole).items()
    assert bytes_of(made(arms, class_indices=[2, 0], seeds_per_class=1)).items() <= bytes_of(whole).items()


def test_a_chunk_that_was_given_back_or_lost_halfway_is_made_to_the_same_bytes(arms: list[Arm]) -> None:
    disturbed = a_batch(arms)
    first, second, *_ = disturbed.chunks.all()
    steps = 0

    def stops_at_the_third_step() -> bool:
        nonlocal steps
        steps += 1
        return steps == 3

    def is_taken_over() -> bool:
        Chunk.objects.filter(pk=second.pk).update(claimed_by="another worker")
        return False

    make_chunk(first.pk, stop_wanted=stops_at_the_third_step)
    make_chunk(second.pk, stop_wanted=is_taken_over)
    assert not disturbed.images.exclude(name="").exists()
    # The other worker dies: its lease runs out.
    Chunk.objects.filter(pk=second.pk).update(claimed_by="", lease_until=None)
    make_every_chunk(disturbed, make_chunk)
    assert bytes_of(disturbed) == bytes_of(made(arms))


@pytest.mark.parametrize("precision", Batch.Precision.values)
def test_the_same_batch_again_has_the_same_bytes(arms: list[Arm], precision: str) -> None:
    one, other = (made(arms, class_indices=[1], precision=precision) for _ in range(2))
    assert bytes_of(one) == bytes_of(other)
    assert set(one.images.values_list("precision", flat=True)) == {precision}


def test_another_number_of_rows_changes_a_pixel_by_one_level_at_most(arms: list[Arm]) -> None:
    assert_close(pixels_of(made(arms, pairs_per_chunk=5)), pixels_of(made(arms)))


@pytest.mark.usefixtures("_threads_as_they_were")
def test_another_number_of_threads_changes_a_pixel_by_one_level_at_most(arms: list[Arm], settings: Settings) -> None:
    # A little of it: on a machine whose cores are busy, two threads mostly wait for each other.
    some = [arm for arm in arms if arm.name in ("vanilla", "through_x_0")]
    wanted = {"class_indices": [1], "seeds_per_class": 1, "pairs_per_chunk": 1, "steps": 2}
    one_thread = pixels_of(made(some, **wanted))
    settings.TORCH_THREADS = 2
    assert_close(pixels_of(made(some, **wanted)), one_thread)
    assert torch.get_num_threads() == 2


def assert_close(others: Pixels, usual: Pixels) -> None:
    # What acceleration.TOLERANCES says of float32: far less than a level, which truncation may turn into one.
    assert others.keys() == usual.keys()
    away = np.stack([np.abs(others[key] - usual[key]) for key in usual])
    assert away.max() <= 1
    assert (away > 0).mean() < 0.001


def test_bfloat16_is_recorded_and_changes_pixels_a_little(arms: list[Arm]) -> None:
    exact, half = pixels_of(made(arms)), pixels_of(made(arms, precision="bfloat16"))
    for name in RECIPES:
        away = np.stack([np.abs(half[key] - exact[key]) for key in exact if key[0] == name])
        # In levels of 255: a hundredth of the range from -1 to 1 on average, as acceleration.TOLERANCES says.
        assert 0 < away.mean() < 127.5 / 100


def test_a_compile_mode_on_a_worker_without_a_gpu_stops_the_batch_with_a_sentence(arms: list[Arm]) -> None:
    batch = a_batch(arms[:2], compile_mode="reduce-overhead")
    make_chunk(first_chunk(batch).pk)
    batch.refresh_from_db()
    assert (batch.compile_mode, batch.status) == ("reduce-overhead", "failed")
    assert batch.problem == (
        'Compile mode "reduce-overhead" needs a CUDA device, and this worker computes on its CPU; make the batch '
        "without a compile mode, or start a worker that has a GPU."
    )


def test_an_unknown_compile_mode_is_refused_when_the_batch_is_made(arms: list[Arm]) -> None:
    with pytest.raises(InvalidBatch, match=r'compile mode is "fast"; choose default or reduce-overhead, or leave it'):
        a_batch(arms, compile_mode="fast")
