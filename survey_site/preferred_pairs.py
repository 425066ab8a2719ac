"""The comparisons whose raters were clearest, with their images: what did people see when they preferred an arm?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis import Pairing, Report
from analysis.preference import Counts
from generation.models import Image
from survey_site.models import Comparison, Study

SHOWN = 6


@dataclass(frozen=True)
class PreferredPair:
    """One comparison: its votes for the pairing's first and second arm and for neither, and its two images."""

    pair_id: str
    class_label: str
    votes: tuple[int, int]
    same: int
    images: tuple[Image, Image]

    @property
    def has_files(self) -> bool:
        return all(image.name for image in self.images)


@dataclass(frozen=True)
class PreferredPairs:
    """The clearest comparisons of one pairing, for the first and for the second arm, the clearest first."""

    arms: tuple[str, str]
    first: tuple[PreferredPair, ...]
    second: tuple[PreferredPair, ...]

    @property
    def sides(self) -> tuple[tuple[str, tuple[PreferredPair, ...]], tuple[str, tuple[PreferredPair, ...]]]:
        return (self.arms[0], self.first), (self.arms[1], self.second)

    @property
    def has_files(self) -> bool:
        """Imported votes have comparisons without files."""
        return any(pair.has_files for pair in self.first + self.second)


def preferred_pairs(study: Study, report: Report) -> list[PreferredPairs]:
    """The clearest comparisons of every pairing, in the report's order; one query for all of them."""
    chosen = [_clearest(pairing.counts) for pairing in report.pairings]
    names = {
        pairing.counts.pair_names[i]
        for pairing, sides in zip(report.pairings, chosen, strict=True)
        for side in sides
        for i in side
    }
    rows = study.comparisons.normal().filter(pair_id__in=names).select_related("image_a__arm", "image_b__arm")
    comparisons = {comparison.pair_id: comparison for comparison in rows}
    return [_shown(pairing, sides, comparisons) for pairing, sides in zip(report.pairings, chosen, strict=True)]


def _clearest(counts: Counts) -> tuple[Sequence[int], Sequence[int]]:
    """Where the lead over the other arm is largest for the number of votes: 5 of 6 is less clear than 25 of 30."""
    lead = (counts.a - counts.b) / np.sqrt(np.maximum(counts.all, 1))
    order = np.argsort(-lead, kind="stable").tolist()
    return (
        [i for i in order[:SHOWN] if lead[i] > 0],
        [i for i in order[::-1][:SHOWN] if lead[i] < 0],
    )


def _shown(
    pairing: Pairing, sides: tuple[Sequence[int], Sequence[int]], comparisons: Mapping[str, Comparison]
) -> PreferredPairs:
    first, second = (tuple(_pair(pairing, i, comparisons) for i in side) for side in sides)
    return PreferredPairs(pairing.arms, first, second)


def _pair(pairing: Pairing, i: int, comparisons: Mapping[str, Comparison]) -> PreferredPair:
    counts = pairing.counts
    comparison = comparisons[counts.pair_names[i]]
    a, b = comparison.image_a, comparison.image_b
    images = (a, b) if a.arm.name == pairing.arms[0] else (b, a)
    votes = int(counts.a[i]), int(counts.b[i])
    return PreferredPair(counts.pair_names[i], counts.class_labels[i], votes, int(counts.same[i]), images)
