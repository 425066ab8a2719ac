"""A study's vote log read as arrays: a million votes in about a second, without a Python object for each.

The database writes every vote as two whole numbers and strings them together; numpy reads the string. All else that a
log needs (pairs, raters, arms) has thousands of rows, not millions, and comes through the ORM.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from analysis.votes import CHOICES, Gold, Ints, InvalidVotes, Votes
from survey_site.design.designs import PREFERENCE
from survey_site.models import Comparison, Rater, Study, Trial, Vote

STRUNG_TOGETHER = {"sqlite": "group_concat(entry, ',')", "postgresql": "string_agg(entry, ',')"}
# A vote's parts while they are read.
Small = npt.NDArray[np.signedinteger[Any]]  # of 8, 32 or 64 bits
# Below this share of all votes the study's own rows are looked up; above, reading the table in its order is quicker.
SMALL_SHARE = 8
# Votes read at a time. PostgreSQL joins whole tables, which is to be done once; SQLite walks, and needs little memory.
WINDOW = {"sqlite": 100_000, "postgresql": 1_000_000}
# The lower bits of an entry's second number; its upper bits are the vote's key.
TIME = 2**32 - 1


class PairRow(NamedTuple):
    """One normal comparison with the names that an export writes."""

    pk: int
    pair_id: str
    class_label: str
    group_id: str
    arm_a: str
    arm_b: str


class Span(NamedTuple):
    """The primary keys that a study's rows of one kind lie between, and how many bits tell them apart."""

    first: int
    last: int

    @property
    def bits(self) -> int:
        return (self.last - self.first).bit_length()


class _Standing(NamedTuple):
    """The normal votes that count, in order of arrival, as codes, each int64 [N]. swapped is 0 or 1.

    pair: place among the study's normal comparisons. rater: key.
    """

    pair: Ints
    rater: Ints
    swapped: Ints
    choice: Ints
    response_ms: Ints


class _Places(NamedTuple):
    """Where each of some keys stands among them: a table from the first key on, -1 for what is no such key."""

    first: int
    table: npt.NDArray[np.int32]

    @classmethod
    def of(cls, keys: Iterable[int]) -> _Places:
        known = np.array(list(keys), dtype=np.int64)
        table = np.full(int(known.max() - known.min()) + 1, -1, dtype=np.int32)
        table[known - known.min()] = np.arange(len(known))
        return cls(int(known.min()), table)

    def find(self, values: Ints) -> npt.NDArray[np.int32]:
        inside = (values >= self.first) & (values < self.first + len(self.table))
        return np.where(inside, self.table[np.where(inside, values - self.first, 0)], np.int32(-1))


def votes_of(study: Study) -> Votes:
    """Return the votes that count, with every normal comparison, judged or not.

    Raises `analysis.InvalidVotes` for a study without comparisons (`no_votes`).
    """
    pairs = pair_rows(study)
    if not pairs:
        raise InvalidVotes("no_votes", "the study has no comparisons yet; open it first")
    arms = tuple(sorted({arm for pair in pairs for arm in (pair.arm_a, pair.arm_b)}))
    pair_arms = np.array([[arms.index(pair.arm_a), arms.index(pair.arm_b)] for pair in pairs], dtype=np.int64)
    standing = _standing_votes(study, [pair.pk for pair in pairs])
    raters, rater = _in_order_of_arrival(standing.rater)
    shown = pair_arms[standing.pair]
    rows = np.arange(len(shown))
    return Votes(
        arms=arms,
        pair_names=tuple(row.pair_id for row in pairs),
        class_labels=tuple(row.class_label for row in pairs),
        groups=tuple(row.group_id for row in pairs),
        pair_arms=np.sort(pair_arms, axis=1),
        rater_names=rater_names(study, raters),
        pair=standing.pair,
        rater=rater,
        left_arm=shown[rows, standing.swapped],
        right_arm=shown[rows, 1 - standing.swapped],
        choice=standing.choice,
        response_ms=standing.response_ms,
        gold=_gold(study, raters),
        simulated=study.is_simulated,
    )


def pair_rows(study: Study) -> list[PairRow]:
    """Return the study's normal comparisons in their order, with label, group and arms by name."""
    rows = study.comparisons.normal().order_by("position")
    tables = dict(study.batches.values_list("pk", "class_table"))
    columns = ("pk", "pair_id", "image_a__batch", "image_a__class_index", "image_a__seed")
    arms = ("image_a__arm__name", "image_b__arm__name")
    return [
        PairRow(pk, pair_id, tables[batch].get(str(index), str(index)), f"{batch}/{index}/{seed}", arm_a, arm_b)
        for pk, pair_id, batch, index, seed, arm_a, arm_b in rows.values_list(*columns, *arms)
    ]


def rater_names(study: Study, keys: Sequence[int]) -> tuple[str, ...]:
    """Return how exports call the raters of some keys, in the order of the keys."""
    named = study.raters.values_list("pk", "external_id", "code")
    names = {pk: external_id or code.hex for pk, external_id, code in named}
    return tuple(names[key] for key in keys)


def _standing_votes(study: Study, normal: Sequence[int]) -> _Standing:
    comparisons, raters = _span(study.comparisons.all()), _span(study.raters.all())
    if comparisons is None or raters is None:
        return _Standing(*(np.zeros(0, dtype=np.int64) for _ in range(5)))
    places = _Places.of(normal), _Places.of(study.raters.values_list("pk", flat=True))
    # Few, if any: asked for once instead of of every vote.
    replaced = np.array(list(Vote.objects.replacing().values_list("replaces", flat=True).order_by()), dtype=np.int64)
    parts = [
        _decoded(entries, comparisons=comparisons, raters=raters, places=places, replaced=replaced)
        for entries in _entries(study, comparisons=comparisons, raters=raters)
    ]
    return _Standing(*(np.concatenate(columns, dtype=np.int64) for columns in zip(*parts, strict=True)))


