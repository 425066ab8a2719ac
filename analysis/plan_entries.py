"""The entries of a plan's document, each checked for its kind before anything is made of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

Table = Mapping[str, object]
E = TypeVar("E", bound=StrEnum)


class InvalidPlan(ValueError):
    """The plan cannot be followed; the message names the entry and what it may be."""


def refuse_unknown(table: Table, known: Iterable[str], *, where: str) -> None:
    """Raise InvalidPlan where a table has an entry that nobody reads: a misspelt one would do nothing, silently."""
    names = list(known)
    if unknown := [name for name in table if name not in names]:
        raise InvalidPlan(f"{where}{unknown[0]}: there is no such entry; there are {', '.join(names)}")


def table_at(document: Table, name: str) -> Table:
    value = document.get(name, {})
    if not isinstance(value, Mapping):
        raise InvalidPlan(f"{name}: {value!r} is not a table of entries")
    return value


def list_at(document: Table, name: str, default: tuple[str, ...]) -> list[object]:
    value = document.get(name, default)
    if not isinstance(value, list | tuple):
        raise InvalidPlan(f"{name}: {value!r} is not a list")
    return list(value)


def text(value: object, *, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidPlan(f"{where}: {value!r} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidPlan(f"{where}: it holds half a character, which no file can keep") from error
    return value


def percentage(value: object, *, where: str) -> str:
    """A percentage as the text that was meant: 60 and "60" are the same entry, and so are 66.7 and "66.7"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidPlan(f"{where}: {value!r} is not a percentage")
    return str(value).strip()


def number(table: Table, name: str, default: float, *, where: str) -> float:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidPlan(f"{where}{name}: {value!r} is not a number")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def whole(table: Table, name: str, default: int, *, where: str) -> int:
    value = table.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidPlan(f"{where}{name}: {value!r} is not a whole number")
    return value


def member(members: type[E], value: object, *, where: str) -> E:
    try:
        return members(str(value))
    except ValueError as error:
        raise InvalidPlan(f"{where}: {value!r} is not one of {', '.join(members)}") from error
