"""The demo: vanilla against robust guidance on SportBalls, made of the same parts as every other study."""

import secrets
from dataclasses import dataclass

from django.contrib.auth.models import User

from generation.arms import create_arm
from generation.batches import create_batch
from generation.diffusion.recipes import PRESETS
from generation.models import Batch, Checkpoint
from survey_site.models import Study
from survey_site.studies import create_study

DEMO_SLUG = "sportballs"
RESEARCHER = "researcher"
# The comparison of the paper's own survey, with its scales (Kawar et al. 2023, section 5).
DEMO_ARMS = ("vanilla", "robust")
PAIRS_PER_CLASS = 10
STEPS = 50


class CheckpointsMissing(Exception):
    """The shipped weights are not registered."""


@dataclass(frozen=True)
class Account:
    """The researcher's account; `password` only when it was made just now."""

    user: User
    password: str | None


def researcher_account() -> Account:
    """Return the first researcher, made with a drawn password where there is none."""
    user = User.objects.filter(username=RESEARCHER).first()
    if user is not None:
        return Account(user, password=None)
    password = secrets.token_urlsafe(9)
    return Account(User.objects.create_superuser(RESEARCHER, password=password), password=password)


def demo_study(owner: User) -> Study:
    """Return the demo study, made with its batch at the first call. Raises `CheckpointsMissing`."""
    study = Study.objects.filter(slug=DEMO_SLUG).first()
    if study is not None:
        return study
    batch = _demo_batch(owner)
    return create_study(
        owner=owner,
        title="SportBalls: vanilla or robust guidance?",
        slug=DEMO_SLUG,
        arms=list(batch.arms.all()),
        batches=[batch],
        opens_when_ready=True,
    )


def _demo_batch(owner: User) -> Batch:
    denoiser = _shipped("denoiser")
    arms = [
        create_arm(owner=owner, name=name, denoiser=denoiser, classifier=_shipped(name), recipe=PRESETS[name].recipe)
        for name in DEMO_ARMS
    ]
    return create_batch(
        owner=owner,
        name="SportBalls demo",
        arms=arms,
        class_indices=range(len(denoiser.class_labels)),
        seeds_per_class=PAIRS_PER_CLASS,
        steps=STEPS,
    )


def _shipped(name: str) -> Checkpoint:
    checkpoint = Checkpoint.objects.filter(name=f"sportballs-{name}").first()
    if checkpoint is None:
        raise CheckpointsMissing(
            f"The checkpoint sportballs-{name} is not registered. "
            "Run: manage.py register_checkpoint generation/weights/*.safetensors"
        )
    return checkpoint
