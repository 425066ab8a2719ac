"""The analysis plan: what will be computed, decided before anybody has seen a result.

A plan is a small document. Its canonical JSON has one byte sequence, so its sha256 proves that it is the same plan.
Everything that a report shows and the plan does not name is exploratory.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from analysis.multiplicity import Correction
from analysis.plan_entries import (
    InvalidPlan,
    Table,
    list_at,
    member,
    number,
    percentage,
    refuse_unknown,
    table_at,
    text,
    whole,
)
from analysis.precision import PAPER_LIKE, Components, Design, standard_error
from analysis.preference import InvalidThreshold, exact_threshold
from analysis.rater_filters import FILTERS
from analysis.records import Json, as_json

__all__ = [
    "Correction",
    "Families",
    "Headline",
    "InvalidPlan",
    "Plan",
    "Stopping",
    "StoppingRule",
    "planned_sections",
    "usual_rho",
]

PLAN_VERSION = 1
MOST_THRESHOLDS = 20
MOST_LOOKS = 100
# More raters than people; a larger number is a slip of the hand, and no file format's integer overflows at it.
MOST_RATERS = 10_000_000_000
# The normal mixture's boundary is nearly at its narrowest where the information is this many times rho: at 5 % the
# exact place is 8.2, and between 5 and 13 it is less than 1 % wider.
INFORMATION_OVER_RHO = 7.9


class Headline(StrEnum):
    """The one test whose p-value is the study's answer."""

    NET = "two_way_net"
    SIDE_SHARE = "two_way_side_share"


class StoppingRule(StrEnum):
    """When the collection of votes ends: at a planned size, or at a look that a boundary allows."""

    FIXED = "fixed"
    NORMAL_MIXTURE = "normal_mixture"
    PLANNED_LOOKS = "planned_looks"


# Sections of the report, as the JSON names them, that a plan settles whatever else it says.
ALWAYS_PLANNED = ("classes", "shares", "threshold_table")
PLANNED_BY_HEADLINE = {
    # The position-adjusted form is the same test where sides were unbalanced: which of the two comes first is a rule.
    Headline.NET: ("tests.two_way_net", "tests.two_way_net_position_adjusted"),
    Headline.SIDE_SHARE: ("tests.two_way_side_share",),
}
# Ranks and contrasts of the leaderboard are Holm's; under another correction only the tests of every two arms count.
PLANNED_BY_ARMS = {
    Correction.HOLM: ("bradley_terry.pairwise", "leaderboard"),
    Correction.BH: ("bradley_terry.pairwise",),
    Correction.NONE: ("bradley_terry.pairwise",),
}
PLANNED_BY_STOPPING = {
    StoppingRule.FIXED: (),
    StoppingRule.NORMAL_MIXTURE: ("sequential.two_way_normal_mixture",),
    StoppingRule.PLANNED_LOOKS: ("sequential.planned_looks",),
}


@dataclass(frozen=True)
class Families:
    """Which p-values are corrected together: contrasts of arms (few, claims), classes (many, exploration)."""

    arms: Correction = Correction.HOLM
    classes: Correction = Correction.BH


@dataclass(frozen=True)
class Stopping:
    """The stopping rule. rho: in units of information, planned information / 7.9. looks: how many, evenly spaced."""

    rule: StoppingRule = StoppingRule.FIXED
    alpha: float = 0.05
    first_look_after_raters: int = 10
    rho: float = 150.0
    looks: int = 5
    planned_raters: int | None = None


