"""Scores of a batch: asked for, measured by a worker or a command, stored with their n, shown as one table."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image as Pillow
from pytest_django import DjangoAssertNumQueries, Settings

from generation.arms import create_arm
from generation.checkpoints import register_checkpoint
from generation.diffusion.checkpoints import Training, save_checkpoint
from generation.diffusion.classifiers import CleanClassifier, CleanConfig
from generation.diffusion.metrics import Moments, frechet_distance
from generation.images import read_bytes
from generation.laboratory import do_work
from generation.models import Arm, Batch, Checkpoint, Score, Work
from generation.runner import make_chunk
from generation.scores import blocks_of
from generation.scorings import InvalidScoring, create_scoring, scores_table
from tests.generation.factories import (
    LABELS,
    SIDE,
    guided,
    make_batch,
    make_every_chunk,
    stored_checkpoint,
    write_classifier,
    write_denoiser,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(settings: Settings, tmp_path: Path) -> Path:
    """Where images and uploads go."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    settings.VAR_DIR = tmp_path
    return tmp_path


@pytest.fixture
def batch(store: Path) -> Batch:
    """Two arms, two classes, six seeds each: 24 images of 8 px."""
    denoiser = register_checkpoint(write_denoiser(store))
    guide = register_checkpoint(write_classifier(store))
    arms = [
        create_arm(owner=None, name="plain", denoiser=denoiser),
        create_arm(owner=None, name="guided", denoiser=denoiser, classifier=guide, recipe=guided(3.0)),
    ]
    made = make_batch(arms, seeds_per_class=6, steps=2, pairs_per_chunk=12)
    make_every_chunk(made, make_chunk)
    return Batch.objects.get(pk=made.pk)


@pytest.fixture
def described(store: Path) -> Batch:
    """A complete batch as rows alone: what is checked before anything is read."""
    denoiser = stored_checkpoint()
    guide = stored_checkpoint(role=Checkpoint.Role.CLASSIFIER)
    batch = Batch.objects.create(
        name="described", status=Batch.Status.COMPLETE, class_table={"0": "cat", "2": "cow"}, steps=2
    )
    batch.arms.add(
        create_arm(owner=None, name="plain", denoiser=denoiser),
        create_arm(owner=None, name="guided", denoiser=denoiser, classifier=guide, recipe=guided(3.0)),
    )
    return batch


@pytest.fixture
def judge(store: Path) -> Checkpoint:
    return register_checkpoint(write_judge(store), name="judge")


def write_judge(folder: Path, *, labels: tuple[str, ...] = LABELS, seed: int = 7) -> Path:
    torch.manual_seed(seed)
    network = CleanClassifier(CleanConfig(image_size=SIDE, out_channels=len(labels), widths=(4, 4)))
    save_checkpoint(folder / f"judge-{seed}.safetensors", network, training=Training(class_labels=labels))
    return folder / f"judge-{seed}.safetensors"


def arm_of(batch: Batch, name: str) -> Arm:
    return batch.arms.get(name=name)


def against_plain(batch: Batch) -> dict[str, Any]:
    return {"kind": "batch_arm", "batch": batch.pk, "arm": arm_of(batch, "plain").pk}


def score(batch: Batch, **options: Any) -> Work:
    work = create_scoring(batch, options=options, owner=None, queue=False)
    do_work(work.pk)
    work.refresh_from_db()
    return work


