from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from generation.diffusion.checkpoints import Architecture, inspect_checkpoint
from generation.diffusion.evaluation import HELD_OUT_SEED

TINY = {"steps": 1, "batch_size": 2, "seed": 3, "save_every": 1}


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
    assert "manage.py train_denoiser --out DIR --name sportballs-denoiser --steps 1" in card
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
    assert "--adversarial --init-from sportballs-vanilla.safetensors" in card
    assert "L2 PGD, eps 0.5, 7 steps (n = 1)" in card


def test_the_judge_is_another_architecture_that_takes_no_timestep(tmp_path: Path) -> None:
    run("train_classifier", tmp_path, name="judge", clean=True, held_out=5)
    facts = inspect_checkpoint(tmp_path / "judge.safetensors")
    assert facts.architecture is Architecture.CLEAN
    assert not facts.takes_t
    assert not facts.noise_trained


@pytest.mark.parametrize(
    ("command", "options", "sentence"),
    [
        ("train_denoiser", {"steps": 0}, "--steps must be more than 0, not 0"),
        ("train_denoiser", {"batch_size": -1}, "--batch-size must be more than 0"),
        ("train_denoiser", {"anneal_steps": 1, "steps": 2}, "would end before"),
        ("train_denoiser", {"label_dropout": 1.5}, "share between 0 and 1"),
        ("train_denoiser", {"snr_cap": 0.0}, "--snr-cap must be more than 0 and --boost at least 1"),
        ("train_denoiser", {"ema_decay": 1.0}, "--ema-decay"),
        ("train_denoiser", {"seed": HELD_OUT_SEED}, "draws the held-out items"),
        ("train_classifier", {"adversarial": True, "eps": 0.0}, "positive --eps"),
        ("train_classifier", {"held_out": 1}, "--held-out"),
        ("train_classifier", {"init_from": Path("absent.safetensors")}, "--init-from: absent"),
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
