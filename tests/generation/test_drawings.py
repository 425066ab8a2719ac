"""Figures asked for: refused with a sentence before anything is queued, or drawn, kept and written."""

import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from generation import laboratory, runner
from generation.arms import create_arm
from generation.checkpoints import register_checkpoint
from generation.diffusion.datasets import CLASS_LABELS
from generation.drawings import FIGURES, check_figure, create_figure, metrics_of
from generation.figure_kinds import SPORTBALLS_LABELS, InvalidFigure
from generation.models import Arm, Batch, Score, Work
from generation.pairs import choose_pairs
from generation.works import read_file
from tests.generation.factories import (
    LABELS,
    SIDE,
    guided,
    make_arms,
    make_batch,
    make_every_chunk,
    stored_checkpoint,
    write_classifier,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """A complete batch of four pairs and two arms."""
    made = make_batch(make_arms(tmp_path))
    make_every_chunk(made, runner.make_chunk)
    return made


def drawn(batch: Batch | None, kind: str, **options: Any) -> Work:
    """The work of a figure, done."""
    work = create_figure(batch, kind=kind, options=options, owner=None)
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, work.problem) == (Work.Status.DONE, "")
    return work


def numbers_of(work: Work) -> Any:
    kind = work.options["figure"]
    document = json.loads(read_file(work, f"{kind}.json")[0])
    assert document["figure"] == kind
    return document["numbers"]


def picture_of(work: Work) -> PIL.Image.Image:
    data, content_type = read_file(work, f"{work.options['figure']}.png")
    assert content_type == "image/png"
    with PIL.Image.open(BytesIO(data)) as opened:
        return opened.copy()


def keys_of(batch: Batch, *names: str) -> list[int]:
    return [batch.arms.get(name=name).pk for name in names]


def folder_of_images(root: Path, *labels: str) -> Path:
    for i, label in enumerate(labels):
        (root / label).mkdir(parents=True)
        for j in range(2):
            colour = np.full((12, 20, 3), 40 * i + 20 * j, dtype=np.uint8)
            PIL.Image.fromarray(colour).save(root / label / f"{j}.png")
    return root


def test_pairs_show_every_arm_in_the_chosen_order_with_the_stored_files(batch: Batch) -> None:
    work = drawn(batch, "pairs", arms=keys_of(batch, "plain", "guided"), count=3)
    images = numbers_of(work)["images"]
    assert [image["arm"] for image in images] == ["plain"] * 3 + ["guided"] * 3
    assert [(image["class"], image["seed"]) for image in images[:3]] == [
        (image["class"], image["seed"]) for image in images[3:]
    ]
    assert {image["sha256"] for image in images} <= set(batch.images.values_list("sha256", flat=True))
    assert picture_of(work).width > 3 * 128
    assert [file["name"] for file in work.files] == ["pairs.png", "pairs.json"]


def test_naming_seeds_asks_for_all_of_them(batch: Batch) -> None:
    # A form sends its count in any case.
    numbers = numbers_of(drawn(batch, "trajectory", seeds=[0, 3, 5], count=1, columns=2, steps=2))
    assert numbers["pairs"] == [[0, 0], [0, 3], [2, 5]]


def test_more_seeds_than_a_figure_can_show_are_refused(tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path), seeds_per_class=9, shared_seeds=True)
    with pytest.raises(InvalidFigure, match="more than 8 pairs, too many for one figure"):
        check_figure(batch, kind="trajectory", options={"seeds": [0, 1, 2, 3, 4]})


def test_trajectories_end_at_the_batchs_own_last_level(batch: Batch) -> None:
    numbers = numbers_of(drawn(batch, "trajectory", classes=[2], columns=2))
    assert numbers["timesteps"] == {"guided": [999, 0], "plain": [999, 0]}
    assert numbers["pairs"] == [[2, 2]]


def test_stability_is_of_guided_arms_and_kept_as_plots_and_numbers(batch: Batch) -> None:
    work = drawn(batch, "stability", count=4)
    assert [file["name"] for file in work.files] == [f"stability.{form}" for form in ("png", "svg", "pdf", "json")]
    ((name, numbers),) = numbers_of(work)["arms"].items()
    assert (name, numbers["n"], numbers["timesteps"]) == ("guided", 4, [999, 500, 0])
    assert np.shape(numbers["cosine"]) == (2, 4)
    assert np.shape(numbers["norms"]) == (3, 4)
    assert b"<svg" in read_file(work, "stability.svg")[0]


