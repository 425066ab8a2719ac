"""The gold pairs of a draft that a researcher chose from its pictures."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from generation.models import Image
from survey_site.design.designs import Design, GoldPair
from survey_site.drafts.design_changes import change_design
from survey_site.models import Study


class InvalidGoldPair(ValueError):
    """The two images make no gold pair; the message says why."""


@dataclass(frozen=True)
class PicturedPair:
    """A gold pair with its images, None where one is not among the study's. number: its place, from 0."""

    number: int
    pair: GoldPair
    image_a: Image | None
    image_b: Image | None

    @property
    def images(self) -> tuple[Image | None, Image | None]:
        """Both images, for a loop."""
        return self.image_a, self.image_b

    @property
    def label(self) -> str:
        """The label shown above the pair; empty where the first image is missing."""
        return self.image_a.batch.label_of(self.image_a.class_index) if self.image_a else ""


def images_of(study: Study) -> QuerySet[Image]:
    """Return the finished images of a study's batches and arms, those of one class and seed side by side."""
    made = Image.objects.filter(batch__studies=study, arm__studies=study).exclude(name="")
    return made.select_related("batch", "arm").order_by("batch", "class_index", "seed", "arm__name", "arm")


def pictured(study: Study) -> list[PicturedPair]:
    """Return a study's gold pairs with their images."""
    gold = study.how.checks.gold
    images = _by_key(study, gold)
    return [
        PicturedPair(number, pair, images.get(pair.image_a), images.get(pair.image_b))
        for number, pair in enumerate(gold)
    ]


def add_gold_pair(study: Study, pair: GoldPair) -> Study:
    """Give a draft one more gold pair; one for practice makes room for itself there.

    Raises `InvalidGoldPair`, and `DesignFrozen` once the study has opened.
    """
    images, design = _by_key(study, [pair]), study.how
    for key in (pair.image_a, pair.image_b):
        if key not in images:
            raise InvalidGoldPair(f"Image {key} is no finished image of this study's batches and arms.")
    image_a, image_b = images[pair.image_a], images[pair.image_b]
    if image_a == image_b and pair.expected != "tie":
        raise InvalidGoldPair("This is one image twice, so Same is the right answer.")
    if (image_a.width, image_a.height) != (image_b.width, image_b.height):
        raise InvalidGoldPair("The two images differ in size, which raters would see. Choose two of one size.")
    if any({image_a.pk, image_b.pk} == {other.image_a, other.image_b} for other in design.checks.gold):
        raise InvalidGoldPair("These two images are a gold pair already. Remove that one first.")
    return change_design(study, _with_gold(design, (*design.checks.gold, pair)))


def remove_gold_pair(study: Study, number: int) -> Study:
    """Take the gold pair at a place, from 0, from a draft; none is there: nothing changes. Raises `DesignFrozen`."""
    design = study.how
    kept = tuple(pair for place, pair in enumerate(design.checks.gold) if place != number)
    return change_design(study, _with_gold(design, kept))


def fitting(study: Study, design: Design) -> tuple[Design, int]:
    """Return a design of elsewhere without the gold pairs whose images a study lacks, and how many those are."""
    gold = design.checks.gold
    images = _by_key(study, gold)
    kept = tuple(pair for pair in gold if pair.image_a in images and pair.image_b in images)
    return _with_gold(design, kept), len(gold) - len(kept)


def _by_key(study: Study, gold: Iterable[GoldPair]) -> dict[int, Image]:
    keys = {key for pair in gold for key in (pair.image_a, pair.image_b)}
    return {image.pk: image for image in images_of(study).filter(pk__in=keys)}


def _with_gold(design: Design, gold: tuple[GoldPair, ...]) -> Design:
    said = design.as_json()
    said["checks"]["gold"] = [pair.model_dump(mode="json") for pair in gold]
    n_for_practice = sum(pair.for_practice for pair in gold)
    said["welcome"]["practice"] = max(design.welcome.practice, n_for_practice)
    return Design.of(said)
