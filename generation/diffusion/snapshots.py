"""Snapshots: the weights that a denoiser's training kept along its way, scored one after another.

After Kawar et al. (2023), Table 3: the distance of unguided, class-conditional samples at different training
iterations, by which the iteration to go on with is chosen.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from generation.diffusion.checkpoints import CheckpointFacts, inspect_checkpoint, load_denoiser, space_of
from generation.diffusion.features import Block, Extractor
from generation.diffusion.metrics import Metric
from generation.diffusion.process import Diffusion
from generation.diffusion.sampling import to_uint8
from generation.diffusion.scoring import Reference, Scored, score_arm
from generation.diffusion.seed_matched import GuidedArm, Source, sample_arms

PATTERN = re.compile(r"(?P<name>.+)-step(?P<step>\d+)\.safetensors")
ARM = "unguided"
OnImages = Callable[[int], None]


class NoSnapshots(ValueError):
    """A folder holds no weights of a run's steps, or those of several runs."""


@dataclass(frozen=True)
class Snapshot:
    """A run's weights after some steps."""

    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a snapshot's images are made: n in all, `together` at once, from seeds 0 to n - 1."""

    n: int
    steps: int
    together: int = 20
    device: torch.device | str = "cpu"


def snapshots_in(folder: Path, *, name: str = "") -> list[Snapshot]:
    """The snapshots NAME-stepN.safetensors of a folder, by step. Raises NoSnapshots."""
    matches = [(PATTERN.fullmatch(path.name), path) for path in sorted(folder.glob("*.safetensors"))]
    found = [(match["name"], Snapshot(int(match["step"]), path)) for match, path in matches if match]
    runs = sorted({run for run, _ in found if not name or run == name})
    if not runs:
        raise NoSnapshots(
            f"{folder} holds no snapshots {name or 'NAME'}-stepN.safetensors; train with --keep-every to have some."
        )
    if len(runs) > 1:
        raise NoSnapshots(f"{folder} holds snapshots of {', '.join(runs)}; say which run with --name.")
    return sorted((snapshot for run, snapshot in found if run == runs[0]), key=lambda snapshot: snapshot.step)


def score_snapshot(
    snapshot: Snapshot,
    *,
    reference: Reference,
    extractor: Extractor,
    metrics: Sequence[Metric],
    sampling: Sampling,
    file: Path,
    on_images: OnImages | None = None,
) -> list[Scored]:
    """Sample from a snapshot without guidance, classes in turn, and score the images. file: where features go.

    The same seeds and classes for every snapshot, so that they differ in their weights alone. Raises
    RefusedCheckpoint, UnfitImages, ValueError for steps that its chain has not.
    """
    facts = inspect_checkpoint(snapshot.path)
    images = _images(snapshot, facts, sampling=sampling, on_images=on_images)
    return score_arm(images, metrics=metrics, extractor=extractor, file=file, reference=reference)


def _images(
    snapshot: Snapshot, facts: CheckpointFacts, *, sampling: Sampling, on_images: OnImages | None
) -> Iterator[Block]:
    denoiser = load_denoiser(snapshot.path, facts, device=sampling.device)
    source = Source(
        denoiser=denoiser,
        process=Diffusion.make(facts.schedule, facts.timesteps),
        space=space_of(denoiser),
        takes_labels=facts.takes_labels,
        null_class=facts.null_class,
    )
    classes = max(1, len(facts.class_labels))
    for start in range(0, sampling.n, sampling.together):
        seeds = list(range(start, min(start + sampling.together, sampling.n)))
        wanted = [seed % classes for seed in seeds]
        sampled = sample_arms(
            source,
            [GuidedArm(name=ARM)],
            seeds=seeds,
            requested=[(class_index,) for class_index in wanted],
            steps=sampling.steps,
            device=sampling.device,
        )
        yield to_uint8(sampled.images[ARM]).numpy(), torch.tensor(wanted).numpy()
        if on_images is not None:
            on_images(len(seeds))
