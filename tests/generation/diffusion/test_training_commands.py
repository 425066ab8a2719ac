from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from generation.diffusion.checkpoints import Architecture, inspect_checkpoint
from generation.diffusion.plans import HELD_OUT_SEED, PUBLISHED_CLASSIFIERS, ClassifierPlan, Kind
from generation.management.commands.train_classifier import Command as TrainClassifier
from generation.management.training_run import asked_plan
from tests.generation.diffusion.test_image_data import folder

TINY = {
    "steps": 1,
    "batch_size": 2,
    "seed": 3,
    "save_every": 1,
    "image_size": 16,
    "width": 8,
    "smallest_ball": 6,
    "largest_ball": 10,
}


def run(command: str, out: Path, **options: object) -> str:
    printed = StringIO()
    call_command(command, out=out, stdout=printed, stderr=StringIO(), **{**TINY, **options})
    return printed.getvalue()


def test_train_denoiser_writes_weights_and_a_card_that_tells_how(tmp_path: Path) -> None:
    assert "sportballs-denoiser.safetensors" in run("train_denoiser", tmp_path)
    facts = inspect_checkpoint(tmp_path / "sportballs-denoiser.safetensors")
    assert facts.architecture is Architecture.UNET
    assert facts.null_class == 4
    card = (tmp_path / "sportballs-denoiser.md").read_text()
    assert "manage.py train_denoiser --out DIR --name sportballs-denoiser --image-size 16" in card
    assert "--steps 1 --batch-size 2 --learning-rate 0.0008" in card
    assert "| seed | 3 |" in card
    assert "| hours |" in card


def test_a_finished_training_resumes_without_another_step(tmp_path: Path) -> None:
    run("train_denoiser", tmp_path)
    first = inspect_checkpoint(tmp_path / "sportballs-denoiser.safetensors")
    with pytest.raises(CommandError, match="continue it with --resume"):
        run("train_denoiser", tmp_path)
    run("train_denoiser", tmp_path, resume=True)
    assert inspect_checkpoint(tmp_path / "sportballs-denoiser.safetensors").sha256 == first.sha256


def test_a_robust_classifier_starts_from_a_vanilla_one_and_records_its_attack(tmp_path: Path) -> None:
    run("train_classifier", tmp_path, held_out=5)
    vanilla = tmp_path / "sportballs-vanilla.safetensors"
    assert inspect_checkpoint(vanilla).adversarial is None
    run(
        "train_classifier",
        tmp_path,
        name="robust",
        adversarial=True,
        init_from=vanilla,
        attack_steps=1,
        held_out=5,
    )
    facts = inspect_checkpoint(tmp_path / "robust.safetensors")
    assert facts.adversarial == {"norm": "l2", "eps": 0.5, "step": 0.083, "steps": 1}
    card = (tmp_path / "robust.md").read_text()
    assert "--name robust --adversarial" in card
    assert "--init-from sportballs-vanilla.safetensors" in card
    assert "L2 PGD, eps 0.5, 7 steps of 0.083 (n = 1)" in card


def test_the_judge_is_another_architecture_that_takes_no_timestep(tmp_path: Path) -> None:
    run("train_classifier", tmp_path, name="judge", clean=True, held_out=5)
    facts = inspect_checkpoint(tmp_path / "judge.safetensors")
    assert facts.architecture is Architecture.CLEAN
    assert not facts.takes_t
    assert not facts.noise_trained


def test_a_published_plan_is_what_its_name_says_but_for_the_options_that_are_told(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees")
    run(
        "train_classifier",
        tmp_path,
        as_published="kawar-cifar-robust",
        data=str(trees),
        image_size=32,
        attack_steps=1,
        held_out=5,
        name="published",
    )
    facts = inspect_checkpoint(tmp_path / "published.safetensors")
    assert facts.adversarial == {"norm": "l2", "eps": 0.5, "step": 1.25, "steps": 1}
    assert facts.config["model_channels"] == 32
    assert facts.class_labels == ("ash", "birch", "cedar")
    card = (tmp_path / "published.md").read_text()
    assert "| learning rate | 0.0003, straight to 0 at step 300000 |" in card
    assert "weight decay 0.05, gradients not clipped" in card
    assert "| weights | those of the last step, stored as float32 |" in card
    assert "mirrored at random, cut at random" in card
    # The card's command says what the preset said, so that it makes the same file again.
    command = next(line for line in card.splitlines() if line.startswith("python manage.py"))
    plan = asked_plan(ClassifierPlan, parsed(command), published=PUBLISHED_CLASSIFIERS, said={"kind": Kind.ROBUST})
    published = PUBLISHED_CLASSIFIERS["kawar-cifar-robust"]
    told = {**TINY, "data": "trees", "attack_steps": 1, "held_out": 5, "name": "published", "image_size": 32}
    assert plan == replace(published, **told)


def parsed(command: str) -> dict[str, object]:
    parser = TrainClassifier().create_parser("manage.py", "train_classifier")
    return vars(parser.parse_args(command.split()[3:]))


@pytest.mark.parametrize(
    ("command", "options", "sentence"),
    [
        ("train_denoiser", {"steps": 0}, "--steps must be more than 0, not 0"),
        ("train_denoiser", {"batch_size": -1}, "--batch-size must be more than 0"),
        ("train_denoiser", {"anneal_steps": 1, "steps": 2}, "would end before"),
        ("train_denoiser", {"label_dropout": 1.5}, "share between 0 and 1"),
        ("train_denoiser", {"snr_cap": 0.0}, "--snr-cap must be more than 0"),
        ("train_denoiser", {"ema_decay": 1.0}, "--ema-decay"),
        ("train_denoiser", {"seed": HELD_OUT_SEED}, "draws the held-out items"),
        ("train_classifier", {"adversarial": True, "eps": 0.0}, "--eps must be more than 0"),
        ("train_classifier", {"held_out": 1}, "--held-out"),
        ("train_classifier", {"init_from": Path("absent.safetensors")}, "absent"),
        ("train_classifier", {"data": "absent-folder"}, "There is no folder absent-folder"),
        ("train_classifier", {"as_published": "kawar-imagenet-robust"}, "--flips are for pictures"),
    ],
)
def test_impossible_options_are_refused_with_a_sentence(
    command: str, options: dict[str, object], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(command, tmp_path, **options)


def test_an_out_that_is_a_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("")
    with pytest.raises(CommandError, match="can't be made a folder"):
        run("train_denoiser", out)


def test_a_resumed_run_with_other_options_is_refused(tmp_path: Path) -> None:
    run("train_denoiser", tmp_path)
    with pytest.raises(CommandError, match="other options"):
        run("train_denoiser", tmp_path, resume=True, seed=4)
