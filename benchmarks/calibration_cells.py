"""What the calibration study simulates and tests: settings, panels, and the tests of two arms and of four."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy import special

from analysis.accrual import Accrual
from analysis.intervals import Crossed
from analysis.position import two_way_net_position_adjusted
from analysis.preference import Counts
from analysis.ranking.counts import Tally as RatedVotes
from analysis.ranking.davidson import davidson
from analysis.records import Unavailable
from analysis.sequential import sequential
from analysis.significance import two_way_net, vote_sign_binomial
from analysis.simulation import SimulatedDesign
from analysis.votes import Votes

ANALYSIS = Path(__file__).resolve().parent.parent / "analysis"
ALPHA = 0.05
FIRST_LOOK = 10
CHUNK = 100


@dataclass(frozen=True)
class Setting:
    """What pairs and raters do to the votes; in logits."""

    name: str
    words: str
    pair_sd: float = 0.0
    rater_sd: float = 0.0
    pair_skew: float = 0.0
    left_bias_sd: float = 0.0
    net: float = 0.0


@dataclass(frozen=True)
class Panel:
    """Who votes. realistic: of the size and shape of a published study; the others are hard on purpose."""

    name: str
    words: str
    complete: int
    partial: int
    votes: tuple[int, int]
    realistic: bool


SETTINGS = (
    Setting("S0", "sharp null: every vote a fair coin"),
    Setting("S1", "pairs 0.5", pair_sd=0.5),
    Setting("S2", "pairs 1.1", pair_sd=1.1),
    Setting("S3", "pairs 1.1, raters 0.2", pair_sd=1.1, rater_sd=0.2),
    Setting("S4", "pairs 1.1, raters 0.5", pair_sd=1.1, rater_sd=0.5),
    Setting("S5", "raters 0.5 only", rater_sd=0.5),
    Setting("S6", "pairs 2, raters 1", pair_sd=2.0, rater_sd=1.0),
    Setting("S7", "S3 with exponential pair effects, mean net 0", pair_sd=1.1, rater_sd=0.2, pair_skew=2.0),
    Setting("S8", "S3 with raters leaning to a side, 0.5", pair_sd=1.1, rater_sd=0.2, left_bias_sd=0.5),
)
# Not nulls: how often the same tests find a preference that is there.
POWER = (
    Setting("P1", "S3 with net preference 0.09", pair_sd=1.1, rater_sd=0.2, net=0.09),
    Setting("P2", "S3 with net preference 0.135", pair_sd=1.1, rater_sd=0.2, net=0.135),
)
PANELS = (
    Panel("25", "25 raters who judge every pair", 25, 0, (1, 1), realistic=True),
    Panel("14+30", "14 who judge every pair and 30 with 20 to 127 votes", 14, 30, (20, 127), realistic=True),
    Panel("12+80", "12 who judge every pair and 80 with 10 to 55 votes", 12, 80, (10, 55), realistic=True),
    Panel("8", "8 raters who judge every pair", 8, 0, (1, 1), realistic=False),
    Panel(
        "4+40x25", "4 raters who judge every pair, 44 % of all votes, and 40 with 25", 4, 40, (25, 25), realistic=False
    ),
    Panel("2+80x10", "2 raters who judge every pair and 80 with 10 votes", 2, 80, (10, 10), realistic=False),
    Panel("290x17", "290 raters with 17 votes", 0, 290, (17, 17), realistic=False),
)
Figures = Mapping[str, float | None]


def two_arms(votes: Votes) -> Figures:
    """Does each test of two arms reject? None where it gives no answer."""
    crossed = Crossed.of(votes)
    net = two_way_net(votes, crossed)
    adjusted = two_way_net_position_adjusted(votes, crossed)
    looks = sequential(votes, first_look=FIRST_LOOK, planned_raters=votes.n_raters)
    monitor, planned = looks.two_way_normal_mixture, looks.planned_looks
    return {
        "two_way_net": None if isinstance(net, Unavailable) else net.p < ALPHA,
        "two_way_net_position_adjusted": None if isinstance(adjusted, Unavailable) else adjusted.net_p < ALPHA,
        "two_way_normal_mixture": None if isinstance(monitor, Unavailable) else monitor.stop_after_raters is not None,
        "raters_at_stop": None if isinstance(monitor, Unavailable) else monitor.stop_after_raters,
        "planned_looks": None if planned is None or not planned.looks else planned.stop_after_raters is not None,
        "rater_level": looks.rater_level.always_valid_p < ALPHA,
        "vote_sign_binomial": vote_sign_binomial(Counts.of(votes)).p < ALPHA,
        "two_way_net_peeking": peeking(votes),
    }


def peeking(votes: Votes) -> float | None:
    """Would the headline test have rejected at any look after the tenth rater? What not to do."""
    accrual = Accrual.of(votes)
    looked = accrual.has_variance & (np.arange(len(accrual.votes)) >= FIRST_LOOK - 1)
    if not looked.any():
        return None
    t = np.abs(accrual.estimate[looked]) / np.sqrt(accrual.var[looked])
    return bool(np.any(2 * special.stdtr(accrual.df[looked], -t) < ALPHA))


def four_arms(votes: Votes) -> Figures:
    """How many of the six 95 % intervals of a difference of ratings miss 0, and is any difference significant?"""
    # The ratings of `bradley_terry` without its other fits. Equal arms with 200 votes a pairing are always identified.
    contrasts = davidson(RatedVotes.of(votes)).contrasts
    missed = [not contrast.ci95[0] <= 0 <= contrast.ci95[1] for contrast in contrasts]
    return {
        "davidson_contrast": sum(missed) / len(missed),
        "davidson_any_holm": any(contrast.p_holm < ALPHA for contrast in contrasts),
    }


@dataclass(frozen=True)
class Family:
    """Tests of one kind of log; sources: the modules whose change makes kept counts worthless."""

    tests: Callable[[Votes], Figures]
    arms: tuple[str, ...]
    groups: int
    settings: tuple[Setting, ...]
    sources: tuple[str, ...]


COMMON = ("simulation", "simulated_designs", "votes", "intervals")
FAMILIES = {
    "two_arms": Family(
        two_arms,
        ("robust", "vanilla"),
        200,
        SETTINGS + POWER,
        (*COMMON, "significance", "position", "accrual", "sequential"),
    ),
    # 34 groups of six pairs: as near to 200 pairs as four arms come.
    "four_arms": Family(four_arms, ("A", "B", "C", "D"), 34, SETTINGS, (*COMMON, "ranking")),
}


@dataclass(frozen=True)
class Cell:
    """One family of tests in one setting with one panel."""

    family: str
    setting: Setting
    panel: Panel

    @property
    def key(self) -> str:
        return f"{self.family}/{self.setting.name}/{self.panel.name}"

    @property
    def tests(self) -> Callable[[Votes], Figures]:
        return FAMILIES[self.family].tests

    @property
    def design(self) -> SimulatedDesign:
        family, setting, panel = FAMILIES[self.family], self.setting, self.panel
        return SimulatedDesign(
            arms=family.arms,
            groups=family.groups,
            complete_raters=panel.complete,
            partial_raters=panel.partial,
            partial_votes=panel.votes,
            pair_sd=setting.pair_sd,
            rater_sd=setting.rater_sd,
            pair_skew=setting.pair_skew,
            left_bias_sd=setting.left_bias_sd,
            net=setting.net,
        )

    def fingerprint(self, seed: int) -> str:
        """Of everything that a count depends on."""
        return hashlib.sha256(f"{seed} {CHUNK} {self.design} {_sources(self.family)}".encode()).hexdigest()[:16]


@cache
def _sources(family: str) -> str:
    paths = [ANALYSIS / name for name in FAMILIES[family].sources]
    files = [
        file for path in paths for file in (sorted(path.glob("*.py")) if path.is_dir() else [path.with_suffix(".py")])
    ]
    return hashlib.sha256(b"".join(file.read_bytes() for file in (*files, Path(__file__)))).hexdigest()
