"""Score a denoiser's training run along the weights that it kept."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from generation.diffusion.checkpoints import inspect_checkpoint
from generation.diffusion.facts import RefusedCheckpoint
from generation.diffusion.features import Extractor
from generation.diffusion.metrics import Metric
from generation.diffusion.references import statistics
from generation.diffusion.scoring import Reference, Scored, gather_reference
from generation.diffusion.snapshots import NoSnapshots, Sampling, Snapshot, score_snapshot, snapshots_in
from generation.management.references import InvalidText, reference_from
from generation.scores import REFUSALS, extractor_of, pictures_of
from generation.scoring_options import InvalidScoring, check_features, check_reference

METRICS = (Metric.FRECHET, Metric.CONDITIONAL_FRECHET, Metric.PRECISION, Metric.RECALL)
Options = dict[str, Any]  # Any: what Django's parser returns
Result = tuple[Snapshot, list[Scored]]


class Command(BaseCommand):
    """`manage.py score_run FOLDER --reference ...`: prints a table of all snapshots; --out writes it as JSON."""

    help = "Sample without guidance from every NAME-stepN.safetensors of a training run and score the images."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which run, how many images, and against what."""
        parser.add_argument("folder", type=Path, help="where train_denoiser --keep-every put the weights")
        parser.add_argument("--name", default="", help="the run's name, if the folder holds several")
        parser.add_argument(
            "--reference", required=True, help="folder:PATH, npz:PATH, batch:ID:ARM_ID or sportballs:N[:SEED]"
        )
        parser.add_argument(
            "--features", default="pixels-8", help="pixels-N, checkpoint:NAME, inception:FILE or model:FOLDER"
        )
        parser.add_argument("--metrics", nargs="+", default=["frechet"], choices=[metric.value for metric in METRICS])
        parser.add_argument("--n", type=int, default=200, help="images a snapshot, from seeds 0 on, classes in turn")
        parser.add_argument("--steps", type=int, default=50, help="sampling steps (DDPM)")
        parser.add_argument("--chunk", type=int, default=20, help="images sampled together")
        parser.add_argument("--out", type=Path, help="file for the numbers, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Score all snapshots, print, write."""
        for name in ("n", "steps", "chunk"):
            if options[name] < 1:
                raise CommandError(f"--{name} must be at least 1, not {options[name]}.")
        try:
            results, extractor, reference = _results(options)
        except (*REFUSALS, NoSnapshots, InvalidText, InvalidScoring, RefusedCheckpoint, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_table(results, extractor, options["metrics"]))
        if options["out"]:
            document = _document(results, extractor, reference, options)
            options["out"].write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            self.stdout.write(f"Wrote {options['out']}.")


def _results(options: Options) -> tuple[list[Result], Extractor, Reference]:
    device = _device()
    snapshots = snapshots_in(options["folder"], name=options["name"])
    wanted = check_reference(reference_from(options["reference"]))
    extractor = extractor_of(check_features(options["features"]), judge=None, device=device)
    sampling = Sampling(n=options["n"], steps=options["steps"], together=options["chunk"], device=device)
    first = inspect_checkpoint(snapshots[0].path)
    with TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as kept:
        known = statistics(Path(wanted["path"])) if wanted["kind"] == "npz" else None
        if known is not None:
            reference = Reference(name=Path(wanted["path"]).name, known=known)
        else:
            pictures = pictures_of(wanted, image_size=first.image_size, labels=first.class_labels)
            reference = gather_reference(pictures, extractor, file=Path(kept) / "reference")
        results = []
        with tqdm(
            total=len(snapshots) * sampling.n, unit="image", mininterval=1, disable=options["verbosity"] == 0
        ) as bar:
            for snapshot in snapshots:
                bar.set_description(f"step {snapshot.step}")
                scored = score_snapshot(
                    snapshot,
                    reference=reference,
                    extractor=extractor,
                    metrics=[Metric(name) for name in options["metrics"]],
                    sampling=sampling,
                    file=Path(kept) / "snapshot",
                    on_images=lambda n: _advance(bar, n),
                )
                results.append((snapshot, scored))
        # Taken now: the reference's features end with the folder.
        return results, extractor, Reference(name=reference.name, known=reference.moments)


def _advance(bar: "tqdm[Any]", images: int) -> None:
    bar.update(images)


def _table(results: list[Result], extractor: Extractor, metrics: list[str]) -> str:
    lines = [f"{extractor.distance_name}; {'  '.join(['step', *metrics])}"]
    problems: list[str] = []
    for snapshot, scored in results:
        cells = []
        for one in scored:
            cells.append("-" if one.value is None else f"{one.value:.6g}")
            if one.problem and one.problem not in problems:
                problems.append(one.problem)
        lines.append("  ".join([f"{snapshot.step:>8}", *cells]))
    return "\n".join([*lines, *problems])


def _document(results: list[Result], extractor: Extractor, reference: Reference, options: Options) -> dict[str, Any]:
    return {
        "distance": extractor.distance_name,
        "features": extractor.name,
        "reference": reference.name,
        "n_reference": reference.n,
        "n": options["n"],
        "sampling_steps": options["steps"],
        "snapshots": [
            {
                "step": snapshot.step,
                "file": snapshot.path.name,
                "scores": {one.metric.value: one.value for one in scored},
                "problems": {one.metric.value: one.problem for one in scored if one.problem},
            }
            for snapshot, scored in results
        ],
    }


def _device() -> torch.device:
    if settings.TORCH_THREADS:
        torch.set_num_threads(settings.TORCH_THREADS)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
