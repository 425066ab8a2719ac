"""The experiments, small: that they go on where they were, count what they say, and judge by their intervals."""

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from generation.diffusion.attacks import Norm
from generation.diffusion.checkpoints import load_classifier, load_denoiser
from generation.diffusion.classifiers import CleanClassifier, EncoderClassifier
from generation.diffusion.experiments.budgets import Budget, InvalidBudget, rounds
from generation.diffusion.experiments.claims import Verdict, below_zero, larger
from generation.diffusion.experiments.gradcheck import (
    CLEAN,
    CONDITIONS,
    NOISED,
    GradcheckPlan,
    GradcheckResult,
    Networks,
    gradcheck,
)
from generation.diffusion.experiments.gradcheck_report import gradcheck_page
from generation.diffusion.experiments.measures import features_of, measured, sportballs_references
from generation.diffusion.experiments.robust_ablation import (
    PAPERS_CHOICE,
    THREATS,
    VANILLA,
    AblationPlan,
    Guide,
    robust_ablation,
)
from generation.diffusion.experiments.robust_ablation_report import TABLE_4, ablation_page
from generation.diffusion.experiments.settings import (
    Photographs,
    guide_plan,
    photographs_setting,
    photographs_within,
    sportballs_setting,
)
from generation.diffusion.experiments.stages import Stages
from generation.diffusion.experiments.trained import trained_classifier
from generation.diffusion.metrics import FrechetTarget, Moments
from generation.diffusion.plans import SPORTBALLS, ClassifierPlan, Kind
from generation.diffusion.seed_matched import sportballs_source

WEIGHTS = Path(__file__).resolve().parents[4] / "generation" / "weights"
TINY = GradcheckPlan(n=4, steps=2, chunk=2, traced=2, held_out=20, references=40)


class Stopped(Exception):
    """Somebody ended the experiment."""


def silent(done: int, total: int, note: str = "") -> None:
    assert 0 <= done <= total


def judge() -> CleanClassifier:
    network = load_classifier(WEIGHTS / "sportballs-judge.safetensors")
    assert isinstance(network, CleanClassifier)
    return network


