"""Making scores: a batch's images and guides measured as its options say. Imports torch: for workers and commands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import PIL.Image
import torch
from django.conf import settings
from django.db import transaction

from generation.arms_at_work import classifier_of, source_of
from generation.diffusion import features, references
from generation.diffusion.features import Block, Extractor, UnfitImages, UnusableExtractor
from generation.diffusion.guide_scoring import score_guide
from generation.diffusion.inception import UnusableInception
from generation.diffusion.metrics import OF_FEATURES, OF_GUIDES, Metric
from generation.diffusion.offshelf import MissingExtra, UnusableFolder
from generation.diffusion.references import InvalidReference, Pictures
from generation.diffusion.scoring import Judge, JudgeIsGuide, Reference, Scored, gather_reference, score_arm
from generation.holds import Hold, Report, WorkImpossible
from generation.images import MissingFile, read_bytes
from generation.models import Arm, Batch, Checkpoint, Image, Score
from generation.scoring_options import labels_of

Chosen = Mapping[str, Any]  # Any: what JSON can hold
ROWS = 64
REFUSALS = (
    InvalidReference,
    JudgeIsGuide,
    MissingExtra,
    MissingFile,
    UnfitImages,
    UnusableExtractor,
    UnusableFolder,
    UnusableInception,
)


def make_scores(hold: Hold, report: Report) -> None:
    """Measure a scoring's batch and store what came out. Raises WorkImpossible."""
    work = hold.work
    if work.batch is None:
        raise WorkImpossible("The batch that was to be scored is gone.")
    try:
        scores = measured(work.batch, work.options, report=report)
    except REFUSALS as error:
        raise WorkImpossible(str(error)) from error
    for score in scores:
        score.work = work
    lost = sum(score.value is None for score in scores)
    note = f"{len(scores)} scores" + (f", {lost} of them could not be measured" if lost else "")
    with transaction.atomic():
        hold.finish(note=note)
        Score.objects.bulk_create(scores)


def measured(batch: Batch, chosen: Chosen, *, report: Report) -> list[Score]:
    """Measure a batch as checked options say (see check_scoring); rows are not stored yet. Raises one of REFUSALS."""
    bench = _Bench(batch, chosen, report)
    # Features are kept beside the uploads: the system's own folder for temporary files may be memory.
    with TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        reference = bench.reference(Path(folder) / "reference")
        return [score for arm in bench.arms for score in bench.scores_of(arm, reference, Path(folder) / "arm")]


def extractor_of(name: str, *, judge: Judge | None, device: torch.device) -> Extractor:
    """Return the extractor of a checked name: pixels-N, judge, inception:PATH or model:PATH. Raises one of REFUSALS."""
    kind, _, path = name.partition(":")
    if kind == "inception":
        return features.inception(Path(path), device=device)
    if kind == "model":
        return features.image_model(Path(path), device=device)
    if name != "judge":
        return features.pixels(int(name.removeprefix("pixels-")), device=device)
    if judge is None:
        raise UnusableExtractor("Features of the judge need a judge; choose one.")
    return features.penultimate(
        judge.classifier, name=f"judge {judge.name}", image_size=judge.image_size, device=device
    )


def pictures_of(wanted: Chosen, *, image_size: int | None, labels: Sequence[str]) -> Pictures:
    """Return the pictures of a checked reference that has some. image_size: what a folder's are brought to.

    Raises InvalidReference.
    """
    if wanted["kind"] == "folder":
        return references.folder(Path(wanted["path"]), image_size=image_size, labels=labels)
    if wanted["kind"] == "npz":
        return references.archive(Path(wanted["path"]))
    if wanted["kind"] == "sportballs":
        return references.sportballs(wanted["n"], seed=wanted["seed"], image_size=image_size or 64)
    batch, arm = Batch.objects.get(pk=wanted["batch"]), Arm.objects.get(pk=wanted["arm"])
    n = batch.images.filter(arm=arm).count()
    return Pictures(name=f'batch "{batch}", arm "{arm}"', n=n, blocks=lambda: blocks_of(batch, arm))


def blocks_of(batch: Batch, arm: Arm) -> Iterator[Block]:
    """Yield an arm's images and their class indices, a few at a time. Raises MissingFile."""
    rows = batch.images.filter(arm=arm).order_by("class_index", "seed")
    part: list[Image] = []
    for image in rows.iterator(chunk_size=ROWS):
        part.append(image)
        if len(part) == ROWS:
            yield _block(part)
            part = []
    if part:
        yield _block(part)


def judge_of(checkpoint: Checkpoint, *, labels: Sequence[str], device: torch.device) -> Judge:
    """Return a registered classifier as a judge. labels: classes for one that reads texts. See classifier_of."""
    classifier = classifier_of(checkpoint, labels=labels, device=device)
    size = None if checkpoint.facts.get("resizes") else checkpoint.image_size
    return Judge(name=checkpoint.name, sha256=checkpoint.sha256, classifier=classifier, image_size=size, device=device)


