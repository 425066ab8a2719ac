"""One fit of Davidson's model to a tally, with or without the sides, and the errors of what it estimates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.intervals import Floats
from analysis.ranking.counts import TIE, Tally
from analysis.ranking.errors import Errors, errors
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import DAVIDSON, PLAIN, shares
from analysis.votes import Ints


@dataclass(frozen=True, eq=False)
class Estimates:
    """Thetas [K], and the left's advantage as the last one where it was asked for; ln nu is -inf without any Same."""

    values: Floats
    errors: Errors
    log_nu: float
    se_log_nu: float | None
    loglik: float


@dataclass(frozen=True, eq=False)
class Parameters:
    """What is fitted and what is told. design: [M, 2, q], a row per matchup and side; told: [c, q], values = told @ it.

    Thetas sum to 0, so K arms have K - 1 parameters.
    """

    design: Floats
    told: Floats

    @classmethod
    def of_arms(cls, tally: Tally) -> Parameters:
        told = sum_to_zero(len(tally.arms))
        return cls(np.repeat((tally.incidence @ told)[:, None, :], 2, axis=1), told)

    @classmethod
    def of_arms_and_left(cls, tally: Tally) -> Parameters:
        """With gamma: the margin of the first arm is larger by gamma on the left, smaller by gamma on the right."""
        arms = cls.of_arms(tally)
        left = np.broadcast_to(np.array([[1.0], [-1.0]]), (len(tally.matchups), 2, 1))
        told = np.zeros((len(tally.arms) + 1, len(tally.arms)))
        told[:-1, :-1], told[-1, -1] = arms.told, 1.0
        return cls(np.concatenate([arms.design, left], axis=2), told)


def sum_to_zero(k: int) -> Floats:
    """[K, K - 1]: the last theta is minus the sum of the others."""
    return np.vstack([np.eye(k - 1), -np.ones(k - 1)])


def estimated(tally: Tally, parameters: Parameters) -> Estimates:
    """Fit an identified tally. Errors are sandwiches of the votes' scores, see `errors`."""
    q = parameters.design.shape[-1]
    model = DAVIDSON if has_ties(tally.outcomes) else PLAIN
    counts = tally.counts.reshape(1, -1, 3).astype(np.float64)
    fit = maximise(model, counts, design=parameters.design.reshape(-1, q))
    inverse = np.linalg.inv(fit.information[0])
    log_nu = float(fit.shape[0]) if model.has_shape else -math.inf
    told = np.zeros((len(inverse), len(parameters.told)))
    told[:q] = parameters.told.T
    scores = _scores(parameters.design @ fit.linear[0], log_nu, design=parameters.design)[..., : len(inverse)]
    return Estimates(
        values=parameters.told @ fit.linear[0],
        errors=errors(tally, scores @ (inverse @ told), information=told.T @ inverse @ told),
        log_nu=log_nu,
        se_log_nu=float(inverse[-1, -1]) ** 0.5 if model.has_shape else None,
        loglik=float(fit.loglik[0]),
    )


def has_ties(outcomes: Ints) -> bool:
    """Without any Same nu is 0 and the model is Bradley and Terry's."""
    return bool(outcomes[..., TIE].any())


def _scores(margin: Floats, log_nu: float, *, design: Floats) -> Floats:
    """Slopes of one vote's log-likelihood, [M, 2, 3, q + 1], ln nu last; margin: [M, 2]."""
    first, second, tie = shares(margin, np.full_like(margin, log_nu))
    side = np.array([0.5, -0.5, 0.0]) - ((first - second) / 2)[..., None]
    of_shape = np.array([0.0, 0.0, 1.0]) - tie[..., None]
    return np.concatenate([side[..., None] * design[..., None, :], of_shape[..., None]], axis=-1)
