"""Vote tables made elsewhere, taken in as closed studies."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from analysis.vote_file import read_csv
from analysis.votes import NO_TIME, Votes
from generation.models import Arm, Batch, Image
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.studies import free_slug

CHOICE_OF_CODE = (Vote.Choice.LEFT, Vote.Choice.RIGHT, Vote.Choice.SAME)


@dataclass(frozen=True)
class _Opened:
    """The rows a vote needs, in the order of the log's codes."""

    raters: list[Rater]
    comparisons: list[Comparison]
    at: datetime


def import_votes(path: Path, *, title: str = "", owner: User | None = None) -> Study:
    """Read a vote table and keep it as a closed study whose images are known by name only.

    Raises `analysis.InvalidVotes` naming line and column; nothing is kept then.
    """
    votes = read_csv(path)
    with transaction.atomic():
        study = _closed_study(votes, title=title or path.stem, owner=owner)
        opened = _Opened(_raters(votes, study), _comparisons(votes, study), at=timezone.now())
        trials = Trial.objects.bulk_create(_trials(votes, opened), batch_size=5000)
        Vote.objects.bulk_create(_votes(votes, trials), batch_size=5000)
    return study


def _closed_study(votes: Votes, *, title: str, owner: User | None) -> Study:
    now = timezone.now()
    arms = [Arm.objects.create(owner=owner, name=name, source=Arm.Source.UPLOADED) for name in votes.arms]
    labels = sorted(set(votes.class_labels))
    batch = Batch.objects.create(
        owner=owner,
        name=f"Images of {title}",
        source=Batch.Source.IMPORTED,
        status=Batch.Status.COMPLETE,
        class_table={str(index): label for index, label in enumerate(labels)},
        finished_at=now,
    )
    batch.arms.set(arms)
    study = Study.objects.create(
        owner=owner, title=title, slug=free_slug(title), status=Study.Status.CLOSED, opened_at=now, closed_at=now
    )
    study.arms.set(arms)
    study.batches.set([batch])
    return study


def _raters(votes: Votes, study: Study) -> list[Rater]:
    return Rater.objects.bulk_create(Rater(study=study, external_id=name) for name in votes.rater_names)


def _comparisons(votes: Votes, study: Study) -> list[Comparison]:
    images = _images(votes, study.batches.get(), arms=list(study.arms.order_by("pk")))
    a_is_left = votes.left_arm < votes.right_arm
    n_a_left = np.bincount(votes.pair[a_is_left], minlength=votes.n_pairs)
    n_votes = np.bincount(votes.pair, minlength=votes.n_pairs)
    return Comparison.objects.bulk_create(
        Comparison(
            study=study,
            position=index,
            pair_id=pair_id,
            image_a=images[index][0],
            image_b=images[index][1],
            n_votes=int(n_votes[index]),
            n_a_left=int(n_a_left[index]),
            n_a_right=int(n_votes[index] - n_a_left[index]),
        )
        for index, pair_id in enumerate(votes.pair_names)
    )


def _images(votes: Votes, batch: Batch, *, arms: list[Arm]) -> list[tuple[Image, Image]]:
    class_of = {label: int(index) for index, label in batch.class_table.items()}
    # Pairs of one group share class and seed; the group's number is its seed.
    seed_of = {group: seed for seed, group in enumerate(dict.fromkeys(votes.groups))}
    wanted = [
        tuple((class_of[votes.class_labels[i]], seed_of[votes.groups[i]], int(arm)) for arm in votes.pair_arms[i])
        for i in range(votes.n_pairs)
    ]
    keys = list(dict.fromkeys(key for both in wanted for key in both))
    rows = Image.objects.bulk_create(
        Image(batch=batch, arm=arms[arm], class_index=class_index, seed=seed) for class_index, seed, arm in keys
    )
    made = dict(zip(keys, rows, strict=True))
    return [(made[a], made[b]) for a, b in wanted]


def _trials(votes: Votes, opened: _Opened) -> Iterator[Trial]:
    positions = [0] * votes.n_raters
    for pair, rater, left, right in zip(
        votes.pair.tolist(), votes.rater.tolist(), votes.left_arm.tolist(), votes.right_arm.tolist(), strict=True
    ):
        yield Trial(
            rater=opened.raters[rater],
            comparison=opened.comparisons[pair],
            position=positions[rater],
            swapped=left > right,
            leased_at=opened.at,
            expires_at=opened.at,
        )
        positions[rater] += 1


def _votes(votes: Votes, trials: list[Trial]) -> Iterator[Vote]:
    for trial, choice, milliseconds in zip(trials, votes.choice.tolist(), votes.response_ms.tolist(), strict=True):
        yield Vote(
            trial=trial,
            choice=CHOICE_OF_CODE[choice],
            response_ms=None if milliseconds == NO_TIME else milliseconds,
        )