def networks() -> Networks:
    guide = load_classifier(WEIGHTS / "sportballs-vanilla.safetensors")
    return Networks(
        source=sportballs_source(load_denoiser(WEIGHTS / "sportballs-denoiser.safetensors")),
        guides={CLEAN: judge(), NOISED: guide},
        judge=judge(),
        denoiser_sha256="d",
        sha256={CLEAN: "c", NOISED: "n"},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gradcheck")


@pytest.fixture(scope="module")
def result(folder: Path) -> GradcheckResult:
    return gradcheck(networks(), plan=TINY, folder=folder, report=silent)


def test_every_condition_is_measured_on_the_same_seeds(result: GradcheckResult) -> None:
    assert [arm.arm for arm in result.arms] == [condition.name for condition in CONDITIONS]
    assert {arm.n for arm in result.arms} == {4}
    assert set(result.stability) == {condition.name for condition in CONDITIONS if condition.guide}
    assert all(found.cosine.shape == (1, 2) for found in result.stability.values())
    assert result.arms[0].frechet_difference is None
    assert all(arm.frechet_difference is not None for arm in result.arms[1:])


def test_an_experiment_that_was_stopped_goes_on_to_the_same_numbers(result: GradcheckResult, tmp_path: Path) -> None:
    steps = 0

    def stop_soon(done: int, total: int, note: str = "") -> None:
        nonlocal steps
        steps += 1
        if steps == 30:
            raise Stopped

    with pytest.raises(Stopped):
        gradcheck(networks(), plan=TINY, folder=tmp_path, report=stop_soon)
    again = gradcheck(networks(), plan=TINY, folder=tmp_path, report=silent)
    assert again.facts() == result.facts()


def test_a_finished_experiment_makes_no_image_twice(result: GradcheckResult, folder: Path) -> None:
    def never(done: int, total: int, note: str = "") -> None:
        assert note.startswith(("accuracies", "judging")), note

    assert gradcheck(networks(), plan=TINY, folder=folder, report=never).facts() == result.facts()


def test_a_spent_budget_ends_the_images_and_the_plan_says_how_many_there_are(
    result: GradcheckResult, folder: Path
) -> None:
    short = gradcheck(networks(), plan=TINY, folder=folder, report=silent, is_spent=lambda: True)
    assert (short.plan.n, result.plan.n) == (2, 4)
    assert {arm.n for arm in short.arms} == {2}


def test_the_page_puts_the_papers_numbers_beside_ours_and_says_what_differs(result: GradcheckResult) -> None:
    page = gradcheck_page(result, command="python manage.py reproduce gradcheck", made={"torch": torch.__version__})
    text = page.markdown()
    for part in ("85.94 % against 81.25 %", "24.348", "not the same quantity", "| clean, x0 and ADAM | 4 |"):
        assert part in text
    assert {picture.name for picture in page.pictures} == {"gradcheck-images.png", "gradcheck-stability.svg"}
    assert all(f"images/{picture.name}" in text and picture.data for picture in page.pictures)
    assert json.loads(json.dumps(result.facts()))["plan"]["n"] == 4


def test_real_pictures_are_close_to_real_pictures_and_noise_is_far() -> None:
    images = {"real": sportballs_references(300)[100:180], "noise": np.zeros((80, 64, 64, 3), dtype=np.uint8)}
    reference = FrechetTarget(Moments.of(features_of(sportballs_references(100), judge=judge())))
    real, noise = measured(images, [0] * 80, judge=judge(), reference=reference, report=silent)
    assert real.frechet < noise.frechet
    assert noise.frechet_difference_interval is not None
    assert noise.frechet_difference_interval[0] > 0
    assert real.accuracy_interval[0] < real.accuracy < real.accuracy_interval[1]


@pytest.mark.parametrize(
    ("interval", "other", "verdict"),
    [((2, 3), (0, 1), Verdict.AGREES), ((0, 1), (2, 3), Verdict.DISAGREES), ((0, 2), (1, 3), Verdict.UNDECIDED)],
)
def test_a_verdict_follows_from_intervals(
    interval: tuple[float, float], other: tuple[float, float], verdict: Verdict
) -> None:
    assert larger(interval, other) is verdict


def test_a_difference_is_below_zero_only_with_its_whole_interval() -> None:
    assert [below_zero(i) for i in ((-2, -1), (1, 2), (-1, 1))] == [
        Verdict.AGREES,
        Verdict.DISAGREES,
        Verdict.UNDECIDED,
    ]


@pytest.mark.parametrize(("text", "seconds"), [("2h", 7200), ("90m", 5400), ("1h30m", 5400), ("45s", 45)])
def test_a_budget_is_read(text: str, seconds: float) -> None:
    assert Budget.parse(text).seconds == seconds


@pytest.mark.parametrize("text", ["", "soon", "2", "0m", "-1h"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidBudget, match="is no length of time; write it as 2h"):
        Budget.parse(text)


def test_rounds_grow_to_the_most_and_end_when_time_is_up() -> None:
    assert list(rounds(10, chunk=4, is_spent=lambda: False)) == [4, 8, 10]
    assert list(rounds(10, chunk=4, is_spent=lambda: True)) == [4]


def test_a_stage_with_other_settings_is_done_anew(tmp_path: Path) -> None:
    stages = Stages(tmp_path)

    def gives(number: int) -> Callable[[], dict[str, int]]:
        return lambda: {"number": number}

    assert stages.numbers("a", {"n": 1}, gives(1)) == {"number": 1}
    assert stages.numbers("a", {"n": 1}, gives(2)) == {"number": 1}
    assert stages.numbers("a", {"n": 2}, gives(3)) == {"number": 3}
    one = np.ones((1, 2, 2, 3), dtype=np.uint8)
    assert np.array_equal(stages.images("b", {"n": 1}, lambda: one), one)
    assert np.array_equal(stages.images("b", {"n": 1}, lambda: 2 * one), one)
    assert np.array_equal(stages.images("b", {"n": 2}, lambda: 2 * one), 2 * one)


def test_the_ablation_has_the_papers_threat_models_and_step_length() -> None:
    assert {(threat.norm, threat.eps, threat.steps) for threat in THREATS} == set(TABLE_4)
    assert THREATS[0] == PAPERS_CHOICE
    assert PAPERS_CHOICE.attack.step == pytest.approx(2.5 * 0.5 / 7)
    assert {threat.norm for threat in THREATS} == {Norm.L2, Norm.LINF}


def test_a_classifier_is_trained_once_and_again_only_for_another_plan(tmp_path: Path) -> None:
    plan = guide_plan(SPORTBALLS, attack=PAPERS_CHOICE.attack, name="robust", steps=2, photographs=None)
    plan = replace(plan, batch_size=4, held_out=5, width=8)
    path = trained_classifier(plan, folder=tmp_path, report=silent)
    first = path.read_bytes()

    def never(done: int, total: int, note: str = "") -> None:
        raise AssertionError(note)

    assert trained_classifier(plan, folder=tmp_path, report=never).read_bytes() == first
    # Whatever differs makes another classifier, also what its card does not name.
    for other in (replace(plan, eps=0.25, attack_step=0.1), replace(plan, smallest_ball=15)):
        before = path.read_bytes()
        trained_classifier(other, folder=tmp_path, report=silent)
        assert path.read_bytes() != before


def test_the_ablation_measures_every_guide_and_its_page_both_tables(tmp_path: Path) -> None:
    vanilla, robust = (load_classifier(WEIGHTS / f"sportballs-{name}.safetensors") for name in ("vanilla", "robust"))
    assert isinstance(vanilla, EncoderClassifier)
    assert isinstance(robust, EncoderClassifier)
    guides = [
        Guide(name=VANILLA, classifier=vanilla, sha256="v"),
        Guide(name=PAPERS_CHOICE.name, classifier=robust, sha256="r", threat=PAPERS_CHOICE),
    ]
    plan = AblationPlan(n=4, steps=1, chunk=4, held_out=10, attacked=4, references=40)
    result = robust_ablation(sportballs_setting(WEIGHTS), guides, plan=plan, folder=tmp_path, report=silent)
    assert len(result.threats) == 3
    assert len(result.scales) == 9
    assert [arm.arm for arm in result.untold] == ["unguided", VANILLA, PAPERS_CHOICE.name]
    assert set(result.accuracies[VANILLA]) == {"unattacked", "under the paper's attack"}
    page = ablation_page(
        result,
        {PAPERS_CHOICE.name: PAPERS_CHOICE},
        setting="SportBalls",
        class_labels=("a", "b", "c", "d"),
        trained="trained for 2 steps",
        left_out=["l2-1-7-steps"],
        command="python manage.py reproduce robust-ablation",
        made={"torch": torch.__version__},
    )
    text = page.markdown()
    for part in ("7.60 against 7.65", "7.58 against 7.62", "The budget left no time for: l2-1-7-steps", "(table 5)"):
        assert part in text


def test_guides_of_the_ablation_differ_in_their_attack_alone() -> None:
    plans = [guide_plan(SPORTBALLS, attack=one.attack, name="x", steps=10, photographs=None) for one in THREATS]
    fields = ("norm", "eps", "attack_step", "attack_steps")
    same = {repr(replace(plan, **{name: getattr(ClassifierPlan(), name) for name in fields})) for plan in plans}
    assert len(same) == 1
    assert {plan.kind for plan in plans} == {Kind.ROBUST}


def write_photographs(path: Path) -> Path:
    """An archive as CIFAR-10's: train/CLASS/NNNN.png and test/CLASS/NNNN.png."""
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w") as archive:
        for split, count in (("train", 6), ("test", 4)):
            for index, label in enumerate(("cat", "dog")):
                for number in range(count):
                    pixels = rng.integers(100 * index, 100 * index + 100, (16, 16, 3), dtype=np.uint8)
                    buffer = BytesIO()
                    Pillow.fromarray(pixels).save(buffer, "PNG")
                    entry = tarfile.TarInfo(f"{split}/{label}/{number:04d}.png")
                    entry.size = buffer.tell()
                    archive.addfile(entry, BytesIO(buffer.getvalue()))
    return path


def test_the_ablation_trains_everything_it_needs_on_photographs(tmp_path: Path) -> None:
    photographs = Photographs(
        data=str(write_photographs(tmp_path / "photographs.tar")),
        architecture="small",
        image_size=16,
        denoiser_steps=2,
        judge_steps=2,
        batch_size=4,
    )
    long = replace(photographs, denoiser_steps=5000, judge_steps=500)
    little, plenty = (photographs_within(long, seconds=seconds, folder=tmp_path) for seconds in (0.0, 1e6))
    assert (little.denoiser_steps, little.judge_steps) == (20, 20)
    assert (plenty.denoiser_steps, plenty.judge_steps) == (5000, 500)
    setting = photographs_setting(photographs, folder=tmp_path, report=silent)
    assert tuple(setting.class_labels) == ("cat", "dog")
    assert setting.references(100).shape == (8, 16, 16, 3)
    guides = []
    for threat in (None, PAPERS_CHOICE):
        name = threat.name if threat else VANILLA
        attack = threat.attack if threat else None
        plan = guide_plan(photographs.data, attack=attack, name=name, steps=2, photographs=photographs)
        assert (plan.learning_rate, plan.warmup_steps, plan.clip_norm, plan.ema_decay) == (3e-4, 0, 0, 0)
        guide = load_classifier(trained_classifier(replace(plan, held_out=5), folder=tmp_path, report=silent))
        assert isinstance(guide, EncoderClassifier)
        guides.append(Guide(name=name, classifier=guide, sha256=name, threat=threat))
    plan = AblationPlan(n=4, steps=1, chunk=4, held_out=4, attacked=4, references=8, null_scale=1.0)
    result = robust_ablation(setting, guides, plan=plan, folder=tmp_path, report=silent)
    assert {arm.n for arm in result.threats} == {4}
