"""Scores are what their formulas give, and a sentence where they cannot be given."""

from pathlib import Path

import numpy as np
import prdc
import pytest
import torch
from torch import Tensor, nn

from generation.diffusion.classifiers import Classifier, CleanClassifier, CleanConfig, Head
from generation.diffusion.features import Block, UnfitImages, gather, pixels
from generation.diffusion.guide_scoring import score_guide
from generation.diffusion.metrics import Metric, Moments, frechet_distance
from generation.diffusion.process import Diffusion
from generation.diffusion.references import Pictures
from generation.diffusion.scoring import (
    Judge,
    JudgeIsGuide,
    Reference,
    Scored,
    gather_reference,
    score_arm,
)
from generation.diffusion.seed_matched import Source
from generation.diffusion.spaces import Space

SIDE = 4
FRECHETS = (Metric.FRECHET, Metric.CONDITIONAL_FRECHET)


class Brightness(Classifier):
    """Sees class 1 in bright pictures and class 0 in dark ones, the surer the further from grey."""

    takes_t = False
    n_classes = 2

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] in [-1, 1] -> logits [N, 2]."""
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([-4 * mean, 4 * mean], dim=1)


class Attributes(Brightness):
    """Tells attributes: columns are minus and plus the logit."""

    head_kind = Head.SIGMOID


class Oracle(nn.Module):
    """A denoiser that knows the clean picture is plain: bright for label 1, dark for label 0."""

    def __init__(self, process: Diffusion) -> None:
        super().__init__()
        self.process = process

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """The noise in x_t, then a variance that nobody reads."""
        assert y is not None
        x_0 = (2.0 * y.float() - 1)[:, None, None, None].expand_as(x_t)
        return torch.cat([self.process.eps(x_t, t, x_0), torch.zeros_like(x_t)], dim=1)


def plain(classes: list[int], *, seed: int = 0, noise: int = 20) -> Block:
    """Bright pictures for class 1, dark ones for class 0, with some noise."""
    rng = np.random.default_rng(seed)
    base = np.where(np.array(classes) == 1, 220, 30)[:, None, None, None]
    images = np.clip(base + rng.integers(-noise, noise + 1, size=(len(classes), SIDE, SIDE, 3)), 0, 255)
    return images.astype(np.uint8), np.array(classes, dtype=np.int64)


def judge(classifier: Classifier | None = None) -> Judge:
    return Judge(name="judge", sha256="ab", classifier=classifier or Brightness())


def pictures(block: Block) -> Pictures:
    return Pictures(name="a reference", n=len(block[1]), blocks=lambda: [block])


def reference_of(block: Block, folder: Path) -> Reference:
    return gather_reference(pictures(block), pixels(1), file=folder / "reference")


def by_key(scored: list[Scored]) -> dict[tuple[str, int | None], Scored]:
    return {(one.metric.value, one.class_index): one for one in scored}


def test_distances_over_all_per_class_and_their_mean(tmp_path: Path) -> None:
    real, fake = plain([0, 1] * 20), plain([0, 0, 1] * 12, seed=5, noise=30)
    scored = by_key(
        score_arm(
            [fake],
            metrics=FRECHETS,
            extractor=pixels(1),
            file=tmp_path / "f",
            reference=reference_of(real, tmp_path),
            per_class=True,
        )
    )

    def distance(a: Block, b: Block, index: int | None) -> float:
        means = [
            images[classes == index if index is not None else slice(None)].mean(axis=(1, 2)) / 255
            for images, classes in (a, b)
        ]
        return frechet_distance(*(Moments.of(rows) for rows in means))

    for index in (None, 0, 1):
        assert scored["frechet", index].value == pytest.approx(distance(real, fake, index), rel=1e-4)
    mean = (distance(real, fake, 0) + distance(real, fake, 1)) / 2
    assert scored["conditional_frechet", None].value == pytest.approx(mean, rel=1e-4)
    assert (scored["frechet", 1].n, scored["frechet", 1].n_reference) == (12, 20)
    assert (scored["frechet", None].n, scored["frechet", None].n_reference) == (36, 40)


def test_too_few_images_of_a_class_leave_a_sentence_and_no_mean(tmp_path: Path) -> None:
    scored = by_key(
        score_arm(
            [plain([0] * 20 + [1] * 3)],
            metrics=FRECHETS,
            extractor=pixels(1),
            file=tmp_path / "f",
            reference=reference_of(plain([0, 1] * 20), tmp_path),
            per_class=True,
        )
    )
    assert scored["frechet", 0].value is not None
    assert scored["frechet", 1].value is None
    assert scored["conditional_frechet", None].value is None
    assert scored["conditional_frechet", None].problem.startswith("Class 1 has 3 images in this arm")


def test_statistics_give_one_distance_and_refuse_what_needs_images(tmp_path: Path) -> None:
    known = Moments.known(np.zeros(3), np.eye(3))
    scored = by_key(
        score_arm(
            [plain([0, 1] * 10)],
            metrics=[*FRECHETS, Metric.PRECISION],
            extractor=pixels(1),
            file=tmp_path / "f",
            reference=Reference(name="published", known=known),
        )
    )
    found = gather([plain([0, 1] * 10)], pixels(1), file=tmp_path / "again")
    assert scored["frechet", None].value == pytest.approx(frechet_distance(Moments.of(found.features), known))
    assert scored["frechet", None].n_reference is None
    assert "take one with images" in scored["conditional_frechet", None].problem
    assert "need one with images" in scored["precision", None].problem


def test_precision_and_recall_are_those_of_prdc(tmp_path: Path) -> None:
    real, fake = plain([0, 1] * 15), plain([0, 1] * 12, seed=4, noise=33)
    reference = reference_of(real, tmp_path)
    scored = by_key(
        score_arm(
            [fake],
            metrics=[Metric.PRECISION, Metric.RECALL],
            extractor=pixels(1),
            file=tmp_path / "f",
            reference=reference,
        )
    )
    assert reference.gathered is not None
    found = gather([fake], pixels(1), file=tmp_path / "again")
    theirs = prdc.compute_prdc(
        np.asarray(reference.gathered.features, np.float64), np.asarray(found.features, np.float64), nearest_k=3
    )
    assert scored["precision", None].value == pytest.approx(theirs["precision"], abs=1e-6)
    assert scored["recall", None].value == pytest.approx(theirs["recall"], abs=1e-6)


def test_a_judge_counts_the_images_that_show_what_was_asked_for(tmp_path: Path) -> None:
    images, _ = plain([0, 0, 1, 1])
    scored = by_key(
        score_arm(
            [(images, np.array([0, 1, 1, 1]))],
            metrics=[Metric.TARGET_ACCURACY],
            extractor=pixels(1),
            file=tmp_path / "f",
            judge=judge(),
            per_class=True,
        )
    )
    assert scored["target_accuracy", None].value == 0.75
    assert scored["target_accuracy", 0].value == 1.0
    assert scored["target_accuracy", 1].value == pytest.approx(2 / 3)


def test_of_classes_requested_at_once_a_softmax_judge_wants_one_and_attributes_want_all() -> None:
    images, _ = plain([1])
    assert judge().finds(images, [(0, 1)]).tolist() == [True]
    assert judge(Attributes()).finds(images, [(0, 1)]).tolist() == [False]
    assert judge(Attributes()).finds(images, [(1,)]).tolist() == [True]


def test_a_guide_never_judges_its_own_images(tmp_path: Path) -> None:
    with pytest.raises(JudgeIsGuide, match="guided these images"):
        score_arm(
            [plain([0])],
            metrics=[Metric.TARGET_ACCURACY],
            extractor=pixels(1),
            file=tmp_path / "f",
            judge=judge(),
            guide_sha256="ab",
        )


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    scored = score_arm(
        [plain([0, 1])],
        metrics=[Metric.TARGET_ACCURACY, Metric.FRECHET],
        extractor=pixels(1),
        file=tmp_path / "f",
    )
    assert [one.value for one in scored] == [None, None]
    assert "no judge" in scored[0].problem
    assert "choose a reference" in scored[1].problem


def test_a_judge_refuses_images_of_another_size() -> None:
    network = CleanClassifier(CleanConfig(image_size=8, out_channels=2, widths=(2, 2))).eval()
    with pytest.raises(UnfitImages, match="8 x 8 px"):
        Judge(name="j", sha256="", classifier=network, image_size=8).finds(plain([0])[0], [(0,)])


def test_progress_counts_images(tmp_path: Path) -> None:
    seen: list[int] = []
    score_arm(
        [plain([0, 1] * 40)],
        metrics=[],
        extractor=pixels(1),
        file=tmp_path / "f",
        on_progress=lambda done, note: seen.append(done),
    )
    assert seen == [64, 80]


def test_a_long_distance_reports_and_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.diffusion.scoring.BEAT", 0.001)
    block = plain([0, 1] * 160)
    reference = gather_reference(pictures(block), pixels(10), file=tmp_path / "wide")

    def end(done: int, note: str) -> None:
        if note == "distance":
            raise InterruptedError(f"ended after {done}")

    with pytest.raises(InterruptedError, match="ended after 320"):
        score_arm(
            [block],
            metrics=[Metric.FRECHET],
            extractor=pixels(10),
            file=tmp_path / "f",
            reference=reference,
            on_progress=end,
        )


def test_a_guide_that_reads_plain_pictures_loses_them_in_noise() -> None:
    scored = score_guide(
        Brightness(),
        pictures(plain([0, 1] * 50)),
        process=Diffusion.make(),
        metrics=[Metric.GUIDE_ACCURACY, Metric.GUIDE_ECE],
        levels=[0, 999],
    )
    values = {(one.metric.value, one.level): one.value for one in scored}
    assert values["guide_accuracy", 0] == 1.0
    late = values["guide_accuracy", 999]
    assert late is not None
    assert 0.3 < late < 0.8
    assert values["guide_accuracy", None] == pytest.approx((1.0 + late) / 2)
    assert {one.n for one in scored} == {100}


def test_calibration_of_a_guide_is_the_gap_that_can_be_computed_by_hand() -> None:
    block = plain([1] * 30, noise=0)
    scored = score_guide(
        Brightness(), pictures(block), process=Diffusion.make(), metrics=[Metric.GUIDE_ECE], levels=[0]
    )
    t = torch.zeros(30, dtype=torch.int64)
    rng = np.random.default_rng([0, 0])
    drawn = torch.from_numpy(rng.standard_normal((30, 3, SIDE, SIDE), dtype=np.float32))
    x = Diffusion.make().noised(torch.full((30, 3, SIDE, SIDE), 220 / 127.5 - 1), t, drawn)
    sure = torch.sigmoid(8 * x.mean(dim=(1, 2, 3))).double()
    # All are right and sure by between 14/15 and 1, so one bin holds them all.
    assert sure.min() > 14 / 15
    assert scored[0].value == pytest.approx(1 - sure.mean().item(), abs=1e-6)


def test_through_the_denoiser_a_guide_sees_what_the_denoiser_thinks() -> None:
    process = Diffusion.make()
    source = Source(denoiser=Oracle(process), process=process, space=Space(size=SIDE), null_class=None)
    metrics = [Metric.GUIDE_ACCURACY_X_0]
    scored = score_guide(
        Brightness(), pictures(plain([0, 1] * 9)), process=process, metrics=metrics, levels=[999], source=source
    )
    assert [one.value for one in scored] == [1.0, 1.0]
    without = score_guide(Brightness(), pictures(plain([0])), process=process, metrics=metrics)
    assert "no denoiser" in without[0].problem


def test_pictures_of_no_known_class_and_attributes_are_not_guessed() -> None:
    images, _ = plain([0, 1])
    unknown = pictures((images, np.array([-1, -1])))
    (scored,) = score_guide(Brightness(), unknown, process=Diffusion.make(), metrics=[Metric.GUIDE_ACCURACY])
    assert "no pictures of known classes" in scored.problem
    (scored,) = score_guide(
        Attributes(), pictures(plain([0])), process=Diffusion.make(), metrics=[Metric.GUIDE_ACCURACY]
    )
    assert "attributes" in scored.problem
