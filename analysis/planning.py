"""How large must a study be? Raters and pairs for a difference that somebody wants to find.

The net preference is known to within SE^2 = c_P / P + c_R / R + c_E / N: what pairs, raters and single votes bring. The
components come from a population like the main paper's, or from a pilot study. Power and detectable difference follow
from Student's t with min(P, R) - 1 degrees of freedom, as the headline test uses them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from analysis.records import Method, Unavailable

FEWEST_RATERS = 8
FEWEST_PAIRS = 20
ENOUGH_SIDE_VOTES = 20
MOST_RATERS = 100_000
MOST_PAIRS = 1_000_000
# How many raters the figures are given for where no number of them reaches the aim.
USUAL_RATERS = 25

METHODS = (
    Method(
        "planning",
        "Size of a study",
        "pairs and raters like those the variances come from; every rater judges as many pairs",
        "Westfall, Kenny, Judd (2014), J. Experimental Psychology: General 143:2020; Henderson (1953), Biometrics 9:226",
        "How likely a true difference of this size is to be found with so many pairs and raters.",
    ),
)


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
class Components:
    """What one more pair, rater and vote take off the squared error of the net preference, and where that is from.

    pair, rater, vote: c_P, c_R, c_E >= 0, in squared units of net preference. same_share: of all votes, 0 to 1.
    floored: the components that were estimated below zero and stand as zero. pairs, raters, votes: of the pilot.
    """

    pair: float
    rater: float
    vote: float
    same_share: float
    source: str
    floored: tuple[str, ...] = ()
    pairs: int | None = None
    raters: int | None = None
    votes: int | None = None


@dataclass(frozen=True)
class Workload:
    """How many pairs each rater judges: a share of them (0 to 1), or a number where `pairs` is given."""

    share: float = 1.0
    pairs: int | None = None


@dataclass(frozen=True)
class Design:
    """A study's size: how many raters, pairs and votes in all."""

    raters: int
    pairs: int
    votes: int


@dataclass(frozen=True)
class Wish:
    """What is to be planned. difference: net preference, 0 to 1 (0.08 = 8 points). alpha: two-sided.

    raters: None asks for the fewest that reach the power. same_share: None takes the components' own.
    """

    difference: float = 0.08
    power: float = 0.8
    alpha: float = 0.05
    pairs: int = 200
    raters: int | None = None
    workload: Workload = field(default_factory=Workload)
    same_share: float | None = None
    purpose: Purpose = Purpose.MEAN


@dataclass(frozen=True)
class Outlook:
    """What one design would find. se: of the net preference. power: of the wished difference. side_votes: a pair.

    detectable: the difference (net preference, 0 to 1) that is found with the wished power.
    """

    design: Design
    se: float
    df: int
    power: float
    detectable: float
    votes_per_rater: float
    votes_per_pair: float
    side_votes_per_pair: float


@dataclass(frozen=True)
class Planning:
    """The answer to a wish.

    outlook: of the raters asked for, else of `fewest_raters`. fewest_raters: that reach the power on so many pairs.
    fewest_pairs: that reach it with the outlook's raters. table_raters: that give every pair 20 votes for a side.
    table: outlooks, a row per number of raters and a column per number of pairs. curves: the same, finer.
    """

    wish: Wish
    components: Components
    answer: str
    outlook: Outlook
    fewest_raters: int | Unavailable
    fewest_pairs: int | Unavailable
    table_raters: int | Unavailable
    warnings: tuple[str, ...]
    table: tuple[tuple[Outlook, ...], ...]
    curves: tuple[tuple[Outlook, ...], ...]


PAPER_LIKE = Components(
    pair=0.11, rater=0.003, vote=0.65, same_share=0.27, source="a population like the main paper's (27 % Same)"
)
