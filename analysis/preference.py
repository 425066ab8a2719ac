"""What was preferred: counts per pair, the threshold table and the shares of the votes.

An image is preferred at t % if more than t % of those who chose a side chose it. Everything is decided in integers:
in floats 11/20 is more than 55 % and 63/90 is not more than 70 % only by luck.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, NamedTuple

import numpy as np

from analysis.intervals import Crossed, Interval, two_way_mean, wilson
from analysis.records import Json, Method, Unavailable, as_json
from analysis.votes import SAME, Ints, Votes

Threshold = int | float | str | Decimal | Fraction
Arms = tuple[str, str]

METHODS = (
    Method(
        "threshold_table",
        "Threshold preference table",
        "holds for this panel of raters; tables compare only at equal numbers of side votes per comparison",
        "Kawar, Ganz, Elad (2023), Enhancing Diffusion-Based Image Synthesis with Robust Classifier Guidance; "
        "Wilson (1927), JASA 22:209",
        "In how many comparisons more than that share of the votes that chose a side chose the same arm; no vote, a "
        "tie and the threshold itself count as no preference.",
    ),
    Method(
        "shares",
        "Shares of all votes, two-way clustered",
        "these pairs and raters stand for others of their kind",
        "Cameron, Gelbach, Miller (2011), J. Business & Economic Statistics 29:238",
        "Of all votes, the share that chose each arm or Same; the interval says where it would lie with other images "
        "and other raters of this kind.",
    ),
)

# At most nine decimals, so that 100 * votes * denominator stays far below 2**63.
NUMBER = re.compile(r"\d{1,9}(\.\d{1,9})?(/\d{1,9})?")


class InvalidThreshold(ValueError):
    """A threshold that does not give three columns: it must be a number, at least 50 and below 100."""


class PairCount(NamedTuple):
    """One comparison's votes: a and b for the first and the second arm, same for neither."""

    pair: str
    class_label: str
    a: int
    b: int
    same: int

    @property
    def side(self) -> int:
        return self.a + self.b


@dataclass(frozen=True, eq=False)
class Counts:
    """Votes per comparison of two arms, unjudged ones included. a, b, same: int64 [P]."""

    arms: Arms
    pair_names: tuple[str, ...]
    class_labels: tuple[str, ...]
    a: Ints
    b: Ints
    same: Ints

    @classmethod
    def of(cls, votes: Votes) -> Counts:
        """Count a two-arm log."""
        first, second = votes.arms
        # One pass over the votes; outcomes are -1, 0 and +1.
        codes = 3 * votes.pair + 1
        codes += votes.outcome
        counts = np.bincount(codes, minlength=3 * votes.n_pairs)
        b, same, a = np.ascontiguousarray(counts.reshape(-1, 3).T)
        return cls((first, second), votes.pair_names, votes.class_labels, a, b, same)

    @property
    def side(self) -> Ints:
        return self.a + self.b

    @property
    def all(self) -> Ints:
        return self.a + self.b + self.same

    @property
    def pairs(self) -> int:
        return len(self.pair_names)

    @property
    def unjudged(self) -> int:
        return int((self.all == 0).sum())

    def rows(self) -> Iterator[PairCount]:
        """The comparisons one by one, in the study's order."""
        numbers = zip(self.a.tolist(), self.b.tolist(), self.same.tolist(), strict=True)
        for name, label, (a, b, same) in zip(self.pair_names, self.class_labels, numbers, strict=True):
            yield PairCount(name, label, a, b, same)


@dataclass(frozen=True)
class Summary:
    """Smallest, middle, largest and mean of a count per pair."""

    min: int
    median: float
    max: int
    mean: float

    @classmethod
    def of(cls, counts: Ints) -> Summary:
        return cls(int(counts.min()), float(np.median(counts)), int(counts.max()), float(counts.mean()))


@dataclass(frozen=True)
class Cell:
    """How many of the comparisons fall in one column of the table; wilson95 has the pairs as units."""

    column: str
    pairs: int
    percent: float
    wilson95: Interval


@dataclass(frozen=True)
class ThresholdRow:
    """The three columns at one threshold; they sum to all comparisons."""

    threshold: str
    first: Cell
    second: Cell
    no_preference: Cell

    @property
    def cells(self) -> tuple[Cell, Cell, Cell]:
        return self.first, self.second, self.no_preference

    def as_json(self) -> Json:
        return {
            "pairs": {cell.column: cell.pairs for cell in self.cells},
            "percent": {cell.column: cell.percent for cell in self.cells},
            "wilson95_pairs": {cell.column: as_json(cell.wilson95) for cell in self.cells},
        }


