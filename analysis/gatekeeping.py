"""The door of the analysis: what a vote log must be before anything is computed from it.

Each broken rule has a code and a sentence with the row, the column and what to do. The first broken rule ends the
reading: nothing is dropped, mended or guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
T = TypeVar("T")

LEFT, RIGHT, SAME = 0, 1, 2
CHOICES = {"left": LEFT, "right": RIGHT, "same": SAME}
NO_TIME = -1
# Whole numbers below this are exact in floats too.
LONGEST_MS = 2**53

# Columns of the report that stand beside the arms, so an arm of that name would overwrite one.
RESERVED_ARM_NAMES = {"same", "no_preference"}


class InvalidVotes(ValueError):
    """The log cannot be analysed; `code` says which rule it breaks, `detail` where and what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def as_json(self) -> dict[str, str]:
        return {"error": self.code, "detail": self.detail}


class Pair(NamedTuple):
    """A comparison that belongs to the study, whether or not anybody has judged it yet.

    `group` names the class and seed the pair came from: pairs of one group share their noise.
    """

    pair_id: str
    class_label: str
    arms: tuple[str, str]
    group: str | None = None


@dataclass(frozen=True)
class VoteColumns:
    """A log as it was read: columns of equal length, one entry a vote, in order of arrival.

    `right_arm` may be left out with two arms, `class_label` and `group_id` where `pairs` tell them. `lines` are the
    line numbers of a file, for messages. A missing `response_ms` is None. `gold_arm` names the right answer of a gold
    row (an arm, or `same` for identical images) and is empty in every other row. `simulated`: no person voted.
    """

    pair_id: Sequence[str]
    rater_id: Sequence[str]
    left_arm: Sequence[str]
    choice: Sequence[str]
    right_arm: Sequence[str] | None = None
    class_label: Sequence[str] | None = None
    group_id: Sequence[str] | None = None
    response_ms: Sequence[int | None] | None = None
    gold_arm: Sequence[str] | None = None
    lines: Sequence[int] | None = None
    simulated: bool = False

    def __post_init__(self) -> None:
        for name in (own.name for own in fields(self) if own.name != "simulated"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.pair_id):
                detail = (
                    f"column {name}: {len(column)} entries beside {len(self.pair_id)} of pair_id; give each vote one"
                )
                raise InvalidVotes("bad_row", detail)

    def where(self, row: int) -> str:
        return f"line {self.lines[row]}" if self.lines else f"row {row + 1}"

    def take(self, rows: Sequence[int]) -> VoteColumns:
        """The same columns with some of the rows only; messages still name the lines of the whole log."""
        lines = self.lines or range(1, len(self.pair_id) + 1)
        return VoteColumns(
            pair_id=[self.pair_id[row] for row in rows],
            rater_id=[self.rater_id[row] for row in rows],
            left_arm=[self.left_arm[row] for row in rows],
            choice=[self.choice[row] for row in rows],
            right_arm=_taken(self.right_arm, rows),
            class_label=_taken(self.class_label, rows),
            group_id=_taken(self.group_id, rows),
            response_ms=_taken(self.response_ms, rows),
            gold_arm=_taken(self.gold_arm, rows),
            lines=[lines[row] for row in rows],
            simulated=self.simulated,
        )


def _taken(column: Sequence[T] | None, rows: Sequence[int]) -> list[T] | None:
    return None if column is None else [column[row] for row in rows]


class Gold(NamedTuple):
    """The gold votes of each rater who has normal votes too. seen, right: int64 [R]; n: all gold votes of the log."""

    seen: Ints
    right: Ints
    n: int


class CheckedLog(NamedTuple):
    """The columns of a sound log as codes and names; the fields of `Votes`."""

    arms: tuple[str, ...]
    pair_names: tuple[str, ...]
    class_labels: tuple[str, ...]
    groups: tuple[str, ...]
    pair_arms: Ints
    rater_names: tuple[str, ...]
    pair: Ints
    rater: Ints
    left_arm: Ints
    right_arm: Ints
    choice: Ints
    response_ms: Ints
    gold: Gold
    simulated: bool


