"""Vote tables made elsewhere, taken in as closed studies."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from analysis.vote_file import read_columns
from analysis.votes import InvalidVotes, VoteColumns, Votes
from generation.models import Arm, Batch, Image
from survey_site.logs.gold_rows import GoldPair, gold_pairs
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.studies import free_slug


@dataclass(frozen=True)
class _Table:
    """A vote table: as it was written, its normal votes checked, and its gold pairs."""

    columns: VoteColumns
    votes: Votes
    gold: tuple[GoldPair, ...]

    @property
    def arms(self) -> list[str]:
        """The arms that are compared, then those that only gold pairs show."""
        of_gold = sorted({arm for pair in self.gold for arm in pair.arms})
        return list(dict.fromkeys((*self.votes.arms, *of_gold)))

    @property
    def labels(self) -> list[str]:
        return sorted({*self.votes.class_labels, *(pair.class_label for pair in self.gold)})


@dataclass(frozen=True)
class _Opened:
    """The rows that votes need, by the table's names."""

    raters: dict[str, Rater]
    comparisons: dict[str, Comparison]
    at: datetime


def import_votes(path: Path, *, title: str = "", owner: User | None = None) -> Study:
    """Read a vote table and keep it as a closed study whose images are known by name only.

    Gold rows become gold comparisons, pairs of a group stay together, and what programs voted stays labelled so.
    Raises `analysis.InvalidVotes` naming line and column; nothing is kept then.
    """
    columns = read_columns(path)
    votes = Votes.from_rows(columns)
    table = _Table(columns, votes, gold_pairs(columns, votes.arms))
    _refuse_what_images_cannot_show(votes)
    with transaction.atomic():
        study = _closed_study(table, title=title or path.stem, owner=owner)
        opened = _Opened(_raters(table, study), _comparisons(table, study), at=timezone.now())
        trials = Trial.objects.bulk_create(_trials(table, opened), batch_size=5000)
        Vote.objects.bulk_create(_votes(table, trials), batch_size=5000)
    return study


def _refuse_what_images_cannot_show(votes: Votes) -> None:
    # A group is a class and a seed, and each arm made one image of it: two such pairs would be the same two images.
    shown: dict[tuple[str, int, int], str] = {}
    for name, group, (first, second) in zip(votes.pair_names, votes.groups, votes.pair_arms.tolist(), strict=True):
        other = shown.setdefault((group, first, second), name)
        if other != name:
            raise InvalidVotes(
                "group_with_equal_pairs",
                f"column group_id: pairs {other} and {name} of group {group} show the same two arms; a group is one "
                "class and seed, so give them groups of their own",
            )


def _closed_study(table: _Table, *, title: str, owner: User | None) -> Study:
    now = timezone.now()
    arms = [Arm.objects.create(owner=owner, name=name, source=Arm.Source.UPLOADED) for name in table.arms]
    batch = Batch.objects.create(
        owner=owner,
        name=f"Images of {title}",
        source=Batch.Source.IMPORTED,
        status=Batch.Status.COMPLETE,
        class_table={str(index): label for index, label in enumerate(table.labels)},
        finished_at=now,
    )
    batch.arms.set(arms)
    study = Study.objects.create(
        owner=owner,
        title=title,
        slug=free_slug(title),
        status=Study.Status.CLOSED,
        is_simulated=table.votes.simulated,
        opened_at=now,
        closed_at=now,
    )
    study.arms.set(arms[: len(table.votes.arms)])
    study.batches.set([batch])
    return study


def _raters(table: _Table, study: Study) -> dict[str, Rater]:
    names = dict.fromkeys(table.columns.rater_id)
    raters = Rater.objects.bulk_create(Rater(study=study, external_id=name) for name in names)
    return dict(zip(names, raters, strict=True))


def _comparisons(table: _Table, study: Study) -> dict[str, Comparison]:
    votes, images = table.votes, _Images(study.batches.get(), table.labels)
    a_is_left = votes.left_arm < votes.right_arm
    n_a_left = np.bincount(votes.pair[a_is_left], minlength=votes.n_pairs).tolist()
    n_votes = np.bincount(votes.pair, minlength=votes.n_pairs).tolist()
    # The group's number is its seed, so that pairs of one group share class and seed.
    seed_of = {group: seed for seed, group in enumerate(dict.fromkeys(votes.groups))}
    rows = []
    for index, (pair_id, label, group) in enumerate(
        zip(votes.pair_names, votes.class_labels, votes.groups, strict=True)
    ):
        image_a, image_b = (images.of(label, seed_of[group], votes.arms[arm]) for arm in votes.pair_arms[index])
        rows.append(
            Comparison(
                study=study,
                position=index,
                pair_id=pair_id,
                image_a=image_a,
                image_b=image_b,
                n_votes=n_votes[index],
                n_a_left=n_a_left[index],
                n_a_right=n_votes[index] - n_a_left[index],
            )
        )
    rows += _gold_comparisons(table, study, images=images, first_seed=len(seed_of))
    images.save()
    return {row.pair_id: row for row in Comparison.objects.bulk_create(rows)}


def _gold_comparisons(table: _Table, study: Study, *, images: "_Images", first_seed: int) -> Iterator[Comparison]:
    positions = {kind: count() for kind in Comparison.Kind}
    for seed, pair in enumerate(table.gold, start=first_seed):
        kind = Comparison.Kind.IDENTICAL if pair.is_identical else Comparison.Kind.GOLD
        image_a, image_b = (images.of(pair.class_label, seed, arm) for arm in pair.arms)
        yield Comparison(
            study=study,
            kind=kind,
            position=next(positions[kind]),
            pair_id=pair.pair_id,
            image_a=image_a,
            image_b=image_b,
            expected=pair.expected,
        )


class _Images:
    """The images of an imported batch, each made once, all saved together."""

    def __init__(self, batch: Batch, labels: list[str]) -> None:
        self.batch = batch
        self.class_of = {label: index for index, label in enumerate(labels)}
        self.arms = {arm.name: arm for arm in batch.arms.all()}
        self.made: dict[tuple[str, int, str], Image] = {}

    def of(self, label: str, seed: int, arm: str) -> Image:
        """Return the image of an arm, class and seed."""
        if (label, seed, arm) not in self.made:
            facts = {"class_index": self.class_of[label], "seed": seed}
            self.made[label, seed, arm] = Image(batch=self.batch, arm=self.arms[arm], **facts)
        return self.made[label, seed, arm]

    def save(self) -> None:
        """Write all images that were asked for."""
        Image.objects.bulk_create(self.made.values(), batch_size=5000)


def _trials(table: _Table, opened: _Opened) -> Iterator[Trial]:
    positions = {name: count() for name in opened.raters}
    rows = zip(table.columns.pair_id, table.columns.rater_id, table.columns.left_arm, strict=True)
    for pair_id, rater, left_arm in rows:
        comparison = opened.comparisons[pair_id]
        is_normal = comparison.kind == Comparison.Kind.NORMAL
        yield Trial(
            rater=opened.raters[rater],
            comparison=comparison,
            kind=Trial.Kind.NORMAL if is_normal else Trial.Kind.GOLD,
            position=next(positions[rater]),
            swapped=left_arm != comparison.image_a.arm.name,
            leased_at=opened.at,
            expires_at=opened.at,
        )


def _votes(table: _Table, trials: list[Trial]) -> Iterator[Vote]:
    times = table.columns.response_ms or [None] * len(trials)
    for trial, choice, milliseconds in zip(trials, table.columns.choice, times, strict=True):
        yield Vote(trial=trial, choice=choice, response_ms=milliseconds)
