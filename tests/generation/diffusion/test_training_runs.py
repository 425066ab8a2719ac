from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from generation.diffusion.attacks import Attack
from generation.diffusion.checkpoints import inspect_checkpoint, load_classifier
from generation.diffusion.classifiers import CleanClassifier, EncoderClassifier
from generation.diffusion.datasets import SportBalls
from generation.diffusion.evaluation import accuracies, clean_accuracy
from generation.diffusion.pictures import InvalidData
from generation.diffusion.planned import classifier_of, data_of, denoiser_of, device_of
from generation.diffusion.plans import ClassifierPlan, DenoiserPlan, InvalidPlan, Kind, TrainingPlan
from generation.diffusion.process import Diffusion
from generation.diffusion.training import ForeignState, Progress
from generation.diffusion.training_runs import UnwritableFolder, train_classifier_run, train_denoiser_run
from tests.generation.diffusion.test_image_data import archive, folder, table

TINY = {"image_size": 16, "width": 8, "steps": 4, "anneal_steps": 8, "batch_size": 4, "save_every": 2, "device": "cpu"}
# Two balls that a few steps tell apart by their size on the canvas.
BALLS = {**TINY, "smallest_ball": 6, "largest_ball": 10}


class Cancelled(Exception):
    pass


def nothing(progress: Progress) -> None:
    pass


def cancel_at(step: int) -> object:
    def on_step(progress: Progress) -> None:
        if progress.step == step:
            raise Cancelled

    return on_step


def classifier(path: Path, **options: object) -> ClassifierPlan:
    return ClassifierPlan(**{**TINY, "held_out": 5, "data": str(path), **options})


def train(plan: TrainingPlan, out: Path, on_step: object = nothing) -> Path:
    run = train_classifier_run if isinstance(plan, ClassifierPlan) else train_denoiser_run
    return run(plan, out=out, on_step=on_step)


def plans(root: Path) -> dict[str, TrainingPlan]:
    trees, ash = folder(root / "trees"), str(root / "trees" / "ash")
    told = table(root, "image_id,A,B\n000.png,1,-1\n001.png,-1,-1\n002.png,1,1\n003.png,-1,1\n")
    denoiser = {**TINY, "data": str(trees)}
    return {
        "folder, robust": classifier(trees, kind=Kind.ROBUST, attack_steps=1, flips=True, crops=True),
        "archive, untimed": classifier(archive(root / "packed"), kind=Kind.UNTIMED),
        "attributes, clean": classifier(Path(ash), kind=Kind.CLEAN, attributes=str(told)),
        "attributes": classifier(Path(ash), attributes=str(told), parts=2),
        "denoiser with dropout": DenoiserPlan(**denoiser, dropout=0.3, clip_norm=0.0, ema_decay=0.0),
        "unconditional": DenoiserPlan(**{**denoiser, "data": ash}, unconditional=True),
    }


@pytest.mark.parametrize(
    "name",
    ["folder, robust", "archive, untimed", "attributes, clean", "attributes", "denoiser with dropout", "unconditional"],
)
def test_a_cancelled_run_resumes_to_the_same_files_bit_for_bit(name: str, tmp_path: Path) -> None:
    plan = replace(plans(tmp_path)[name], keep_every=1)
    whole = train(plan, tmp_path / "whole")
    with pytest.raises(Cancelled):
        train(plan, tmp_path / "parts", cancel_at(3))
    assert not (tmp_path / "parts" / whole.name).exists()
    parts = train(plan, tmp_path / "parts")
    kept = [f"{plan.name}-step{step:08d}.safetensors" for step in (1, 2, 3, 4)]
    for file in (whole.name, *kept):
        expected, found = (load_file(tmp_path / where / file) for where in ("whole", "parts"))
        assert expected.keys() == found.keys()
        assert all(torch.equal(expected[key], found[key]) for key in expected), file
    last, final = load_file(tmp_path / "whole" / kept[-1]), load_file(whole)
    assert all(torch.equal(last[key], final[key]) for key in final)
    assert inspect_checkpoint(tmp_path / "parts" / kept[0]).card["steps"] == 1
    assert inspect_checkpoint(parts).card["steps"] == 4


def test_each_kind_of_classifier_records_what_it_is(tmp_path: Path) -> None:
    every = plans(tmp_path)
    robust = inspect_checkpoint(train(every["folder, robust"], tmp_path))
    assert robust.adversarial == {"norm": "l2", "eps": 0.5, "step": 0.083, "steps": 1}
    assert (robust.takes_t, robust.noise_trained) == (True, True)
    assert robust.class_labels == ("ash", "birch", "cedar")
    untimed = inspect_checkpoint(train(every["archive, untimed"], tmp_path))
    assert (untimed.takes_t, untimed.noise_trained, untimed.adversarial) == (False, True, None)
    path = train(every["attributes"], tmp_path)
    assert inspect_checkpoint(path).class_labels == ("not A", "A", "not B", "B")
    assert load_classifier(path).n_classes == 4
    card = path.with_suffix(".md").read_text()
    assert "Share of attributes told right" in card
    assert "binary cross-entropy" in card
    assert "PGD" not in card


