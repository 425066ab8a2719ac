"""Rows as a worker needs them: a denoiser's row as a source of images, an arm's row with its classifier loaded."""

from collections.abc import Sequence

import torch

from generation.arms import recipe_of
from generation.checkpoints import UnusableCheckpoint, load
from generation.diffusion.acceleration import ready_denoiser, ready_guide
from generation.diffusion.arithmetic import Arithmetic, CompileMode, Precision
from generation.diffusion.classifiers import Classifier
from generation.diffusion.guides import NothingToSmooth
from generation.diffusion.offshelf import ClipGuide
from generation.diffusion.process import Diffusion
from generation.diffusion.seed_matched import GuidedArm, Source
from generation.diffusion.spaces import Space
from generation.models import Arm, Batch, Checkpoint

EXACT = Arithmetic()


def arithmetic_of(batch: Batch) -> Arithmetic:
    """Return how a batch's networks are run. Raises UnusableCheckpoint where this program does not know."""
    try:
        return Arithmetic(precision=Precision(batch.precision), compile_mode=CompileMode(batch.compile_mode))
    except ValueError as error:
        raise UnusableCheckpoint(f"This worker does not know how to compute: {error}.") from error


def source_of(denoiser: Checkpoint, *, device: torch.device, arithmetic: Arithmetic = EXACT) -> Source:
    """Return a registered denoiser, ready to sample. Raises UnusableCheckpoint, CannotAccelerate."""
    facts, network = load(denoiser, device=device)
    return Source(
        denoiser=ready_denoiser(network, arithmetic),
        process=Diffusion.make(facts.schedule, facts.timesteps),
        space=getattr(network, "space", None) or Space(size=facts.image_size),
        takes_labels=denoiser.takes_labels,
        null_class=facts.null_class,
    )


def guided_arm(arm: Arm, *, labels: Sequence[str], device: torch.device, arithmetic: Arithmetic = EXACT) -> GuidedArm:
    """Return an arm with its classifier loaded. labels: texts of the batch's classes, for one that reads texts.

    Raises UnusableCheckpoint, InvalidArm, CannotAccelerate.
    """
    recipe = recipe_of(arm)
    guide = None
    if arm.classifier is not None:
        try:
            guide = ready_guide(classifier_of(arm.classifier, labels=labels, device=device), recipe, arithmetic)
        except NothingToSmooth as error:
            raise UnusableCheckpoint(f'Arm "{arm.name}": {error}') from error
    return GuidedArm(name=arm.name, recipe=recipe, guide=guide, class_conditional=arm.class_conditional)


def classifier_of(checkpoint: Checkpoint, *, labels: Sequence[str], device: torch.device) -> Classifier:
    """Return a registered classifier; one of image and text gets its classes from the labels."""
    _, network = load(checkpoint, device=device)
    if not isinstance(network, Classifier):
        raise UnusableCheckpoint(f'Checkpoint "{checkpoint}" is no classifier.')
    if isinstance(network, ClipGuide) and not checkpoint.class_labels:
        return network.with_labels(labels)
    return network
