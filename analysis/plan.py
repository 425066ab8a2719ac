"""The analysis plan: what will be computed, decided before anybody has seen a result.

A plan is a small document. Its canonical JSON has one byte sequence, so its sha256 proves that it is the same plan.
Everything that a report shows and the plan does not name is exploratory.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from analysis.multiplicity import Correction
from analysis.preference import InvalidThreshold, exact_threshold
from analysis.rater_filters import FILTERS
from analysis.records import Json, as_json

PLAN_VERSION = 1
E = TypeVar("E", bound=StrEnum)


class InvalidPlan(ValueError):
    """The plan cannot be followed; the message names the entry and what it may be."""


class Headline(StrEnum):
    """The one test whose p-value is the study's answer."""

    NET = "two_way_net"
    SIDE_SHARE = "two_way_side_share"


class StoppingRule(StrEnum):
    """When the collection of votes ends: at a planned size, or at a look that a boundary allows."""

    FIXED = "fixed"
    NORMAL_MIXTURE = "normal_mixture"
    PLANNED_LOOKS = "planned_looks"


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
    def read(cls, path: str | Path) -> Plan:
        """Read a plan from a TOML file. Raises InvalidPlan, OSError where there is no such file."""
        try:
            with Path(path).open("rb") as stream:
                return cls.of(tomllib.load(stream))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidPlan(f"the plan is not readable TOML: {error}") from error

    def as_json(self) -> dict[str, Json]:
        return {"version": PLAN_VERSION, **{name: as_json(value) for name, value in asdict(self).items()}}

    @property
    def canonical(self) -> str:
        """The plan as the text that is hashed: sorted keys, no spaces."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical.encode()).hexdigest()


def _check(plan: Plan) -> None:
    if unknown := [name for name in plan.filters if name not in FILTERS]:
        raise InvalidPlan(f"filters: {unknown[0]!r} is not a filter; there are {', '.join(FILTERS)}")
    if not plan.thresholds:
        raise InvalidPlan("thresholds: give at least one, for example 50")
    for threshold in plan.thresholds:
        try:
            exact_threshold(threshold)
        except InvalidThreshold as error:
            raise InvalidPlan(f"thresholds: {error}") from error
    _check_stopping(plan.stopping)


def _check_stopping(stopping: Stopping) -> None:
    if not 0 < stopping.alpha < 0.5:
        raise InvalidPlan(f"stopping.alpha: {stopping.alpha} is not between 0 and 0.5; 0.05 is usual")
    if stopping.first_look_after_raters < 2:
        raise InvalidPlan("stopping.first_look_after_raters: a look needs at least 2 raters; 10 is usual")
    if not 0 < stopping.rho < math.inf:
        raise InvalidPlan(f"stopping.rho: {stopping.rho} is not a number above 0; planned information / 7.9 is usual")
    if not 1 <= stopping.looks <= 100:
        raise InvalidPlan(f"stopping.looks: {stopping.looks} is not from 1 to 100")
    if stopping.rule is StoppingRule.PLANNED_LOOKS and not stopping.planned_raters:
        raise InvalidPlan("stopping.planned_raters: planned looks are spaced over it, so it must be given")


def _plan_of(document: Mapping[str, object]) -> Plan:
    version = document.get("version", PLAN_VERSION)
    if version != PLAN_VERSION:
        raise InvalidPlan(f"version: {version!r} is not known here; this version of the software reads {PLAN_VERSION}")
    _refuse_unknown(document, ("version", *(f.name for f in fields(Plan))), where="")
    defaults = Plan()
    families, stopping = (_table(document, name) for name in ("families", "stopping"))
    _refuse_unknown(families, [f.name for f in fields(Families)], where="families.")
    _refuse_unknown(stopping, [f.name for f in fields(Stopping)], where="stopping.")
    return Plan(
        question=_text(document.get("question", ""), where="question"),
        filters=tuple(_text(name, where="filters") for name in _list(document, "filters", ())),
        headline=_member(Headline, document.get("headline", defaults.headline), where="headline"),
        thresholds=tuple(_threshold(value) for value in _list(document, "thresholds", defaults.thresholds)),
        families=Families(
            **{name: _member(Correction, value, where=f"families.{name}") for name, value in families.items()}
        ),
        stopping=_stopping(stopping),
    )


def _stopping(table: Mapping[str, object]) -> Stopping:
    defaults = Stopping()
    planned = table.get("planned_raters")
    return Stopping(
        rule=_member(StoppingRule, table.get("rule", defaults.rule), where="stopping.rule"),
        alpha=_number(table, "alpha", defaults.alpha),
        first_look_after_raters=_whole(table, "first_look_after_raters", defaults.first_look_after_raters),
        rho=_number(table, "rho", defaults.rho),
        looks=_whole(table, "looks", defaults.looks),
        planned_raters=None if planned is None else _whole(table, "planned_raters", 0),
    )


def _refuse_unknown(table: Mapping[str, object], known: Iterable[str], *, where: str) -> None:
    names = list(known)
    if unknown := [name for name in table if name not in names]:
        raise InvalidPlan(f"{where}{unknown[0]}: there is no such entry; there are {', '.join(names)}")


def _table(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name, {})
    if not isinstance(value, Mapping):
        raise InvalidPlan(f"{name}: {value!r} is not a table of entries")
    return value


def _list(document: Mapping[str, object], name: str, default: tuple[str, ...]) -> list[object]:
    value = document.get(name, default)
    if not isinstance(value, list | tuple):
        raise InvalidPlan(f"{name}: {value!r} is not a list")
    return list(value)


def _text(value: object, *, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidPlan(f"{where}: {value!r} is not a text")
    return value


def _threshold(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidPlan(f"thresholds: {value!r} is not a percentage")
    return str(value)


def _number(table: Mapping[str, object], name: str, default: float) -> float:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidPlan(f"stopping.{name}: {value!r} is not a number")
    return float(value)


def _whole(table: Mapping[str, object], name: str, default: int) -> int:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidPlan(f"stopping.{name}: {value!r} is not a whole number")
    return value


def _member(members: type[E], value: object, *, where: str) -> E:
    try:
        return members(str(value))
    except ValueError as error:
        raise InvalidPlan(f"{where}: {value!r} is not one of {', '.join(members)}") from error