class _Bench:
    """What one scoring has loaded, and how far it is."""

    def __init__(self, batch: Batch, chosen: Chosen, report: Report) -> None:
        self.batch, self.chosen, self.report = batch, chosen, report
        self.device = _device()
        self.metrics = [Metric(name) for name in chosen["metrics"]]
        self.arms = list(batch.arms.filter(pk__in=chosen["arms"]).select_related("classifier", "denoiser"))
        self.judge_row = Checkpoint.objects.filter(pk=chosen["judge"]).first() if chosen["judge"] else None
        self.judge = judge_of(self.judge_row, labels=labels_of(batch), device=self.device) if self.judge_row else None
        self.extractor = extractor_of(chosen["features"], judge=self.judge, device=self.device)
        first = batch.images.exclude(name="").first()
        self.image_size = first.width if first is not None and first.width == first.height else None
        self.done = 0
        self.total = self._total()

    def reference(self, file: Path) -> Reference | None:
        """The reference's features, or its statistics; None if no metric compares."""
        wanted = self.chosen["reference"]
        if wanted is None or not set(self.metrics) & set(OF_FEATURES):
            return None
        if wanted["kind"] == "npz" and (known := references.statistics(Path(wanted["path"]))) is not None:
            return Reference(name=Path(wanted["path"]).name, known=known)
        pictures = self._pictures()
        reference = gather_reference(pictures, self.extractor, file=file, on_progress=self._progress())
        self.done += pictures.n
        return reference

    def scores_of(self, arm: Arm, reference: Reference | None, file: Path) -> Iterator[Score]:
        """All of an arm's scores."""
        guide_sha256 = arm.classifier.sha256 if arm.classifier else ""
        if set(self.metrics) - set(OF_GUIDES):
            images = self.batch.images.filter(arm=arm).count()
            for scored in score_arm(
                blocks_of(self.batch, arm),
                metrics=[metric for metric in self.metrics if metric not in OF_GUIDES],
                extractor=self.extractor,
                file=file,
                reference=reference,
                judge=self.judge,
                guide_sha256=guide_sha256,
                requested={int(index): classes for index, classes in self.batch.combined_classes.items()},
                per_class=self.chosen["per_class"],
                on_progress=self._progress(arm),
            ):
                yield self._row(arm, scored, reference.name if reference else "")
            self.done += images
        if arm.classifier is not None and set(self.metrics) & set(OF_GUIDES):
            yield from self._of_guide(arm)

    def _of_guide(self, arm: Arm) -> Iterator[Score]:
        if arm.classifier is None or arm.denoiser is None:
            return
        pictures = _first(self._pictures(), self.chosen["guide_images"])
        source = source_of(arm.denoiser, device=self.device)
        scored = score_guide(
            classifier_of(arm.classifier, labels=labels_of(self.batch), device=self.device),
            pictures,
            process=source.process.to(self.device),
            metrics=self.metrics,
            levels=self.chosen["levels"],
            source=source,
            image_size=None if arm.classifier.facts.get("resizes") else arm.classifier.image_size,
            device=self.device,
            on_progress=self._progress(arm),
        )
        self.done += 2 * pictures.n * len(self.chosen["levels"])
        yield from (self._row(arm, one, pictures.name) for one in scored)

    def _row(self, arm: Arm, scored: Scored, reference: str) -> Score:
        of_features = scored.metric in OF_FEATURES
        name = "FID" if self.extractor.is_fid else self.extractor.name
        return Score(
            batch=self.batch,
            arm=arm,
            metric=scored.metric.value,
            value=scored.value,
            problem=scored.problem,
            n=scored.n,
            n_reference=scored.n_reference,
            class_index=scored.class_index,
            level=scored.level,
            features=name[:100] if of_features else "",
            reference=reference[:200] if scored.metric is not Metric.TARGET_ACCURACY else "",
            judge=self.judge_row if scored.metric is Metric.TARGET_ACCURACY else None,
        )

    def _pictures(self) -> Pictures:
        return pictures_of(self.chosen["reference"], image_size=self.image_size, labels=labels_of(self.batch))

    def _total(self) -> int:
        """Images to look at, and one more, so that only the end is the end."""
        total = sum(self.batch.images.filter(arm=arm).count() for arm in self.arms)
        wanted = self.chosen["reference"]
        if wanted is None or (wanted["kind"] == "npz" and references.statistics(Path(wanted["path"])) is not None):
            return total + 1
        n, guided = self._pictures().n, sum(arm.classifier is not None for arm in self.arms)
        if set(self.metrics) & set(OF_GUIDES):
            total += 2 * guided * min(n, self.chosen["guide_images"]) * len(self.chosen["levels"])
        return total + n + 1

    def _progress(self, arm: Arm | None = None) -> Callable[[int, str], None]:
        before = self.done
        prefix = "" if arm is None else f"{arm}: "
        return lambda done, note: self.report(min(before + done, self.total - 1), self.total, f"{prefix}{note}")


def _block(images: Sequence[Image]) -> Block:
    pixels = []
    for image in images:
        with PIL.Image.open(BytesIO(read_bytes(image))) as opened:
            pixels.append(np.asarray(opened.convert("RGB"), dtype=np.uint8))
    if any(one.shape != pixels[0].shape for one in pixels):
        raise UnfitImages("The images of this batch have several sizes, and features are of one; score another batch.")
    return np.stack(pixels), np.array([image.class_index for image in images], dtype=np.int64)


def _first(pictures: Pictures, n: int) -> Pictures:
    """The first n pictures only."""

    def blocks() -> Iterator[Block]:
        left = n
        for pixels, classes in pictures.blocks():
            yield pixels[:left], classes[:left]
            left -= len(classes)
            if left <= 0:
                return

    return replace(pictures, n=min(n, pictures.n), blocks=blocks)


def _device() -> torch.device:
    if settings.TORCH_THREADS:
        torch.set_num_threads(settings.TORCH_THREADS)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
