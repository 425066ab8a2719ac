"""Making one chunk: claim, load, sample, save. Imports torch, so only workers import this module."""

import logging
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from django.conf import settings
from django.db import transaction
from torch.utils import deterministic

from generation.arms_at_work import arithmetic_of, guided_arm, source_of
from generation.checkpoints import UnusableCheckpoint
from generation.chunks import (
    ERRORS_ALLOWED,
    Claim,
    LostClaim,
    claim_chunk,
    finish_chunk,
    start_again_at_half,
    stop_batch,
)
from generation.diffusion.acceleration import CannotAccelerate
from generation.diffusion.sampling import to_uint8
from generation.diffusion.seed_matched import sample_arms
from generation.images import MadeWith, Pixels, encode_png, save_pngs
from generation.models import Arm, Checkpoint, Image

log = logging.getLogger(__name__)

Pair = tuple[int, int]
"""Class index and seed."""


class ShuttingDown(Exception):
    """The worker has been asked to stop."""


@dataclass(frozen=True)
class Made:
    """One arm's images of a chunk, in the order of its pairs, and the sha256 of the noise each began with."""

    pixels: Sequence[Pixels]
    noise_sha256: Sequence[str]


def make_chunk(chunk_id: int, *, stop_wanted: Callable[[], bool] = lambda: False) -> None:
    """Make a chunk's images, unless another worker does. What goes wrong is written to its batch, in a sentence."""
    try:
        claim = claim_chunk(chunk_id)
    except LostClaim as reason:
        log.info("%s", reason)
        return
    try:
        _make(claim, stop_wanted=stop_wanted)
    except LostClaim as reason:
        log.info("%s", reason)
    except ShuttingDown:
        log.info("Chunk %s is given back: the worker is shutting down.", claim.chunk)
        claim.give_back()
    except (UnusableCheckpoint, CannotAccelerate) as error:
        stop_batch(claim.chunk.batch_id, problem=str(error))
    except Exception as error:
        _note_failure(claim, error)
    except BaseException:
        claim.give_back()
        raise


def _make(claim: Claim, *, stop_wanted: Callable[[], bool]) -> None:
    device = _device()
    images = list(claim.chunk.images.select_related("arm__denoiser", "arm__classifier").order_by("pk"))
    by_arm: dict[Arm, dict[Pair, Image]] = {}
    for image in images:
        by_arm.setdefault(image.arm, {})[image.class_index, image.seed] = image
    groups: dict[Checkpoint, list[Arm]] = {}
    for arm in by_arm:
        groups.setdefault(_denoiser_of(arm), []).append(arm)

    made: dict[Arm, Made] = {}
    slots = (claim.chunk.batch.forward_rows or len(images)) // len(by_arm)
    pairs = list(dict.fromkeys((image.class_index, image.seed) for image in images))
    for group, (denoiser, arms) in enumerate(groups.items()):

        def on_step(done: int, steps: int, group: int = group) -> None:
            if stop_wanted():
                raise ShuttingDown
            claim.beat((group * steps + done) // len(groups))

        made |= _sample(claim, denoiser, arms, pairs=pairs, slots=slots, device=device, on_step=on_step)
    _save(claim, by_arm, made, device=device)


def _sample(
    claim: Claim,
    denoiser: Checkpoint,
    arms: Sequence[Arm],
    *,
    pairs: Sequence[Pair],
    slots: int,
    device: torch.device,
    on_step: Callable[[int, int], None],
) -> Mapping[Arm, Made]:
    """Make all arms of one denoiser together, with as many slots an arm as in every chunk of the batch."""
    batch = claim.chunk.batch
    padded = [*pairs, *[pairs[-1]] * (slots - len(pairs))]
    arithmetic = arithmetic_of(batch)
    source = source_of(denoiser, device=device, arithmetic=arithmetic)
    sampled = sample_arms(
        source,
        [guided_arm(arm, labels=batch.class_labels, device=device, arithmetic=arithmetic) for arm in arms],
        seeds=[seed for _, seed in padded],
        requested=[batch.requested(class_index) for class_index, _ in padded],
        steps=batch.steps or len(source.process),
        device=device,
        on_step=on_step,
    )
    made = {}
    for arm in arms:
        images = sampled.images[arm.name][: len(pairs)]
        if not torch.isfinite(images).all():
            raise FloatingPointError(f'the samples of arm "{arm.name}" are not finite; its scale may be far too high')
        made[arm] = Made(list(to_uint8(images).numpy()), sampled.noise_sha256[: len(pairs)])
    return made


def _save(
    claim: Claim, by_arm: Mapping[Arm, Mapping[Pair, Image]], made: Mapping[Arm, Made], *, device: torch.device
) -> None:
    images = [image for arm in made for image in by_arm[arm].values()]
    # Encoding comes before the transaction: no rater's vote waits for it.
    pngs = [encode_png(pixels) for result in made.values() for pixels in result.pixels]
    made_with = MadeWith(
        torch_version=torch.__version__,
        device=_describe(device),
        precision=claim.chunk.batch.precision,
        noise_sha256=[sha256 for result in made.values() for sha256 in result.noise_sha256],
    )
    # Done and made are one fact: a worker that lost its claim writes neither row nor file.
    with transaction.atomic():
        finish_chunk(claim)
        save_pngs(zip(images, pngs, strict=True), made_with=made_with)


def _note_failure(claim: Claim, error: Exception) -> None:
    chunk = claim.chunk
    if _is_out_of_memory(error):
        log.warning("Out of memory in chunk %s.", chunk)
        start_again_at_half(claim)
        # What the allocator keeps was cut for the larger rows.
        torch.cuda.empty_cache()
    elif chunk.attempts < ERRORS_ALLOWED:
        log.exception("Chunk %s failed; it will be tried again.", chunk)
        claim.give_back()
    else:
        log.exception("Chunk %s failed %s times.", chunk, chunk.attempts)
        stop_batch(
            chunk.batch_id,
            problem=f"Part {chunk.position + 1} failed {chunk.attempts} times, the last time with "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}. "
            "The worker's log has the details.",
        )


def _is_out_of_memory(error: Exception) -> bool:
    # torch's CPU allocator and CUDA's libraries have no exception of their own.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        words in str(error) for words in ("DefaultCPUAllocator", "_STATUS_ALLOC_FAILED")
    )


def _denoiser_of(arm: Arm) -> Checkpoint:
    if arm.denoiser is None:
        raise UnusableCheckpoint(f'Arm "{arm.name}" has no denoiser.')
    return arm.denoiser


def _device() -> torch.device:
    if settings.TORCH_THREADS:
        torch.set_num_threads(settings.TORCH_THREADS)
    # Full float32 and fixed algorithms: the same rows give the same bytes.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    if not torch.cuda.is_available():
        return torch.device("cpu")
    # The gradient of fused attention adds in any order unless told otherwise, and so may cuBLAS. A network off the
    # shelf may have a layer that knows no other way: it warns, and the batch is made.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # All that is read here has been written before; filling memory to show the contrary would only cost.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a property, put in at import
    return torch.device("cuda")


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    # The number of threads decides how sums are split, so it belongs to the device.
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
