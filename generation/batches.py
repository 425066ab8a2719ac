"""Batches: created with all their rows, followed by counting them, cancelled and tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from generation.arms import InvalidArm, check_arm, class_labels_of
from generation.chunks import UNFINISHED, cut_into_chunks
from generation.diffusion.arithmetic import CompileMode
from generation.models import Arm, Batch, Checkpoint, Image
from generation.tasks import generate_chunk

DEFAULT_STEPS = 250
PAIRS_PER_CHUNK = 8
LARGEST_SEED = 2**63 - 1
# Rows are written in one transaction, during which nobody else can write to SQLite.
MOST_IMAGES = 100_000


class InvalidBatch(Exception):
    """This batch cannot be made; the message says what is wrong and what to do."""


class BatchFinished(Exception):
    """There is nothing left to cancel."""


class NothingToRetry(Exception):
    """The batch is complete, or still being worked on."""


@dataclass(frozen=True)
class Progress:
    """How far a batch is. A pair is one seed of one class, in all arms."""

    made: int
    wanted: int
    share: float
    """Of all sampling steps, from 0 to 1."""
    seconds_left: float | None
    """At the measured rate; nothing before there is one, and when nobody works."""


def create_batch(
    *,
    owner: User | None,
    name: str,
    arms: Sequence[Arm],
    class_indices: Sequence[int],
    seeds_per_class: int,
    steps: int = DEFAULT_STEPS,
    first_seed: int = 0,
    shared_seeds: bool = False,
    combined: Sequence[Sequence[int]] = (),
    precision: str = Batch.Precision.FLOAT32,
    compile_mode: str = CompileMode.NONE,
    pairs_per_chunk: int = PAIRS_PER_CHUNK,
) -> Batch:
    """Write the rows of a new batch and queue its chunks.

    Pair i of class c has seed `first_seed + i * number of classes + c`, so that no two classes share noise (the
    statistics would not know of such clusters) and a larger batch begins with the pairs of a smaller one.
    With `shared_seeds`, pair i has seed `first_seed + i` in every class. combined: classes that are requested at
    once; each combination is a class of its own, numbered on from the last label.
    """
    if len(set(class_indices)) < len(class_indices):
        raise InvalidBatch("A class is named twice; name each once.")
    denoiser, labels = _check(arms, [*class_indices, *chain(*combined)], steps=steps)
    _check_combined(combined, denoiser, arms)
    _check_arithmetic(precision, compile_mode)
    texts = {**dict(enumerate(labels)), **_combined_texts(combined, labels)}
    class_indices = [*class_indices, *range(len(labels), len(texts))]
    if not class_indices:
        raise InvalidBatch("No classes, so no pairs; choose at least one class.")
    if seeds_per_class < 1 or pairs_per_chunk < 1:
        raise InvalidBatch("Ask for at least one pair per class, and one pair at a time.")
    if len(class_indices) * seeds_per_class * len(arms) > MOST_IMAGES:
        raise InvalidBatch(f"A batch may have {MOST_IMAGES} images; divide this one into several.")
    n_labels = len(texts)
    if not 0 <= first_seed <= LARGEST_SEED - seeds_per_class * n_labels:
        raise InvalidBatch(f"The first seed is {first_seed}; choose one from 0 to 2^62.")
    pairs = [
        (class_index, first_seed + (i if shared_seeds else i * n_labels + class_index))
        for i in range(seeds_per_class)
        for class_index in class_indices
    ]
    return _write_rows(
        Batch(
            owner=owner,
            name=name,
            class_table={str(index): texts[index] for index in sorted(class_indices)},
            combined_classes={str(len(labels) + i): list(classes) for i, classes in enumerate(combined)},
            precision=precision,
            compile_mode=compile_mode,
            steps=steps,
            forward_rows=pairs_per_chunk * len(arms),
        ),
        arms,
        pairs=pairs,
    )


def cancel_batch(batch: Batch) -> None:
    """Stop the batch; a worker notices at its next heartbeat. What is made stays."""
    unfinished = Batch.objects.filter(pk=batch.pk, status__in=UNFINISHED)
    if not unfinished.update(status=Batch.Status.CANCELLED, finished_at=timezone.now()):
        raise BatchFinished(f'Batch "{batch.name}" is finished already.')


def retry_batch(batch: Batch) -> None:
    """Queue what is missing in a failed or cancelled batch."""
    stopped = Batch.objects.filter(
        pk=batch.pk, source=Batch.Source.GENERATED, status__in=(Batch.Status.FAILED, Batch.Status.CANCELLED)
    )
    with transaction.atomic():
        if not stopped.update(status=Batch.Status.QUEUED, problem="", started_at=None, finished_at=None):
            raise NothingToRetry(f'Batch "{batch.name}" has not stopped: there is nothing to try again.')
        batch.chunks.filter(done_at=None).update(lease_until=None, claimed_by="", attempts=0, steps_done=0)
        _enqueue(batch)


def progress_of(batch: Batch) -> Progress:
    """Count what is made, and measure from the steps how long the rest takes."""
    count = batch.images.aggregate(
        made=Count("pk", filter=~Q(name="")), wanted=Count("pk"), arms=Count("arm", distinct=True)
    )
    n_arms = count["arms"] or 1
    made, wanted = count["made"] // n_arms, count["wanted"] // n_arms
    if not batch.is_unfinished:
        return Progress(made, wanted, share=made / wanted if wanted else 0.0, seconds_left=None)
    share, new_share = _shares(batch)
    elapsed = (timezone.now() - batch.started_at).total_seconds() if batch.started_at else 0.0
    return Progress(made, wanted, share, seconds_left=elapsed * (1 - share) / new_share if new_share else None)


def _shares(batch: Batch) -> tuple[float, float]:
    # Of all steps: those done, and those done since the batch was started (it may have been tried again).
    new = Q(done_at=None) | Q(done_at__gte=batch.started_at) if batch.started_at else Q(done_at=None)
    count = batch.chunks.aggregate(chunks=Count("pk"), steps=Sum("steps_done"), new=Sum("steps_done", filter=new))
    of = count["chunks"] * (batch.steps or 1) or 1
    return (count["steps"] or 0) / of, (count["new"] or 0) / of


def _check(arms: Sequence[Arm], class_indices: Sequence[int], *, steps: int) -> tuple[Checkpoint, list[str]]:
    # Returns the first arm's denoiser, whose facts all arms share, and the texts of the classes.
    if not arms:
        raise InvalidBatch("A batch needs at least one arm; choose those to compare.")
    try:
        for arm in arms:
            check_arm(arm)
    except InvalidArm as error:
        raise InvalidBatch(str(error)) from error
    names = [arm.name for arm in arms]
    for name in names:
        if names.count(name) > 1:
            raise InvalidBatch(f'Two arms are called "{name}"; results could not tell them apart.')
    denoisers = [arm.denoiser for arm in arms if arm.denoiser is not None]
    _check_denoisers(denoisers)
    labels = _labels(arms)
    _check_classes(class_indices, labels)
    _check_steps(arms, steps, timesteps=denoisers[0].timesteps)
    return denoisers[0], labels


def _labels(arms: Sequence[Arm]) -> list[str]:
    known = [(arm, class_labels_of(arm)) for arm in arms]
    first, labels = next(((arm, labels) for arm, labels in known if labels), (None, []))
    if first is None:
        raise InvalidBatch("None of these arms knows a class; compare with one that has a classifier.")
    for arm, others in known:
        if others and others != labels:
            raise InvalidBatch(f'Arms "{first}" and "{arm}" know other classes, so no pair could ask both for one.')
    return labels


def _check_steps(arms: Sequence[Arm], steps: int, *, timesteps: int) -> None:
    if not 1 <= steps <= timesteps:
        raise InvalidBatch(f"{steps} steps: the denoiser has {timesteps}; choose from 1 to that.")
    for arm in arms:
        if arm.sampler == Arm.Sampler.DDIM and timesteps % steps:
            raise InvalidBatch(
                f'Arm "{arm.name}" samples with DDIM, which takes every n-th of {timesteps} levels; '
                f"{steps} steps do not divide them. Choose {_nearest_divisor(timesteps, steps)}."
            )


def _nearest_divisor(timesteps: int, steps: int) -> int:
    return min((n for n in range(1, timesteps + 1) if timesteps % n == 0), key=lambda n: (abs(n - steps), n))


def _check_combined(combined: Sequence[Sequence[int]], denoiser: Checkpoint, arms: Sequence[Arm]) -> None:
    for classes in combined:
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise InvalidBatch("A combination needs two or more different classes, such as 0+3.")
    if not combined:
        return
    if denoiser.takes_labels and denoiser.null_class is None:
        raise InvalidBatch(
            f'Several classes at once are for guidance alone, but denoiser "{denoiser}" must be told one class; '
            "use one with a null class, or an unconditional one."
        )
    for arm in arms:
        if arm.guidance == Arm.Guidance.CLASSIFIER_FREE:
            raise InvalidBatch(f'Arm "{arm.name}" is classifier-free, which cannot ask for several classes at once.')


def _check_arithmetic(precision: str, compile_mode: str) -> None:
    if precision not in Batch.Precision.values:
        raise InvalidBatch(f"The precision is {precision}; choose {' or '.join(Batch.Precision.values)}.")
    if compile_mode not in list(CompileMode):
        known = " or ".join(mode for mode in CompileMode if mode)
        raise InvalidBatch(
            f'The compile mode is "{compile_mode}"; choose {known}, or leave it empty to compile nothing.'
        )


def _combined_texts(combined: Sequence[Sequence[int]], labels: Sequence[str]) -> dict[int, str]:
    return {len(labels) + i: " and ".join(labels[index] for index in classes) for i, classes in enumerate(combined)}


def _check_denoisers(denoisers: Sequence[Checkpoint]) -> None:
    first = denoisers[0]
    for other in denoisers[1:]:
        for fact, unit in (("image_size", "px"), ("timesteps", "timesteps"), ("class_labels", "as class labels")):
            ours, theirs = getattr(first, fact), getattr(other, fact)
            # An unconditional denoiser has no labels to disagree with.
            if ours != theirs and not (fact == "class_labels" and not (ours and theirs)):
                raise InvalidBatch(
                    f'Denoisers "{first}" and "{other}" cannot share a batch: {ours} against {theirs} {unit}.'
                )


def _check_classes(class_indices: Sequence[int], labels: Sequence[str]) -> None:
    for index in class_indices:
        if not 0 <= index < len(labels):
            raise InvalidBatch(f"There is no class {index}; the denoiser knows classes 0 to {len(labels) - 1}.")


@transaction.atomic
def _write_rows(batch: Batch, arms: Sequence[Arm], *, pairs: Sequence[tuple[int, int]]) -> Batch:
    if not batch.name.strip():
        raise InvalidBatch("The batch has no name; give it one that you will recognise.")
    batch.save()
    batch.arms.set(arms)
    rows = [
        [Image(batch=batch, arm=arm, class_index=class_index, seed=seed) for arm in arms] for class_index, seed in pairs
    ]
    cut_into_chunks(batch, rows, pairs_per_chunk=(batch.forward_rows or 1) // len(arms))
    Image.objects.bulk_create([image for pair in rows for image in pair], batch_size=1000)
    _enqueue(batch)
    return batch


def _enqueue(batch: Batch) -> None:
    # Robust: where the broker is down the rows stay, and the sweep queues them when it is back.
    chunk_ids = list(batch.chunks.filter(done_at=None).values_list("pk", flat=True))
    transaction.on_commit(partial(_send, chunk_ids), robust=True)


def _send(chunk_ids: Sequence[int]) -> None:
    for chunk_id in chunk_ids:
        generate_chunk.delay(chunk_id)
