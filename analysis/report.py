"""The report: everything a results page or a file shows about a vote log, computed once.

Page, CSV, JSON and LaTeX are written from the same frozen object, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from os import PathLike

import numpy as np

from analysis.agreement import Agreement, agreement
from analysis.bootstrap import ROUNDS, PairBootstrap, TwoWayBootstrap, pair_bootstrap, two_way_bootstrap
from analysis.classes import Classes, ShrunkenPairs, classes, shrunken_pairs
from analysis.headlines import headline, ranking_headline, warnings, warnings_of_log
from analysis.methods import METHODS
from analysis.plan import Plan, Stopping, planned_sections
from analysis.position import Position, position
from analysis.precision import Components, components_of
from analysis.preference import Counts, Shares, Summary, ThresholdTable, shares, threshold_table
from analysis.ranking import BradleyTerry, Leaderboard, bradley_terry, leaderboard
from analysis.rater_filters import FilterEffect, excluded_by, filter_effects
from analysis.rater_quality import RaterQuality, Screens, rater_quality
from analysis.records import Json, Unavailable, as_json
from analysis.sequential import Sequential, sequential
from analysis.significance import Tests, significance
from analysis.times import Times, times
from analysis.vote_file import read_csv
from analysis.votes import Votes


@dataclass(frozen=True)
class Pairing:
    """What was found between two arms; figures are oriented first minus second.

    pairs: all comparisons of the two, unjudged ones included. votes, raters: of this pairing alone.
    bootstrap_two_way: None where no rounds were asked for. shrunken_pairs: where no class has two pairs to learn from.
    """

    arms: tuple[str, str]
    orientation: str
    votes: int
    pairs: int
    unjudged: int
    raters: int
    per_pair_votes: Summary
    per_pair_side_votes: Summary
    counts: Counts
    shares: Shares | Unavailable
    threshold_table: ThresholdTable
    tests: Tests | Unavailable
    bootstrap_two_way: TwoWayBootstrap | Unavailable | None
    bootstrap_pairs_threshold_ci95: PairBootstrap | Unavailable
    agreement: Agreement | Unavailable
    classes: Classes | Unavailable
    shrunken_pairs: ShrunkenPairs | Unavailable | None
    sequential: Sequential
    planning: Components | Unavailable
    headline: str
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Json]:
        left_out = {"counts"}
        return {name: as_json(value) for name, value in vars(self).items() if name not in left_out}


@dataclass(frozen=True)
class Screening:
    """Which raters the plan's filters left out, and what each named filter alone would do.

    applied: names of filters. unfiltered: the headline sentence with everybody in, None where nobody was left out.
    """

    applied: tuple[str, ...]
    raters_left_out: tuple[str, ...]
    votes_left_out: int
    unfiltered: str | None
    effects: tuple[FilterEffect, ...]


@dataclass(frozen=True)
class Report:
    """A study's result: what was collected, and a `Pairing` for every two arms that were compared.

    With two arms there is exactly one pairing, and the JSON form holds it flat under the report's own keys. Raters are
    described before any filter; all other figures are of those whom the plan's filters keep.
    """

    arms: tuple[str, ...]
    plan: Plan
    plan_is_fixed: bool
    simulated: bool
    headline: str
    thresholds: tuple[str, ...]
    votes: int
    gold_votes: int
    pairs: int
    unjudged: int
    raters: int
    per_pair_votes: Summary
    bradley_terry: BradleyTerry | Unavailable
    leaderboard: Leaderboard | Unavailable
    position: Position | Unavailable
    times: Times | Unavailable
    rater_quality: RaterQuality
    screening: Screening
    pairings: tuple[Pairing, ...]
    warnings: tuple[str, ...]

    def is_planned(self, section: str) -> bool:
        """Say whether a section of the JSON, such as `classes` or `tests.two_way_net`, was fixed before the votes."""
        return self.plan_is_fixed and self.plan.names(section)

    def as_json(self) -> dict[str, Json]:
        """Plain values for json.dumps: never NaN, never infinity; an absent figure is {"error", "detail"}."""
        own = {name: as_json(value) for name, value in vars(self).items() if name != "pairings"}
        own["plan"] = {**self.plan.as_json(), "sha256": self.plan.sha256}
        own["planned"] = as_json(sorted(planned_sections(self.plan)) if self.plan_is_fixed else [])
        own["methods"] = {name: as_json(method) for name, method in METHODS.items()}
        if len(self.arms) == 2:
            flat = self.pairings[0].as_json()
            return {**flat, **own, "warnings": [*_texts(own["warnings"]), *_texts(flat["warnings"])]}
        return {**own, "pairings": [pairing.as_json() for pairing in self.pairings]}


def analyse(votes: Votes | str | PathLike[str], *, plan: Plan | None = None, rounds: int = ROUNDS) -> Report:
    """Compute the whole report of a checked log, or of a CSV file; raises InvalidVotes, OSError for a file.

    plan: what was fixed before the votes. Without one everything is exploratory and the usual figures are computed.
    rounds: of the two-way bootstrap, a cross-check that takes a second per million votes and hundred rounds; 0: none.
    Comparisons without a vote count as no preference. Without any vote the figures are `Unavailable("no_votes")`.
    """
    everybody = votes if isinstance(votes, Votes) else read_csv(votes)
    followed = plan or Plan()
    screens = Screens(everybody)
    left_out = excluded_by(followed.filters, everybody, screens=screens)
    kept = everybody.without_raters(left_out) if left_out.any() else everybody
    pairings = tuple(_pairings(kept, followed, rounds=rounds))
    per_pair = np.bincount(kept.pair, minlength=kept.n_pairs)
    fit = bradley_terry(kept)
    board = fit if isinstance(fit, Unavailable) else leaderboard(fit)
    return Report(
        arms=kept.arms,
        plan=followed,
        plan_is_fixed=plan is not None,
        simulated=kept.simulated,
        headline=pairings[0].headline if len(kept.arms) == 2 else ranking_headline(board),
        gold_votes=everybody.gold.n,
        thresholds=tuple(row.threshold for row in pairings[0].threshold_table.rows),
        votes=kept.n_votes,
        pairs=kept.n_pairs,
        unjudged=int((per_pair == 0).sum()),
        raters=kept.n_raters,
        per_pair_votes=Summary.of(per_pair),
        bradley_terry=fit,
        leaderboard=board,
        position=position(kept),
        times=times(kept),
        rater_quality=rater_quality(everybody, screens),
        screening=_screening(everybody, kept, followed, effects=filter_effects(everybody, screens)),
        pairings=pairings,
        warnings=tuple(warnings_of_log(kept)),
    )


def _screening(everybody: Votes, kept: Votes, plan: Plan, *, effects: tuple[FilterEffect, ...]) -> Screening:
    stayed = set(kept.rater_names)
    left_out = tuple(name for name in everybody.rater_names if name not in stayed)
    return Screening(
        applied=plan.filters,
        raters_left_out=left_out,
        votes_left_out=everybody.n_votes - kept.n_votes,
        unfiltered=_headline(everybody, plan) if left_out else None,
        effects=effects,
    )


def _headline(votes: Votes, plan: Plan) -> str:
    if len(votes.arms) == 2:
        counts = Counts.of(votes)
        return headline(counts.arms, significance(votes, counts), planned=plan.headline)
    fit = bradley_terry(votes)
    return ranking_headline(fit if isinstance(fit, Unavailable) else leaderboard(fit))


def _pairings(votes: Votes, plan: Plan, *, rounds: int) -> Iterator[Pairing]:
    present = {tuple(two) for two in np.unique(votes.pair_arms, axis=0).tolist()}
    for first, second in combinations(range(len(votes.arms)), 2):
        if (first, second) in present:
            yield _pairing(votes if len(votes.arms) == 2 else votes.between(first, second), plan, rounds=rounds)


def _lacks_pairs(by_class: Classes | Unavailable) -> bool:
    return isinstance(by_class, Unavailable) and by_class.code == "one_pair_per_class"


def _pairing(votes: Votes, plan: Plan, *, rounds: int) -> Pairing:
    counts = Counts.of(votes)
    by_class = classes(votes, correction=plan.families.classes)
    tests = significance(votes, counts)
    return Pairing(
        arms=counts.arms,
        orientation=f"positive = {counts.arms[0]} preferred over {counts.arms[1]}",
        votes=votes.n_votes,
        pairs=counts.pairs,
        unjudged=counts.unjudged,
        raters=votes.n_raters,
        per_pair_votes=Summary.of(counts.all),
        per_pair_side_votes=Summary.of(counts.side),
        counts=counts,
        shares=shares(votes),
        threshold_table=threshold_table(counts, plan.thresholds),
        tests=tests,
        bootstrap_two_way=two_way_bootstrap(votes, rounds=rounds) if rounds else None,
        bootstrap_pairs_threshold_ci95=pair_bootstrap(counts, plan.thresholds),
        agreement=agreement(votes),
        classes=by_class,
        shrunken_pairs=shrunken_pairs(votes) if _lacks_pairs(by_class) else None,
        sequential=_sequential(votes, plan.stopping),
        planning=components_of(votes, source="this study"),
        headline=headline(counts.arms, tests, planned=plan.headline),
        warnings=tuple(warnings(counts.side, tests)),
    )


def _sequential(votes: Votes, stopping: Stopping) -> Sequential:
    return sequential(
        votes,
        alpha=stopping.alpha,
        rho=stopping.rho,
        first_look=stopping.first_look_after_raters,
        looks=stopping.looks,
        planned_raters=stopping.planned_raters,
    )


def _texts(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
