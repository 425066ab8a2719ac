"""Studies to test with: real rows, and real files where a test looks at pixels."""

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from uuid import uuid4

import numpy as np

from generation.images import MadeWith, save_images
from generation.models import Arm, Batch, Image
from survey_site.design.designs import Design
from survey_site.drafts.design_changes import change_design
from survey_site.entrance.raters import enter_study
from survey_site.models import Rater, Study
from survey_site.studies import create_study, open_study
from survey_site.voting.trials import Queue, lease_trials, queue_of, record_vote

LABELS = {"0": "golf ball", "1": "tennis ball"}


def make_batch(n_pairs: int = 4, *, arms: Sequence[str] = ("robust", "vanilla"), made: bool = True) -> Batch:
    """Make an uploaded batch whose pairs alternate between two classes; the rows say that files are there."""
    status = Batch.Status.COMPLETE if made else Batch.Status.RUNNING
    batch = Batch.objects.create(name="a batch", source=Batch.Source.UPLOADED, status=status, class_table=LABELS)
    batch.arms.set([Arm.objects.create(name=name, source=Arm.Source.UPLOADED) for name in arms])
    Image.objects.bulk_create(
        Image(batch=batch, arm=arm, class_index=seed % 2, seed=seed, **(_facts() if made else {}))
        for arm in batch.arms.all()
        for seed in range(n_pairs)
    )
    return batch


def make_study(
    n_pairs: int = 4,
    *,
    arms: Sequence[str] = ("robust", "vanilla"),
    votes_wanted: int | None = None,
    slug: str | None = None,
    design: Mapping[str, object] | None = None,
) -> Study:
    """Open a study on a fresh batch, without files. design: the settings that differ from the default."""
    batch = make_batch(n_pairs, arms=arms)
    draft = _draft(batch, votes_wanted=votes_wanted, slug=slug)
    return open_study(change_design(draft, Design.of(design or {})))


def make_draft(n_pairs: int = 4) -> Study:
    """Set up a study that has not opened, on a fresh batch without files."""
    return _draft(make_batch(n_pairs), votes_wanted=None, slug=None)


def make_study_with_files(
    n_pairs: int = 4,
    *,
    votes_wanted: int | None = None,
    slug: str | None = None,
    design: Mapping[str, object] | None = None,
    size: int = 64,
) -> Study:
    """Open a study whose images are drawn balls, files and all; the two arms differ in bytes and look."""
    batch = make_batch(n_pairs, made=False)
    noises = {"vanilla": 12.0}
    drawn = [
        (image, drawn_ball(image.seed, noise=noises.get(image.arm.name, 0.0), size=size))
        for image in batch.images.all()
    ]
    save_images(drawn, made_with=MadeWith())
    draft = _draft(batch, votes_wanted=votes_wanted, slug=slug)
    return open_study(change_design(draft, Design.of(design or {})))


def drawn_ball(seed: int, *, noise: float, size: int = 64) -> np.ndarray:
    """Return a shaded ball on a plain ground, uint8 [size, size, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size * 2 - 1
    centre, radius = rng.uniform(-0.2, 0.2, 2), rng.uniform(0.4, 0.65)
    distance = np.hypot(x - centre[0], y - centre[1]) / radius
    light = np.clip(1.1 - np.hypot(x - centre[0] + 0.25, y - centre[1] + 0.25) / radius, 0.1, 1)
    ball = np.array(colorsys.hsv_to_rgb(rng.uniform(), 0.7, 1.0)) * light[..., None]
    pixels = np.where(distance[..., None] < 1, ball, rng.uniform(0.25, 0.8, 3)) * 255
    return np.clip(pixels + rng.normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


def make_rater(study: Study) -> Rater:
    """Let a rater in, who holds nothing yet."""
    return enter_study(study)


def rate(rater: Rater, choice: str = "left", *, times: int | None = None) -> Queue:
    """Answer the rater's trials with one choice, a few times or to the end; return the queue that is left."""
    queue = lease_trials(rater)
    while queue.trials and (times is None or times > 0):
        record_vote(queue.trials[0], choice, response_ms=1000, key=uuid4())
        times = None if times is None else times - 1
        queue = queue_of(rater)
    return queue


def take_turns(raters: Sequence[Rater]) -> Iterator[Rater]:
    """Yield raters one vote at a time, until nobody has an open trial."""
    going = list(raters)
    while going:
        for rater in list(going):
            if rate(rater, times=1).trials:
                yield rater
            else:
                going.remove(rater)


def _draft(batch: Batch, *, votes_wanted: int | None, slug: str | None) -> Study:
    return create_study(
        owner=None,
        title="vanilla or robust?",
        arms=list(batch.arms.all()),
        batches=[batch],
        votes_wanted=votes_wanted,
        slug=slug,
    )


def _facts() -> dict[str, str | int]:
    name = uuid4().hex
    return {"name": f"images/{name}.png", "sha256": name * 2, "n_bytes": 100, "width": 64, "height": 64}
