"""Three models of a vote between two arms: Davidson's and Rao and Kupper's with ties, Bradley and Terry's without.

margin: theta of the first arm minus theta of the second (plus the advantage of the left). F is the logistic function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from analysis.intervals import Floats
from analysis.ranking.likelihood import Curve


@dataclass(frozen=True)
class DavidsonModel:
    """P(first) : P(second) : P(tie) = e^(margin/2) : e^(-margin/2) : e^shape (Davidson 1970, JASA 65:317).

    shape = ln nu. A multinomial logit: observed and expected information are the same.
    """

    has_shape = True

    def curve(self, margin: Floats, shape: Floats, *, counts: Floats) -> Curve:
        first, second, tie = np.moveaxis(counts, -1, 0)
        n = first + second + tie
        ahead, behind, tied, total = _odds(margin, shape)
        lead = (ahead - behind) / total
        p_tie = tied / total
        side = (first - second) / 2
        return Curve(
            loglik=side * margin + tie * shape - n * np.log(total),
            slope_margin=side - n * lead / 2,
            slope_shape=tie - n * p_tie,
            bend_margin=n * (1 - p_tie - lead * lead) / 4,
            bend_both=-n * p_tie * lead / 2,
            bend_shape=n * p_tie * (1 - p_tie),
        )


@dataclass(frozen=True)
class RaoKupperModel:
    """P(first) = F(margin - shape), P(second) = F(-margin - shape) (Rao, Kupper 1967, JASA 62:194).

    shape = ln kappa > 0. P(tie) = P(first) P(second) (kappa^2 - 1): a tie is a vote for each and a factor of kappa.
    """

    has_shape = True

    def curve(self, margin: Floats, shape: Floats, *, counts: Floats) -> Curve:
        first, second, tie = np.moveaxis(counts, -1, 0)
        up, down = first + tie, second + tie
        p_up, p_down = expit(margin - shape), expit(-margin - shape)
        # Below kappa = 1 a tie has no probability: -inf sends the search back.
        inside = np.where(shape > 0, shape, 1.0)
        shrink = -np.expm1(-2 * inside)
        gain = np.where(shape > 0, 2 * inside + np.log(shrink), -np.inf)
        slope_up, slope_down = up * (1 - p_up), down * (1 - p_down)
        bend_up, bend_down = slope_up * p_up, slope_down * p_down
        return Curve(
            loglik=up * log_expit(margin - shape) + down * log_expit(-margin - shape) + _times(tie, gain),
            slope_margin=slope_up - slope_down,
            slope_shape=2 * tie / shrink - slope_up - slope_down,
            bend_margin=bend_up + bend_down,
            bend_both=bend_down - bend_up,
            bend_shape=bend_up + bend_down + 4 * tie * np.exp(-2 * inside) / shrink**2,
        )


@dataclass(frozen=True)
class PlainModel:
    """P(first) = F(margin) (Zermelo 1929; Bradley, Terry 1952, Biometrika 39:324). Ties must have a place."""

    has_shape = False

    def curve(self, margin: Floats, shape: Floats, *, counts: Floats) -> Curve:
        first, second = counts[..., 0], counts[..., 1]
        n = first + second
        p = expit(margin)
        nothing = np.zeros_like(margin)
        return Curve(
            loglik=first * log_expit(margin) + second * log_expit(-margin),
            slope_margin=first - n * p,
            slope_shape=nothing,
            bend_margin=n * p * (1 - p),
            bend_both=nothing,
            bend_shape=nothing,
        )


DAVIDSON, RAO_KUPPER, PLAIN = DavidsonModel(), RaoKupperModel(), PlainModel()


def shares(margin: Floats, log_nu: Floats) -> tuple[Floats, Floats, Floats]:
    """Davidson's probabilities of first, second and tie; log_nu = -inf is the model without ties."""
    ahead, behind, tied, total = _odds(margin, log_nu)
    return ahead / total, behind / total, tied / total


def _odds(margin: Floats, shape: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    ahead, tied = np.exp(margin / 2), np.exp(shape)
    behind = 1 / ahead
    return ahead, behind, tied, ahead + behind + tied


def _times(count: Floats, log_chance: Floats) -> Floats:
    # 0 * -inf is 0 here: what did not happen may have had no chance.
    return np.where(count > 0, count * np.where(count > 0, log_chance, 0.0), 0.0)
