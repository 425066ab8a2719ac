"""Vote logs on which something cannot be had, as CSV texts: one for each row of the table of error places."""

import io
from collections.abc import Iterable, Sequence

from analysis import Votes, read_csv

HEADER = "pair_id,class_label,rater_id,left_arm,right_arm,choice,response_ms"
ARMS = ("robust", "vanilla")

# rater, pair, winner: an arm, or "same"
Row = tuple[int, int, str]


def csv_log(rows: Iterable[Row], *, arms_of: dict[int, tuple[str, str]] | None = None, classes: int = 3) -> str:
    """A log in which either arm of a pair stands left here and there, and pairs take classes in turn."""
    lines = [HEADER]
    for number, (rater, pair, winner) in enumerate(rows):
        two = (arms_of or {}).get(pair, ARMS)
        left, right = two if (pair * (rater + 2) + rater) % 5 < 2 else two[::-1]
        choice = "same" if winner == "same" else "left" if winner == left else "right"
        lines.append(f"p{pair},class {pair % classes},r{rater},{left},{right},{choice},{1000 + 37 * number % 900}")
    return "\n".join(lines) + "\n"


def votes_of(text: str, *, arms: Sequence[str] | None = None) -> Votes:
    return read_csv(io.StringIO(text), arms=arms)


def _winner(number: int, names: Sequence[str]) -> str:
    return names[number * number % 7 % len(names)]


FOUR_ARMS = ("a", "b", "c", "d")
ALL_PAIRINGS = [(x, y) for index, x in enumerate(FOUR_ARMS) for y in FOUR_ARMS[index + 1 :]]
LINKED = {pair: ALL_PAIRINGS[pair % 6] for pair in range(24)}
TWO_PARTS = {pair: (("a", "b"), ("c", "d"))[pair % 2] for pair in range(24)}


def k_arms(arms_of: dict[int, tuple[str, str]], *, never_wins: str = "") -> str:
    """Twelve raters on 24 pairs; an arm that never wins loses every vote."""
    rows: list[Row] = []
    for rater in range(12):
        for pair, two in arms_of.items():
            others = [arm for arm in two if arm != never_wins]
            names = (*others, *others, "same") if len(others) == 2 else tuple(others)
            rows.append((rater, pair, _winner(3 * rater + 5 * pair + rater * pair, names)))
    return csv_log(rows, arms_of=arms_of)


# Every rater prefers robust on eight pairs, though not on the same ones, and sees no difference on the others.
NEVER_WINS = [
    (rater, pair, "robust" if pair < 3 + rater or pair >= 7 + rater else "same")
    for rater in range(4)
    for pair in range(12)
]

LOGS = {
    "header only": HEADER + "\n",
    "one rater": csv_log((0, pair, ("robust", "vanilla", "robust", "same", "robust")[pair % 5]) for pair in range(12)),
    "K arms, two components": k_arms(TWO_PARTS),
    "K arms, one never wins": k_arms(LINKED, never_wins="d"),
    "every vote is Same": csv_log((rater, pair, "same") for rater in range(4) for pair in range(12)),
    "one pair": csv_log((rater, 0, ("robust", "vanilla", "same")[rater % 3]) for rater in range(9)),
    "one arm": "pair_id,class_label,rater_id,left_arm,choice,response_ms\np1,x,r1,robust,left,900\n",
    "same rater, same pair twice": csv_log([(0, 0, "robust"), (1, 0, "same"), (0, 0, "vanilla")]),
    "a choice that is none": csv_log([(0, 0, "robust")]) + "p1,x,r1,robust,vanilla,both,900\n",
    "two arms, one never wins, ties exist": csv_log(NEVER_WINS),
    "an arm against itself": csv_log([(0, 0, "robust")]) + "p1,x,r1,robust,robust,left,900\n",
    "a column missing": "pair_id,class_label,left_arm,choice,response_ms\np1,x,robust,left,900\n",
}
FOUR_ARM_LOG = k_arms(LINKED)