def means(batch: Batch, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    images = np.concatenate([pixels for pixels, _ in blocks_of(batch, arm_of(batch, name))])
    return images.mean(axis=(1, 2), dtype=np.float64) / 255


def test_a_worker_stores_the_distance_of_every_arm_with_its_n(batch: Batch) -> None:
    work = score(batch, metrics=["frechet"], reference=against_plain(batch), features="pixels-1")
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    scores = {row.arm.name: row for row in batch.scores.all()}
    expected = frechet_distance(Moments.of(means(batch, "plain")), Moments.of(means(batch, "guided")))
    assert scores["plain"].value == pytest.approx(0.0, abs=1e-9)
    assert scores["guided"].value == pytest.approx(expected, rel=1e-3)
    assert {(row.n, row.n_reference, row.features) for row in scores.values()} == {(12, 12, "pixels-1")}
    assert scores["guided"].reference == 'batch "a batch", arm "plain"'
    assert scores["guided"].work == work


def test_images_come_with_their_classes_as_they_are_stored(batch: Batch) -> None:
    ((pixels, classes),) = blocks_of(batch, arm_of(batch, "guided"))
    assert pixels.shape == (12, SIDE, SIDE, 3)
    assert classes.tolist() == [0] * 6 + [2] * 6
    assert read_bytes(batch.images.filter(arm__name="guided").order_by("class_index", "seed")[0])


def test_the_judge_is_named_with_its_accuracy(batch: Batch, judge: Checkpoint) -> None:
    score(batch, metrics=["target_accuracy"], judge=judge.pk, per_class=True)
    rows = batch.scores.filter(metric="target_accuracy", arm__name="guided")
    assert {row.class_index for row in rows} == {None, 0, 2}
    assert all(row.judge == judge and row.value is not None and 0 <= row.value <= 1 for row in rows)
    whole = rows.get(class_index=None)
    parts = [row.value for row in rows.exclude(class_index=None)]
    assert whole.value == pytest.approx(sum(value or 0 for value in parts) / 2)


def test_a_guide_is_measured_at_every_level_and_an_arm_without_one_is_left_out(batch: Batch) -> None:
    score(
        batch,
        metrics=["guide_accuracy", "guide_ece_x0"],
        reference=against_plain(batch),
        levels=[0, 500],
        guide_images=5,
    )
    rows = batch.scores.all()
    assert {row.arm.name for row in rows} == {"guided"}
    assert {(row.metric, row.level) for row in rows} == {
        (metric, level) for metric in ("guide_accuracy", "guide_ece_x0") for level in (0, 500, None)
    }
    assert {row.n for row in rows} == {5}


def test_what_cannot_be_measured_is_stored_as_a_sentence(batch: Batch) -> None:
    work = score(batch, metrics=["conditional_frechet"], reference=against_plain(batch))
    row = batch.scores.get(arm__name="guided")
    assert row.value is None
    assert row.problem == "Class 0 has 6 images in this arm; its distance needs at least 10."
    assert work.note == "2 scores, 2 of them could not be measured"


def test_the_table_shows_the_newest_score_in_two_queries(
    batch: Batch, judge: Checkpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(2):
        score(batch, metrics=["frechet", "precision"], reference=against_plain(batch), features="pixels-1")
    Score.objects.filter(metric="precision").update(value=0.25)
    first = Score.objects.filter(metric="frechet", arm__name="guided").earliest("pk")
    Score.objects.filter(pk=first.pk).update(value=99.0)
    with django_assert_num_queries(2):
        table = scores_table(batch)
    assert [row.title for row in table.rows] == ["Frechet distance", "Precision"]
    names = [arm.name for arm in table.arms]
    distance = table.rows[0].cells[names.index("guided")]
    assert distance is not None
    assert distance.value is not None
    assert distance.value < 99
    assert distance.n == 12
    assert table.rows[0].best == table.rows[0].cells[names.index("plain")].value  # type: ignore[union-attr]
    # All arms have a precision of 0.25: none is best.
    assert table.rows[1].best is None
    assert table.rows[0].measured_on == 'pixels-1, against batch "a batch", arm "plain"'


def test_only_fid_is_called_fid(described: Batch) -> None:
    for features in ("FID", "pixels-8"):
        Score.objects.create(
            batch=described, arm=arm_of(described, "plain"), metric="frechet", value=1, n=2, features=features
        )
    assert [row.title for row in scores_table(described).rows] == ["FID", "Frechet distance"]


def test_a_reference_of_images_in_an_archive_or_a_folder(batch: Batch, store: Path) -> None:
    images, classes = next(iter(blocks_of(batch, arm_of(batch, "plain"))))
    np.savez(store / "reference.npz", arr_0=images, arr_1=classes)
    for number, (image, class_index) in enumerate(zip(images, classes, strict=True)):
        (store / "pictures" / LABELS[class_index]).mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(image).save(store / "pictures" / LABELS[class_index] / f"{number}.png")
    for kind, path in (("npz", "reference.npz"), ("folder", "pictures")):
        work = score(
            batch, metrics=["frechet"], features="pixels-2", reference={"kind": kind, "path": str(store / path)}
        )
        assert work.problem == ""
        assert batch.scores.get(arm__name="plain", work=work).value == pytest.approx(0, abs=1e-9)


def test_statistics_of_other_features_are_refused_in_a_sentence(batch: Batch, store: Path) -> None:
    np.savez(store / "stats.npz", mu=np.zeros(5), sigma=np.eye(5))
    score(batch, metrics=["frechet"], reference={"kind": "npz", "path": str(store / "stats.npz")})
    assert "cannot be compared" in batch.scores.first().problem  # type: ignore[union-attr]


def test_a_registered_feature_network_is_named_by_its_file(described: Batch) -> None:
    stored_checkpoint(name="inception", role=Checkpoint.Role.FEATURES, path="/data/inception.pth")
    options = {"metrics": ["frechet"], "reference": {"kind": "sportballs", "n": 9}, "features": "checkpoint:inception"}
    work = create_scoring(described, options=options, owner=None, queue=False)
    assert work.options["features"] == "inception:/data/inception.pth"


def test_a_damaged_reference_fails_the_work_with_its_name(batch: Batch, store: Path) -> None:
    (store / "bad.npz").write_bytes(b"PK")
    work = score(batch, metrics=["frechet"], reference={"kind": "npz", "path": str(store / "bad.npz")})
    assert work.status == Work.Status.FAILED
    assert "bad.npz is no whole .npz file" in work.problem


def guide_id(batch: Batch) -> dict[str, Any]:
    guide = arm_of(batch, "guided").classifier
    assert guide is not None
    return {"metrics": ["target_accuracy"], "judge": guide.pk}


def guide_of_clean_images(batch: Batch) -> dict[str, Any]:
    Checkpoint.objects.filter(role="classifier").update(takes_timestep=False)
    return guide_id(batch)


def judge_of_other_classes(batch: Batch) -> dict[str, Any]:
    other = stored_checkpoint(
        role=Checkpoint.Role.CLASSIFIER, takes_timestep=False, class_labels=["cat", "dog", "fish"]
    )
    return {"metrics": ["target_accuracy"], "judge": other.pk}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (lambda _: {"metrics": ["fid"]}, 'There is no metric "fid"'),
        (lambda _: {"metrics": []}, "at least one metric"),
        (lambda _: {"metrics": ["frechet"]}, "choose one"),
        (lambda _: {"metrics": ["frechet"], "speed": 1}, 'no option "speed"'),
        (lambda _: {"metrics": ["target_accuracy"]}, "needs a judge"),
        (guide_id, "a judge must be a classifier of clean ones"),
        (guide_of_clean_images, 'guides arm "guided"'),
        (judge_of_other_classes, 'Class 2 is "cow" in this batch and "fish" for judge'),
        (lambda _: {"metrics": ["frechet"], "reference": {"kind": "moon"}}, 'no reference of kind "moon"'),
        (lambda _: {"metrics": ["frechet"], "reference": {"kind": "npz", "path": "none.npz"}}, "put it there first"),
        (
            lambda _: {"metrics": ["frechet"], "reference": {"kind": "npz", "path": "../media"}},
            "not inside the reference folder",
        ),
        (lambda batch: {"metrics": ["frechet"], "reference": {"kind": "batch_arm", "batch": 0, "arm": 1}}, "from 1"),
        (
            lambda batch: {"metrics": ["recall"], "reference": against_plain(batch), "features": "checkpoint:x"},
            'registered as "x"',
        ),
        (lambda batch: {"metrics": ["recall"], "reference": against_plain(batch), "features": "x"}, "no features"),
        (
            lambda batch: {"metrics": ["guide_ece"], "reference": against_plain(batch), "levels": [1000]},
            "from 0 to 999",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_before_it_is_queued(
    described: Batch, store: Path, options: Callable[[Batch], dict[str, Any]], problem: str
) -> None:
    with pytest.raises(InvalidScoring, match=problem):
        create_scoring(described, options=options(described), owner=None, inside=store / "references", queue=False)
    assert not Work.objects.exists()


def test_an_unfinished_batch_is_not_scored(described: Batch) -> None:
    described.status = Batch.Status.RUNNING
    with pytest.raises(InvalidScoring, match="is running; score it when it is complete"):
        create_scoring(described, options={"metrics": ["frechet"]}, owner=None, queue=False)


def test_a_cancelled_scoring_stores_nothing(described: Batch) -> None:
    work = create_scoring(
        described, options={"metrics": ["frechet"], "reference": against_plain(described)}, owner=None, queue=False
    )
    Work.objects.filter(pk=work.pk).update(status=Work.Status.CANCELLED, finished_at=timezone.now())
    do_work(work.pk)
    assert not Score.objects.exists()


def test_the_command_scores_and_shows_the_table(batch: Batch, judge: Checkpoint) -> None:
    out = StringIO()
    reference = f"batch:{batch.pk}:{arm_of(batch, 'plain').pk}"
    call_command(
        "score_batch",
        batch.pk,
        reference=reference,
        metrics=["frechet", "target_accuracy"],
        features="judge",
        judge="judge",
        verbosity=0,
        stdout=out,
    )
    assert batch.scores.count() == 4
    lines = out.getvalue().splitlines()
    assert lines[0].split()[-2:] == [arm.name for arm in batch.arms.all()]
    assert lines[1].startswith("Frechet distance")
    assert "(n=12)" in lines[1]
    assert Work.objects.get().status == Work.Status.DONE


def test_the_command_says_what_is_wrong(described: Batch) -> None:
    with pytest.raises(CommandError, match="is no reference; write folder:PATH"):
        call_command("score_batch", described.pk, reference="batch:1", verbosity=0)
    with pytest.raises(CommandError, match='No checkpoint is called "nobody"'):
        call_command("score_batch", described.pk, judge="nobody", verbosity=0)
    with pytest.raises(CommandError, match="There is no batch 0"):
        call_command("score_batch", 0, verbosity=0)


def test_a_run_is_scored_along_its_snapshots(store: Path, batch: Batch) -> None:
    run = store / "run"
    run.mkdir()
    for step, seed in ((10, 1), (200, 2)):
        write_denoiser(run, seed=seed).rename(run / f"balls-step{step:08d}.safetensors")
    # The source of the batch's plain arm: seeds, steps and classes apart, its distribution is this one's.
    write_denoiser(run, seed=0).rename(run / "balls-step00000030.safetensors")
    out, document = StringIO(), store / "run.json"
    reference = f"batch:{batch.pk}:{arm_of(batch, 'plain').pk}"
    call_command(
        "score_run", run, reference=reference, features="pixels-1", n=6, steps=2, chunk=4, out=document,
        verbosity=0, stdout=out,
    )  # fmt: skip
    written = json.loads(document.read_text())
    assert [row["step"] for row in written["snapshots"]] == [10, 30, 200]
    assert (written["n"], written["n_reference"], written["distance"]) == (6, 12, "Frechet distance on pixels-1")
    values = [row["scores"]["frechet"] for row in written["snapshots"]]
    assert min(values) == values[1]
    assert len(out.getvalue().splitlines()) == 5


def test_a_folder_without_snapshots_says_how_to_have_some(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="train with --keep-every"):
        call_command("score_run", tmp_path, reference="sportballs:20", verbosity=0)
