"""How large must a study be? Raters and pairs for a difference that somebody wants to find.

Answers for one wish: what a design finds, the fewest raters or pairs that find enough, and the table and curves around
it. The arithmetic is in `precision`; here it is searched and put into words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from analysis.precision import PAPER_LIKE, Components, Design, detectable, power_of, standard_error
from analysis.records import Method, Unavailable
from analysis.wishes import MOST_PAIRS, MOST_RATERS, Purpose, Wish

FEWEST_RATERS = 8
FEWEST_PAIRS = 20
ENOUGH_SIDE_VOTES = 20
# How many raters the figures are given for where no number of them is enough.
USUAL_RATERS = 25
RATERS_OF_TABLE = (8, 12, 16, 25, 40, 60, 100)
PAIRS_OF_TABLE = (0.25, 0.5, 1, 2, 4)
POINTS_OF_CURVE = 36

METHODS = (
    Method(
        "planning",
        "Size of a study",
        "pairs and raters like those that the variances come from; every rater judges as many pairs",
        "Westfall, Kenny, Judd (2014), J. Exp. Psychology: General 143:2020; Henderson (1953), Biometrics 9:226",
        "How likely a true difference of this size is to be found with so many pairs and raters.",
    ),
)


@dataclass(frozen=True)
class Outlook:
    """What one design would find. se: of the net preference. power: for the wished difference.

    detectable: the difference (net preference, may exceed 1) that is found with the wished power.
    """

    design: Design
    se: float
    df: int
    power: float
    detectable: float
    votes_per_rater: float
    votes_per_pair: float
    side_votes_per_pair: float


@dataclass(frozen=True)
class Planning:
    """The answer to a wish.

    outlook: of the raters asked for, else of the fewest that are enough. fewest_raters: that reach the power on so
    many pairs. fewest_pairs: that reach it with the outlook's raters. table_raters: that give every pair 20 votes for a
    side. table: a row per number of raters, a column per number of pairs. curves: one per number of pairs.
    """

    wish: Wish
    components: Components
    answer: str
    for_the_table: str
    outlook: Outlook
    fewest_raters: int | Unavailable
    fewest_pairs: int | Unavailable
    table_raters: int | Unavailable
    warnings: tuple[str, ...]
    table: tuple[tuple[Outlook, ...], ...]
    curves: tuple[tuple[Outlook, ...], ...]


def plan_study(wish: Wish, components: Components = PAPER_LIKE) -> Planning:
    """Answer a wish from the components of a population like the paper's, or of a pilot (`components_of`)."""
    rater_count, table_raters = fewest_raters(wish, components), raters_for_table(wish, components)
    outlook = outlook_of(wish, components, raters=_raters(wish, rater_count, table_raters), pairs=wish.pairs)
    raters = outlook.design.raters
    pair_count = fewest_pairs(wish, components, raters=raters)
    return Planning(
        wish=wish,
        components=components,
        answer=_answer(wish, outlook, raters=rater_count, pairs=pair_count),
        for_the_table=_for_the_table(outlook, table_raters),
        outlook=outlook,
        fewest_raters=rater_count,
        fewest_pairs=pair_count,
        table_raters=table_raters,
        warnings=tuple(_warnings(wish, components, outlook)),
        table=tuple(
            tuple(outlook_of(wish, components, raters=row, pairs=column) for column in _pairs_of_table(wish.pairs))
            for row in sorted({*RATERS_OF_TABLE, raters})
        ),
        curves=tuple(
            tuple(outlook_of(wish, components, raters=at, pairs=pairs) for at in _raters_of_curve(raters))
            for pairs in _pairs_of_table(wish.pairs)
        ),
    )


def outlook_of(wish: Wish, components: Components, *, raters: int, pairs: int) -> Outlook:
    """What so many raters and pairs would find of the wished difference."""
    each = wish.workload.of(pairs)
    design = Design(raters, pairs, raters * each)
    same = components.same_share if wish.same_share is None else wish.same_share
    return Outlook(
        design=design,
        se=standard_error(design, components),
        df=design.df,
        power=power_of(design, wish.difference, components=components, alpha=wish.alpha),
        detectable=detectable(design, wish.power, components=components, alpha=wish.alpha),
        votes_per_rater=each,
        votes_per_pair=design.votes / pairs,
        side_votes_per_pair=design.votes * (1 - same) / pairs,
    )


