"""A cross-check of the ratings' intervals without formulas: draw the groups again, with replacement, and rate again.

Groups are the units, raters are taken as given, so these intervals hold for this panel of raters; the two-way errors
allow for other raters too and are the ones to report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.intervals import LEVEL, Floats, Interval
from analysis.ranking.counts import LARGEST_TABLE, TIE, Tally
from analysis.ranking.davidson import by_arm, elo
from analysis.ranking.estimates import sum_to_zero
from analysis.ranking.identifiability import identifiability, obstacle
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import DAVIDSON, PLAIN
from analysis.ranking.ratings import ByArm
from analysis.records import Unavailable
from analysis.votes import Bools, Votes

# Draws that are held at once: few enough to stay in a processor's cache.
LARGEST_DRAW = 300_000


@dataclass(frozen=True)
class RatingBootstrap:
    """Percentile intervals of Davidson's ratings over resampled groups.

    rounds: how often the groups were drawn; rated: in how many of them the ratings exist, the others do not count.
    se: the standard deviation over the rated rounds.
    """

    rounds: int
    rated: int
    groups: int
    theta_ci95: Mapping[str, Interval]
    elo_ci95: Mapping[str, Interval]
    se: ByArm


def cluster_bootstrap(votes: Votes, *, rng: np.random.Generator, rounds: int = 1000) -> RatingBootstrap | Unavailable:
    """Rate the arms on `rounds` samples of G groups out of G, with replacement.

    Unavailable `no_votes`, the codes of `bradley_terry`, `one_group`, `too_few_rounds` where the ratings exist in less
    than half of the rounds: percentiles of the rest would describe only the samples that were easy to rate.
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    tally = Tally.of(votes)
    if problem := obstacle(identifiability(tally)):
        return problem
    if tally.n_groups < 2:
        return Unavailable("one_group", "one group of pairs (class and seed) says nothing about how groups differ")
    theta, rated = resampled_thetas(tally, rng=rng, rounds=rounds)
    if 2 * rated.sum() < rounds:
        return Unavailable("too_few_rounds", f"only {rated.sum()} of {rounds} samples of groups determine the ratings")
    theta = theta[rated]
    ends = np.quantile(theta, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return RatingBootstrap(
        rounds=rounds,
        rated=int(rated.sum()),
        groups=tally.n_groups,
        theta_ci95=_ends(tally, ends),
        elo_ci95=_ends(tally, elo(ends)),
        se=by_arm(tally.arms, theta.std(axis=0, ddof=1)),
    )


def resampled_thetas(tally: Tally, *, rng: np.random.Generator, rounds: int) -> tuple[Floats, Bools]:
    """Thetas of each round, float64 [B, K], and in which rounds they exist, bool [B]; the tally must be identified."""
    told = sum_to_zero(len(tally.arms))
    design = tally.incidence @ told
    theta, rated = np.zeros((rounds, len(tally.arms))), np.zeros(rounds, dtype=np.bool_)
    counts = resampled_outcomes(tally, rng=rng, rounds=rounds)
    with_ties = counts[:, :, TIE].any(axis=1)
    full = maximise(DAVIDSON if with_ties.any() else PLAIN, tally.outcomes[None].astype(np.float64), design=design)
    # From the ratings of all votes a sample's are two or three steps away.
    start = np.append(full.linear[0], full.shape[0])
    for model, rows in ((DAVIDSON, with_ties), (PLAIN, ~with_ties)):
        if rows.any():
            fit = maximise(model, counts[rows], design=design, start=start[: len(start) - (not model.has_shape)])
            theta[rows], rated[rows] = fit.linear @ told.T, fit.reached
    return theta, rated


def resampled_outcomes(tally: Tally, *, rng: np.random.Generator, rounds: int) -> Floats:
    """The outcomes of each round's groups, float64 [B, M, 3]."""
    per_group = tally.by_group
    step = max(1, LARGEST_TABLE // per_group.shape[1])
    counts = np.zeros((rounds, len(tally.matchups), 3))
    tables = [_without_sides(per_group[low : low + step].toarray()) for low in range(0, tally.n_groups, step)]
    done = 0
    for drawn in _draws(tally.n_groups, rng=rng, rounds=rounds):
        low = 0
        for table in tables:
            outcomes = drawn[:, low : low + len(table)] @ table
            counts[done : done + len(drawn)] += outcomes.reshape(len(drawn), -1, 3)
            low += len(table)
        done += len(drawn)
    return counts


def _without_sides(table: Floats) -> Floats:
    by_side = table.reshape(len(table), -1, 2, 3)
    return (by_side[:, :, 0] + by_side[:, :, 1]).reshape(len(table), -1)


def _draws(groups: int, *, rng: np.random.Generator, rounds: int) -> Iterator[Floats]:
    """How often each round drew each group, float64 [b, G], some rounds at a time."""
    step = max(1, LARGEST_DRAW // groups)
    for low in range(0, rounds, step):
        b = min(step, rounds - low)
        drawn = rng.integers(0, groups, size=(b, groups))
        drawn += groups * np.arange(b)[:, None]
        yield np.bincount(drawn.ravel(), minlength=b * groups).reshape(b, groups).astype(np.float64)


def _ends(tally: Tally, ends: Floats) -> Mapping[str, Interval]:
    low, high = ends.tolist()
    return dict(zip(tally.arms, zip(low, high, strict=True), strict=True))
