"""What can still be said where the votes do not determine one scale: labelled, beside the error, never mixed in."""

from __future__ import annotations

import math

import numpy as np

from analysis.ranking.counts import SECOND, TIE, Tally
from analysis.ranking.davidson import by_arm, elo
from analysis.ranking.estimates import has_ties, sum_to_zero
from analysis.ranking.identifiability import components, is_separated
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import DAVIDSON, PLAIN
from analysis.ranking.ratings import ComponentRating, PenalisedRating
from analysis.votes import Ints

HALF_WIN = 0.5
PRIOR = "one half-win each way for every two arms that were compared"


def davidson_penalised(tally: Tally) -> PenalisedRating:
    """Ratings of linked arms whose plain ratings do not exist: the prior votes keep them finite and near equality."""
    told = sum_to_zero(len(tally.arms))
    counts = tally.outcomes + np.where(np.arange(3) <= SECOND, HALF_WIN, 0.0)
    model = DAVIDSON if has_ties(tally.outcomes) else PLAIN
    fit = maximise(model, counts[None].astype(np.float64), design=tally.incidence @ told)
    theta = told @ fit.linear[0]
    nu = math.exp(float(fit.shape[0])) if model.has_shape else 0.0
    return PenalisedRating(by_arm(tally.arms, theta), by_arm(tally.arms, elo(theta)), nu, PRIOR)


def davidson_by_component(tally: Tally) -> tuple[ComponentRating, ...]:
    """Each part of the arms that votes link, rated on its own scale with its own nu; point estimates only."""
    return tuple(_component(tally, part) for part in components(tally.wins + tally.ties))


def _component(tally: Tally, part: list[int]) -> ComponentRating:
    arms = tuple(tally.arms[k] for k in part)
    inside = np.isin(tally.matchups[:, 0], part)
    outcomes, design = tally.outcomes[inside], tally.incidence[inside][:, part]
    if why_not := _why_not(outcomes, design=design):
        return ComponentRating(arms, None, None, why_not)
    told = sum_to_zero(len(arms))
    model = DAVIDSON if has_ties(outcomes) else PLAIN
    fit = maximise(model, outcomes[None].astype(np.float64), design=design @ told)
    nu = math.exp(float(fit.shape[0])) if model.has_shape else 0.0
    return ComponentRating(arms, by_arm(arms, told @ fit.linear[0]), nu, None)


def _why_not(outcomes: Ints, *, design: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> str | None:
    if not len(outcomes):
        return "no vote compares this arm with another"
    if not outcomes[:, :TIE].any():
        return "no_side_votes"
    return "separation" if is_separated(outcomes, design=design) else None
