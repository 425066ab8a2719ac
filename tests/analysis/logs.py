"""Small vote logs written out in a line each."""

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st

from analysis import Pair, VoteColumns, Votes

# rater, pair, outcome: "a" and "b" for the arms robust and vanilla, "s" for Same
Entry = tuple[str, str, str]


def log(entries: Iterable[Entry], *, pairs: Sequence[Pair] = (), arms: Sequence[str] = ("robust", "vanilla")) -> Votes:
    """A two-arm log in which the first arm stands on the left in every other vote."""
    return Votes.from_rows(columns(entries), pairs=pairs, arms=arms)


def columns(entries: Iterable[Entry]) -> VoteColumns:
    rows = list(entries)
    left = ["robust" if n % 2 else "vanilla" for n in range(len(rows))]
    return VoteColumns(
        pair_id=[pair for _, pair, _ in rows],
        rater_id=[rater for rater, _, _ in rows],
        left_arm=left,
        right_arm=["vanilla" if arm == "robust" else "robust" for arm in left],
        choice=[button(outcome, arm) for (_, _, outcome), arm in zip(rows, left, strict=True)],
        class_label=["cat"] * len(rows),
    )


def button(outcome: str, left_arm: str) -> str:
    """The button a rater pressed who chose arm a, arm b or neither."""
    if outcome == "s":
        return "same"
    return "left" if {"a": "robust", "b": "vanilla"}[outcome] == left_arm else "right"


def pair_of(a: int, b: int, same: int = 0, *, name: str = "p") -> list[Entry]:
    """One pair's votes by as many raters."""
    return [(f"r{n}", name, outcome) for n, outcome in enumerate("a" * a + "b" * b + "s" * same)]


def unjudged(*names: str) -> list[Pair]:
    return [Pair(name, "cat", ("robust", "vanilla")) for name in names]


@st.composite
def small_logs(draw: st.DrawFn) -> list[Entry]:
    """Up to six raters on up to six pairs, any of them incomplete; at least one vote."""
    seats = st.tuples(st.integers(0, 5), st.integers(0, 5))
    votes = draw(st.dictionaries(seats, st.sampled_from("abs"), min_size=1, max_size=36))
    return [(f"r{rater}", f"p{pair}", outcome) for (rater, pair), outcome in votes.items()]
