"""How many votes active sampling saves: simulated studies, arms drawn actively or all pairs of arms equally often.

An arm's score is drawn from N(0, spread^2), and a vote prefers arm i over arm j with probability Phi(s_i - s_j). After
every K - 1 votes the arms are ranked by `scores_of` under both designs, so that only the choice of pairs differs. The
error is the share of two arms in the wrong order. Not a comparison of speed: its numbers are the same everywhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from multiprocessing import Pool

import numpy as np
from scipy.special import ndtr
from scipy.stats import kendalltau

from analysis.active_sampling import next_batch, scores_of
from analysis.intervals import Floats
from analysis.votes import Ints

# Votes per arm that a study has in the end; errors are shown at a quarter, half and all of them.
VOTES_PER_ARM = 40
EXPLORATION = 0.2

Pairs = list[tuple[int, int]]
Design = Callable[[Floats, np.random.Generator], Pairs]


def main() -> None:
    options = _options()
    print("| arms | spread | all pairs equally often: after 10, 20, 40 votes an arm | active | votes saved |")
    print("|---|---|---|---|---|")
    with Pool(options.jobs) as pool:
        for arms in options.arms:
            for spread in options.spreads:
                study = partial(errors_of_both, arms=arms, spread=spread)
                even, active = np.mean(pool.map(study, range(options.studies)), axis=0)
                shown = [_at_quarters(errors) for errors in (even, active)]
                saved = f"{100 * votes_saved(even, active):.0f} %"
                print(f"| {arms} | {spread:g} | {shown[0]} | {shown[1]} | {saved} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the votes that active sampling saves in simulated studies.")
    parser.add_argument("--arms", type=int, nargs="+", default=[4, 8, 12])
    parser.add_argument("--spreads", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def errors_of_both(seed: int, *, arms: int, spread: float) -> tuple[list[float], list[float]]:
    """Simulate a study under either design; return the errors after each K - 1 votes."""
    true = np.random.default_rng([seed, 0]).normal(0, spread, arms)
    even, active = (list(_errors(true, design, rng=np.random.default_rng([seed, 1]))) for design in (_even(), _active))
    return even, active


def votes_saved(even: Floats, active: Floats) -> float:
    """Return the share of its votes that active sampling need not ask for to rank as well as the even design does.

    Counted from where it does so for good: errors of a few studies go up and down.
    """
    worse = np.flatnonzero(active > even[-1])
    enough = int(worse[-1]) + 2 if len(worse) else 1
    return max(0.0, 1 - enough / len(even))


def _errors(true: Floats, design: Design, *, rng: np.random.Generator) -> Iterator[float]:
    won = np.zeros((len(true), len(true)))
    for _ in range(VOTES_PER_ARM * len(true) // (len(true) - 1)):
        for i, j in design(won, rng):
            is_first = rng.random() < ndtr(true[i] - true[j])
            won[(i, j) if is_first else (j, i)] += 1
        yield (1 - float(kendalltau(scores_of(won).mean, true).statistic)) / 2


def _active(won: Floats, rng: np.random.Generator) -> Pairs:
    arms = len(won)
    batch = next_batch(won, possible=~np.eye(arms, dtype=bool), exploration=EXPLORATION, rng=rng)
    return [
        _pair(rng.choice(arms, size=2, replace=False) if rng.random() < EXPLORATION else turn) for turn in batch.turns
    ]


def _pair(arms: Ints) -> tuple[int, int]:
    return int(arms[0]), int(arms[1])


def _even() -> Design:
    """Return a design that shows all pairs once, in a drawn order, before it shows any again."""
    endless: list[Iterator[tuple[int, int]]] = []

    def next_pairs(won: Floats, rng: np.random.Generator) -> Pairs:
        if not endless:
            pairs = np.stack(np.triu_indices(len(won), k=1), axis=1)
            endless.append(cycle(map(_pair, rng.permutation(pairs))))
        return [next(endless[0]) for _ in range(len(won) - 1)]

    return next_pairs


def _at_quarters(errors: Floats) -> str:
    return ", ".join(f"{100 * errors[len(errors) * part // 4 - 1]:.1f}" for part in (1, 2, 4))


if __name__ == "__main__":
    main()
