"""The JSON schema of a report, made from the records themselves, so that it says neither less nor more than they do.

A field that may be `Unavailable` may be an error object in the JSON. Records that write their JSON themselves stand
in `WRITTEN` with their form.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from inspect import getdoc
from typing import Any, Union, get_args, get_origin, get_type_hints

from analysis.bootstrap import PairBootstrap
from analysis.plan import PLAN_VERSION, Plan
from analysis.preference import Cell, Share, Shares, ThresholdRow, ThresholdTable
from analysis.ranking import BradleyTerry
from analysis.records import Json, Method, Unavailable
from analysis.report import Pairing, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN: Mapping[object, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
}
TITLE = "Report of a preference study by Twinseed"
Schema = dict[str, Json]
# A type as `get_type_hints` gives it: a class, a union or a generic alias, for which typing has no common name.
Hint = Any


def report_schema() -> Schema:
    """The schema of `Report.as_json()`, JSON Schema draft 2020-12.

    A report on two arms holds its one pairing's figures beside its own; one on more arms holds a list of pairings.
    A log that cannot be analysed gives one error object instead.
    """
    definitions = Definitions()
    forms: list[Json] = [definitions.named(Report), definitions.named(Unavailable)]
    return {"$schema": DIALECT, "title": TITLE, "anyOf": forms, "$defs": definitions.found}


class Definitions:
    """The `$defs` of a schema: each record once, under its class's name."""

    def __init__(self) -> None:
        self.found: dict[str, Json] = {}

    def of(self, hint: Hint) -> Schema:
        """The schema of a field's type; TypeError for a type that has no place in a report."""
        if hint in PLAIN:
            return {"type": PLAIN[hint]}
        origin: Hint = get_origin(hint)
        if origin in (Union, types.UnionType):
            return {"anyOf": [self.of(member) for member in get_args(hint)]}
        if origin is tuple:
            return self._tuple(get_args(hint))
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(get_args(hint)[1])}
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            return {"enum": [member.value for member in hint]}
        if isinstance(hint, type) and is_dataclass(hint):
            return self.named(hint)
        raise TypeError(f"{hint} has no place in a report's schema")

    def named(self, record: type) -> Schema:
        """A reference to a record's definition, which is made at the first."""
        if record.__name__ not in self.found:
            self.found[record.__name__] = {}  # taken, should a record hold its own kind
            write = WRITTEN.get(record, _record)
            self.found[record.__name__] = {"description": _first_sentence(record), **write(self, record)}
        return {"$ref": f"#/$defs/{record.__name__}"}

    def _tuple(self, members: tuple[Hint, ...]) -> Schema:
        if members[1:] == (...,):
            return {"type": "array", "items": self.of(members[0])}
        n = len(members)
        return {"type": "array", "prefixItems": [self.of(m) for m in members], "minItems": n, "maxItems": n}


Writer = Callable[[Definitions, type], Schema]


def properties_of(record: type, definitions: Definitions, *, left_out: Iterable[str] = ()) -> Schema:
    """The schema of each field by its JSON name."""
    hints = get_type_hints(record)
    named = {f.metadata.get("json", f.name): f.name for f in fields(record) if f.name not in set(left_out)}
    return {name: definitions.of(hints[own]) for name, own in named.items() if name is not None}


def _object(properties: Schema, *, optional: Iterable[str] = ()) -> Schema:
    required: list[Json] = [name for name in properties if name not in set(optional)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _record(definitions: Definitions, record: type) -> Schema:
    return _object(properties_of(record, definitions))


def _first_sentence(record: type) -> str:
    return (getdoc(record) or record.__name__).split("\n\n")[0].replace("\n", " ")


def _report(definitions: Definitions, record: type) -> Schema:
    own: Schema = {
        **properties_of(record, definitions, left_out=("pairings", "plan")),
        "plan": _object({**_plan_entries(definitions), "sha256": {"type": "string"}}),
        "planned": {"type": "array", "items": {"type": "string"}},
        "methods": _map_of(definitions.named(Method)),
    }
    flat: Schema = {**properties_of(Pairing, definitions, left_out=NOT_IN_PAIRINGS), **own}
    listed: Schema = {**own, "pairings": {"type": "array", "items": definitions.named(Pairing)}}
    return {"oneOf": [_object(flat), _object(listed)]}


def _pairing(definitions: Definitions, record: type) -> Schema:
    return _object(properties_of(record, definitions, left_out=NOT_IN_PAIRINGS))


def _unavailable(definitions: Definitions, record: type) -> Schema:
    return _object({"error": {"type": "string"}, "detail": {"type": "string"}})


def _threshold_table(definitions: Definitions, record: type) -> Schema:
    return _by_threshold(properties_of(record, definitions, left_out=("arms", "rows")), definitions.named(ThresholdRow))


def _threshold_row(definitions: Definitions, record: type) -> Schema:
    cell = properties_of(Cell, definitions)
    columns = {"pairs": "pairs", "percent": "percent", "wilson95_pairs": "wilson95"}
    return _object({name: _map_of(cell[own]) for name, own in columns.items()})


def _pair_bootstrap(definitions: Definitions, record: type) -> Schema:
    _, row = get_args(get_type_hints(record)["by_threshold"])
    return _by_threshold(properties_of(record, definitions, left_out=("by_threshold",)), definitions.of(row))


def _shares(definitions: Definitions, record: type) -> Schema:
    share = definitions.named(Share)
    return {"type": "object", "properties": {"same": share}, "required": ["same"], "additionalProperties": share}


def _bradley_terry(definitions: Definitions, record: type) -> Schema:
    hints = get_type_hints(record)
    optional = [name for name, hint in hints.items() if type(None) in get_args(hint)]
    return _object(properties_of(record, definitions), optional=optional)


def _plan_entries(definitions: Definitions) -> Schema:
    return {"version": {"const": PLAN_VERSION}, **properties_of(Plan, definitions)}


def _by_threshold(properties: Schema, row: Json) -> Schema:
    # The keys are the thresholds of the plan: 50, 66.7.
    return {**_object(properties), "patternProperties": {"^[0-9]": row}}


def _map_of(values: Json) -> Schema:
    return {"type": "object", "additionalProperties": values}


NOT_IN_PAIRINGS = ("counts",)
WRITTEN: Mapping[type, Writer] = {
    Report: _report,
    Pairing: _pairing,
    Unavailable: _unavailable,
    ThresholdTable: _threshold_table,
    ThresholdRow: _threshold_row,
    PairBootstrap: _pair_bootstrap,
    Shares: _shares,
    BradleyTerry: _bradley_terry,
}
