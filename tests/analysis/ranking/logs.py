"""Vote logs of several arms, written out as duels."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from analysis import Pair, VoteColumns, Votes
from analysis.records import Json

# rater, group, arm, other arm, outcome: ">" the arm was chosen, "<" the other, "=" neither
Duel = tuple[str, str, str, str, str]
# and the side of the arm: 0 left, 1 right
SidedDuel = tuple[str, str, str, str, str, int]
FOUR = {"A": 0.5, "B": 0.1, "C": -0.1, "D": -0.5}
BUTTONS = {">": ("left", "right"), "<": ("right", "left"), "=": ("same", "same")}


def duels(entries: Iterable[Duel], *, arms: Sequence[str] | None = None, pairs: Sequence[Pair] = ()) -> Votes:
    """A log in which the arm named first stands on the left in every other vote; a pair is a group and two arms."""
    rows = list(entries)
    return sided([(*duel, n % 2) for n, duel in enumerate(rows)], arms=arms, pairs=pairs)


def sided(
    rows: Sequence[SidedDuel],
    *,
    arms: Sequence[str] | None = None,
    pairs: Sequence[Pair] = (),
) -> Votes:
    """The same with the side of the arm named first."""
    columns = VoteColumns(
        pair_id=["/".join((group, *sorted((arm, other)))) for _, group, arm, other, _, _ in rows],
        rater_id=[rater for rater, *_ in rows],
        left_arm=[(arm, other)[side] for _, _, arm, other, _, side in rows],
        right_arm=[(other, arm)[side] for _, _, arm, other, _, side in rows],
        choice=[BUTTONS[outcome][side] for *_, outcome, side in rows],
        class_label=["cat"] * len(rows),
        group_id=[group for _, group, *_ in rows],
    )
    return Votes.from_rows(columns, arms=arms, pairs=pairs)


def match(arm: str, other: str, wins: int, losses: int, ties: int = 0) -> list[Duel]:
    """So many votes between two arms, spread over groups and seven raters."""
    outcomes = ">" * wins + "<" * losses + "=" * ties
    return [(f"r{n % 7}", f"g{n}", arm, other, outcome) for n, outcome in enumerate(outcomes)]


def simulated(theta: Mapping[str, float], *, nu: float, groups: int, raters: int, seed: int) -> list[Duel]:
    """Everybody judges about a third of all pairs, as Davidson's model has it, by the definition of the model."""
    rng = np.random.default_rng(seed)
    arms = sorted(theta)
    entries = []
    for first, second in [(a, b) for i, a in enumerate(arms) for b in arms[i + 1 :]]:
        worth, other = np.exp(theta[first]), np.exp(theta[second])
        odds = np.array([worth, other, nu * np.sqrt(worth * other)])
        for group in range(groups):
            for rater in np.flatnonzero(rng.random(raters) < 1 / 3):
                entries.append((f"r{rater}", f"g{group}", first, second, rng.choice(list("><="), p=odds / odds.sum())))
    return [entries[n] for n in rng.permutation(len(entries))]


@st.composite
def small_tournaments(draw: st.DrawFn) -> list[SidedDuel]:
    """Up to 60 votes of five raters on four groups of three or four arms, in no order, sides at random."""
    arms = "ABCD"[: draw(st.integers(3, 4))]
    matchups = [(a, b) for i, a in enumerate(arms) for b in arms[i + 1 :]]
    seats = st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from(matchups))
    answers = st.tuples(st.sampled_from("><="), st.integers(0, 1))
    votes = draw(st.dictionaries(seats, answers, min_size=10, max_size=60))
    return [(f"r{r}", f"g{g}", a, b, outcome, side) for (r, g, (a, b)), (outcome, side) in votes.items()]


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every number and text of a JSON value, with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from leaves(item, f"{path}[{n}]")
    else:
        yield path, value
