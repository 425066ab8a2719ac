"""What the rating of K arms is made of: frozen records, named as in the report's JSON.

theta is a log-worth: the arms' thetas sum to 0, and only their differences mean something. Mappings are keyed by arm,
or by "A-B" for two arms in the report's order, "A>B" for one over the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.intervals import Interval
from analysis.records import Json, Unavailable, as_json

ByArm = Mapping[str, float]
Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Identifiability:
    """Can these votes tell the arms' ratings at all?

    connected: votes link every arm to every other, directly or not; components: the parts that they do link.
    separation: ratings could grow for ever while the votes only get more likely; None where an earlier check failed.
    zero_win_arms, zero_loss_arms: arms that no vote prefers, or that no vote rejects.
    """

    connected: bool
    components: tuple[tuple[str, ...], ...]
    ties_present: bool
    separation: bool | None
    zero_win_arms: tuple[str, ...]
    zero_loss_arms: tuple[str, ...]


@dataclass(frozen=True)
class LikelihoodRatio:
    """Twice the gain in log-likelihood over all arms being equal. p_naive: chi-squared, for independent votes."""

    stat: float
    df: int
    p_naive: float


@dataclass(frozen=True)
class Contrast:
    """How far one arm's theta is above another's, with the two-way error.

    p: Student's t on df degrees of freedom; p_holm: corrected for all contrasts of this fit.
    """

    first: str
    second: str
    difference: float
    se: float
    df: float
    ci95: Interval
    p: float
    p_holm: float


@dataclass(frozen=True)
class Davidson:
    """Davidson's ratings, with ties, and their errors.

    elo: 1000 + 400 / ln 10 * theta. nu: how readily equal arms tie; 0 where nobody ever said Same (se_log_nu: None).
    se_information: if votes were independent, which they are not. se_cluster_group, se_cluster_rater: groups or raters
    as units, None with fewer than two of them. se_two_way: both; ci95_two_way: Student's t on df degrees of freedom.
    rank_best: 1 + arms that are significantly better; rank_worst: K - arms that are significantly worse (Holm, 5 %).
    p_beats: probability that a new vote prefers "A>B"; p_tie: that it is Same. note: what this fit could not learn.
    n, groups, raters: votes and clusters; groups_effective, raters_effective: Kish's numbers, df = min - 1.
    contrasts: every two arms; the leaderboard shows them.
    """

    theta: ByArm
    elo: ByArm
    nu: float
    loglik: float
    se_information: ByArm
    se_log_nu: float | None
    se_cluster_group: ByArm | None
    se_cluster_rater: ByArm | None
    se_two_way: ByArm
    df: float
    ci95_two_way: Mapping[str, Interval]
    rank_best: Mapping[str, int]
    rank_worst: Mapping[str, int]
    lr_all_equal: LikelihoodRatio
    p_beats: Mapping[str, float]
    p_tie: Mapping[str, float]
    n: int
    groups: int
    raters: int
    groups_effective: float
    raters_effective: float
    note: str | None
    contrasts: tuple[Contrast, ...] = field(metadata={"json": None})


@dataclass(frozen=True)
class DavidsonWithPosition:
    """Davidson's ratings with an advantage of standing left: theta + log_gamma_left for the left image.

    se_log_gamma: if votes were independent. se_two_way, se_two_way_log_gamma: groups and raters allowed for, with df.
    p_log_gamma: two-way, is there a lean to a side?
    """

    theta: ByArm
    log_gamma_left: float
    se_log_gamma: float
    loglik: float
    nu: float
    se_two_way: ByArm
    se_two_way_log_gamma: float
    p_log_gamma: float
    df: float


@dataclass(frozen=True)
class PlainRating:
    """Bradley-Terry ratings without ties in the model: a Same is half a win each, or left out."""

    theta: ByArm
    loglik: float


@dataclass(frozen=True)
class RaoKupper:
    """Rao and Kupper's ratings: a vote is Same where two worths are within a factor kappa, 1 where nobody said Same.

    theta is on another scale than Davidson's; compare log-likelihoods, never thetas.
    """

    theta: ByArm
    kappa: float
    loglik: float


@dataclass(frozen=True)
class PenalisedRating:
    """Davidson's ratings with one prior half-win each way for every two arms that were compared.

    Only where the plain ratings do not exist; prior says it in words. They lean towards equality and have no errors.
    """

    theta: ByArm
    elo: ByArm
    nu: float
    prior: str


@dataclass(frozen=True)
class ComponentRating:
    """The ratings of arms that votes link to each other, where others are not linked: never compare across.

    theta sums to 0 within the component. theta and nu are None where these arms cannot be rated; why_not says why.
    """

    arms: tuple[str, ...]
    theta: ByArm | None
    nu: float | None
    why_not: str | None


@dataclass(frozen=True)
class PairwiseNet:
    """The net preference between two arms, from their own votes alone, two-way clustered by pair and rater.

    p_holm, p_bh: corrected over all pairings of the study that could be tested.
    """

    net: float
    se: float
    p: float
    p_holm: float
    p_bh: float


@dataclass(frozen=True)
class PairwiseFamily:
    """Which pairings were corrected together: entered of all that have votes; left_out: "A-B" -> code of the reason."""

    entered: int
    of: int
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class BradleyTerry:
    """Everything about the rating of K arms.

    wins[i][j]: votes that prefer arm i over arm j; ties[i][j]: votes between them that are Same.
    Fits are None where they cannot be had because `davidson` is Unavailable, or (davidson_penalised,
    davidson_by_component) where they are not needed because it is not; their keys are then left out of the JSON.
    """

    arms: tuple[str, ...]
    identifiability: Identifiability
    wins: Matrix
    ties: Matrix
    davidson: Davidson | Unavailable
    davidson_with_position: DavidsonWithPosition | Unavailable | None
    davidson_penalised: PenalisedRating | None
    davidson_by_component: tuple[ComponentRating, ...] | None
    bt_half_tie: PlainRating | Unavailable | None
    bt_side_only: PlainRating | Unavailable | None
    rao_kupper: RaoKupper | None
    pairwise: Mapping[str, PairwiseNet]
    pairwise_family: PairwiseFamily

    def as_json(self) -> dict[str, Json]:
        return {name: as_json(value) for name, value in vars(self).items() if value is not None}
