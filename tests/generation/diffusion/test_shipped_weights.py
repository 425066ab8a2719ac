import json
from pathlib import Path

import pytest
import torch

from generation.diffusion.checkpoints import (
    Architecture,
    CheckpointFacts,
    inspect_checkpoint,
    load_classifier,
    load_denoiser,
)
from generation.diffusion.datasets import CLASS_LABELS
from generation.diffusion.evaluation import accuracies, clean_accuracy, seen_classes
from generation.diffusion.guides import guide_of
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Guidance, Recipe
from generation.diffusion.seed_matched import GuidedArm, sample_arms, sportballs_source

WEIGHTS = Path(__file__).resolve().parents[3] / "generation" / "weights"
NAMES = ("denoiser", "vanilla", "robust", "judge")


def path(name: str) -> Path:
    return WEIGHTS / f"sportballs-{name}.safetensors"


def facts(name: str) -> CheckpointFacts:
    return inspect_checkpoint(path(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_file_is_small_and_has_a_card(name: str) -> None:
    assert path(name).stat().st_size <= 16 * 2**20
    assert int(facts(name).card["parameters"]) <= 4_000_000
    card = path(name).with_suffix(".md").read_text()
    for heading in ("| data |", "manage.py train_", "| seed |", "| steps |", "| hours |", "| loss at the end |"):
        assert heading in card
    assert facts(name).class_labels == CLASS_LABELS


def test_the_shipped_facts_tell_vanilla_robust_and_judge_apart() -> None:
    assert facts("denoiser").null_class == len(CLASS_LABELS)
    assert facts("vanilla").noise_trained
    assert facts("vanilla").adversarial is None
    robust = facts("robust").adversarial
    assert robust is not None
    assert robust["norm"] == "l2"
    assert facts("judge").architecture is Architecture.CLEAN
    assert not facts("judge").noise_trained
    seeds = {facts(name).card["seed"] for name in NAMES}
    assert len(seeds) == len(NAMES)


def test_the_guides_know_noised_balls_and_the_judge_clean_ones() -> None:
    process = Diffusion.make()
    for name in ("vanilla", "robust"):
        shares = accuracies(load_classifier(path(name)), process, levels=(0, 200, 400), count=40)
        assert min(shares.values()) >= 0.9, (name, shares)
    assert clean_accuracy(load_classifier(path("judge")), count=100) >= 0.99


def test_the_judge_finds_the_requested_class_in_what_both_arms_generate() -> None:
    seeds = list(range(8))
    y = torch.tensor(seeds) % len(CLASS_LABELS)
    steps = 20
    arms = [
        GuidedArm(
            name=name,
            recipe=Recipe(guidance=Guidance.CLASSIFIER, scale=scale),
            guide=guide_of(load_classifier(path(name))),
        )
        for name, scale in (("vanilla", 0.5), ("robust", 1.0))
    ]
    source = sportballs_source(load_denoiser(path("denoiser")))
    made = sample_arms(source, arms, seeds=seeds, requested=[(seed % 4,) for seed in seeds], steps=steps)
    samples = torch.cat(list(made.images.values()))
    seen = seen_classes(load_classifier(path("judge")), samples.clamp(-1, 1))
    # Few steps and few images: the shipped figures, at 50 steps, are in judged.json.
    assert (seen == y.repeat(2)).sum() >= 14


def test_the_recorded_judgement_meets_what_the_demo_promises() -> None:
    report = json.loads((WEIGHTS / "judged.json").read_text())
    shares = {(arm["condition"], arm["arm"]): arm["share"] for arm in report["arms"]}
    assert all(arm["steps"] >= 50 for arm in report["arms"] if arm["condition"] == "requested class")
    for arm in ("vanilla", "robust"):
        assert shares["requested class", arm] >= 0.95
        assert shares["null class", arm] >= 0.85
    assert shares["null class", "unguided"] <= 0.40
    assert {arm["n"] for arm in report["arms"] if arm["condition"] == "null class"} == {400}
