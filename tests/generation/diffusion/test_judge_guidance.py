import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

TINY = {"pairs": 3, "steps": 2, "null_images": 4, "null_steps": 2, "chunk": 2}


def test_the_report_names_every_arm_with_its_scale_steps_and_n(tmp_path: Path) -> None:
    call_command("judge_guidance", out=tmp_path, null_scale=3.0, stdout=StringIO(), stderr=StringIO(), **TINY)
    report = json.loads((tmp_path / "judged.json").read_text())
    told = [(arm["condition"], arm["arm"], arm["scale"], arm["steps"], arm["n"]) for arm in report["arms"]]
    assert told == [
        ("requested class", "vanilla", 0.5, 2, 3),
        ("requested class", "robust", 1.0, 2, 3),
        ("null class", "unguided", 0.0, 2, 4),
        ("null class", "vanilla", 3.0, 2, 4),
        ("null class", "robust", 3.0, 2, 4),
    ]
    assert all(arm["share"] == arm["right"] / arm["n"] for arm in report["arms"])
    assert "| null class | robust | 3.0 | 2 | float32 | 4 |" in (tmp_path / "judged.md").read_text()
    # Two rows, vanilla over robust, of three images of 64 px with borders, enlarged twice.
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert sheet.size == (3 * 68 * 2, 2 * 68 * 2)


def test_no_steps_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--steps must be at least 1, not 0"):
        call_command("judge_guidance", out=tmp_path, **{**TINY, "steps": 0})


def test_missing_weights_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"--weights: .*judge\.safetensors is neither a file nor a folder"):
        call_command("judge_guidance", out=tmp_path, weights=tmp_path, **TINY)
