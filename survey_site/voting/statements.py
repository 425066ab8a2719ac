"""Queries that are asked with every vote, built and compiled once a process.

Building a queryset and compiling it takes Django ten times as long as the database needs for the answer. A `Statement`
does it once, with stand-ins for the values; SQL, locks and the differences between databases stay the ORM's.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from django.db import connection, models
from django.db.models.sql import UpdateQuery

# What a database driver takes and gives.
Value = Any
Build = TypeVar("Build")
_SqlAndPlaces = tuple[str, list[Callable[[Sequence[Value]], Value]]]
# Numbers that fit into every column and stand for nothing else in a compiled query.
FIRST_STAND_IN = 2_000_000_000


class _Compiled(Generic[Build]):
    def __init__(self, build: Callable[..., Build], *, n: int) -> None:
        """Take a function of `n` values that makes what is compiled."""
        self._build, self._n = build, n
        # One a kind of database: an audit plays raters on another one than the site's.
        self._known: dict[str, _SqlAndPlaces] = {}

    def _execute(self, values: Sequence[Value]) -> Any:  # Any: a driver's cursor
        sql, places = self._known.get(connection.vendor) or self._compiled()
        cursor = connection.cursor()
        cursor.execute(sql, [place(values) for place in places])
        return cursor

    def _compiled(self) -> _SqlAndPlaces:
        stand_ins = [FIRST_STAND_IN + number for number in range(self._n)]
        sql, parameters = self._query(self._build(*stand_ins)).get_compiler(connection=connection).as_sql()
        known = sql, [_place(parameter, stand_ins) for parameter in parameters]
        self._known[connection.vendor] = known
        return known

    def _query(self, built: Build) -> models.sql.Query:
        raise NotImplementedError


class Statement(_Compiled["models.QuerySet[Any, Any]"]):  # Any: rows of any model
    """A queryset of values, asked with other values each time. What comes back is as the driver gives it."""

    def rows(self, *values: Value) -> list[tuple[Value, ...]]:
        """Ask with these values."""
        with self._execute(values) as cursor:
            return list(cursor.fetchall())

    def _query(self, built: "models.QuerySet[Any, Any]") -> models.sql.Query:
        return built.query


class Change(_Compiled["tuple[models.QuerySet[Any, Any], dict[str, Any]]"]):  # Any: as above, and any expression
    """An UPDATE of a queryset's rows, made with other values each time."""

    def make(self, *values: Value) -> int:
        """Make the change; return how many rows it met."""
        with self._execute(values) as cursor:
            return int(cursor.rowcount)

    def _query(self, built: "tuple[models.QuerySet[Any, Any], dict[str, Any]]") -> models.sql.Query:
        rows, changes = built
        query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
        query.add_update_values(changes)
        return query


def _place(parameter: Value, stand_ins: Sequence[int]) -> Callable[[Sequence[Value]], Value]:
    """Return what a place of the compiled query takes from the values: one of them, or always the same."""
    for index, stand_in in enumerate(stand_ins):
        if parameter == stand_in:
            return lambda values: values[index]
        if parameter == UUID(int=stand_in):
            return lambda values: values[index]
        if parameter == UUID(int=stand_in).hex:
            return lambda values: values[index].hex
    return lambda values: parameter