def _decoded(
    entries: Ints, *, comparisons: Span, raters: Span, places: tuple[_Places, _Places], replaced: Ints
) -> tuple[Small, ...]:
    """The five columns of one window as small numbers: all windows together stay far below the final arrays' size."""
    codes, moments = entries[np.argsort(entries[:, 1], kind="stable")].T
    pair = places[0].find((codes >> raters.bits + 3) + comparisons.first)
    rater = (codes >> 3 & (1 << raters.bits) - 1) + raters.first
    # Keys of several studies may lie between each other's, and votes on gold comparisons are not normal ones.
    own = (pair >= 0) & (places[1].find(rater) >= 0) & ~np.isin(moments // (TIME + 1), replaced)
    milliseconds = (moments & TIME) - 1
    columns = (
        (pair, np.int32),
        (rater, np.int64),
        (codes >> 2 & 1, np.int8),
        (codes & 3, np.int8),
        (milliseconds, np.int32),
    )
    return tuple(column[own].astype(kind) for column, kind in columns)


def _entries(study: Study, *, comparisons: Span, raters: Span) -> Iterator[Ints]:
    """Yield the study's votes, int64 [n, 2], in windows of keys so that the text of a million is never held."""
    last = Vote.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    own = study.comparisons.aggregate(n=Sum("n_votes", default=0))["n"]
    is_small = own * SMALL_SHARE < last
    sql, values = _query(study, comparisons=comparisons, raters=raters, is_small=is_small)
    window = max(last, 1) if is_small else WINDOW[connection.vendor]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql" and not is_small:
            # Before its first ANALYZE the planner takes a full table for a small one, and would loop over both.
            cursor.execute("SET LOCAL enable_nestloop = off")
        for start in range(0, max(last, 1), window):
            cursor.execute(sql, [*values, start, start + window])
            (text,) = cursor.fetchone()
            yield np.fromstring(text or "", dtype=np.int64, sep=",").reshape(-1, 2)


def _span(rows: QuerySet[Comparison] | QuerySet[Rater]) -> Span | None:
    found = rows.aggregate(first=Min("pk"), last=Max("pk"))
    return None if found["first"] is None else Span(found["first"], found["last"])


def _query(study: Study, *, comparisons: Span, raters: Span, is_small: bool) -> tuple[str, list[int]]:
    vote, trial, rater = (m._meta.db_table for m in (Vote, Trial, Rater))
    choices = " ".join(f"WHEN '{name}' THEN {code}" for name, code in CHOICES.items())
    code = (
        f"(t.comparison_id - {comparisons.first}) * {8 << raters.bits} + (t.rater_id - {raters.first}) * 8"
        f" + CASE WHEN t.swapped THEN 4 ELSE 0 END + CASE v.choice {choices} END"
    )
    moment = f"v.id * {TIME + 1} + coalesce(v.response_ms, -1) + 1"
    # SQLite keeps to the order of a CROSS JOIN; PostgreSQL finds its own.
    if is_small:
        tables, condition, values = (
            f"{rater} r CROSS JOIN {trial} t CROSS JOIN {vote} v",
            "t.rater_id = r.id AND r.study_id = %s",
            [study.pk],
        )
    else:
        tables, condition, values = (
            f"{vote} v CROSS JOIN {trial} t",
            "t.rater_id BETWEEN %s AND %s AND t.comparison_id BETWEEN %s AND %s",
            [raters.first, raters.last, comparisons.first, comparisons.last],
        )
    return (
        f"""
        SELECT {STRUNG_TOGETHER[connection.vendor]} FROM (
            SELECT ({code}) || ',' || ({moment}) AS entry FROM {tables}
            WHERE v.trial_id = t.id AND {condition} AND t.kind = 'normal' AND (v.question = '{PREFERENCE}') IS TRUE
              AND v.id > %s AND v.id <= %s
        ) AS entries""",
        values,
    )


def _in_order_of_arrival(raters: Ints) -> tuple[list[int], Ints]:
    keys, first, codes = np.unique(raters, return_index=True, return_inverse=True)
    arrival = np.argsort(first)
    place = np.empty(len(keys), dtype=np.int64)
    place[arrival] = np.arange(len(keys))
    return keys[arrival].tolist(), place[codes].astype(np.int64)


def _gold(study: Study, raters: Sequence[int]) -> Gold:
    seen, right = np.zeros(len(raters), dtype=np.int64), np.zeros(len(raters), dtype=np.int64)
    if not study.comparisons.exclude(kind=Comparison.Kind.NORMAL).exists():
        return Gold(seen, right, 0)
    place, n = {key: index for index, key in enumerate(raters)}, 0
    answers = Vote.objects.gold().standing().preferences().filter(trial__rater__study=study).with_outcome()
    is_right = Q(outcome=F("trial__comparison__expected"))
    counts = answers.order_by().values("trial__rater").annotate(n=Count("pk"), n_right=Count("pk", filter=is_right))
    for rater, n_seen, n_right in counts.values_list("trial__rater", "n", "n_right"):
        n += n_seen
        if rater in place:
            seen[place[rater]], right[place[rater]] = n_seen, n_right
    return Gold(seen, right, n)
