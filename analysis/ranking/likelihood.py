"""Newton's method on counts of matchups, for one set of counts or for a thousand at once.

A model says how likely a matchup's outcomes are, given a margin (how far the first arm is ahead, a linear function of
the parameters) and one shape (how easily votes are Same). All models here have a concave log-likelihood, so a
maximum that is reached is the only one.

Shapes: B sets of counts, M matchups, q linear parameters. margins, second derivatives: [B, M]; counts: [B, M, 3].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from analysis.intervals import Floats
from analysis.votes import Bools

STEPS = 60
HALVINGS = 30
# Newton's error squares with every step: after one of 1e-7 nothing is left to gain in float64.
SMALL_STEP = 1e-7
# e^(margin / 2) stays a number for STEPS steps of this length.
LONGEST_STEP = 5.0
# Counts that determine no estimate make a singular matrix; beside N this is nothing to one that can be solved.
RIDGE = 1e-13
# Information on every parameter, in votes. One vote against the rest gives about 1; a direction without a maximum, 0.
LEAST_INFORMATION = 1e-4


class Curve(NamedTuple):
    """A log-likelihood with its slopes and bends per matchup, [B, M]; bends are minus the second derivatives."""

    loglik: Floats
    slope_margin: Floats
    slope_shape: Floats
    bend_margin: Floats
    bend_both: Floats
    bend_shape: Floats


class Model(Protocol):
    """How likely the outcomes of matchups are."""

    @property
    def has_shape(self) -> bool: ...

    def curve(self, margin: Floats, shape: Floats, *, counts: Floats) -> Curve:
        """margin, counts: [B, M], [B, M, 3]; shape: [B, 1]. loglik is -inf where the shape is out of range."""
        ...


@dataclass(frozen=True, eq=False)
class Fit:
    """Maxima of B log-likelihoods. linear: [B, q]; shape: [B]; loglik: [B]; information: [B, p, p].

    p = q, or q + 1 with the shape last. reached: bool [B], False where no maximum was found.
    """

    linear: Floats
    shape: Floats
    loglik: Floats
    information: Floats
    reached: Bools


def maximise(model: Model, counts: Floats, *, design: Floats, start: Floats | None = None) -> Fit:
    """The parameters that make the counts most likely.

    counts: [B, M, 3] in outcomes first, second, tie. design: [M, q], margin = design @ linear. start: [p].
    """
    p = design.shape[1] + model.has_shape
    problem = _Problem(model, counts, design)
    at = np.tile(np.zeros(p) if start is None else start, (len(counts), 1))
    if start is None and model.has_shape:
        at[:, -1] = 0.5
    reached = np.zeros(len(counts), dtype=np.bool_)
    loglik, gradient, information = problem.evaluate(at)
    for _ in range(STEPS):
        rows = np.flatnonzero(~reached)
        if not len(rows):
            break
        part = problem.only(rows)
        step = part.step(gradient[rows], information[rows])
        step, found = part.uphill(at[rows], step, loglik=loglik[rows])
        at[rows] += step
        loglik[rows], gradient[rows], information[rows] = found
        reached[rows] = np.abs(step).max(axis=1) < SMALL_STEP
    # Where the likelihood only levels off, the steps get small too, but the information is lost on the way.
    reached &= np.linalg.eigvalsh(information)[:, 0] > LEAST_INFORMATION
    q = design.shape[1]
    shape = at[:, q] if model.has_shape else np.zeros(len(at))
    return Fit(at[:, :q], shape, loglik, information, reached)


@dataclass(frozen=True, eq=False)
class _Problem:
    model: Model
    counts: Floats
    design: Floats

    def only(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> _Problem:
        whole = len(rows) == len(self.counts)
        return self if whole else _Problem(self.model, self.counts[rows], self.design)

    def _curve(self, at: Floats) -> Curve:
        q = self.design.shape[1]
        shape = at[:, q:] if self.model.has_shape else np.zeros((len(at), 1))
        return self.model.curve(at[:, :q] @ self.design.T, shape, counts=self.counts)

    def evaluate(self, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Log-likelihood [B], gradient [B, p] and information [B, p, p] at the parameters."""
        curve, design = self._curve(at), self.design
        q = design.shape[1]
        products = (design[:, :, None] * design[:, None, :]).reshape(len(design), q * q)
        information = (curve.bend_margin @ products).reshape(-1, q, q)
        gradient = curve.slope_margin @ design
        if self.model.has_shape:
            both = (curve.bend_both @ design)[:, :, None]
            corner = curve.bend_shape.sum(axis=1)[:, None, None]
            below = np.concatenate([both.transpose(0, 2, 1), corner], axis=2)
            information = np.concatenate([np.concatenate([information, both], axis=2), below], axis=1)
            gradient = np.concatenate([gradient, curve.slope_shape.sum(axis=1)[:, None]], axis=1)
        return curve.loglik.sum(axis=1), gradient, information

    def step(self, gradient: Floats, information: Floats) -> Floats:
        """Newton's step, [B, p], no longer than the longest."""
        ridge = RIDGE * self.counts.sum(axis=(1, 2))[:, None, None] * np.eye(gradient.shape[1])
        step: Floats = np.linalg.solve(information + ridge, gradient[:, :, None])[:, :, 0]
        length = np.abs(step).max(axis=1)[:, None]
        step *= LONGEST_STEP / np.maximum(length, LONGEST_STEP)
        return step

    def uphill(self, at: Floats, step: Floats, *, loglik: Floats) -> tuple[Floats, tuple[Floats, Floats, Floats]]:
        """The step, halved where and until it does not go down, and what is found at its end."""
        # Rounding may take the last digits of a maximum that has been reached.
        floor = loglik - 1e-12 * np.abs(loglik)
        found = self.evaluate(at + step)
        for _ in range(HALVINGS):
            down = ~(found[0] >= floor)
            if not down.any():
                break
            step = np.where(down[:, None], step / 2, step)
            found = self.evaluate(at + step)
        return step, found
