"""Scores of a training run along the weights that it kept: by command, and as a work that belongs to no batch."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from django.conf import settings

from generation.diffusion.checkpoints import inspect_checkpoint
from generation.diffusion.facts import RefusedCheckpoint
from generation.diffusion.metrics import Metric
from generation.diffusion.references import statistics
from generation.diffusion.scoring import Reference, Scored, gather_reference
from generation.diffusion.snapshots import NoSnapshots, Sampling, Snapshot, score_snapshot, snapshots_in
from generation.holds import Hold, Report, WorkImpossible
from generation.scores import REFUSALS, extractor_of, make_scores, pictures_of
from generation.scoring_options import Chosen
from generation.trainings import folder_of_training

RUN_REFUSALS = (*REFUSALS, NoSnapshots, RefusedCheckpoint, ValueError)
"""All that scoring a run raises of its own, each with a sentence."""


@dataclass(frozen=True, kw_only=True)
class RunScores:
    """What came out: every snapshot with its scores, and what they were measured with and against."""

    results: Sequence[tuple[Snapshot, Sequence[Scored]]]
    metrics: Sequence[Metric]
    sampling: Sampling
    distance: str
    features: str
    reference: Reference

    def table(self) -> str:
        """The scores in lines, a snapshot each, and under them why some are missing."""
        lines = [f"{self.distance}; {'  '.join(['step', *(metric.value for metric in self.metrics)])}"]
        problems: list[str] = []
        for snapshot, scored in self.results:
            cells = ["-" if one.value is None else f"{one.value:.6g}" for one in scored]
            problems += [one.problem for one in scored if one.problem and one.problem not in problems]
            lines.append("  ".join([f"{snapshot.step:>8}", *cells]))
        return "\n".join([*lines, *problems])

    def document(self) -> dict[str, Any]:  # Any: what JSON can hold
        """The same with all that decides it, as JSON has it."""
        return {
            "distance": self.distance,
            "features": self.features,
            "reference": self.reference.name,
            "n_reference": self.reference.n,
            "n": self.sampling.n,
            "sampling_steps": self.sampling.steps,
            "snapshots": [
                {
                    "step": snapshot.step,
                    "file": snapshot.path.name,
                    "scores": {one.metric.value: one.value for one in scored},
                    "problems": {one.metric.value: one.problem for one in scored if one.problem},
                }
                for snapshot, scored in self.results
            ],
        }


def score_run(
    snapshots: Sequence[Snapshot],
    *,
    wanted: Chosen,
    features: str,
    metrics: Sequence[Metric],
    sampling: Sampling,
    on_images: Callable[[Snapshot, int], None],
) -> RunScores:
    """Sample without guidance from every snapshot and score the images. Raises RUN_REFUSALS.

    wanted, features: a reference and features, checked. on_images(snapshot, n) is called for every n images made.
    """
    extractor = extractor_of(features, judge=None, device=torch.device(sampling.device))
    first = inspect_checkpoint(snapshots[0].path)
    with TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as kept:
        known = statistics(Path(wanted["path"])) if wanted["kind"] == "npz" else None
        if known is not None:
            reference = Reference(name=Path(wanted["path"]).name, known=known)
        else:
            pictures = pictures_of(wanted, image_size=first.image_size, labels=first.class_labels)
            reference = gather_reference(pictures, extractor, file=Path(kept) / "reference")
        results = []
        for snapshot in snapshots:
            scored = score_snapshot(
                snapshot,
                reference=reference,
                extractor=extractor,
                metrics=metrics,
                sampling=sampling,
                file=Path(kept) / "snapshot",
                on_images=partial(on_images, snapshot),
            )
            results.append((snapshot, scored))
        # Taken now: the reference's features end with the folder.
        ended = Reference(name=reference.name, known=reference.moments)
    return RunScores(
        results=results,
        metrics=metrics,
        sampling=sampling,
        distance=extractor.distance_name,
        features=extractor.name,
        reference=ended,
    )


def do_scoring(hold: Hold, report: Report) -> None:
    """Do the work of a scoring: of a batch, or of a training run."""
    if "training" in hold.work.options:
        _score_training(hold, report)
    else:
        make_scores(hold, report)


def sampling_device() -> torch.device:
    """Where images are made, with the threads that the installation allows."""
    if settings.TORCH_THREADS:
        torch.set_num_threads(settings.TORCH_THREADS)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _score_training(hold: Hold, report: Report) -> None:
    options = hold.work.options
    made = 0

    def on_images(snapshot: Snapshot, n: int) -> None:
        nonlocal made
        made += n
        report(made, len(snapshots) * int(options["n"]), f"step {snapshot.step}")

    try:
        snapshots = snapshots_in(folder_of_training(int(options["training"])))
        scores = score_run(
            snapshots,
            wanted=dict(options["reference"]),
            features=str(options["features"]),
            metrics=[Metric.FRECHET],
            sampling=Sampling(n=int(options["n"]), steps=int(options["steps"]), device=sampling_device()),
            on_images=on_images,
        )
    except RUN_REFUSALS as error:
        raise WorkImpossible(str(error)) from error
    document = json.dumps(scores.document(), indent=2) + "\n"
    hold.keep_file("scores-along-the-run.json", document.encode(), content_type="application/json")
    hold.keep_file("scores-along-the-run.txt", (scores.table() + "\n").encode(), content_type="text/plain")
    found = [(one.value, snapshot.step) for snapshot, scored in scores.results for one in scored]
    known = [(value, step) for value, step in found if value is not None]
    if not known:
        raise WorkImpossible("No snapshot could be scored; the file scores-along-the-run.txt says why.")
    least, step = min(known)
    hold.finish(note=f"{scores.distance} is least at step {step}: {least:.4g} (n = {options['n']})")
