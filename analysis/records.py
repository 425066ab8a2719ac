"""What every result has in common: it is a frozen record, it can be absent with a reason, and it has one JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Protocol, TypeAlias, runtime_checkable

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | None"


@runtime_checkable
class WritesItself(Protocol):
    """A record whose JSON form is not simply its fields."""

    def as_json(self) -> Json: ...


@dataclass(frozen=True)
class Unavailable:
    """A figure that cannot be computed from these votes, and why.

    It stands where the figure would stand, so a page or a file never shows NaN, infinity or a silent gap.
    """

    code: str
    detail: str

    def as_json(self) -> Json:
        return {"error": self.code, "detail": self.detail}


@dataclass(frozen=True)
class Method:
    """What a figure is called, what it takes for granted and where it comes from, in words for the page.

    name: as in the report's JSON. explains: one sentence that says to a reader what the number means.
    """

    name: str
    title: str
    assumes: str
    citation: str
    explains: str = ""


def as_json(value: object) -> Json:
    """Write a record, or anything records are made of, as JSON values.

    A field's JSON name is its own unless its metadata give another; `{"json": None}` leaves it out.
    Raises ValueError for NaN and infinity: a figure without a value must be an `Unavailable`.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(item) for item in value]
    return value.as_json() if isinstance(value, WritesItself) else _record(value)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} has no place in a report: use Unavailable(code, detail)")
    return value


def _record(value: object) -> Json:
    if not is_dataclass(value):
        raise TypeError(f"{type(value).__name__} is not a record")
    names = {f.name: f.metadata.get("json", f.name) for f in fields(value)}
    return {name: as_json(getattr(value, own)) for own, name in names.items() if name is not None}
