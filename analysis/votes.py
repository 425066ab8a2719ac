"""The vote log: who chose what on which pair, checked once and held as arrays.

Nothing behind this door has to ask again whether a vote is sound: two different arms, the same two for every vote on
a pair, at most one vote per rater and pair, a known choice. Only votes of kind `normal` belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

LEFT, RIGHT, SAME = 0, 1, 2
CHOICES = {"left": LEFT, "right": RIGHT, "same": SAME}
NO_TIME = -1

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
    """A log as it was read: columns of equal length, one entry a vote.

    `right_arm` may be left out with two arms, `class_label` and `group` where `pairs` tell them. `lines` are the
    line numbers of a file, for messages. A missing `response_ms` is None.
    """

    pair_id: Sequence[str]
    rater_id: Sequence[str]
    left_arm: Sequence[str]
    choice: Sequence[str]
    right_arm: Sequence[str] | None = None
    class_label: Sequence[str] | None = None
    group: Sequence[str] | None = None
    response_ms: Sequence[int | None] | None = None
    lines: Sequence[int] | None = None

    def where(self, row: int) -> str:
        return f"line {self.lines[row]}" if self.lines else f"row {row + 1}"


@dataclass(frozen=True, eq=False)
class Votes:
    """A checked vote log of P comparisons, R raters and N votes.

    arms: names; the order sets the orientation (positive = an earlier arm is preferred over a later one).
    pair_names, class_labels, groups: [P], unjudged comparisons included. pair_arms: int64 [P, 2], lower index first.
    rater_names: [R], raters with at least one vote. pair, rater, left_arm, right_arm: int64 [N], indices.
    choice: int64 [N], LEFT, RIGHT or SAME. response_ms: int64 [N], NO_TIME (-1) where it was not measured.
    """

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

    def __post_init__(self) -> None:
        for array in (self.pair_arms, self.pair, self.rater, self.left_arm, self.right_arm, self.choice):
            array.flags.writeable = False
        self.response_ms.flags.writeable = False

    @classmethod
    def from_rows(cls, columns: VoteColumns, *, pairs: Iterable[Pair] = (), arms: Sequence[str] | None = None) -> Votes:
        """Check a log and hold it as arrays; raise `InvalidVotes` at the first rule that is broken.

        pairs: comparisons of the study, judged or not (votes may name others too). arms: the order of the arms;
        alphabetical unless given.
        """
        return _checked(columns, tuple(pairs), arms=arms)

    @property
    def n_votes(self) -> int:
        return len(self.pair)

    @property
    def n_pairs(self) -> int:
        return len(self.pair_names)

    @property
    def n_raters(self) -> int:
        return len(self.rater_names)

    @cached_property
    def outcome(self) -> Ints:
        """The votes in arm terms, int64 [N]: +1 the pair's earlier arm was chosen, -1 the later one, 0 neither."""
        left_is_first = np.where(self.left_arm < self.right_arm, 1, -1)
        return np.array([1, -1, 0], dtype=np.int64)[self.choice] * left_is_first

    def between(self, first: int, second: int) -> Votes:
        """The part of the log that compares two arms (indices, first < second), as a two-arm log."""
        kept_pairs = np.flatnonzero((self.pair_arms == (first, second)).all(axis=1))
        new_pair = np.full(self.n_pairs, -1, dtype=np.int64)
        new_pair[kept_pairs] = np.arange(len(kept_pairs))
        kept = new_pair[self.pair] >= 0
        raters, rater = np.unique(self.rater[kept], return_inverse=True)
        return Votes(
            arms=(self.arms[first], self.arms[second]),
            pair_names=tuple(self.pair_names[i] for i in kept_pairs),
            class_labels=tuple(self.class_labels[i] for i in kept_pairs),
            groups=tuple(self.groups[i] for i in kept_pairs),
            pair_arms=np.tile(np.array([0, 1], dtype=np.int64), (len(kept_pairs), 1)),
            rater_names=tuple(self.rater_names[j] for j in raters),
            pair=new_pair[self.pair[kept]],
            rater=rater.astype(np.int64),
            left_arm=(self.left_arm[kept] == second).astype(np.int64),
            right_arm=(self.right_arm[kept] == second).astype(np.int64),
            choice=self.choice[kept],
            response_ms=self.response_ms[kept],
        )