def test_an_unconditional_denoiser_has_no_classes_and_labels_are_dropped_to_a_null_class(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees")
    quick = {**TINY, "steps": 1, "data": str(trees), "schedule": "cosine"}
    free = inspect_checkpoint(train(DenoiserPlan(**quick, unconditional=True, name="free"), tmp_path))
    assert (free.class_labels, free.null_class, free.config["num_classes"]) == ((), None, None)
    assert free.schedule == "cosine"
    told = inspect_checkpoint(train(DenoiserPlan(**quick, name="told"), tmp_path))
    assert (told.null_class, told.config["num_classes"]) == (3, 4)
    strict = inspect_checkpoint(train(DenoiserPlan(**quick, name="strict", label_dropout=0.0), tmp_path))
    assert (strict.null_class, strict.config["num_classes"]) == (None, 3)


def test_the_card_tells_accuracy_by_level_and_under_both_attacks_with_n(tmp_path: Path) -> None:
    plan = ClassifierPlan(**BALLS, kind=Kind.ROBUST, eps=0.25, attack_step=0.0, attack_steps=5, held_out=10)
    card = train(plan, tmp_path).with_suffix(".md").read_text()
    assert (
        "| t | unattacked (n = 10) | L2 PGD, eps 0.5, 7 steps of 0.083 (n = 2) | "
        "L2 PGD, eps 0.25, 5 steps of 0.125 (n = 2) |" in card
    )
    assert "--adversarial" in card
    assert "--eps 0.25 --attack-step 0.0 --attack-steps 5" in card
    assert str(tmp_path) not in card


def test_training_a_classifier_of_pictures_lowers_its_loss(tmp_path: Path) -> None:
    losses: list[float] = []
    # Twelve pictures and little else to learn than which is which.
    plan = classifier(folder(tmp_path / "trees"), kind=Kind.CLEAN, steps=40, anneal_steps=80, warmup_steps=0)
    train(replace(plan, learning_rate=3e-3), tmp_path, lambda progress: losses.append(progress.loss))
    # The mean over all 40 steps lies well below the first loss.
    assert losses[-1] < 0.7 * losses[0]


def test_other_pictures_are_another_run(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees")
    plan = classifier(trees, kind=Kind.CLEAN)
    train(plan, tmp_path)
    (trees / "ash" / "000.png").unlink()
    with pytest.raises(ForeignState, match="other options"):
        train(plan, tmp_path)


def test_what_can_not_be_trained_is_refused_with_a_sentence(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableFolder, match="can't be made a folder"):
        train(classifier(trees), tmp_path / "file")
    with pytest.raises(InvalidPlan, match="flips are for pictures"):
        train(ClassifierPlan(**BALLS, flips=True), tmp_path)
    with pytest.raises(InvalidPlan, match="largest_ball is impossible"):
        train(ClassifierPlan(**TINY), tmp_path)
    folder(tmp_path / "deep" / "one")
    with pytest.raises(InvalidData, match="needs two classes"):
        train(classifier(tmp_path / "deep"), tmp_path)
    with pytest.raises(InvalidPlan, match="must be 64 or 128 or 256 for the architecture imagenet, not 16"):
        train(classifier(trees, architecture="imagenet"), tmp_path)
    start = train(classifier(trees, kind=Kind.CLEAN, name="start", steps=1), tmp_path)
    with pytest.raises(InvalidPlan, match=r"start\.safetensors, which is of another architecture"):
        train(classifier(trees, init_from=str(start)), tmp_path)


def test_a_plan_trains_on_cuda_where_there_is_such_a_device_and_on_the_cpu_elsewhere() -> None:
    assert device_of(ClassifierPlan(device="cpu")).type == "cpu"
    if torch.cuda.is_available():
        assert device_of(ClassifierPlan()).type == device_of(ClassifierPlan(device="cuda")).type == "cuda"
    else:
        assert device_of(ClassifierPlan()).type == "cpu"
        with pytest.raises(InvalidPlan, match="device can't be cuda"):
            device_of(ClassifierPlan(device="cuda"))


def test_a_published_architecture_is_built_for_the_data_s_classes(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees")
    with torch.device("meta"):
        plan = classifier(trees, architecture="cifar", image_size=32)
        network = classifier_of(plan, data_of(plan))
        assert isinstance(network, EncoderClassifier)
        assert (network.config.model_channels, network.n_classes) == (32, 3)
        unet = denoiser_of(DenoiserPlan(architecture="cifar", image_size=32, data=str(trees), dropout=0.1), 3)
        assert (unet.config.model_channels, unet.config.dropout) == (128, 0.1)
        widths = classifier_of(replace(plan, kind=Kind.CLEAN, architecture="small"), data_of(plan))
        assert isinstance(widths, CleanClassifier)


def test_accuracy_is_the_share_of_right_answers_whatever_the_number_of_rows() -> None:
    data = SportBalls(seed=3, image_size=16, diameters=(6, 10))
    _, y = data.examples(range(70))

    def always_first(x_t: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.tensor([[1.0, 0, 0, 0]]).expand(len(x_t), 4) + 0 * x_t.sum()

    class Judge(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return always_first(x, x)

    share = (y == 0).double().mean().item()
    assert accuracies(always_first, Diffusion.make(), levels=(0, 9), count=70, data=data) == {
        0: pytest.approx(share),
        9: pytest.approx(share),
    }
    assert clean_accuracy(Judge(), count=70, data=data) == pytest.approx(share)
    # Without a gradient an attack moves nothing.
    attacked = accuracies(always_first, Diffusion.make(), levels=(0,), count=70, attack=Attack(), data=data)
    assert attacked[0] == pytest.approx(share)