@dataclass(frozen=True)
class Plan:
    """What is fixed before the votes: question, filters of raters, headline test, thresholds, families, stopping.

    filters: names with versions from `analysis.rater_filters.FILTERS`; a rater that any of them flags is left out.
    thresholds: per cent, as text, so that 66.7 stays 66.7.
    """

    question: str = ""
    filters: tuple[str, ...] = ()
    headline: Headline = Headline.NET
    thresholds: tuple[str, ...] = ("50", "60", "70", "80")
    families: Families = field(default_factory=Families)
    stopping: Stopping = field(default_factory=Stopping)

    def __post_init__(self) -> None:
        _check(self)

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Plan:
        """Read a plan from parsed JSON or TOML; entries left out take their defaults. Raises InvalidPlan."""
        return _plan_of(document)

    @classmethod
    def from_toml(cls, toml: str) -> Plan:
        """Read a plan from the text of a TOML file. Raises InvalidPlan."""
        try:
            return cls.of(tomllib.loads(toml))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidPlan(f"the plan is not readable TOML: {error}") from error

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """Read a plan from a TOML file. Raises InvalidPlan, OSError where there is no such file."""
        try:
            # utf-8-sig: editors of spreadsheets' makers put a byte-order mark first.
            return cls.from_toml(Path(path).read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InvalidPlan(f"the plan is not UTF-8 text (byte {error.start}); save it as UTF-8") from error

    def as_json(self) -> dict[str, Json]:
        return {"version": PLAN_VERSION, **{name: as_json(value) for name, value in asdict(self).items()}}

    def as_toml(self) -> str:
        """The plan as a TOML file that reads back to the same plan, so to the same hash."""
        return "\n".join(_toml_lines(self)) + "\n"

    @property
    def canonical(self) -> str:
        """The plan as the text that is hashed: sorted keys, no spaces."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    def names(self, path: str) -> bool:
        """Whether this plan fixed a figure, given by its path in a pairing's or a report's JSON."""
        return any(path == section or path.startswith(f"{section}.") for section in planned_sections(self))


def planned_sections(plan: Plan) -> frozenset[str]:
    """The sections of the report's JSON that a plan fixes; all others are exploratory.

    The shares and the threshold table, at its thresholds; the headline test (the net preference with its
    position-adjusted form); the two families, corrected as stated (arms: the tests of every two arms, and the
    leaderboard, whose ranks are Holm's, under Holm); the sequential rule where it is the stopping rule; whom the plan's
    filters leave out, where it has any. Paths are written with dots and mean all that is below them. With more than two
    arms they are paths of a pairing where it has such a section, else of the report.
    """
    screening = ("screening",) if plan.filters else ()
    return frozenset(
        (
            *ALWAYS_PLANNED,
            *PLANNED_BY_HEADLINE[plan.headline],
            *PLANNED_BY_ARMS[plan.families.arms],
            *PLANNED_BY_STOPPING[plan.stopping.rule],
            *screening,
        )
    )


def usual_rho(design: Design, components: Components = PAPER_LIKE) -> float:
    """The rho that makes the boundary narrow when the planned votes are in: planned information / 7.9.

    Information is 1 / variance of the net preference; rounded to three digits, as rho need not be exact.
    """
    return float(f"{standard_error(design, components) ** -2 / INFORMATION_OVER_RHO:.3g}")


def _check(plan: Plan) -> None:
    if unknown := [name for name in plan.filters if name not in FILTERS]:
        raise InvalidPlan(f"filters: {unknown[0]!r} is not a filter; there are {', '.join(FILTERS)}")
    if twice := [name for name in plan.filters if plan.filters.count(name) > 1]:
        raise InvalidPlan(f"filters: {twice[0]!r} is there twice")
    _check_thresholds(plan.thresholds)
    _check_stopping(plan.stopping)


def _check_thresholds(thresholds: tuple[str, ...]) -> None:
    if not 1 <= len(thresholds) <= MOST_THRESHOLDS:
        raise InvalidPlan(f"thresholds: {len(thresholds)} are given; give 1 to {MOST_THRESHOLDS}, for example 50, 60")
    seen: set[Fraction] = set()
    for threshold in thresholds:
        try:
            exact = exact_threshold(threshold)
        except InvalidThreshold as error:
            raise InvalidPlan(f"thresholds: {error}") from error
        if exact in seen:
            raise InvalidPlan(f"thresholds: {threshold} is there twice")
        seen.add(exact)


def _check_stopping(stopping: Stopping) -> None:
    if not 0 < stopping.alpha < 0.5:
        raise InvalidPlan(f"stopping.alpha: {stopping.alpha} is not between 0 and 0.5; 0.05 is usual")
    if not 2 <= stopping.first_look_after_raters <= MOST_RATERS:
        raise InvalidPlan("stopping.first_look_after_raters: a look needs at least 2 raters; 10 is usual")
    if not 0 < stopping.rho < math.inf:
        raise InvalidPlan(f"stopping.rho: {stopping.rho} is not a number above 0; planned information / 7.9 is usual")
    if not 1 <= stopping.looks <= MOST_LOOKS:
        raise InvalidPlan(f"stopping.looks: {stopping.looks} is not from 1 to {MOST_LOOKS}")
    if stopping.planned_raters is not None and not 1 <= stopping.planned_raters <= MOST_RATERS:
        raise InvalidPlan(f"stopping.planned_raters: {stopping.planned_raters} is no number of raters")
    if stopping.rule is StoppingRule.PLANNED_LOOKS and not stopping.planned_raters:
        raise InvalidPlan("stopping.planned_raters: planned looks are spaced over it, so it must be given")


def _plan_of(document: Table) -> Plan:
    version = document.get("version", PLAN_VERSION)
    if version != PLAN_VERSION:
        raise InvalidPlan(f"version: {version!r} is not known here; this version of the software reads {PLAN_VERSION}")
    refuse_unknown(document, ("version", *(f.name for f in fields(Plan))), where="")
    defaults = Plan()
    families, stopping = table_at(document, "families"), table_at(document, "stopping")
    refuse_unknown(families, [f.name for f in fields(Families)], where="families.")
    refuse_unknown(stopping, [f.name for f in fields(Stopping)], where="stopping.")
    return Plan(
        question=text(document.get("question", ""), where="question"),
        filters=tuple(text(name, where="filters") for name in list_at(document, "filters", ())),
        headline=member(Headline, document.get("headline", defaults.headline), where="headline"),
        thresholds=tuple(
            percentage(value, where="thresholds") for value in list_at(document, "thresholds", defaults.thresholds)
        ),
        families=Families(
            **{name: member(Correction, value, where=f"families.{name}") for name, value in families.items()}
        ),
        stopping=_stopping(stopping),
    )


def _stopping(table: Table) -> Stopping:
    defaults, where = Stopping(), "stopping."
    planned = table.get("planned_raters")
    first_look = whole(table, "first_look_after_raters", defaults.first_look_after_raters, where=where)
    return Stopping(
        rule=member(StoppingRule, table.get("rule", defaults.rule), where="stopping.rule"),
        alpha=number(table, "alpha", defaults.alpha, where=where),
        first_look_after_raters=first_look,
        rho=number(table, "rho", defaults.rho, where=where),
        looks=whole(table, "looks", defaults.looks, where=where),
        planned_raters=None if planned is None else whole(table, "planned_raters", 0, where=where),
    )


def _toml_lines(plan: Plan) -> Iterator[str]:
    # Tables after plain entries: in TOML a table holds all entries down to the next one.
    document = plan.as_json()
    tables = {name: value for name, value in document.items() if isinstance(value, dict)}
    yield f"# Analysis plan with the sha256 {plan.sha256}"
    yield from _toml_entries({name: value for name, value in document.items() if name not in tables})
    for name, table in tables.items():
        yield from ("", f"[{name}]", *_toml_entries(table))


def _toml_entries(table: Mapping[str, Json]) -> Iterator[str]:
    # TOML has no null: an entry without a value is left out, and takes its default, which is none, when it is read.
    return (f"{name} = {_toml(value)}" for name, value in table.items() if value is not None)


def _toml(value: Json) -> str:
    # A JSON text, list or number is a TOML one too, but for the one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