def _checked(columns: VoteColumns, pairs: tuple[Pair, ...], *, arms: Sequence[str] | None) -> Votes:
    if not columns.pair_id and not pairs:
        raise InvalidVotes("no_votes", "the log holds no votes; collect or import some first")
    pair_codes = _codes(chain((p.pair_id for p in pairs), columns.pair_id))
    rater_codes = _codes(columns.rater_id)
    choice = _choices(columns)
    pair = _coded(columns.pair_id, pair_codes)
    rater = _coded(columns.rater_id, rater_codes)
    _refuse_duplicates(columns, pair * max(len(rater_codes), 1) + rater)
    arm_codes = _arm_codes(columns, pairs, arms)
    left, right = _sides(columns, arm_codes)
    return Votes(
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
    )


def _codes(names: Iterable[str]) -> dict[str, int]:
    # Order of first appearance: the listed comparisons keep the study's order on the page.
    return {name: code for code, name in enumerate(dict.fromkeys(names))}


def _coded(names: Sequence[str], codes: dict[str, int]) -> Ints:
    return np.fromiter((codes[name] for name in names), dtype=np.int64, count=len(names))


def _choices(columns: VoteColumns) -> Ints:
    for row, choice in enumerate(columns.choice):
        if choice not in CHOICES:
            known = ", ".join(CHOICES)
            raise InvalidVotes(
                "unknown_choice", f"{columns.where(row)}, column choice: {choice!r} is not one of {known}"
            )
    return _coded(columns.choice, CHOICES)


def _refuse_duplicates(columns: VoteColumns, key: Ints) -> None:
    if len(np.unique(key)) == len(key):
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


def _arm_codes(columns: VoteColumns, pairs: tuple[Pair, ...], arms: Sequence[str] | None) -> dict[str, int]:
    named = set(columns.left_arm) | set(columns.right_arm or ()) | {arm for p in pairs for arm in p.arms}
    codes = _codes(sorted(named) if arms is None else arms)
    if len(codes) < 2:
        raise InvalidVotes("one_arm", f"only one arm, {', '.join(codes)}, is named; a comparison needs two")
    if extra := sorted(named - set(codes)):
        raise InvalidVotes("unknown_arm", f"the log names arms that the study has not: {', '.join(extra)}")
    if reserved := sorted(RESERVED_ARM_NAMES & set(codes)):
        raise InvalidVotes(
            "reserved_arm_name", f"an arm is called {reserved[0]}, a column of the report; rename the arm"
        )
    return codes


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
            f"{columns.where(row)}, columns left_arm and right_arm: both are {columns.left_arm[row]}",
        )
    return left, right


def _pair_arms(
    columns: VoteColumns, pairs: tuple[Pair, ...], *, arm_codes: dict[str, int], pair: Ints, sides: Ints
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
        here, there = (" and ".join(names[arm] for arm in two) for two in (both[entry], known[codes[entry]]))
        pair_id = columns.pair_id[row] if row >= 0 else pairs[entry].pair_id
        raise InvalidVotes(
            "pair_with_changing_arms",
            f"{columns.where(row) if row >= 0 else 'the list of pairs'}: pair {pair_id} shows {here}, "
            f"elsewhere {there}; give each two images their own pair_id",
        )
    return np.ascontiguousarray(known)


def _labels(columns: VoteColumns, pairs: tuple[Pair, ...]) -> tuple[str, ...]:
    labels = {p.pair_id: p.class_label for p in pairs}
    for row, pair_id in enumerate(columns.pair_id):
        label = columns.class_label[row] if columns.class_label is not None else labels.get(pair_id, "")
        if labels.setdefault(pair_id, label) != label:
            raise InvalidVotes(
                "pair_with_changing_class",
                f"{columns.where(row)}, column class_label: pair {pair_id} is {label!r} here, "
                f"{labels[pair_id]!r} elsewhere",
            )
    return tuple(labels.values())


def _groups(columns: VoteColumns, pairs: tuple[Pair, ...], pair_codes: dict[str, int]) -> tuple[str, ...]:
    # Without a word about groups every pair is its own: right for two arms, where class and seed give one pair.
    groups = {pair_id: pair_id for pair_id in pair_codes}
    if columns.group is not None:
        groups |= dict(zip(columns.pair_id, columns.group, strict=True))
    groups |= {p.pair_id: p.group for p in pairs if p.group is not None}
    return tuple(groups.values())


def _times(columns: VoteColumns) -> Ints:
    if columns.response_ms is None:
        return np.full(len(columns.pair_id), NO_TIME, dtype=np.int64)
    return np.array([NO_TIME if ms is None else ms for ms in columns.response_ms], dtype=np.int64)
