"""Acts on studies: set one up, open it (which freezes it), pause it, close it."""

import logging
import random
import secrets
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from analysis.plan import InvalidPlan
from generation.models import Arm, Batch
from survey_site.consents import write_first_version
from survey_site.design.designs import InvalidDesign
from survey_site.drafts.check_pairs import InvalidChecks, check_comparisons
from survey_site.drafts.design_changes import freeze_design
from survey_site.drafts.pairings import NotPairable, comparisons
from survey_site.models import CLEAR_LETTERS, DEFAULT_QUESTION, Comparison, Study
from survey_site.plans import freeze_plan

logger = logging.getLogger(__name__)

# Raters see the slug in their address bar: letters that can be dictated, and nothing of the title, which may name arms.
SLUG_LENGTH = 8
FROZEN = ("plan", "plan_sha256", "design", "design_sha256")


class StudyNotReady(Exception):
    """The study cannot take this step; the message says what is missing."""


class StudyClosed(Exception):
    """The study takes no votes."""


class StudyPaused(StudyClosed):
    """The study takes no votes for now."""


def create_study(
    *,
    owner: User | None,
    title: str,
    arms: Sequence[Arm],
    batches: Sequence[Batch],
    question: str = DEFAULT_QUESTION,
    votes_wanted: int | None = None,
    opens_when_ready: bool = False,
    slug: str | None = None,
) -> Study:
    """Set up a draft. Without a slug it gets one that tells raters nothing."""
    with transaction.atomic():
        study = Study.objects.create(
            owner=owner,
            title=title,
            slug=slug or _drawn_slug(),
            question=question,
            votes_wanted=votes_wanted,
            opens_when_ready=opens_when_ready,
        )
        study.arms.set(arms)
        study.batches.set(batches)
    return study


def free_slug(title: str) -> str:
    """Return the title as a slug that no study has yet; for studies that no rater visits."""
    base = slugify(title)[:50].strip("-") or "study"
    taken = set(Study.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    numbers = range(2, len(taken) + 3)
    return next(slug for slug in (base, *(f"{base}-{number}" for number in numbers)) if slug not in taken)


def open_study(study: Study) -> Study:
    """Let raters in. The first time, build all comparisons, which freezes arms, question and plan.

    Raises `StudyNotReady` when images are missing, arms cannot be told apart, nothing can be paired, or the plan
    cannot be followed.
    """
    with transaction.atomic():
        study = _locked(study)
        if study.status == Study.Status.CLOSED:
            raise StudyNotReady("The study is closed for good. Set up a new one to ask more raters.")
        if study.status == Study.Status.DRAFT:
            _freeze(study)
            Comparison.objects.bulk_create(_paired(study), batch_size=1000)
            write_first_version(study)
            study.opened_at = timezone.now()
        study.status = Study.Status.OPEN
        study.save(update_fields=["status", "opened_at", *FROZEN])
    return study


def pause_study(study: Study) -> Study:
    """Take no votes until the study is opened again."""
    with transaction.atomic():
        study = _locked(study)
        if study.status not in {Study.Status.OPEN, Study.Status.PAUSED}:
            raise StudyNotReady(f"Only an open study can be paused; this one is {study.get_status_display().lower()}.")
        study.status = Study.Status.PAUSED
        study.save(update_fields=["status"])
    return study


def close_study(study: Study) -> Study:
    """Take no votes any more."""
    with transaction.atomic():
        study = _locked(study)
        if study.status == Study.Status.DRAFT:
            raise StudyNotReady("A draft has nothing to close: it was never open.")
        if study.status != Study.Status.CLOSED:
            study.status, study.closed_at = Study.Status.CLOSED, timezone.now()
            study.save(update_fields=["status", "closed_at"])
    return study


def keep_platform_secret(study: Study, secret: str) -> None:
    """Keep what signs the platform's messages; empty: keep none, so that they are refused."""
    Study.objects.filter(pk=study.pk).update(platform_secret=secret)


def open_ready_studies() -> list[Study]:
    """Open the drafts that were told to open by themselves and have all their images."""
    opened = []
    for study in Study.objects.waiting_to_open():
        try:
            opened.append(open_study(study))
        except StudyNotReady as reason:
            logger.info("Study %s stays a draft: %s", study.slug, reason)
    return opened


def require_open(study: Study) -> None:
    """Raise `StudyClosed` or `StudyPaused` where the study takes no votes."""
    if study.status == Study.Status.PAUSED:
        raise StudyPaused(_("This study is paused. Please come back later."))
    if study.status == Study.Status.CLOSED:
        raise StudyClosed(_("This study is closed and takes no more answers."))
    if study.status == Study.Status.DRAFT:
        raise StudyPaused(_("This study has not opened yet. Please come back later."))


def _locked(study: Study) -> Study:
    return Study.objects.select_for_update().get(pk=study.pk)


def _freeze(study: Study) -> None:
    try:
        freeze_plan(study)
    except InvalidPlan as error:
        raise StudyNotReady(f"The analysis plan cannot be followed. {error}. Change the plan first.") from error
    try:
        freeze_design(study)
    except InvalidDesign as error:
        raise StudyNotReady(f"The rating design cannot be followed. {error}. Change the design first.") from error


def _paired(study: Study) -> list[Comparison]:
    try:
        return [*comparisons(study), *check_comparisons(study, rng=random.Random(f"checks {study.secret}"))]
    except NotPairable as error:
        raise StudyNotReady(str(error)) from error
    except InvalidChecks as error:
        raise StudyNotReady(f"The rating design cannot be followed. {error}. Change the design first.") from error


def _drawn_slug() -> str:
    return "".join(secrets.choice(CLEAR_LETTERS) for _ in range(SLUG_LENGTH))
