"""Let the judge look at what the shipped SportBalls weights generate, and draw a contact sheet of pairs."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandError, CommandParser
from PIL.Image import Image
from torch import Tensor
from tqdm import tqdm

from generation.diffusion.cards import CardTable, percent
from generation.diffusion.checkpoints import (
    CheckpointMismatch,
    UnreadableCheckpoint,
    load_classifier,
    load_denoiser,
)
from generation.diffusion.classifiers import Classifier, CleanClassifier
from generation.diffusion.datasets import CLASS_LABELS
from generation.diffusion.evaluation import seen_classes
from generation.diffusion.figures import contact_sheet
from generation.diffusion.guides import guide_of
from generation.diffusion.recipes import Guidance as By
from generation.diffusion.recipes import Recipe
from generation.diffusion.sampling import Denoiser, OnStep, to_uint8
from generation.diffusion.seed_matched import GuidedArm, sample_arms, sportballs_source

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
CLASSES = len(CLASS_LABELS)
DEMO_SCALES = {"vanilla": 0.5, "robust": 1.0}


@dataclass(frozen=True)
class Networks:
    """The shipped networks: the denoiser, the guides by arm, and the judge."""

    denoiser: Denoiser
    guides: dict[str, Classifier]
    judge: CleanClassifier


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What is generated: count images per arm, told their class or the null class, guided by arm at these scales."""

    name: str
    null: bool
    scales: dict[str, float]
    count: int
    steps: int
    bf16: bool


@dataclass(frozen=True)
class Judged:
    """One arm's result: in how many of its images the judge finds the requested class."""

    arm: str
    condition: Condition
    right: int

    @property
    def share(self) -> float:
        """Share of images of the requested class."""
        return self.right / self.condition.count

    def facts(self) -> dict[str, str | float | int]:
        """The result as judged.json has it."""
        condition = self.condition
        return {
            "condition": condition.name,
            "arm": self.arm,
            "scale": condition.scales[self.arm],
            "steps": condition.steps,
            "precision": "bfloat16" if condition.bf16 else "float32",
            "n": condition.count,
            "right": self.right,
            "share": self.share,
        }


class Command(BaseCommand):
    """`manage.py judge_guidance --out DIR`: writes judged.json, judged.md and pairs.png."""

    help = "Generate with the shipped weights and count in how many images the judge finds the requested class."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to generate, and where the report goes."""
        parser.add_argument("--out", type=Path, required=True, help="folder for the report and the contact sheet")
        parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the weights")
        parser.add_argument("--pairs", type=int, default=40, help="class-conditional pairs, as in the demo")
        parser.add_argument("--steps", type=int, default=50, help="steps of the pairs")
        parser.add_argument("--null-images", type=int, default=400, help="images per arm with the null class")
        parser.add_argument("--null-steps", type=int, default=50)
        parser.add_argument("--null-scale", type=float, default=4.0, help="guidance scale with the null class")
        parser.add_argument("--null-bf16", action="store_true", help="null class in bfloat16, which is faster")
        parser.add_argument("--chunk", type=int, default=20, help="seeds generated together")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Generate, judge, write."""
        for name in ("pairs", "null_images", "steps", "null_steps", "chunk"):
            if options[name] < 1:
                raise CommandError(f"--{name.replace('_', '-')} must be at least 1, not {options[name]}.")
        networks = _networks(options["weights"])
        requested, null = _conditions(options)
        started = time.monotonic()
        pairs = _generate(networks, requested, chunk=options["chunk"])
        seconds = (time.monotonic() - started) / requested.count
        judged = _judged(networks.judge, pairs, requested)
        judged += _judged(networks.judge, _generate(networks, null, chunk=options["chunk"]), null)
        options["out"].mkdir(parents=True, exist_ok=True)
        _write(options["out"], judged, seconds_a_pair=seconds)
        _sheet(pairs).save(options["out"] / "pairs.png")
        for line in judged:
            self.stdout.write(f"{line.condition.name}, {line.arm}: {line.right} of {line.condition.count}")


