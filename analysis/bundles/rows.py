"""The two tables of a bundle: every comparison, and every vote in the terms of the screen and of the arms."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from analysis.bundles.verdict import UnreadableBundle
from analysis.vote_file import read_csv
from analysis.votes import Pair, VoteColumns, Votes

Row = tuple[object, ...]

COMPARISON_COLUMNS = ("pair_id", "class_label", "group_id", "arm_a", "arm_b")
# The columns that `analysis.read_csv` reads, then the outcome that follows from them.
VOTE_COLUMNS = (
    "pair_id",
    "class_label",
    "group_id",
    "rater_id",
    "left_arm",
    "right_arm",
    "choice",
    "response_ms",
    "gold_arm",
    "simulated",
    "outcome",
)


@dataclass(frozen=True)
class Collected:
    """What a study collected: votes with gold rows, every comparison, judged or not, and the order of the arms."""

    votes: VoteColumns
    pairs: tuple[Pair, ...]
    arms: tuple[str, ...]


def write_table(out: TextIO, header: Row, rows: Iterable[Row]) -> None:
    # RFC 4180's line ends: with others a carriage return inside a name would go unquoted and end its line.
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)


def pairs_of(votes: Votes) -> Iterator[Pair]:
    """Yield every comparison of a checked log, in the study's order."""
    sides = ((votes.arms[first], votes.arms[second]) for first, second in votes.pair_arms.tolist())
    return map(Pair, votes.pair_names, votes.class_labels, sides, votes.groups)


def comparison_rows(collected: Collected) -> Iterator[Row]:
    """Yield a row a comparison; arm_a is the one that comes first in the study's order of arms."""
    for pair in collected.pairs:
        yield (pair.pair_id, pair.class_label, pair.group, *pair.arms)


def vote_rows(collected: Collected) -> Iterator[Row]:
    """Yield a row a vote, in order of arrival."""
    votes, known = collected.votes, {pair.pair_id: pair for pair in collected.pairs}
    for row, pair_id in enumerate(votes.pair_id):
        # A gold comparison is none of the study's: it brings its own class, and is its own group.
        pair = known.get(pair_id) or Pair(pair_id, votes.class_label[row] if votes.class_label else "", ("", ""))
        sides = votes.left_arm[row], _right_arm(collected, row)
        yield (
            pair_id,
            pair.class_label,
            pair.group or pair_id,
            votes.rater_id[row],
            *sides,
            votes.choice[row],
            None if votes.response_ms is None else votes.response_ms[row],
            votes.gold_arm[row] if votes.gold_arm else "",
            "yes" if votes.simulated else "",
            outcome_of(votes.choice[row], sides, collected.arms),
        )


def _right_arm(collected: Collected, row: int) -> str:
    votes = collected.votes
    if votes.right_arm is not None:
        return votes.right_arm[row]
    first, second = collected.arms
    return second if votes.left_arm[row] == first else first


def outcome_of(choice: str, sides: tuple[str, str], arms: Sequence[str]) -> str:
    """A vote in arm terms: a (the arm that comes first in the study's order), b or tie.

    Empty where a gold pair shows one arm twice, or an arm that the study does not compare: arms say nothing then.
    """
    left, right = sides
    if choice == "same":
        return "tie"
    if left == right or left not in arms or right not in arms:
        return ""
    left_is_a = arms.index(left) < arms.index(right)
    return "a" if (choice == "left") == left_is_a else "b"


def read_collected(comparisons: TextIO, votes: TextIO, *, arms: Sequence[str]) -> Votes:
    """Read both tables back. Raises UnreadableBundle for the comparisons, InvalidVotes for the votes."""
    return read_csv(votes, pairs=_read_comparisons(comparisons), arms=arms)


def first_wrong_outcome(votes: TextIO, *, arms: Sequence[str]) -> tuple[int, str, str] | None:
    """Find the first vote whose outcome does not follow from its sides: its line, what stands there, what follows.

    votes: a table that `read_collected` took.
    """
    reader = csv.DictReader(votes)
    for row in reader:
        sides = row["left_arm"].strip(), row["right_arm"].strip()
        outcome = outcome_of(row["choice"].strip(), sides, arms)
        if row.get("outcome", "") != outcome:
            return reader.line_num, row.get("outcome", ""), outcome
    return None


def _read_comparisons(source: TextIO) -> tuple[Pair, ...]:
    try:
        reader = csv.reader(source)
        if tuple(next(reader, ())) != COMPARISON_COLUMNS:
            raise UnreadableBundle(f"comparisons.csv: the header is not {','.join(COMPARISON_COLUMNS)}")
        return tuple(_pair(row, reader.line_num) for row in reader if row)
    except csv.Error as error:
        raise UnreadableBundle(f"comparisons.csv is not a readable CSV: {error}") from error


def _pair(row: Sequence[str], line: int) -> Pair:
    if len(row) != len(COMPARISON_COLUMNS):
        raise UnreadableBundle(
            f"comparisons.csv, line {line}: {len(row)} cells under {len(COMPARISON_COLUMNS)} columns"
        )
    # Stripped as the cells of a vote log are, so that both name a pair alike.
    pair_id, class_label, group, arm_a, arm_b = (cell.strip() for cell in row)
    return Pair(pair_id, class_label, (arm_a, arm_b), group)