def test_gradients_are_of_the_batchs_images_by_the_classifiers_of_its_arms(batch: Batch) -> None:
    work = drawn(batch, "gradients", timesteps=[0, 500], count=2, arm=keys_of(batch, "plain")[0])
    gradients = numbers_of(work)["gradients"]
    assert [row["classifier"] for row in gradients] == ["classifier-1"] * 2
    assert [row["image"] for row in gradients] == ["cat, seed 0", "cow, seed 2"]
    assert all(0 < p < 1 for row in gradients for p in row["p"])
    assert all(norm > 0 for row in gradients for norm in row["norm"])
    picture_of(work)


def test_a_targeted_attack_of_a_folders_images_reaches_for_its_targets(tmp_path: Path) -> None:
    classifier = register_checkpoint(write_classifier(tmp_path))
    folder = folder_of_images(tmp_path / "images", "cat", "dog")
    options = {"images": "folder", "folder": str(folder), "classifiers": [classifier.pk], "targets": [1], "eps": 5}
    work = drawn(None, "targeted", **options, count=4)
    rows = numbers_of(work)["images"]
    assert [row["image"] for row in rows] == ["cat, 0.png", "dog, 0.png", "cat, 1.png", "dog, 1.png"]
    assert {row["target"] for row in rows} == {"dog"}
    assert all(row["p_after"] > row["p_before"] for row in rows)
    assert all(row["distance"] <= 5 * (1 + 1e-5) for row in rows)


def test_sportballs_need_no_batch_and_come_one_of_each_class_in_turn() -> None:
    assert SPORTBALLS_LABELS == CLASS_LABELS
    weights = Path(__file__).parents[2] / "generation" / "weights"
    judge = register_checkpoint(weights / "sportballs-judge.safetensors")
    options = {"images": "sportballs", "classifiers": [judge.pk], "count": 5, "timesteps": [0]}
    rows = numbers_of(drawn(None, "gradients", **options))["gradients"]
    assert [row["image"].split(",")[0] for row in rows] == [*CLASS_LABELS, CLASS_LABELS[0]]
    # The shipped judge knows its balls.
    assert all(row["p"][0] > 0.5 for row in rows)


def scored(batch: Batch, arm: Arm, value: float, **changes: Any) -> None:
    Score.objects.create(**{"batch": batch, "arm": arm, "metric": "accuracy", "value": value, "n": 50, **changes})


def a_scored_batch() -> Batch:
    """Arms at three scales of one classifier, at one of another, and an unguided one; without files."""
    denoiser = stored_checkpoint(name="denoiser")
    one, other = (stored_checkpoint(name=name, role="classifier", null_class=None) for name in ("one", "other"))
    arms = [create_arm(owner=None, name="plain", denoiser=denoiser)]
    for classifier, scale in ((one, 2.0), (one, 0.5), (one, 1.0), (other, 1.0)):
        name = f"{classifier} {scale}"
        arms.append(create_arm(owner=None, name=name, denoiser=denoiser, classifier=classifier, recipe=guided(scale)))
    batch = make_batch(arms, name="sweep")
    for i, arm in enumerate(arms):
        scored(batch, arm, 0.1 * i)
    return batch


def test_a_sweep_groups_arms_that_differ_in_scale_only_and_keeps_its_n() -> None:
    batch = a_scored_batch()
    numbers = numbers_of(drawn(batch, "sweep", metric="accuracy"))
    one, other = numbers["series"]
    assert (one["label"], other["label"]) == ("one", "other")
    assert [(point["scale"], point["value"], point["n"]) for point in one["points"]] == [
        (0.5, pytest.approx(0.2), 50),
        (1.0, pytest.approx(0.3), 50),
        (2.0, pytest.approx(0.1), 50),
    ]
    assert [point["arm"] for point in numbers["unguided"]] == ["plain"]


def test_a_sweep_never_mixes_references_and_takes_the_newest_score() -> None:
    batch = a_scored_batch()
    for name, value in (("one 0.5", 5.0), ("one 1.0", 6.0)):
        scored(batch, batch.arms.get(name=name), value, reference="photographs")
    scored(batch, batch.arms.get(name="one 1.0"), 7.0, reference="photographs")
    newest = numbers_of(drawn(batch, "sweep", metric="accuracy"))
    assert [point["value"] for point in newest["series"][0]["points"]] == [5.0, 7.0]
    assert newest["measured"] == "reference: photographs"
    assert metrics_of(batch) == ["accuracy"]