@dataclass(frozen=True)
class ThresholdTable:
    """In how many comparisons more than t % of the side votes prefer each arm, for several t.

    exact_ties: comparisons with as many votes for one arm as for the other, at least one each.
    pairs_without_side_votes: nobody chose a side; unjudged of them have no vote at all. All count as no preference.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[:1]
    arms: Arms
    rows: tuple[ThresholdRow, ...]
    pairs: int
    exact_ties: int
    pairs_without_side_votes: int
    unjudged: int

    def as_json(self) -> Json:
        rows = {row.threshold: row.as_json() for row in self.rows}
        numbers = ("pairs", "exact_ties", "pairs_without_side_votes", "unjudged")
        return {**rows, **{name: getattr(self, name) for name in numbers}}


def threshold_table(counts: Counts, thresholds: Iterable[Threshold] = (50, 60, 70, 80)) -> ThresholdTable:
    """Count the preferred comparisons at each threshold, in percent from 50 to below 100.

    The comparison is strict and Same is not in the denominator; comparisons on the threshold, without side votes or
    without any vote are "no preference". Raises InvalidThreshold. counts must hold at least one comparison.
    """
    return ThresholdTable(
        arms=counts.arms,
        rows=tuple(_row(counts, exact_threshold(t)) for t in thresholds),
        pairs=counts.pairs,
        exact_ties=int(((counts.a == counts.b) & (counts.a > 0)).sum()),
        pairs_without_side_votes=int((counts.side == 0).sum()),
        unjudged=counts.unjudged,
    )


def exact_threshold(threshold: Threshold) -> Fraction:
    """A threshold as the fraction that was meant: 66.7 is 667/10, not the nearest binary float."""
    text = str(threshold)
    if not NUMBER.fullmatch(text):
        raise InvalidThreshold(f"{text!r} is not a percentage; give a number such as 60 or 66.7")
    try:
        exact = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InvalidThreshold(f"{text!r} is not a percentage; give a number such as 60 or 66.7") from error
    if not 50 <= exact < 100:
        raise InvalidThreshold(
            f"a threshold of {text} % is outside 50 to 100 (excluded): below 50 both arms could be preferred"
        )
    return exact


def _row(counts: Counts, threshold: Fraction) -> ThresholdRow:
    bound = threshold.numerator * counts.side
    first, second = (int((100 * threshold.denominator * chosen > bound).sum()) for chosen in (counts.a, counts.b))
    cells = (
        _cell(counts.arms[0], first, counts.pairs),
        _cell(counts.arms[1], second, counts.pairs),
        _cell("no_preference", counts.pairs - first - second, counts.pairs),
    )
    return ThresholdRow(_label(threshold), *cells)


def _cell(column: str, pairs: int, of_pairs: int) -> Cell:
    return Cell(column, pairs, 100 * pairs / of_pairs, wilson(pairs, of_pairs))


def _label(threshold: Fraction) -> str:
    decimal = format(Decimal(threshold.numerator) / Decimal(threshold.denominator), "f")
    return decimal if Fraction(decimal) == threshold else str(threshold)


@dataclass(frozen=True)
class ShareInterval:
    """Standard error and 95 % interval of a share (0 to 1), allowing for pairs and raters."""

    se: float
    ci95: Interval


@dataclass(frozen=True)
class Share:
    """One outcome's share of all votes. `wilson95_votes` would hold if votes were independent, which they are not."""

    votes: int
    percent: float
    wilson95_votes: Interval
    two_way: ShareInterval | Unavailable


@dataclass(frozen=True)
class Shares:
    """How all N votes divide over the first arm, the second arm and Same."""

    methods: ClassVar[tuple[Method, ...]] = METHODS[1:]
    arms: Arms
    n: int
    first: Share
    second: Share
    same: Share

    def as_json(self) -> Json:
        return {
            self.arms[0]: as_json(self.first),
            self.arms[1]: as_json(self.second),
            "same": as_json(self.same),
        }


def shares(votes: Votes) -> Shares | Unavailable:
    """The shares of a two-arm log's votes, each with a two-way clustered interval; `no_votes` before the first."""
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    crossed = Crossed.of(votes)
    chosen = (votes.outcome == 1, votes.outcome == -1, votes.choice == SAME)
    first, second, same = (_share(indicator.astype(np.int64), crossed) for indicator in chosen)
    return Shares((votes.arms[0], votes.arms[1]), votes.n_votes, first, second, same)


def _share(indicator: Ints, crossed: Crossed) -> Share:
    k, n = int(indicator.sum()), crossed.n_votes
    two_way = two_way_mean(indicator, crossed=crossed, null=0.0)
    interval = two_way if isinstance(two_way, Unavailable) else ShareInterval(two_way.se, two_way.ci95)
    return Share(k, 100 * k / n, wilson(k, n), interval)
