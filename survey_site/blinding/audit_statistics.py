"""Can the arm be guessed? A cross-validated guess from each thing that was observed, and what chance does as well.

Every row is one pair that was shown. An observable is a few columns of numbers about it, oriented left minus right, so
that swapping the pair's two arms changes no number and only the answer: +1 where the first arm stood on the left, -1
where the second did. Under the hypothesis that nothing tells the arms apart, the answers of any group (one class and
seed) could as well be the opposite: that is what the permutations do. numpy and scipy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.multiplicity import Correction, adjusted

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

ALARM_BELOW = 0.01
FOLDS = 10
ROUNDS = 9_999
TOGETHER = "All of these together"
# Each part's kernel has a mean diagonal of 1: this much of it keeps a fit with more columns than pairs solvable.
RIDGE = 1.0
CHUNK = 1_000


@dataclass(frozen=True)
class Observable:
    """What was observed under one name. columns: [pairs, columns], left minus right, or centred."""

    name: str
    columns: Floats


@dataclass(frozen=True)
class Finding:
    """How well an observable guesses the arm. auc: share of pairs guessed right, ties half; 0.5 is chance.

    Empty figures: the observable was the same for both images of every pair, so there was nothing to guess from.
    """

    name: str
    n_pairs: int
    n_telling: int
    """Pairs in which it differed at all."""
    auc: float | None = None
    p: float | None = None
    p_holm: float | None = None

    @property
    def is_alarm(self) -> bool:
        """Tell whether chance does as well in fewer than one of a hundred audits of a blind study."""
        return self.p_holm is not None and self.p_holm < ALARM_BELOW


@dataclass(frozen=True)
class Power:
    """What this many pairs can find. share: guessed right in so many pairs, a leak is found four times out of five."""

    n_groups: int
    n_tested: int
    can_alarm: bool
    share: float | None


def guess_arms(
    observables: Sequence[Observable],
    *,
    first_is_left: npt.NDArray[np.bool_],
    groups: Ints,
    seed: int,
    rounds: int = ROUNDS,
) -> list[Finding]:
    """Try every observable, and all together; p-values are Holm's over those that could tell anything.

    first_is_left: bool [pairs]. groups: int [pairs], equal for pairs that share class and seed.
    """
    rng = np.random.default_rng(seed)
    places = np.unique(groups, return_inverse=True)[1]
    n_groups = int(places.max()) + 1 if len(places) else 0
    signs = rng.integers(0, 2, size=(n_groups, rounds)) * 2 - 1
    answers = np.where(first_is_left, 1, -1)[:, None] * np.hstack([np.ones((len(places), 1)), signs[places]])
    folds = rng.permutation(np.arange(n_groups) % FOLDS)[places]
    ranked = [(one, _signed_ranks(one.columns)) for one in observables]
    findings = [_finding(one, shares=_stump(columns, answers, folds=folds)) for one, columns in ranked]
    # Whether an observable varies has nothing to do with the answers, so leaving out those that do not is fair.
    telling = [columns for _one, columns in ranked if columns.shape[1]]
    if len(telling) > 1:
        together = Observable(TOGETHER, np.hstack(telling))
        findings.append(_finding(together, shares=_ridge(telling, answers, folds=folds)))
    return _with_holm(findings)


def power_of(findings: Sequence[Finding], *, n_groups: int, rounds: int = ROUNDS) -> Power:
    """Return what an audit of this size could have found at all."""
    n_tested = max(1, sum(finding.p is not None for finding in findings))
    # The smallest p-value: all answers right, or all wrong, by chance.
    smallest = max(1 / (rounds + 1), 2.0 ** (1 - n_groups)) if n_groups else 1.0
    if smallest * n_tested >= ALARM_BELOW:
        return Power(n_groups, n_tested, can_alarm=False, share=None)
    needed = int(stats.binom.isf(ALARM_BELOW / n_tested / 2, n_groups, 0.5)) + 1
    shares = np.linspace(0.5, 1, 501)
    found = shares[stats.binom.sf(needed - 1, n_groups, shares) >= 0.8]
    return Power(n_groups, n_tested, can_alarm=True, share=float(found[0]))


def _signed_ranks(columns: Floats) -> Floats:
    """Return each column's signed ranks, scaled to at most 1; columns that never vary are left out.

    Ranks, because a time or a length may have one wild value. Signs stay, because the sign is the guess.
    """
    sizes = np.abs(columns)
    varying = columns[:, sizes.max(axis=0, initial=0) > 0]
    if not varying.shape[1]:
        return varying
    sizes = np.abs(varying)
    return np.sign(varying) * np.where(sizes > 0, stats.rankdata(sizes, axis=0), 0) / len(columns)


def _stump(columns: Floats, answers: Floats, *, folds: Ints) -> Floats:
    """Guess by the sign of the one column that fits the other folds best; return the share right of each round."""
    right = np.zeros(answers.shape[1])
    if not columns.shape[1]:
        return right
    for fold in np.unique(folds):
        held = folds == fold
        train, test = columns[~held], np.sign(columns[held])
        size = np.sqrt((train**2).sum(axis=0))
        scaled = np.divide(train, size, out=np.zeros_like(train), where=size > 0)
        for start in range(0, answers.shape[1], CHUNK):
            part = answers[:, start : start + CHUNK]
            fit = scaled.T @ part[~held]
            best = np.abs(fit).argmax(axis=0)
            direction = np.sign(fit[best, np.arange(len(best))])
            right[start : start + CHUNK] += (test[:, best] * direction * part[held]).sum(axis=0)
    return (right / len(columns) + 1) / 2


def _ridge(parts: Sequence[Floats], answers: Floats, *, folds: Ints) -> Floats:
    """Guess by a ridge regression on all columns, every observable weighing the same; return the shares right."""
    kernel = sum(part @ part.T / np.square(part).sum(axis=1).mean() for part in parts)
    assert isinstance(kernel, np.ndarray), "there is at least one part"
    right = np.zeros(answers.shape[1])
    for fold in np.unique(folds):
        held = folds == fold
        inner = kernel[np.ix_(~held, ~held)] + RIDGE * np.eye(int((~held).sum()))
        hat = np.linalg.solve(inner, kernel[np.ix_(~held, held)]).T
        right += (np.sign(np.round(hat @ answers[~held], 9)) * answers[held]).sum(axis=0)
    return (right / len(folds) + 1) / 2


def _finding(one: Observable, *, shares: Floats) -> Finding:
    n_telling = int(np.any(one.columns != 0, axis=1).sum())
    if not n_telling:
        return Finding(one.name, len(one.columns), 0)
    # The round that happened is one of them: the p-value is never 0. Shares are multiples of 1 / (2 n): no rounding.
    p = float((shares >= shares[0] - 1e-9).mean())
    return Finding(one.name, len(one.columns), n_telling, auc=float(shares[0]), p=p)


def _with_holm(findings: Sequence[Finding]) -> list[Finding]:
    tested = [finding for finding in findings if finding.p is not None]
    corrected = adjusted([finding.p for finding in tested if finding.p is not None], method=Correction.HOLM)
    holm = {finding.name: float(p) for finding, p in zip(tested, corrected, strict=True)}
    return [replace(finding, p_holm=holm.get(finding.name)) for finding in findings]