def test_scores_of_one_class_or_level_and_without_a_value_are_no_part_of_a_sweep() -> None:
    batch = a_scored_batch()
    arm = batch.arms.get(name="one 0.5")
    scored(batch, arm, 9.0, class_index=1)
    scored(batch, arm, 9.0, level=100)
    Score.objects.create(batch=batch, arm=arm, metric="accuracy", problem="Too few images.", n=1)
    points = numbers_of(drawn(batch, "sweep", metric="accuracy"))["series"][0]["points"]
    assert points[0]["value"] == pytest.approx(0.2)


def test_a_sweep_names_its_score_in_words_and_which_way_is_better() -> None:
    batch = a_scored_batch()
    Score.objects.filter(batch=batch).update(metric="frechet", features="judge")
    assert (
        check_figure(batch, kind="sweep", options={"metric": "frechet"})["title"]
        == "Frechet distance (lower is better)"
    )
    work = drawn(batch, "sweep", metric="frechet")
    svg = read_file(work, "sweep.svg")[0].decode()
    assert "Frechet distance (lower is better)" in svg
    assert "features: judge" in svg


def test_a_sweep_of_one_scale_or_of_no_scores_is_refused() -> None:
    batch = a_scored_batch()
    with pytest.raises(InvalidFigure, match="stored are accuracy"):
        check_figure(batch, kind="sweep", options={"metric": "beauty"})
    with pytest.raises(InvalidFigure, match="differ in their scale only"):
        check_figure(batch, kind="sweep", options={"metric": "accuracy", "arms": keys_of(batch, "plain", "other 1.0")})


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        ("portrait", {}, 'There is no figure "portrait"; there are pairs'),
        ("pairs", {"colour": "red"}, 'has no option "colour"; it has arms'),
        ("pairs", {"count": 0}, "Columns: 0 is not a number from 1 to 24"),
        ("pairs", {"count": 2.5}, "not a whole number"),
        ("pairs", {"count": True}, "Columns: True is not a number"),
        ("pairs", {"arms": [99999]}, "has no arm 99999; choose from guided, plain"),
        ("pairs", {"arms": "plain"}, "is not a list of whole numbers"),
        ("pairs", {"classes": [1]}, "there is no class 1 here; choose from 0, 2"),
        ("pairs", {"classes": [0, 0]}, "names one twice"),
        ("pairs", {"seeds": [0, 77]}, "has no pair with seed 77 that these arms have all made"),
        ("pairs", {"seeds": [0], "classes": [2]}, "has no pair with seed 0 in these classes"),
        ("stability", {"seeds": [77]}, "has no pair with seed 77; choose others"),
        ("gradients", {"timesteps": list(range(21))}, "21 are too many for one figure; name 20 at most"),
        ("gradients", {"images": "folder", "folder": ".", "seeds": [1]}, "images of a folder have none"),
        ("trajectory", {"steps": 1001}, "not a number from 1 to 1000"),
        ("trajectory", {"columns": 1}, "not a number from 2 to 20"),
        ("gradients", {"timesteps": [1000]}, "1000 is too many; choose from 0 to 999"),
        ("gradients", {"classifiers": [99999]}, '"99999" is no registered classifier'),
        ("gradients", {"images": "films"}, "'films' is none of batch, sportballs, folder"),
        ("gradients", {"images": "sportballs"}, 'knows no class "baseball"'),
        ("targeted", {"images": "folder", "folder": "/nowhere"}, '"/nowhere" is not a folder'),
        ("targeted", {"targets": [3]}, "there is no class 3 here"),
        ("targeted", {"eps": float("nan")}, "Radius: nan is not a number"),
    ],
)
def test_bad_options_are_refused_with_a_sentence_and_nothing_is_queued(
    batch: Batch, kind: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidFigure, match=sentence):
        create_figure(batch, kind=kind, options=options, owner=None)
    assert not Work.objects.exists()