def _conditions(options: dict[str, Any]) -> tuple[Condition, Condition]:
    requested = Condition(
        name="requested class",
        null=False,
        scales=DEMO_SCALES,
        count=options["pairs"],
        steps=options["steps"],
        bf16=False,
    )
    null = Condition(
        name="null class",
        null=True,
        scales={"unguided": 0.0, **dict.fromkeys(DEMO_SCALES, options["null_scale"])},
        count=options["null_images"],
        steps=options["null_steps"],
        bf16=options["null_bf16"],
    )
    return requested, null


def _networks(folder: Path) -> Networks:
    try:
        judge = load_classifier(folder / "sportballs-judge.safetensors")
        guides: dict[str, Classifier] = {
            arm: load_classifier(folder / f"sportballs-{arm}.safetensors") for arm in DEMO_SCALES
        }
        denoiser = load_denoiser(folder / "sportballs-denoiser.safetensors")
    except (UnreadableCheckpoint, CheckpointMismatch) as error:
        raise CommandError(f"--weights: {error}") from error
    if not isinstance(judge, CleanClassifier):
        raise CommandError("--weights: the judge must be a classifier of clean images, never a guide.")
    return Networks(denoiser, guides, judge)


def _generate(networks: Networks, condition: Condition, *, chunk: int) -> dict[str, Tensor]:
    """Seed-matched images of every arm, [count, 3, 64, 64] each: image i has seed i and class i mod 4."""
    made: dict[str, list[Tensor]] = {arm: [] for arm in condition.scales}
    with tqdm(total=math.ceil(condition.count / chunk) * condition.steps, unit="step", mininterval=5) as bar:
        for seeds in torch.split(torch.arange(condition.count), chunk):
            with torch.autocast("cpu", torch.bfloat16, enabled=condition.bf16):
                samples = _samples(networks, condition, seeds=seeds, on_step=_advance(bar))
            for arm, rows in samples.items():
                made[arm].append(rows)
    return {arm: torch.cat(parts) for arm, parts in made.items()}


def _samples(networks: Networks, condition: Condition, *, seeds: Tensor, on_step: OnStep) -> Mapping[str, Tensor]:
    """All arms' images of some seeds."""
    arms = [
        _arm(name, networks.guides.get(name), scale=scale, null=condition.null)
        for name, scale in condition.scales.items()
    ]
    return sample_arms(
        sportballs_source(networks.denoiser),
        arms,
        seeds=seeds.tolist(),
        requested=[(seed % CLASSES,) for seed in seeds.tolist()],
        steps=condition.steps,
        on_step=on_step,
    ).images


def _advance(bar: "tqdm[Any]") -> OnStep:
    def on_step(k: int, steps: int) -> None:
        bar.update()

    return on_step


def _arm(name: str, classifier: Classifier | None, *, scale: float, null: bool) -> GuidedArm:
    if classifier is None:
        return GuidedArm(name=name, class_conditional=not null)
    recipe = Recipe(guidance=By.CLASSIFIER, scale=scale)
    return GuidedArm(name=name, recipe=recipe, guide=guide_of(classifier), class_conditional=not null)


def _judged(judge: CleanClassifier, images: dict[str, Tensor], condition: Condition) -> list[Judged]:
    results = []
    for arm, x in images.items():
        # The judge sees what a rater sees: 8-bit pixels.
        shown = to_uint8(x).permute(0, 3, 1, 2).float() / 127.5 - 1
        right = seen_classes(judge, shown) == torch.arange(len(x)) % CLASSES
        results.append(Judged(arm, condition, int(right.sum())))
    return results


def _write(folder: Path, judged: Sequence[Judged], *, seconds_a_pair: float) -> None:
    results = [line.facts() for line in judged]
    report = {
        "sampler": "ddpm",
        "timesteps": 1000,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "seconds_a_pair": round(seconds_a_pair, 2),
        "arms": results,
    }
    (folder / "judged.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    columns = ("condition", "arm", "scale", "steps", "precision", "n")
    table = CardTable(
        "Images in which the judge finds the requested class (DDPM)",
        (*columns, "requested class found"),
        [[*(str(line.facts()[name]) for name in columns), percent(line.share)] for line in judged],
    )
    (folder / "judged.md").write_text(table.markdown() + "\n", encoding="utf-8")


def _sheet(pairs: dict[str, Tensor], *, columns: int = 12) -> Image:
    return contact_sheet([to_uint8(x[:columns]).numpy() for x in pairs.values()], zoom=2)
