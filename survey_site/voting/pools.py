"""What cannot change once a study is open, kept by each process: its design, its comparisons by class, their looks.

The next pair is chosen from whole numbers that stand here, so that the database is asked for a few rows by their keys
and never for a look at all comparisons.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.records import Json
from generation.models import Batch
from survey_site.design.designs import Design
from survey_site.models import Comparison, Study

Numbers = npt.NDArray[np.int64]
# Studies that raters visit at the same time; a large one takes some megabytes.
STUDIES = 32
COLUMNS = (
    "pk",
    "kind",
    "image_a__batch",
    "image_a__class_index",
    "image_a__arm",
    "image_b__arm",
    "image_a__width",
    "image_a__height",
    "image_b__width",
    "image_b__height",
)


class Look(NamedTuple):
    """What a page must know of a comparison before its images come. Sizes are width and height."""

    class_label: str
    size_a: tuple[int, int]
    size_b: tuple[int, int]


class Spot(NamedTuple):
    """Where a comparison stands in a pool: its class, and its place among those of the class."""

    class_no: int
    place: int


@dataclass(frozen=True, eq=False)
class Pool:
    """A study's normal comparisons, in the order of their keys and by class.

    said: the design as the study says it. keys: ascending. classes, places: of each, its `Spot`. by_class: the keys
    again, class by class. starts: where each class begins there, and the end. arms: of each, its two arms' keys.
    sizes: of each, four lengths of its images.
    """

    design: Design
    said: dict[str, Json]
    labels: tuple[str, ...]
    keys: Numbers
    classes: Numbers
    places: Numbers
    by_class: Numbers
    starts: Numbers
    arms: Numbers
    sizes: Numbers
    checks: dict[int, Look]
    _parts: dict[tuple[int, int], "Pool"] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def n_classes(self) -> int:
        """Return how many classes the comparisons show."""
        return len(self.labels)

    def size_of(self, class_no: int) -> int:
        """Return how many comparisons are of the class."""
        return int(self.starts[class_no + 1] - self.starts[class_no])

    def key_at(self, class_no: int, place: int) -> int:
        """Return the key of the comparison at a place of a class."""
        return int(self.by_class[self.starts[class_no] + place])

    def spots(self, keys: Sequence[int]) -> dict[int, Spot]:
        """Return where comparisons stand, by their keys; those that are not in the pool are left out."""
        if not keys or not len(self):
            return {}
        wanted = np.array(keys, dtype=np.int64)
        found = np.minimum(np.searchsorted(self.keys, wanted), len(self) - 1)
        rows = zip(
            keys, self.keys[found].tolist(), self.classes[found].tolist(), self.places[found].tolist(), strict=True
        )
        return {key: Spot(class_no, place) for key, known, class_no, place in rows if key == known}

    def class_of(self, key: int) -> int | None:
        """Return the class that a comparison shows, be it a check; None where no normal comparison shows it."""
        if key in self.checks:
            return self._numbers_of_labels.get(self.checks[key].class_label)
        spot = self.spots([key]).get(key)
        return None if spot is None else spot.class_no

    @cached_property
    def _numbers_of_labels(self) -> dict[str, int]:
        return {label: number for number, label in enumerate(self.labels)}

    def look_of(self, key: int) -> Look:
        """Return what a comparison looks like, be it a normal one or a check."""
        if key in self.checks:
            return self.checks[key]
        index = int(np.searchsorted(self.keys, key))
        width_a, height_a, width_b, height_b = self.sizes[index].tolist()
        return Look(self.labels[int(self.classes[index])], (width_a, height_a), (width_b, height_b))

    def between(self, arm_a: int, arm_b: int) -> "Pool":
        """Return the part of the pool that compares two arms."""
        if (arm_a, arm_b) not in self._parts:
            chosen = (self.arms == (arm_a, arm_b)).all(axis=1)
            part = replace(self, keys=self.keys[chosen], arms=self.arms[chosen], sizes=self.sizes[chosen])
            self._parts[arm_a, arm_b] = _by_class(part, classes=self.classes[chosen])
        return self._parts[arm_a, arm_b]


def pool_of(study: Study) -> Pool:
    """Return the pool of a study; a draft's is read anew each time, for it can still change."""
    read = _read if study.status != Study.Status.DRAFT else _read.__wrapped__
    return read(study.pk, study.secret, study.design_sha256)


@lru_cache(maxsize=STUDIES)
def _read(study_id: int, secret: str, design_sha256: str) -> Pool:
    """Read a study's pool. secret, design_sha256: tell studies apart whose keys a database gave out twice."""
    del secret, design_sha256
    study = Study.objects.only("design").get(pk=study_id)
    rows = list(Comparison.objects.filter(study=study_id).order_by("pk").values_list(*COLUMNS))
    tables = dict(Batch.objects.filter(pk__in={row[2] for row in rows}).values_list("pk", "class_table"))
    normal = [row for row in rows if row[1] == Comparison.Kind.NORMAL]
    labels = [str(tables[row[2]][str(row[3])]) for row in normal]
    names = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    checks = {
        row[0]: Look(str(tables[row[2]][str(row[3])]), row[6:8], row[8:])
        for row in rows
        if row[1] != Comparison.Kind.NORMAL
    }
    nothing = _numbers(())
    pool = Pool(
        study.how,
        study.design,
        tuple(names),
        keys=_numbers(row[0] for row in normal),
        classes=nothing,
        places=nothing,
        by_class=nothing,
        starts=nothing,
        arms=_numbers(arm for row in normal for arm in row[4:6]).reshape(-1, 2),
        sizes=_numbers(length for row in normal for length in row[6:]).reshape(-1, 4),
        checks=checks,
    )
    return _by_class(pool, classes=_numbers(names[label] for label in labels))


def _by_class(pool: Pool, *, classes: Numbers) -> Pool:
    """Return the pool with its comparisons sorted into classes; some may be empty."""
    order = np.argsort(classes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(classes, minlength=pool.n_classes))]).astype(np.int64)
    places = np.empty_like(classes)
    places[order] = np.arange(len(classes)) - starts[classes[order]]
    return replace(pool, classes=classes, places=places, by_class=pool.keys[order], starts=starts)


def _numbers(values: Iterable[int]) -> Numbers:
    return np.fromiter(values, dtype=np.int64)
