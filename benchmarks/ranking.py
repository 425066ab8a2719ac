"""How long the ratings of K arms take, beside two others, in one run.

Ours: count a log of a million votes, Davidson's ratings with errors by group and rater, and 1000 samples of groups
rated again. choix: its dense solver on the same samples' counts, a Same as half a win each; counting and sampling are
not charged to it. FastChat's way: done again here after its `compute_bootstrap_bt` (July 2024): names factorised by
pandas, rows counted by a sort, one multinomial draw of the counts a round, L-BFGS on each with FastChat's tolerance;
Same as half a win, no errors by cluster. Needs choix and pandas, which come with the requirements of development.

Seconds of CPU, processes that were started included, and on the clock. Ratios are of CPU: a busy machine's clock lies.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import Pool, cpu_count
from typing import Any, NamedTuple, TypeVar

import choix
import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit

from analysis.intervals import Floats
from analysis.ranking import BradleyTerry, PlainRating, bradley_terry, leaderboard
from analysis.ranking.counts import FIRST, SECOND, TIE, Tally
from analysis.ranking.davidson import davidson
from analysis.ranking.resampling import resampled_outcomes, resampled_thetas
from analysis.votes import Gold, Votes

T = TypeVar("T")


def main() -> None:
    options = _options()
    votes = simulated_log(options.votes, arms=options.arms, groups=options.groups, raters=options.raters)
    print(
        f"{options.votes:,} votes, {options.arms} arms, {options.groups:,} groups, {options.raters:,} raters, "
        f"{options.rounds:,} rounds; best of {options.repeats}"
    )
    best = partial(_best, repeats=options.repeats)
    report, _ = best(lambda: _report(replace(votes)))
    print(f"{report}  bradley_terry and leaderboard: all that a report shows")
    ours = _ours(votes, best=best, rounds=options.rounds)
    _choix(votes, best=best, rounds=options.rounds, ours=ours)
    _fastchat(votes, best=best, rounds=options.rounds, ours=ours)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the ratings of K arms beside choix and FastChat's way.")
    for name, default in (("votes", 1_000_000), ("arms", 10), ("groups", 400), ("raters", 5000), ("rounds", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def simulated_log(n: int, *, arms: int, groups: int, raters: int, seed: int = 1) -> Votes:
    """Votes of Davidson's model on every pair of arms in every group; theta from 0.5 to -0.5, nu 0.75."""
    rng = np.random.default_rng(seed)
    matchups = np.stack(np.triu_indices(arms, 1), axis=1)
    pairs = groups * len(matchups)
    pair, rater = rng.integers(0, pairs, n), np.unique(rng.integers(0, raters, n), return_inverse=True)[1]
    first, second = matchups[pair % len(matchups)].T
    theta = np.linspace(0.5, -0.5, arms)
    odds = np.stack([np.exp(theta[first]), np.exp(theta[second]), 0.75 * np.exp((theta[first] + theta[second]) / 2)])
    below = np.cumsum(odds / odds.sum(axis=0), axis=0)
    outcome = (rng.random(n) > below[:2]).sum(axis=0)
    swapped = rng.random(n) < 0.5
    return Votes(
        arms=tuple(f"arm {k}" for k in range(arms)),
        pair_names=tuple(f"pair {p}" for p in range(pairs)),
        class_labels=("class",) * pairs,
        groups=tuple(f"group {p // len(matchups)}" for p in range(pairs)),
        pair_arms=np.tile(matchups, (groups, 1)),
        rater_names=tuple(f"rater {r}" for r in range(int(rater.max()) + 1)),
        pair=pair,
        rater=rater,
        left_arm=np.where(swapped, second, first),
        right_arm=np.where(swapped, first, second),
        choice=np.where(swapped & (outcome != TIE), 1 - outcome, outcome),
        response_ms=np.full(n, -1),
        gold=Gold(np.zeros(raters, dtype=np.int64), np.zeros(raters, dtype=np.int64), 0),
    )


class Seconds(NamedTuple):
    """How long something took."""

    cpu: float
    clock: float

    def __str__(self) -> str:
        return f"  {self.cpu:8.3f} s CPU  {self.clock:8.3f} s"


def _timed(act: Callable[[], T]) -> tuple[Seconds, T]:
    start, clock = _cpu(), time.perf_counter()
    given = act()
    return Seconds(_cpu() - start, time.perf_counter() - clock), given


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _best(act: Callable[[], T], *, repeats: int) -> tuple[Seconds, T]:
    """The run that took least, and what the last one gave."""
    runs = [_timed(act) for _ in range(repeats)]
    return min(seconds for seconds, _ in runs), runs[-1][1]


def _report(votes: Votes) -> BradleyTerry:
    fit = bradley_terry(votes)
    assert isinstance(fit, BradleyTerry)
    leaderboard(fit)
    return fit


