"""Let the judge look at what the shipped SportBalls weights generate, and draw a contact sheet of pairs."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from django.core.management.base import BaseCommand, CommandError, CommandParser
from PIL.Image import Image
from torch import Tensor, nn
from tqdm import tqdm

from generation.diffusion.cards import CardTable, percent
from generation.diffusion.checkpoints import (
    CheckpointMismatch,
    UnreadableCheckpoint,
    load_classifier,
    load_denoiser,
)
from generation.diffusion.classifiers import CleanClassifier
from generation.diffusion.datasets import CLASS_LABELS
from generation.diffusion.evaluation import seen_classes
from generation.diffusion.figures import contact_sheet
from generation.diffusion.guidance import Guidance, by_rows, classifier_guidance
from generation.diffusion.networks import UNet
from generation.diffusion.noise import SeededNoise
from generation.diffusion.presets import NULL_CLASS
from generation.diffusion.process import Diffusion
from generation.diffusion.sampling import OnStep, ddpm, to_uint8

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
CLASSES = len(CLASS_LABELS)
DEMO_SCALES = {"vanilla": 0.5, "robust": 1.0}


@dataclass(frozen=True)
class Networks:
    """The shipped networks: the denoiser, the guides by arm, and the judge."""

    denoiser: UNet
    guides: dict[str, nn.Module]
    judge: CleanClassifier


@dataclass(frozen=True)
class Judged:
    """One arm's result: how many of n images show the requested class to the judge."""

    arm: str
    condition: str
    scale: float
    n: int
    right: int

    @property
    def share(self) -> float:
        """Share of images of the requested class."""
        return self.right / self.n


class Command(BaseCommand):
    """`manage.py judge_guidance --out DIR`: writes judged.json, judged.md and pairs.png."""

    help = "Generate with the shipped weights and count in how many images the judge finds the requested class."

    def add_arguments(self, parser: CommandParser) -> None:
        """What to generate, and where the report goes."""
        parser.add_argument("--out", type=Path, required=True, help="folder for the report and the contact sheet")
        parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the weights")
        parser.add_argument("--pairs", type=int, default=40, help="class-conditional pairs, as in the demo")
        parser.add_argument("--null-images", type=int, default=400, help="images per arm with the null class")
        parser.add_argument("--null-scale", type=float, default=4.0, help="guidance scale with the null class")
        parser.add_argument("--steps", type=int, default=50)
        parser.add_argument("--chunk", type=int, default=20, help="seeds generated together")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Generate, judge, write."""
        for name in ("pairs", "null_images", "steps", "chunk"):
            if options[name] < 1:
                raise CommandError(f"--{name.replace('_', '-')} must be at least 1, not {options[name]}.")
        networks = _networks(options["weights"])
        started = time.monotonic()
        size = {"steps": options["steps"], "chunk": options["chunk"]}
        pairs = _generate(networks, DEMO_SCALES, count=options["pairs"], null=False, **size)
        seconds = time.monotonic() - started
        scales = {"unguided": 0.0, **dict.fromkeys(DEMO_SCALES, options["null_scale"])}
        unconditional = _generate(networks, scales, count=options["null_images"], null=True, **size)
        judged = [
            *_judged(networks.judge, pairs, condition="requested class", scales=DEMO_SCALES),
            *_judged(networks.judge, unconditional, condition="null class", scales=scales),
        ]
        options["out"].mkdir(parents=True, exist_ok=True)
        _write(options["out"], judged, steps=options["steps"], seconds_a_pair=seconds / options["pairs"])
        _sheet(pairs).save(options["out"] / "pairs.png")
        for line in judged:
            self.stdout.write(f"{line.condition}, {line.arm} s={line.scale:g}: {line.right}/{line.n}")


def _networks(folder: Path) -> Networks:
    try:
        judge = load_classifier(folder / "sportballs-judge.safetensors")
        guides: dict[str, nn.Module] = {
            arm: load_classifier(folder / f"sportballs-{arm}.safetensors") for arm in DEMO_SCALES
        }
        denoiser = load_denoiser(folder / "sportballs-denoiser.safetensors")
    except (UnreadableCheckpoint, CheckpointMismatch) as error:
        raise CommandError(f"--weights: {error}") from error
    if not isinstance(judge, CleanClassifier):
        raise CommandError("--weights: the judge must be a classifier of clean images, never a guide.")
    return Networks(denoiser, guides, judge)


def _generate(
    networks: Networks, scales: dict[str, float], *, count: int, null: bool, steps: int, chunk: int
) -> dict[str, Tensor]:
    """Seed-matched images of every arm, [count, 3, 64, 64] each: image i has seed i and class i mod 4."""
    made: dict[str, list[Tensor]] = {arm: [] for arm in scales}
    bar = tqdm(total=math.ceil(count / chunk) * steps, unit="step", mininterval=5)
    for seeds in torch.split(torch.arange(count), chunk):
        y = seeds % CLASSES
        labels = torch.full_like(y, NULL_CLASS) if null else y
        samples = ddpm(
            networks.denoiser,
            Diffusion.make().respaced(steps),
            noise=SeededNoise(seeds.tolist(), (3, 64, 64), steps=steps, copies=len(scales)),
            labels=labels.repeat(len(scales)),
            guidance=_arms(networks, scales, y),
            on_step=_advance(bar),
        )
        for arm, rows in zip(scales, samples.chunk(len(scales)), strict=True):
            made[arm].append(rows)
    bar.close()
    return {arm: torch.cat(parts) for arm, parts in made.items()}


def _advance(bar: "tqdm[Any]") -> OnStep:
    def on_step(k: int, steps: int) -> None:
        bar.update()

    return on_step


def _arms(networks: Networks, scales: dict[str, float], y: Tensor) -> Guidance:
    """Each arm's guidance on its own rows."""
    parts: list[tuple[slice, Guidance | None]] = []
    for index, (arm, scale) in enumerate(scales.items()):
        guide = networks.guides.get(arm)
        rows = slice(index * len(y), (index + 1) * len(y))
        parts.append((rows, classifier_guidance(guide, y, scale=scale) if guide else None))
    return by_rows(parts)


