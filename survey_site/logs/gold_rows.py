"""The gold rows of a vote table: what was shown there, and which answer is right."""

from collections.abc import Sequence
from typing import NamedTuple

from analysis.votes import InvalidVotes, VoteColumns
from survey_site.models import Comparison


class GoldPair(NamedTuple):
    """Two images whose right answer is known; images of one arm are identical. expected: `Comparison.Expected`."""

    pair_id: str
    class_label: str
    arms: tuple[str, str]
    expected: str

    @property
    def is_identical(self) -> bool:
        return self.arms[0] == self.arms[1]


def gold_pairs(columns: VoteColumns, arms: Sequence[str]) -> tuple[GoldPair, ...]:
    """Return the gold pairs of a checked table whose normal votes compare some arms.

    Raises `InvalidVotes` for a gold pair that changes, is a normal pair too, or shows an arm that cannot be told.
    """
    pairs: dict[str, GoldPair] = {}
    normal = {pair_id for pair_id, gold in zip(columns.pair_id, columns.gold_arm or (), strict=False) if not gold}
    for row, gold_arm in enumerate(columns.gold_arm or ()):
        if gold_arm:
            pair = _gold_pair(columns, row, arms=arms)
            if pair.pair_id in normal or pairs.setdefault(pair.pair_id, pair) != pair:
                raise InvalidVotes(
                    "changing_gold_pair",
                    f"{columns.where(row)}: gold pair {pair.pair_id} has other arms, another class or another right "
                    "answer elsewhere, or none; give each two images their own pair_id",
                )
    return tuple(pairs.values())


def _gold_pair(columns: VoteColumns, row: int, *, arms: Sequence[str]) -> GoldPair:
    left, wanted = columns.left_arm[row], (columns.gold_arm or ())[row]
    first, second = sorted((left, _right_arm(columns, row, arms=arms)))
    answers = {"same": Comparison.Expected.TIE, first: Comparison.Expected.A}
    label = columns.class_label[row] if columns.class_label is not None else ""
    return GoldPair(columns.pair_id[row], label, (first, second), answers.get(wanted, Comparison.Expected.B))


def _right_arm(columns: VoteColumns, row: int, *, arms: Sequence[str]) -> str:
    if columns.right_arm is not None:
        return columns.right_arm[row]
    # As the analysis reads it: with two arms, the one that does not stand on the left.
    if len(arms) == 2 and columns.left_arm[row] in arms:
        return arms[1] if columns.left_arm[row] == arms[0] else arms[0]
    raise InvalidVotes(
        "missing_columns",
        f"{columns.where(row)}: the gold pair {columns.pair_id[row]} shows an arm that no other row does, so the "
        "column right_arm is needed",
    )