def checked_log(columns: VoteColumns, *, pairs: Sequence[Pair], arms: Sequence[str] | None) -> CheckedLog:
    """Check a log against every rule; raise `InvalidVotes` at the first that is broken."""
    gold_rows = [row for row, arm in enumerate(columns.gold_arm or ()) if arm]
    if not gold_rows:
        return _checked(columns, pairs, arms=arms, gold=None)
    normal_rows = [row for row, arm in enumerate(columns.gold_arm or ()) if not arm]
    return _checked(columns.take(normal_rows), pairs, arms=arms, gold=columns.take(gold_rows))


def _checked(
    columns: VoteColumns, pairs: Sequence[Pair], *, arms: Sequence[str] | None, gold: VoteColumns | None
) -> CheckedLog:
    if not columns.pair_id and not pairs:
        besides = "no votes" if gold is None else "gold votes only"
        raise InvalidVotes("no_votes", f"the log holds {besides}; collect or import some first")
    pair_codes = _codes(chain((p.pair_id for p in pairs), columns.pair_id))
    rater_codes = _codes(columns.rater_id)
    choice = _choices(columns)
    pair = _coded(columns.pair_id, pair_codes)
    rater = _coded(columns.rater_id, rater_codes)
    _refuse_duplicates(columns, pair * max(len(rater_codes), 1) + rater)
    arm_codes = _arm_codes(columns, pairs, arms)
    left, right = _sides(columns, arm_codes)
    return CheckedLog(
        arms=tuple(arm_codes),
        pair_names=tuple(pair_codes),
        class_labels=_labels(columns, pairs),
        groups=_groups(columns, pairs, pair_codes),
        pair_arms=_pair_arms(columns, pairs, arm_codes=arm_codes, pair=pair, sides=np.stack([left, right], axis=1)),
        rater_names=tuple(rater_codes),
        pair=pair,
        rater=rater,
        left_arm=left,
        right_arm=right,
        choice=choice,
        response_ms=_times(columns),
        gold=_gold(gold, rater_codes, arms=arm_codes),
        simulated=columns.simulated,
    )


def _codes(names: Iterable[str]) -> dict[str, int]:
    # Order of first appearance: the listed comparisons keep the study's order on the page.
    return {name: code for code, name in enumerate(dict.fromkeys(names))}


def _coded(names: Sequence[str], codes: dict[str, int]) -> Ints:
    return np.fromiter(map(codes.__getitem__, names), dtype=np.int64, count=len(names))


def _choices(columns: VoteColumns) -> Ints:
    if unknown := set(columns.choice) - CHOICES.keys():
        row, choice = next((row, choice) for row, choice in enumerate(columns.choice) if choice in unknown)
        advice = f"is not one of {', '.join(CHOICES)}; write one of them"
        raise InvalidVotes("unknown_choice", f"{columns.where(row)}, column choice: {choice!r} {advice}")
    return _coded(columns.choice, CHOICES)


def _refuse_duplicates(columns: VoteColumns, key: Ints) -> None:
    ordered = np.sort(key)
    if (ordered[1:] != ordered[:-1]).all():
        return
    first_row: dict[int, int] = {}
    for row, code in enumerate(key.tolist()):
        if code in first_row:
            raise InvalidVotes(
                "duplicate_vote",
                f"{columns.where(row)}, columns rater_id and pair_id: rater {columns.rater_id[row]} already voted on "
                f"pair {columns.pair_id[row]} in {columns.where(first_row[code])}; keep one of the two",
            )
        first_row[code] = row


