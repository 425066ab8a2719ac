"""Commissions: trainings, scores along them, and reproductions, asked for; checked before a worker has them."""

from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User

from generation.models import Checkpoint, Work
from generation.reproduction_options import TITLES, ReproductionOptions
from generation.scoring_options import Options, check_features, check_reference, reference_folder
from generation.training_options import InvalidTraining, training_plan
from generation.works import create_work


def create_training(*, owner: User | None, role: str, changes: dict[str, Any]) -> Work:  # Any: as above
    """Queue a training; its weights are registered when it is done. Raises InvalidTraining."""
    plan = training_plan(role, changes)
    if Checkpoint.objects.filter(name=plan.name).exists():
        raise InvalidTraining(f'A checkpoint is called "{plan.name}" already; give this training another name.')
    busy = Work.objects.filter(kind=Work.Kind.TRAINING, status__in=("queued", "running"), options__plan__name=plan.name)
    if busy.exists():
        raise InvalidTraining(f'A training called "{plan.name}" is under way; wait for it, or give another name.')
    options = {"role": role, "plan": asdict(plan)}
    return create_work(owner=owner, kind=Work.Kind.TRAINING, title=f"Training of {role} {plan.name}", options=options)


def create_reproduction(*, owner: User | None, options: ReproductionOptions) -> Work:
    """Queue an experiment; its report is the work's files."""
    title = TITLES[options.which]
    return create_work(owner=owner, kind=Work.Kind.REPRODUCTION, title=title, options=asdict(options))


def create_run_scoring(
    training: Work,
    *,
    owner: User | None,
    reference: Options,
    features: str,
    n: int,
    steps: int,
) -> Work:
    """Queue the scoring of a training's kept weights. Raises InvalidTraining or InvalidScoring."""
    if training.kind != Work.Kind.TRAINING or training.options.get("role") != Checkpoint.Role.DENOISER:
        raise InvalidTraining(f'"{training.title}" is no training of a denoiser, so there are no images to score.')
    if not training.options["plan"].get("keep_every"):
        raise InvalidTraining(f'"{training.title}" kept no weights along its way; train with a number to keep every.')
    folder = reference_folder()
    options = {
        "training": training.pk,
        "reference": check_reference(reference, inside=folder),
        "features": check_features(features, inside=folder),
        "n": n,
        "steps": steps,
    }
    title = f"Scores along {training.options['plan']['name']}"
    return create_work(owner=owner, kind=Work.Kind.SCORING, title=title, options=options)