def fewest_raters(wish: Wish, components: Components) -> int | Unavailable:
    """The smallest number of raters, 8 or more, that reaches the power on the wished pairs; `not_enough_pairs`."""

    def is_enough(raters: int) -> bool:
        return outlook_of(wish, components, raters=raters, pairs=wish.pairs).power >= wish.power

    found = _fewest(is_enough, between=(FEWEST_RATERS, MOST_RATERS)) if wish.pairs >= FEWEST_PAIRS else None
    if found is not None:
        return found
    pairs = fewest_pairs(wish, components, raters=MOST_RATERS)
    advice = "nor is any number of pairs" if isinstance(pairs, Unavailable) else f"at least {pairs:,} pairs are needed"
    return Unavailable("not_enough_pairs", f"no number of raters is enough on {_count(wish.pairs, 'pair')}: {advice}")


def fewest_pairs(wish: Wish, components: Components, *, raters: int) -> int | Unavailable:
    """The smallest number of pairs, 20 or more, that reaches the power with so many raters; `not_enough_raters`."""

    def is_enough(pairs: int) -> bool:
        return outlook_of(wish, components, raters=raters, pairs=pairs).power >= wish.power

    found = _fewest(is_enough, between=(FEWEST_PAIRS, MOST_PAIRS)) if raters >= FEWEST_RATERS else None
    detail = f"no number of pairs is enough with {_count(raters, 'rater')}"
    return Unavailable("not_enough_raters", detail) if found is None else found


def raters_for_table(wish: Wish, components: Components) -> int | Unavailable:
    """The smallest number of raters that gives every pair 20 votes for a side; `not_enough_raters` above 100,000."""

    def is_enough(raters: int) -> bool:
        outlook = outlook_of(wish, components, raters=raters, pairs=wish.pairs)
        return outlook.side_votes_per_pair >= ENOUGH_SIDE_VOTES

    found = _fewest(is_enough, between=(FEWEST_RATERS, MOST_RATERS))
    detail = f"more than {MOST_RATERS:,} raters would be needed"
    return Unavailable("not_enough_raters", detail) if found is None else found


def _fewest(is_enough: Callable[[int], bool], *, between: tuple[int, int]) -> int | None:
    """Bisect: whatever is enough stays enough when there is more of it."""
    low, high = between
    if not is_enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return low


def _raters(wish: Wish, for_mean: int | Unavailable, for_table: int | Unavailable) -> int:
    if wish.raters is not None:
        return wish.raters
    needed = (for_mean, for_table) if wish.purpose is Purpose.TABLE else (for_mean,)
    return max((raters for raters in needed if isinstance(raters, int)), default=USUAL_RATERS)


def _pairs_of_table(pairs: int) -> list[int]:
    return sorted({max(2, min(MOST_PAIRS, round(pairs * factor))) for factor in PAIRS_OF_TABLE})


def _raters_of_curve(raters: int) -> list[int]:
    # From the fewest that allow an inference to well past the design, closer together where the curve is steep.
    low, high = min(raters, FEWEST_RATERS), max(2 * raters, 60)
    steps = (low * (high / low) ** (step / POINTS_OF_CURVE) for step in range(POINTS_OF_CURVE + 1))
    return sorted({raters, *(round(step) for step in steps)})


def _answer(wish: Wish, outlook: Outlook, *, raters: int | Unavailable, pairs: int | Unavailable) -> str:
    aim = f"a difference of {points(wish.difference)} points with {_percent(wish.power)} power"
    size = f"{_count(outlook.design.votes, 'vote')}, {outlook.votes_per_rater:,} from each"
    if wish.raters is None and isinstance(raters, Unavailable):
        return f"To find {aim}, {raters.detail}."
    if wish.raters is None:
        return f"To find {aim} on {_count(wish.pairs, 'pair')}, ask {_count(outlook.design.raters, 'rater')}: {size}."
    found = (
        f"{_count(wish.pairs, 'pair')} and {_count(wish.raters, 'rater')} ({size}) find a difference of "
        f"{points(wish.difference)} points with {chance(outlook.power)} power; {_smallest(wish, outlook)}."
    )
    return found if outlook.power >= wish.power else f"{found} {_more(wish, raters, pairs)}"