def _arm_codes(columns: VoteColumns, pairs: Sequence[Pair], arms: Sequence[str] | None) -> dict[str, int]:
    named = set(columns.left_arm) | set(columns.right_arm or ()) | {arm for p in pairs for arm in p.arms}
    codes = _codes(sorted(named) if arms is None else arms)
    if arms is not None and len(codes) < 2:
        raise InvalidVotes("one_arm", f"only {', '.join(codes) or 'no arm'} was asked for; name two arms or more")
    if len(codes) < 2:
        how = "name the other one" if columns.right_arm is not None else "name the other one in a column right_arm"
        raise InvalidVotes(
            "one_arm",
            f"columns left_arm and right_arm: {', '.join(codes)} is the only arm; a comparison needs two, so {how}",
        )
    if named - set(codes):
        raise InvalidVotes("unknown_arm", _first_unknown(columns, codes))
    if reserved := sorted(RESERVED_ARM_NAMES & set(codes)):
        raise InvalidVotes(
            "reserved_arm_name", f"an arm is called {reserved[0]}, a column of the report; rename the arm"
        )
    return codes


def _first_unknown(columns: VoteColumns, codes: dict[str, int]) -> str:
    advice = f"is not one of the arms asked for, {', '.join(codes)}; ask for it too, or leave out its votes"
    for row, arms in enumerate(zip(columns.left_arm, columns.right_arm or columns.left_arm, strict=True)):
        for name, arm in zip(("left_arm", "right_arm"), arms, strict=True):
            if arm not in codes:
                return f"{columns.where(row)}, column {name}: {arm!r} {advice}"
    return f"the list of pairs: an arm of it {advice}"


def _sides(columns: VoteColumns, arm_codes: dict[str, int]) -> tuple[Ints, Ints]:
    left = _coded(columns.left_arm, arm_codes)
    if columns.right_arm is not None:
        right = _coded(columns.right_arm, arm_codes)
    elif len(arm_codes) == 2:
        right = 1 - left
    else:
        raise InvalidVotes(
            "missing_columns",
            f"the log has {len(arm_codes)} arms ({', '.join(arm_codes)}), so the column right_arm is needed",
        )
    for row in np.flatnonzero(left == right)[:1].tolist():
        raise InvalidVotes(
            "arm_against_itself",
            f"{columns.where(row)}, columns left_arm and right_arm: both are {columns.left_arm[row]}; "
            "a vote compares two different arms",
        )
    return left, right


def _pair_arms(
    columns: VoteColumns, pairs: Sequence[Pair], *, arm_codes: dict[str, int], pair: Ints, sides: Ints
) -> Ints:
    listed = np.array([[arm_codes[arm] for arm in p.arms] for p in pairs], dtype=np.int64).reshape(-1, 2)
    for index in np.flatnonzero(listed[:, 0] == listed[:, 1])[:1].tolist():
        raise InvalidVotes("arm_against_itself", f"pair {pairs[index].pair_id} shows {pairs[index].arms[0]} twice")
    codes = np.concatenate([_coded([p.pair_id for p in pairs], _codes(p.pair_id for p in pairs)), pair])
    both = np.sort(np.concatenate([listed, sides]), axis=1)
    _, first = np.unique(codes, return_index=True)
    known = both[first]
    for entry in np.flatnonzero((both != known[codes]).any(axis=1))[:1].tolist():
        row = entry - len(pairs)
        names = list(arm_codes)
        where = f"{columns.where(row)}, columns left_arm and right_arm" if row >= 0 else "the list of pairs"
        here, there = (" and ".join(names[arm] for arm in two) for two in (both[entry], known[codes[entry]]))
        pair_id = columns.pair_id[row] if row >= 0 else pairs[entry].pair_id
        raise InvalidVotes(
            "pair_with_changing_arms",
            f"{where}: pair {pair_id} shows {here}, elsewhere {there}; give each two images their own pair_id",
        )
    return np.ascontiguousarray(known)


def _labels(columns: VoteColumns, pairs: Sequence[Pair]) -> tuple[str, ...]:
    labels = {p.pair_id: p.class_label for p in pairs}
    if columns.class_label is None:
        return tuple((labels | {pair_id: labels.get(pair_id, "") for pair_id in columns.pair_id}).values())
    return tuple(_of_each_pair(columns, columns.class_label, known=labels, noun="class", column="class_label").values())


