"""How fast the statistics are, beside plain numpy: python -m benchmarks.statistics [--votes N] [--rounds K] [--json F].

Each way gets the same arrays and they take turns; the least CPU time of the rounds counts, which on a busy machine is
the steadier one and counts every thread. A log is new in every round: nothing that it keeps for the next figure is
there yet.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from analysis import analyse
from analysis.intervals import Crossed
from analysis.preference import Counts, threshold_table
from analysis.rater_filters import filter_effects
from analysis.rater_quality import rater_quality
from analysis.significance import two_way_net
from analysis.times import times
from analysis.votes import LEFT, SAME, Gold, Votes

FIXTURE = Path(__file__).resolve().parent.parent / "tests" / "data" / "table2_votes.csv"
VOTES_OF_A_PAGE = 1_000_000
PAIRS = 10_000
RATERS = 5_000
THRESHOLDS = (50, 60, 70, 80)


@dataclass(frozen=True)
class Measured:
    """CPU seconds of ours, and of a yardstick where there is one; the limit is on their ratio, else on ours."""

    name: str
    ours: float
    yardstick: float | None
    limit: float

    @property
    def ratio(self) -> float | None:
        return None if self.yardstick is None else self.ours / self.yardstick

    @property
    def is_within(self) -> bool:
        return (self.ours if self.ratio is None else self.ratio) <= self.limit

    def __str__(self) -> str:
        verdict = f"{'within' if self.is_within else 'OVER'} {self.limit:g}"
        if self.ratio is None:
            return f"{self.name}: {self.ours:.3f} s ({verdict} s)"
        return f"{self.name}: {self.ours:.3f} s against {self.yardstick:.3f} s, ratio {self.ratio:.2f} ({verdict})"


def main() -> None:
    """Measure, print a line each, leave with status 1 if any is over its limit."""
    options = parsed()
    results = []
    for measured in measurements(options.votes, rounds=options.rounds):
        print(measured, flush=True)
        results.append(measured)
    if options.json:
        rows = [{**asdict(row), "ratio": row.ratio, "within": row.is_within} for row in results]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit(not all(row.is_within for row in results))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--votes", type=int, default=5_000_000, help="of the headline and the table")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def measurements(n: int, *, rounds: int) -> Iterator[Measured]:
    """Everything that has a limit, the smallest first."""
    yield alone("report of 5,018 votes, the file read", lambda: analyse(FIXTURE), limit=1.0, rounds=rounds)
    log = drawn_log(min(n, VOTES_OF_A_PAGE), seed=1)
    of = f"of {log.n_votes:,} votes by {log.n_raters:,} raters"
    yield alone(f"quality of raters {of}", lambda: rater_quality(replace(log)), limit=0.3, rounds=rounds)
    yield alone(f"effects of filters {of}", lambda: filter_effects(replace(log)), limit=0.3, rounds=rounds)
    yield alone(f"response times {of}", lambda: times(replace(log)), limit=0.2, rounds=rounds)
    log = drawn_log(n, seed=2)
    yield headline(log, rounds=rounds)
    yield table(log, rounds=rounds)


def headline(log: Votes, *, rounds: int) -> Measured:
    """The headline test against three bincounts and a sort of what it is made from."""
    pair, rater, outcome = log.pair, log.rater, log.outcome

    def ours() -> object:
        fresh = replace(log)
        return two_way_net(fresh, Crossed.of(fresh))

    def yardstick() -> object:
        sums = np.bincount(pair, weights=outcome), np.bincount(rater, weights=outcome), np.bincount(pair)
        return sums, np.sort(pair)

    name = f"headline test of {log.n_votes:,} votes against three bincounts and a sort"
    return compared(name, ours, yardstick, limit=1.5, rounds=rounds)


def table(log: Votes, *, rounds: int) -> Measured:
    """Counting and the table at four thresholds, against the same numbers written down in plain numpy."""

    def ours() -> list[tuple[int, int]]:
        rows = threshold_table(Counts.of(replace(log)), THRESHOLDS).rows
        return [(row.first.pairs, row.second.pairs) for row in rows]

    def plain() -> list[tuple[int, int]]:
        chosen = np.where(log.choice == LEFT, log.left_arm, log.right_arm)
        side = log.choice != SAME
        a = np.bincount(log.pair[side & (chosen == 0)], minlength=log.n_pairs)
        b = np.bincount(log.pair[side & (chosen == 1)], minlength=log.n_pairs)
        return [(int((100 * a > t * (a + b)).sum()), int((100 * b > t * (a + b)).sum())) for t in THRESHOLDS]

    if ours() != plain():
        raise AssertionError("the two tables differ, so their times say nothing")
    name = f"threshold table of {log.n_votes:,} votes against plain numpy"
    return compared(name, ours, plain, limit=1.5, rounds=rounds)


def alone(name: str, work: Callable[[], object], *, limit: float, rounds: int) -> Measured:
    """The best time of some rounds, after one that warms up."""
    work()
    return Measured(name, min(seconds(work) for _ in range(rounds)), None, limit)


def compared(
    name: str, ours: Callable[[], object], yardstick: Callable[[], object], *, limit: float, rounds: int
) -> Measured:
    """The best times of two ways that take turns."""
    ours(), yardstick()
    turns = [(seconds(ours), seconds(yardstick)) for _ in range(rounds)]
    return Measured(name, min(own for own, _ in turns), min(other for _, other in turns), limit)


def seconds(work: Callable[[], object]) -> float:
    """The CPU time that some work takes, garbage collected before it."""
    gc.collect()
    started = time.process_time()
    work()
    return time.process_time() - started


def drawn_log(n: int, *, seed: int) -> Votes:
    """A log of n votes by random raters on random pairs, each pair at most once a rater, 27 % Same."""
    rng = np.random.default_rng(seed)
    rater, pair = np.divmod(rng.choice(PAIRS * RATERS, size=n, replace=False, shuffle=True), PAIRS)
    # Raters are those with a vote, in the order of their numbers.
    names, rater = np.unique(rater, return_inverse=True)
    left = rng.integers(2, size=n)
    return Votes(
        arms=("robust", "vanilla"),
        pair_names=tuple(f"p{number}" for number in range(PAIRS)),
        class_labels=("",) * PAIRS,
        groups=tuple(f"p{number}" for number in range(PAIRS)),
        pair_arms=np.tile(np.array([0, 1]), (PAIRS, 1)),
        rater_names=tuple(f"r{number}" for number in names),
        pair=pair,
        rater=rater,
        left_arm=left,
        right_arm=1 - left,
        choice=rng.choice(3, size=n, p=[0.37, 0.36, 0.27]),
        response_ms=np.exp(rng.normal(8.3, 0.6, size=n)).astype(np.int64),
        # Every tenth rater guesses, so that the filters have somebody to leave out.
        gold=Gold(np.full(len(names), 8), np.where(np.arange(len(names)) % 10, 8, 4), 8 * len(names)),
    )


if __name__ == "__main__":
    main()