def _more(wish: Wish, raters: int | Unavailable, pairs: int | Unavailable) -> str:
    ways = [f"{raters:,} raters"] if isinstance(raters, int) else []
    ways += [f"{pairs:,} pairs"] if isinstance(pairs, int) else []
    if ways:
        return f"For {_percent(wish.power)} on {points(wish.difference)} points take {', or '.join(ways)}."
    return f"For {_percent(wish.power)} on {points(wish.difference)} points take more pairs and more raters."


def _for_the_table(outlook: Outlook, raters: int | Unavailable) -> str:
    votes = f"about {outlook.side_votes_per_pair:.1f} votes a pair choose a side"
    if outlook.side_votes_per_pair >= ENOUGH_SIDE_VOTES:
        return f"This is enough for the threshold table: {votes}, and it needs {ENOUGH_SIDE_VOTES}."
    advice = raters.detail if isinstance(raters, Unavailable) else f"ask {raters:,} raters"
    return (
        f"For the threshold table this is not enough: {votes}, and it needs {ENOUGH_SIDE_VOTES}. "
        f"If the table is the purpose, {advice}; the mean does not need them."
    )


def _warnings(wish: Wish, components: Components, outlook: Outlook) -> Iterator[str]:
    design = outlook.design
    if design.raters < FEWEST_RATERS:
        yield (
            f"Below {FEWEST_RATERS} raters there is no valid two-way inference: too few to learn how raters differ. "
            "The power shown is a hope."
        )
    if design.pairs < FEWEST_PAIRS:
        yield (
            f"Below {FEWEST_PAIRS} pairs there is no valid two-way inference: too few to learn how pairs differ. "
            "The power shown is a hope."
        )
    if design.judged < design.pairs:
        yield f"There are fewer votes than pairs: {design.pairs - design.judged:,} pairs stay unjudged."
    if wish.purpose is Purpose.TABLE and outlook.side_votes_per_pair < ENOUGH_SIDE_VOTES:
        yield (
            f"With fewer than {ENOUGH_SIDE_VOTES} votes for a side on a pair, the threshold table looks more decided "
            "than people are."
        )
    yield from _warnings_of_pilot(components)


def _warnings_of_pilot(components: Components) -> Iterator[str]:
    if components.raters is not None and components.raters < FEWEST_RATERS:
        yield f"The pilot has only {_count(components.raters, 'rater')}: how far raters differ is a rough guess."
    if components.pairs is not None and components.pairs < FEWEST_PAIRS:
        yield f"The pilot has only {_count(components.pairs, 'pair')}: how far pairs differ is a rough guess."
    if components.floored:
        yield (
            f"The pilot shows no variance of its own for each {' and '.join(components.floored)} (the estimate is "
            "below zero and stands as zero), so the plan may be too hopeful."
        )


def points(net: float) -> str:
    """A net preference in points, to two figures that count: 8, 8.3, 12.5."""
    return f"{100 * net:.2g}" if net < 0.1 else f"{100 * net:.1f}".removesuffix(".0")


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def chance(power: float) -> str:
    """A probability in per cent: never a certainty, and rounded down, so that 79.6 % is not taken for 80 %."""
    if power > 0.99:
        return "more than 99 %"
    return "less than 1 %" if power < 0.01 else f"{math.floor(100 * power)} %"


def short_chance(power: float) -> str:
    """The same for a cell of a table: > 99 %."""
    return chance(power).replace("more than", ">").replace("less than", "<")


def _smallest(wish: Wish, outlook: Outlook) -> str:
    if outlook.detectable > 1:
        return f"no difference, however large, is found with {_percent(wish.power)}"
    return f"the smallest that is found with {_percent(wish.power)} is {points(outlook.detectable)} points"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