def _groups(columns: VoteColumns, pairs: Sequence[Pair], pair_codes: dict[str, int]) -> tuple[str, ...]:
    # Without a word about groups every pair is its own: right for two arms, where class and seed give one pair.
    groups = {pair_id: pair_id for pair_id in pair_codes}
    if columns.group_id is not None:
        groups |= _of_each_pair(columns, columns.group_id, known={}, noun="group", column="group_id")
    groups |= {p.pair_id: p.group for p in pairs if p.group is not None}
    return tuple(groups.values())


def _of_each_pair(
    columns: VoteColumns, values: Sequence[str], *, known: dict[str, str], noun: str, column: str
) -> dict[str, str]:
    # A pair has one value in all of its rows, and the study's where that is known.
    found = dict(known)
    for pair_id, value in dict.fromkeys(zip(columns.pair_id, values, strict=True)):
        if found.setdefault(pair_id, value) != value:
            row = list(zip(columns.pair_id, values, strict=True)).index((pair_id, value))
            raise InvalidVotes(
                f"pair_with_changing_{noun}",
                f"{columns.where(row)}, column {column}: pair {pair_id} is {value!r} here, {found[pair_id]!r} "
                f"elsewhere; a pair has one {noun}",
            )
    return found


def _gold(columns: VoteColumns | None, rater_codes: dict[str, int], *, arms: Iterable[str]) -> Gold:
    seen, right = np.zeros(len(rater_codes), dtype=np.int64), np.zeros(len(rater_codes), dtype=np.int64)
    if columns is None:
        return Gold(seen, right, 0)
    _choices(columns)
    pairs, raters = _codes(columns.pair_id), _codes(columns.rater_id)
    _refuse_duplicates(columns, _coded(columns.pair_id, pairs) * len(raters) + _coded(columns.rater_id, raters))
    known = {*arms, *columns.left_arm, "same"}
    for row, rater in enumerate(columns.rater_id):
        is_right = _is_right(columns, row, known)
        if rater in rater_codes:
            seen[rater_codes[rater]] += 1
            right[rater_codes[rater]] += is_right
    return Gold(seen, right, len(columns.pair_id))


def _is_right(columns: VoteColumns, row: int, known: set[str]) -> bool:
    wanted, left, choice = (columns.gold_arm or ())[row], columns.left_arm[row], columns.choice[row]
    where = f"{columns.where(row)}, column gold_arm: {wanted!r}"
    right = None if columns.right_arm is None else columns.right_arm[row]
    if right is not None and wanted not in {left, right, "same"}:
        raise InvalidVotes("bad_row", f"{where} is neither of the two arms shown nor 'same'; name the right answer")
    if left == right and wanted != "same":
        raise InvalidVotes("bad_row", f"{where} stands on both sides; the right answer to that is 'same'")
    if right is None and wanted not in known:
        raise InvalidVotes("bad_row", f"{where} is no arm of the log; correct it, or add a column right_arm")
    # Without a right_arm column the arm on the right is the one that is not on the left.
    answer = "same" if wanted == "same" else "left" if wanted == left else "right"
    return choice == answer


def _times(columns: VoteColumns) -> Ints:
    if columns.response_ms is None:
        return np.full(len(columns.pair_id), NO_TIME, dtype=np.int64)
    measured = [ms for ms in columns.response_ms if ms is not None]
    if measured and not 0 <= min(measured) <= max(measured) < LONGEST_MS:
        wrong = next(ms for ms in measured if not 0 <= ms < LONGEST_MS)
        where = f"{columns.where(list(columns.response_ms).index(wrong))}, column response_ms"
        raise InvalidVotes("bad_row", f"{where}: {wrong} is no time in milliseconds; leave out unmeasured ones")
    return np.array([NO_TIME if ms is None else ms for ms in columns.response_ms], dtype=np.int64)
