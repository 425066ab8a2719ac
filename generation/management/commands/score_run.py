"""Score a denoiser's training run along the weights that it kept."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from generation.diffusion.metrics import Metric
from generation.diffusion.snapshots import Sampling, Snapshot, snapshots_in
from generation.management.references import InvalidText, reference_from
from generation.run_scores import RUN_REFUSALS, RunScores, sampling_device, score_run
from generation.scoring_options import InvalidScoring, check_features, check_reference

METRICS = (Metric.FRECHET, Metric.CONDITIONAL_FRECHET, Metric.PRECISION, Metric.RECALL)
Options = dict[str, Any]  # Any: what Django's parser returns


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
            scores = _scored(options)
        except (*RUN_REFUSALS, InvalidText, InvalidScoring) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(scores.table())
        if options["out"]:
            options["out"].write_text(json.dumps(scores.document(), indent=2) + "\n", encoding="utf-8")
            self.stdout.write(f"Wrote {options['out']}.")


def _scored(options: Options) -> RunScores:
    snapshots = snapshots_in(options["folder"], name=options["name"])
    total = len(snapshots) * options["n"]
    with tqdm(total=total, unit="image", mininterval=1, disable=options["verbosity"] == 0) as bar:

        def on_images(snapshot: Snapshot, n: int) -> None:
            bar.set_description(f"step {snapshot.step}", refresh=False)
            bar.update(n)

        return score_run(
            snapshots,
            wanted=check_reference(reference_from(options["reference"])),
            features=check_features(options["features"]),
            metrics=[Metric(name) for name in options["metrics"]],
            sampling=Sampling(
                n=options["n"], steps=options["steps"], together=options["chunk"], device=sampling_device()
            ),
            on_images=on_images,
        )