# best: any of its results, whose types are those of what is timed.
def _ours(votes: Votes, *, best: Any, rounds: int) -> Seconds:
    # A fresh copy forgets what the log has computed about itself.
    counting, tally = best(lambda: Tally.of(replace(votes)))
    rating, _ = best(lambda: davidson(replace(tally)))
    sampling, _ = best(lambda: resampled_thetas(replace(tally), rng=np.random.default_rng(2), rounds=rounds))
    whole, _ = best(lambda: _all_of_ours(replace(votes), rounds=rounds))
    print(f"{counting}  ours: counting the votes")
    print(f"{rating}  ours: Davidson's ratings with two-way errors")
    print(f"{sampling}  ours: rating {rounds:,} samples of groups")
    print(f"{whole}  ours: all three")
    assert isinstance(whole, Seconds)
    return whole


def _all_of_ours(votes: Votes, *, rounds: int) -> Floats:
    tally = Tally.of(votes)
    davidson(tally)
    thetas, rated = resampled_thetas(tally, rng=np.random.default_rng(2), rounds=rounds)
    assert rated.all()
    return thetas


def _choix(votes: Votes, *, best: Any, rounds: int, ours: Seconds) -> None:
    tally = Tally.of(votes)
    samples = _with_half_wins(tally, resampled_outcomes(tally, rng=np.random.default_rng(2), rounds=rounds))
    whole = _with_half_wins(tally, tally.outcomes[None].astype(np.float64))[0]
    ratings = choix.ilsr_pairwise_dense(whole)
    fit = _report(votes)
    assert isinstance(fit.bt_half_tie, PlainRating)
    apart = np.abs(ratings - list(fit.bt_half_tie.theta.values())).max()
    dense = choix.ilsr_pairwise_dense
    for name, solve in (
        ("ilsr_pairwise_dense", dense),
        ("ilsr_pairwise_dense, started at the ratings of all votes", lambda m: dense(m, initial_params=ratings)),
        ("lsr_pairwise_dense, one pass: not the maximum", choix.lsr_pairwise_dense),
    ):
        seconds, _ = best(lambda solve=solve: [solve(sample) for sample in samples])
        print(f"{seconds}  choix: {name}, counts given: {seconds.cpu / ours.cpu:.1f} times all of ours")
    print(f"  choix's ratings and our bt_half_tie differ by {apart:.1e}")


def _with_half_wins(tally: Tally, outcomes: Floats) -> Floats:
    """Matrices [B, K, K] of wins, a Same as half a win each."""
    first, second = tally.matchups.T
    wins = np.zeros((len(outcomes), len(tally.arms), len(tally.arms)))
    wins[:, first, second] = outcomes[:, :, FIRST] + outcomes[:, :, TIE] / 2
    wins[:, second, first] = outcomes[:, :, SECOND] + outcomes[:, :, TIE] / 2
    return wins


def _fastchat(votes: Votes, *, best: Any, rounds: int, ours: Seconds) -> None:
    names = np.array(votes.arms, dtype=object)
    battles = pd.DataFrame(
        {
            "left": pd.Series(names[votes.left_arm], dtype=object),
            "right": pd.Series(names[votes.right_arm], dtype=object),
            "winner": pd.Series(np.array(["left", "right", "tie"], dtype=object)[votes.choice], dtype=object),
        }
    )
    for processes in (1, cpu_count()):
        seconds, _ = best(partial(fastchats_way, battles, rounds=rounds, processes=processes))
        print(f"{seconds}  FastChat's way, {processes} process(es): {seconds.cpu / ours.cpu:.1f} times all of ours")


def fastchats_way(battles: pd.DataFrame, *, rounds: int, processes: int) -> Floats:
    """Ratings of each round, [B, K], in natural units divided by ln 10."""
    n = len(battles)
    codes, models = pd.factorize(pd.concat([battles["left"], battles["right"]]))
    rows = np.ones((n, 3), dtype=np.int32)
    rows[:, 0], rows[:, 1] = codes[:n], codes[n:]
    rows[battles["winner"] == "left", 2] = 2
    rows[battles["winner"] == "right", 2] = 0
    kinds, times = np.unique(rows, axis=0, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(n, times / times.sum(), size=rounds) / n
    solve = partial(_by_lbfgs, kinds[:, :2], kinds[:, 2] / 2, len(models))
    if processes == 1:
        return np.array([solve(weights) for weights in drawn])
    with Pool(processes) as pool:
        return np.array(list(pool.imap_unordered(solve, drawn)))


def _by_lbfgs(sides: Any, score: Floats, k: int, weights: Floats) -> Floats:
    def loss(ratings: Floats) -> tuple[float, Floats]:
        chance = expit(np.log(10) * (ratings[sides[:, 0]] - ratings[sides[:, 1]]))
        value = -((np.log(chance) * score + np.log(1 - chance) * (1 - score)) * weights).sum()
        slope = -np.log(10) * (score - chance) * weights
        gradient = np.zeros(k)
        np.add.at(gradient, sides, slope[:, None] * np.array([1.0, -1.0]))
        return float(value), gradient

    options = {"maxiter": 100, "gtol": 1e-6}
    found: Floats = minimize(loss, np.zeros(k), jac=True, method="L-BFGS-B", options=options).x
    return found


if __name__ == "__main__":
    main()
