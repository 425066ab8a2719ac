"""What a new batch holds, what it refuses, and how its progress is told."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from generation.arms import InvalidArm, create_arm
from generation.batches import (
    BatchFinished,
    InvalidBatch,
    NothingToRetry,
    cancel_batch,
    create_batch,
    progress_of,
    retry_batch,
)
from generation.diffusion.recipes import Guidance, Recipe
from generation.models import Arm, Batch, Chunk, Image
from tests.generation.factories import LABELS, guided, make_batch, stored_checkpoint

pytestmark = pytest.mark.django_db
CLASSIFIER_FREE = Recipe(guidance=Guidance.CLASSIFIER_FREE, scale=0.5)


def two_arms(**facts: Any) -> list[Arm]:
    denoiser = stored_checkpoint(**facts)
    return [
        create_arm(owner=None, name="plain", denoiser=denoiser),
        create_arm(owner=None, name="guided", denoiser=denoiser, classifier=classifier(), recipe=guided(0.5)),
    ]


def classifier(**facts: Any) -> Any:
    return stored_checkpoint(role="classifier", null_class=None, **facts)


def test_a_batch_has_every_class_seed_and_arm_from_the_start() -> None:
    batch = make_batch(two_arms(), class_indices=[0, 2], seeds_per_class=3, pairs_per_chunk=4)
    assert batch.images.count() == 2 * 3 * 2
    assert batch.class_table == {"0": "cat", "2": "cow"}
    assert (batch.status, batch.steps, batch.forward_rows) == ("queued", 3, 8)


def test_all_arms_of_a_pair_are_in_one_chunk() -> None:
    batch = make_batch(two_arms(), class_indices=[0, 1, 2], seeds_per_class=3, pairs_per_chunk=4)
    chunks_of: dict[tuple[int, int], set[int]] = {}
    for image in batch.images.all():
        assert image.chunk_id is not None
        chunks_of.setdefault((image.class_index, image.seed), set()).add(image.chunk_id)
    assert all(len(chunks) == 1 for chunks in chunks_of.values())
    assert [chunk.images.count() for chunk in batch.chunks.all()] == [8, 8, 2]


def test_no_two_classes_share_a_seed() -> None:
    batch = make_batch(two_arms(), class_indices=[0, 1, 2], seeds_per_class=4)
    pairs = set(batch.images.values_list("class_index", "seed"))
    assert len({seed for _, seed in pairs}) == len(pairs) == 12


def test_a_larger_batch_begins_with_the_pairs_of_a_smaller_one() -> None:
    arms = two_arms()
    small, large = make_batch(arms, seeds_per_class=2), make_batch(arms, class_indices=[0, 1, 2], seeds_per_class=5)
    pairs = [set(batch.images.values_list("class_index", "seed")) for batch in (small, large)]
    assert pairs[0] < pairs[1]


def test_classes_share_seeds_when_asked() -> None:
    batch = make_batch(two_arms(), first_seed=10, shared_seeds=True)
    assert set(batch.images.values_list("seed", flat=True)) == {10, 11}


def test_chunks_are_queued_when_the_rows_are_committed(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, settings: Settings, tmp_path: Path
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        make_batch(two_arms())
    assert len(callbacks) == 1


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"arms": []}, "A batch needs at least one arm"),
        ({"name": " "}, "The batch has no name"),
        ({"class_indices": []}, "No classes, so no pairs"),
        ({"class_indices": [0, 3]}, "There is no class 3; the denoiser knows classes 0 to 2."),
        ({"class_indices": [-1]}, "There is no class -1"),
        ({"class_indices": [1, 1]}, "A class is named twice"),
        ({"seeds_per_class": 0}, "Ask for at least one pair"),
        ({"seeds_per_class": 10**6}, "A batch may have 100000 images"),
        ({"pairs_per_chunk": 0}, "Ask for at least one pair"),
        ({"steps": 0}, "0 steps: the denoiser has 1000"),
        ({"steps": 1001}, "1001 steps: the denoiser has 1000"),
        ({"first_seed": -1}, "The first seed is -1"),
        ({"first_seed": 2**63 - 2}, "The first seed is"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused_in_a_sentence(wanted: dict[str, Any], sentence: str) -> None:
    arms = two_arms()
    with pytest.raises(InvalidBatch, match=f"^{sentence}"):
        make_batch(**{"arms": arms, **wanted})
    assert not Batch.objects.exists()


def test_arms_that_cannot_share_a_batch_are_refused() -> None:
    plain, other = two_arms()
    twin = create_arm(owner=None, name="plain", denoiser=stored_checkpoint())
    larger = create_arm(owner=None, name="larger", denoiser=stored_checkpoint(image_size=64, name="large"))
    longer = create_arm(owner=None, name="longer", denoiser=stored_checkpoint(timesteps=4000))
    uploaded = Arm.objects.create(name="elsewhere", source=Arm.Source.UPLOADED)
    for arms, sentence in (
        ([plain, twin], 'Two arms are called "plain"'),
        ([plain, larger], 'Denoisers "checkpoint 0" and "large" cannot share a batch: 8 against 64 px.'),
        ([plain, longer], "1000 against 4000 timesteps"),
        ([plain, uploaded], 'Arm "elsewhere" was made elsewhere'),
    ):
        with pytest.raises(InvalidBatch, match=sentence):
            make_batch(arms)
    assert not Batch.objects.exists()
    make_batch([plain, other])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (lambda: {"name": " "}, "An arm has no name"),
        (lambda: {"denoiser": classifier(name="guide")}, '"guide" is a classifier, not a denoiser'),
        (lambda: {"classifier": stored_checkpoint(name="unet")}, '"unet" is a denoiser, not a classifier'),
        (lambda: {"classifier": classifier(image_size=64)}, "takes images of 64 px, denoiser .* makes 8 px"),
        (lambda: {"classifier": classifier(class_labels=["cat", "cow", "dog"])}, "the class labels of classifier"),
        (lambda: {"classifier": classifier(timesteps=500)}, "counts 500 timesteps"),
        (lambda: {"classifier": None}, "is to be guided by a classifier; choose which"),
        (lambda: {"recipe": Recipe()}, 'has a classifier, but its guidance is "none"'),
        (lambda: {"denoiser": stored_checkpoint(takes_labels=False), "class_conditional": True}, "is unconditional"),
        (
            lambda: {"denoiser": stored_checkpoint(null_class=None), "classifier": None, "recipe": CLASSIFIER_FREE},
            "classifier-free guidance needs a denoiser with a null class",
        ),
        (
            lambda: {"classifier": None, "recipe": CLASSIFIER_FREE, "class_conditional": False},
            "classifier-free guidance tells the denoiser the class",
        ),
        (lambda: {"denoiser": stored_checkpoint(facts={"latent": True})}, "works on latents"),
        (lambda: {"classifier": classifier(extra="no_such_library")}, "needs the optional extra no_such_library"),
        (
            lambda: {"classifier": classifier(facts={"relus": 0}), "recipe": guided(1.0, softplus_beta=3.0)},
            "has no ReLU",
        ),
        (lambda: {"name": "no_preference"}, "results have a column of that name"),
        (
            lambda: {"denoiser": stored_checkpoint(null_class=None), "class_conditional": False},
            "was trained without a null class",
        ),
    ],
)
def test_an_arm_that_cannot_be_made_is_refused_in_a_sentence(
    changes: Callable[[], dict[str, Any]], sentence: str
) -> None:
    good = {
        "owner": None,
        "name": "an arm",
        "denoiser": stored_checkpoint(),
        "classifier": classifier(),
        "recipe": guided(0.5),
    }
    with pytest.raises(InvalidArm, match=sentence):
        create_arm(**{**good, **changes()})
    assert not Arm.objects.exists()
    assert create_arm(**good).name == "an arm"


def test_the_same_arm_is_not_made_twice() -> None:
    denoiser = stored_checkpoint()
    arms = [create_arm(owner=None, name="plain", denoiser=denoiser) for _ in range(2)]
    assert arms[0] == arms[1]
    assert create_arm(owner=None, name="plain", denoiser=denoiser, class_conditional=False) not in arms


def test_cancelling_twice_is_refused_and_retrying_queues_what_is_missing() -> None:
    batch = make_batch(two_arms())
    with pytest.raises(NothingToRetry):
        retry_batch(batch)
    cancel_batch(batch)
    with pytest.raises(BatchFinished):
        cancel_batch(batch)
    batch.refresh_from_db()
    assert batch.status == "cancelled"
    retry_batch(batch)
    batch.refresh_from_db()
    assert (batch.status, batch.finished_at) == ("queued", None)


def test_an_uploaded_batch_is_not_retried() -> None:
    with pytest.raises(NothingToRetry):
        retry_batch(Batch.objects.create(name="uploaded", source=Batch.Source.UPLOADED, status=Batch.Status.FAILED))


def half_done(batch: Batch, *, minutes: float) -> None:
    # Two chunks of three steps: one is done, of the other a third.
    now = timezone.now()
    first, second = batch.chunks.all()
    Chunk.objects.filter(pk=first.pk).update(done_at=now, steps_done=3)
    Chunk.objects.filter(pk=second.pk).update(steps_done=1)
    for image in first.images.all():
        facts = {"name": f"images/{image.pk}.png", "sha256": "x", "n_bytes": 1, "width": 1, "height": 1}
        Image.objects.filter(pk=image.pk).update(**facts)
    batch.status, batch.started_at = Batch.Status.RUNNING, now - timedelta(minutes=minutes)
    batch.save()


def test_progress_counts_pairs_and_measures_the_time_left(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    batch = make_batch(two_arms())
    assert progress_of(batch).seconds_left is None
    half_done(batch, minutes=4)
    with django_assert_num_queries(2):
        progress = progress_of(batch)
    assert (progress.made, progress.wanted, progress.share) == (2, 4, 4 / 6)
    # Four steps of six took four minutes.
    assert progress.seconds_left == pytest.approx(120, abs=1)


def test_a_batch_tried_again_measures_only_its_new_work() -> None:
    batch = make_batch(two_arms())
    half_done(batch, minutes=0.5)
    batch.chunks.filter(done_at__isnull=False).update(done_at=timezone.now() - timedelta(days=1))
    # One step of six took half a minute, and two are left.
    assert progress_of(batch).seconds_left == pytest.approx(60, abs=1)


def test_a_finished_batch_has_no_time_left() -> None:
    batch = make_batch(two_arms())
    cancel_batch(batch)
    batch.refresh_from_db()
    assert progress_of(batch).seconds_left is None


def test_six_hundred_images_are_written_in_a_few_queries(django_assert_max_num_queries: Any) -> None:
    arms = two_arms()
    with django_assert_max_num_queries(20):
        create_batch(owner=None, name="large", arms=arms, class_indices=range(len(LABELS)), seeds_per_class=100)