def _judged(
    judge: CleanClassifier, images: dict[str, Tensor], *, condition: str, scales: dict[str, float]
) -> list[Judged]:
    results = []
    for arm, x in images.items():
        requested = torch.arange(len(x)) % CLASSES
        # The judge sees what a rater sees: 8-bit pixels.
        shown = to_uint8(x).permute(0, 3, 1, 2).float() / 127.5 - 1
        right = int((seen_classes(judge, shown) == requested).sum())
        results.append(Judged(arm, condition, scales[arm], len(x), right))
    return results


def _write(folder: Path, judged: Sequence[Judged], *, steps: int, seconds_a_pair: float) -> None:
    report = {
        "sampler": "ddpm",
        "steps": steps,
        "of": 1000,
        "torch": torch.__version__,
        "seconds_a_pair": round(seconds_a_pair, 2),
        "arms": [
            {"condition": j.condition, "arm": j.arm, "scale": j.scale, "n": j.n, "right": j.right, "share": j.share}
            for j in judged
        ],
    }
    (folder / "judged.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    rows = [[j.condition, j.arm, f"{j.scale:g}", str(j.n), percent(j.share)] for j in judged]
    table = CardTable(
        f"Images in which the judge finds the requested class (DDPM, {steps} of 1000 steps)",
        ("denoiser is told", "arm", "scale", "n", "requested class found"),
        rows,
    )
    (folder / "judged.md").write_text(table.markdown() + "\n", encoding="utf-8")


def _sheet(pairs: dict[str, Tensor], *, columns: int = 12) -> Image:
    return contact_sheet([to_uint8(x[:columns]).numpy() for x in pairs.values()], zoom=2)
