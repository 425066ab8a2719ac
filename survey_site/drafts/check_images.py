"""The images that checks are drawn from: spread over arms and classes, never the same two twice."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import lcm
from typing import NamedTuple, TypeVar

from generation.models import Image
from survey_site.models import Study

Two = tuple[int, int]
T = TypeVar("T", int, tuple[tuple[int, int, int], int])
# Tries to draw a mismatched pair before its class counts as used up; only where hardly a pair is left does one miss.
TRIES = 100


class Shelf(NamedTuple):
    """What two images must share to be shown as a pair that has nothing to do with arms."""

    arm: int
    batch: int
    width: int
    height: int


class Cell(NamedTuple):
    """The images of one class on a shelf."""

    shelf: Shelf
    class_index: int


class CheckImages:
    """A study's finished images, by arm and class. Two that are taken are not drawn as a pair again."""

    def __init__(self, study: Study, *, rng: random.Random) -> None:
        self._rng = rng
        self._batches = {batch.pk: batch for batch in study.batches.all()}
        self._cells: dict[Cell, list[int]] = defaultdict(list)
        self._sizes: dict[int, Two] = {}
        self._taken: set[frozenset[int]] = set()
        images = Image.objects.filter(batch__in=self._batches, arm__in=study.arms.all()).exclude(name="").order_by("pk")
        for key, class_index, *shelf in images.values_list("pk", "class_index", "arm", "batch", "width", "height"):
            self._cells[Cell(Shelf(*shelf), class_index)].append(key)
            self._sizes[key] = shelf[2], shelf[3]
        self._on_shelf: dict[Shelf, list[Cell]] = defaultdict(list)
        for cell in self._cells:
            self._on_shelf[cell.shelf].append(cell)

    def size_of(self, image: int) -> Two | None:
        """Return an image's width and height; None where it is none of the study's finished images."""
        return self._sizes.get(image)

    def take(self, image: int, other: int) -> None:
        """Draw no pair of these two images from now on."""
        self._taken.add(frozenset((image, other)))

    def is_taken(self, image: int, other: int) -> bool:
        """Tell whether a pair of these two images was drawn or taken already."""
        return frozenset((image, other)) in self._taken

    def identical(self, n: int) -> list[Two]:
        """Draw up to n images, each to stand beside itself."""
        return list(self._drawn(n, draw=self._identical))

    def mismatched(self, n: int) -> list[Two]:
        """Draw up to n pairs: an image, and one of another class, of the same arm, batch and size."""
        return list(self._drawn(n, draw=self._mismatched))

    def _drawn(self, n: int, *, draw: Callable[[Cell], Two | None]) -> Iterator[Two]:
        n_left, drew_some = n, True
        while n_left and drew_some:
            drew_some = False
            for cell in self._in_turn():
                two = draw(cell)
                if two is None:
                    continue
                self.take(*two)
                yield two
                n_left, drew_some = n_left - 1, True
                if not n_left:
                    return

    def _in_turn(self) -> Iterator[Cell]:
        """Yield every cell once; any run of them holds arms and classes about equally often."""
        arms = self._shuffled({cell.shelf.arm for cell in self._cells})
        classes = self._shuffled({(cell.shelf[1:], cell.class_index) for cell in self._cells})
        period = lcm(len(arms), len(classes))
        # Down the diagonals of the table arms x classes, one diagonal after the other.
        for step in range(len(arms) * len(classes)):
            shelf, class_index = classes[(step + step // period) % len(classes)]
            cell = Cell(Shelf(arms[step % len(arms)], *shelf), class_index)
            if cell in self._cells:
                yield cell

    def _shuffled(self, things: Iterable[T]) -> list[T]:
        # Sorted first: the order of a set is not that of the next process.
        ordered = sorted(things)
        return self._rng.sample(ordered, k=len(ordered))

    def _identical(self, cell: Cell) -> Two | None:
        free = [image for image in self._cells[cell] if not self.is_taken(image, image)]
        image = self._rng.choice(free) if free else None
        return None if image is None else (image, image)

    def _mismatched(self, cell: Cell) -> Two | None:
        for _ in range(TRIES):
            rival = self._rng.choice(self._on_shelf[cell.shelf])
            image, other = self._rng.choice(self._cells[cell]), self._rng.choice(self._cells[rival])
            if self._differ(cell, rival) and not self.is_taken(image, other):
                return image, other
        return None

    def _differ(self, cell: Cell, rival: Cell) -> bool:
        """Tell whether two classes cannot be taken for one another: no label and no requested class in common."""
        batch, (mine, theirs) = self._batches[cell.shelf.batch], (cell.class_index, rival.class_index)
        if batch.label_of(mine) == batch.label_of(theirs):
            return False
        return not set(batch.requested(mine)) & set(batch.requested(theirs))
