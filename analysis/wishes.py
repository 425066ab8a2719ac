"""What somebody wants of a study before it exists: a difference to find, how surely, with how many pairs and raters.

Entries are checked here, once, so that a page and a command refuse the same things in the same sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

MOST_RATERS = 100_000
MOST_PAIRS = 1_000_000
WORKLOAD = re.compile(r"(\d{1,9})(?:\.0*)?|(\d{1,3}(?:\.\d+)?)\s*%")


class InvalidDesign(ValueError):
    """The wish cannot be planned for; `entry` names what to change, the message says how."""

    def __init__(self, entry: str, message: str) -> None:
        super().__init__(message)
        self.entry = entry


class Purpose(StrEnum):
    """What the study is for: the mean over all votes, or the threshold table too, which needs votes on every pair."""

    MEAN = "mean"
    TABLE = "table"


@dataclass(frozen=True)
class Workload:
    """How many pairs each rater judges: a share of them (0 to 1), or a number where `pairs` is given."""

    share: float = 1.0
    pairs: int | None = None

    @classmethod
    def read(cls, text: str) -> Workload:
        """Read what somebody typed: 40 pairs, 50 %, or nothing for all pairs. Raises InvalidDesign."""
        words = text.strip()
        found = WORKLOAD.fullmatch(words)
        if not words:
            return cls()
        if found is None:
            raise InvalidDesign("workload", f"{words!r} is neither a number of pairs nor a share; write 40 or 50 %.")
        return cls(share=float(found[2]) / 100) if found[2] else cls(pairs=int(found[1]))

    def __str__(self) -> str:
        return f"{100 * self.share:.6g}%" if self.pairs is None else str(self.pairs)

    def of(self, pairs: int) -> int:
        """The pairs that one rater judges of so many: at least one, at most all."""
        wanted = round(self.share * pairs) if self.pairs is None else self.pairs
        return max(1, min(pairs, wanted))


@dataclass(frozen=True)
class Wish:
    """What is to be planned. difference: net preference, 0 to 1 (0.08 is 8 points). alpha: two-sided.

    raters: None asks for the fewest that are enough. same_share: None takes the components' own.
    Raises InvalidDesign at the first entry that cannot be.
    """

    difference: float = 0.08
    power: float = 0.8
    alpha: float = 0.05
    pairs: int = 200
    raters: int | None = None
    workload: Workload = field(default_factory=Workload)
    same_share: float | None = None
    purpose: Purpose = Purpose.MEAN

    def __post_init__(self) -> None:
        for entry, is_right, message in _rules(self):
            if not is_right:
                raise InvalidDesign(entry, message)


def _rules(wish: Wish) -> Iterator[tuple[str, bool, str]]:
    share, pairs = wish.workload.share, wish.workload.pairs
    yield "difference", 0.001 <= wish.difference <= 1, "The difference must be from 0.1 to 100 points; 8 is usual."
    yield "power", 0.5 <= wish.power <= 0.999, "The power must be from 50 to 99.9 %; 80 is usual."
    yield "alpha", 0.0001 <= wish.alpha <= 0.2, "The significance level must be from 0.01 to 20 %; 5 is usual."
    yield "pairs", 2 <= wish.pairs <= MOST_PAIRS, f"Give from 2 to {MOST_PAIRS:,} pairs; 200 is usual."
    raters = wish.raters is None or 2 <= wish.raters <= MOST_RATERS
    yield "raters", raters, f"Give from 2 to {MOST_RATERS:,} raters, or none to ask how many are needed."
    yield "workload", 0 < share <= 1, "The share that a rater judges must be above 0 and at most 100 %."
    in_reach = pairs is None or 1 <= pairs <= wish.pairs
    yield "workload", in_reach, f"A rater can judge from 1 to all {wish.pairs:,} pairs; there are no more."
    same = wish.same_share is None or 0 <= wish.same_share <= 0.95
    yield "same_share", same, "The share of Same must be from 0 to 95 %; 27 is that of the main paper."