def test_figures_of_what_is_not_there_are_refused(tmp_path: Path) -> None:
    waiting = make_batch(make_arms(tmp_path))
    with pytest.raises(InvalidFigure, match="or wait for the batch"):
        check_figure(waiting, kind="pairs", options={})
    with pytest.raises(InvalidFigure, match="there are no gradients"):
        check_figure(waiting, kind="stability", options={"arms": keys_of(waiting, "plain")})
    with pytest.raises(InvalidFigure, match="is drawn of a batch; choose one"):
        check_figure(None, kind="pairs", options={})
    with pytest.raises(InvalidFigure, match="No classifier guides here"):
        check_figure(None, kind="gradients", options={"images": "sportballs"})
    (tmp_path / "empty").mkdir()
    classifier = Arm.objects.get(name="guided").classifier_id
    options = {"images": "folder", "folder": str(tmp_path / "empty"), "classifiers": [classifier]}
    with pytest.raises(InvalidFigure, match="has no folders with images in them"):
        check_figure(None, kind="gradients", options=options)


def test_classifiers_of_two_sizes_are_not_shown_one_image(batch: Batch) -> None:
    large = stored_checkpoint(role="classifier", null_class=None, image_size=2 * SIDE)
    small = Arm.objects.get(name="guided").classifier_id
    with pytest.raises(InvalidFigure, match="images of 8 and 16 px"):
        check_figure(batch, kind="gradients", options={"classifiers": [small, large.pk]})
    with pytest.raises(InvalidFigure, match="have 8 x 8 px, these classifiers take 16 px"):
        check_figure(batch, kind="gradients", options={"classifiers": [large.pk]})


def test_chosen_pairs_take_the_classes_in_turn_and_only_whole_pairs(batch: Batch) -> None:
    assert choose_pairs(batch, count=2) == [(0, 0), (2, 2)]
    assert choose_pairs(batch, count=3) == [(0, 0), (0, 3), (2, 2)]
    assert choose_pairs(batch, count=9, seeds=[3, 5]) == [(0, 3), (2, 5)]
    both = keys_of(batch, "plain", "guided")
    lost = batch.images.get(arm__name="guided", class_index=0, seed=0)
    batch.images.filter(pk=lost.pk).update(name="", sha256="", n_bytes=0)
    assert choose_pairs(batch, count=9, made_by=both) == [(0, 3), (2, 2), (2, 5)]
    assert choose_pairs(batch, count=1, made_by=both[:1]) == [(0, 0)]


def test_every_figure_has_a_check_that_fills_in_its_defaults(batch: Batch) -> None:
    for kind in ("pairs", "gradients", "targeted", "trajectory", "stability"):
        chosen = check_figure(batch, kind=kind, options={})
        assert {option.key for option in FIGURES[kind].options} <= set(chosen)
        json.dumps(chosen, allow_nan=False)
    assert check_figure(batch, kind="stability", options={})["arms"] == keys_of(batch, "guided")
    assert check_figure(batch, kind="trajectory", options={})["steps"] == batch.steps


def test_the_command_takes_names_and_writes_what_the_suffixes_say(batch: Batch, tmp_path: Path) -> None:
    files = [tmp_path / "rows.png", tmp_path / "rows.json"]
    told = StringIO()
    words = ["figure", "pairs", "--batch", batch.name, "--arms", "plain", "--classes", LABELS[2], "--count", "1"]
    call_command(*words, "--out", *map(str, files), stdout=told)
    with PIL.Image.open(files[0]) as opened:
        assert opened.format == "PNG"
    (image,) = json.loads(files[1].read_text())["numbers"]["images"]
    assert (image["arm"], image["class"]) == ("plain", 2)
    assert "rows.png" in told.getvalue()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--batch", "nothing", "--out", "a.png"], 'there is no batch "nothing"'),
        (["--batch", "a batch", "--out", "a.svg"], "this figure is made as png, json"),
        (["--batch", "a batch", "--out", "nowhere/a.png"], "there is no folder nowhere"),
        (["--batch", "a batch", "--arms", "x", "--out", "a.png"], '--arms: there is no "x"; there are: guided, plain'),
        (["--batch", "a batch", "--count", "99", "--out", "a.png"], "Columns: 99 is not a number from 1 to 24"),
    ],
)
def test_the_command_refuses_with_a_sentence(
    tmp_path: Path, settings: Settings, words: list[str], sentence: str
) -> None:
    make_batch(make_arms(tmp_path))
    with pytest.raises(CommandError, match=sentence):
        call_command("figure", "pairs", *words)
